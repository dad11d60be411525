"""Images of cells side by side with their colour bars: mean showers, single events, correlation matrices."""

# Axes: R × C cells of an image, O observables.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from leaderboard.svg_axes import Axis, Frame, drawing, fitting, path, picture, short, text

LEVELS = 64  # colours of an image; finer ones nobody tells apart
AMOUNTS, DIFFERENCES = "cividis", "PuOr"
SIDE, GAP, LEFT, TOP, BOTTOM = 116.0, 24.0, 56.0, 40.0, 44.0
BAR_WIDTH, BAR_ROOM = 9.0, 56.0
FLATTEST, STEEPEST = 0.6, 1.4  # height over width of an image
MOST_NUMBERS = 9  # observables of which correlations are also written as numbers
GAMMA = 2.2  # from the numbers of a colour to its light
CELL, NAMES_ROOM = 25.0, 8.0
DARK = 0.18  # luminance below which white letters are read better

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Where the cells of an image are: R + 1 and C + 1 edges, and what the directions are called."""

    row_edges: Array
    column_edges: Array
    row_label: str
    column_label: str

    @property
    def height_over_width(self) -> float:
        """As in the detector where both directions have the same unit in their labels, else a square."""
        row_unit, column_unit = (label.partition("[")[2] for label in (self.row_label, self.column_label))
        if not row_unit or row_unit != column_unit:
            return 1.0
        ratio = np.ptp(self.row_edges) / np.ptp(self.column_edges)
        return float(np.clip(ratio, FLATTEST, STEEPEST))


@dataclass(frozen=True)
class Scale:
    """Colours of values between two limits; outside, the colour of the limit.

    Attributes:
        logarithmic: Then what is not above 0 has no colour.
        unit: Written above the colour bar.
    """

    low: float
    high: float
    colours: str = AMOUNTS
    logarithmic: bool = False
    unit: str = ""

    def levels(self, values: Array) -> NDArray[np.intp]:
        """Numbers of the colours of values, −1 for none."""
        axis = Axis(self.low, self.high, 0.0, LEVELS - 1.0, self.logarithmic)
        shown = values > 0 if self.logarithmic else np.isfinite(values)
        places = axis(np.where(shown, values, self.high))
        return np.where(shown, np.rint(np.clip(places, 0, LEVELS - 1)), -1).astype(np.intp)

    @property
    def palette(self) -> Array:
        """Red, green and blue of each level."""
        return np.asarray(mpl.colormaps[self.colours](np.linspace(0, 1, LEVELS))[:, :3], dtype=np.float64)


@dataclass(frozen=True)
class Group:
    """Images, by their titles, that share a scale and so have one colour bar."""

    images: dict[str, Array]
    scale: Scale


def amounts(images: dict[str, Array], unit: str = "") -> Group:
    """Images with one linear scale from 0."""
    largest = max((float(image.max(initial=0.0)) for image in images.values()), default=0.0)
    return Group(images, Scale(0.0, largest or 1.0, unit=unit))


def difference(name: str, image: Array, unit: str = "", largest: float | None = None) -> Group:
    """One image with a diverging scale around 0."""
    spread = largest if largest is not None else float(np.abs(image).max(initial=0.0)) or 1.0
    return Group({name: image}, Scale(-spread, spread, DIFFERENCES, unit=unit))


def image_row(title: str, cells: Cells, groups: Sequence[Group], label: str) -> str:
    """Images of the same cells side by side as an ``<svg>`` element, each group with its colour bar."""
    height = SIDE * cells.height_over_width
    content: list[str] = []
    left = LEFT
    for group in groups:
        for name, image in group.images.items():
            frame = _frame(cells, left, height)
            box = (left, TOP, SIDE, height)
            levels = group.scale.levels(image)
            content += [f'<path class="p" d="M{short(left)} {short(TOP)}h{SIDE:g}v{short(height)}h-{SIDE:g}z"/>']
            content += [picture(levels, group.scale.palette, box), text(left, TOP - 6, name, size=11)]
            content += [frame.ticks(3, 3, name_y=left == LEFT, size=11)]
            content += [text(left + SIDE / 2, TOP + height + 36, cells.column_label, "m", size=11)]
            left += SIDE + GAP
        content += [colour_bar(group.scale, left - GAP + 8, TOP, height)]
        left += BAR_ROOM
    content += [text(16, TOP + height / 2, cells.row_label, "m", size=11, upright=True)]
    content += [text(4, 14, title, "t", size=fitting(title, 13, left - 8))]
    return drawing(left, TOP + height + BOTTOM, label, content)


def colour_bar(scale: Scale, left: float, top: float, height: float) -> str:
    """The colours of a scale from bottom to top, with numbers at their right and the unit above."""
    axis = Axis(scale.low, scale.high, top + height, top, scale.logarithmic)
    places, names, factor = axis.ticks(4)
    right = left + BAR_WIDTH
    bar = picture(np.arange(LEVELS)[:, None], scale.palette, (left, top, BAR_WIDTH, height))
    marks = "".join(f"M{short(right)} {short(y)}h3" for y in axis(places))
    numbers = [text(right + 5, y + 3.5, name, size=11) for y, name in zip(axis(places), names, strict=True)]
    words = " ".join(part for part in (factor, scale.unit) if part)
    above = [text(left, top - 6, words, size=fitting(words, 11, BAR_ROOM - 4) or 11)] if words else []
    return "".join([bar, path("a", marks), *numbers, *above])


def correlation_row(names: Sequence[str], groups: Sequence[Group], label: str) -> str:
    """Correlation matrices of O observables side by side as an ``<svg>`` element; row 1 at the top.

    Rows are named and numbered, columns numbered; with few observables the correlations are written into the cells.
    """
    side = CELL * len(names)
    labels = [f"{name}  {number}" for number, name in enumerate(names, start=1)]
    left = first = NAMES_ROOM + 6.2 * max(len(words) for words in labels)
    centres = TOP + CELL * (np.arange(len(names)) + 0.5)
    content = [text(first - 6, y + 3.5, words, "e", size=11) for y, words in zip(centres, labels, strict=True)]
    for group in groups:
        for name, matrix in group.images.items():
            content += [text(left, TOP - 20, name, "t", size=11)]
            content += [
                text(left + y - TOP, TOP - 5, str(number), "m q", size=10) for number, y in enumerate(centres, start=1)
            ]
            box = (left, TOP, side, side)
            content += [picture(group.scale.levels(matrix)[::-1], group.scale.palette, box)]
            if len(names) <= MOST_NUMBERS:
                content += _numbers(matrix, group.scale, left)
            left += side + GAP
        content += [colour_bar(group.scale, left - GAP + 8, TOP, side)]
        left += BAR_ROOM
    return drawing(left, TOP + side + 8, label, content)


def _numbers(matrix: Array, scale: Scale, left: float) -> list[str]:
    """Hundredths in each cell off the diagonal, in letters that stand out from its colour."""
    red, green, blue = scale.palette[scale.levels(matrix)].transpose(2, 0, 1) ** GAMMA
    dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < DARK
    return [
        text(
            left + CELL * (column + 0.5),
            TOP + CELL * (row + 0.5) + 3,
            _hundredths(float(matrix[row, column])),
            "m n" if dark[row, column] else "m",
            size=9,
        )
        for row, column in np.ndindex(matrix.shape)
        if row != column
    ]


def _hundredths(value: float) -> str:
    """Two digits without the zero in front: .53, −.08, 1."""
    number = f"{abs(value):.2f}"
    digits = number[:1] if number.endswith(".00") else number.removeprefix("0")
    return digits if value >= 0 or digits == "0" else f"−{digits}"


def _frame(cells: Cells, left: float, height: float) -> Frame:
    return Frame(
        Axis(float(cells.column_edges[0]), float(cells.column_edges[-1]), left, left + SIDE),
        Axis(float(cells.row_edges[0]), float(cells.row_edges[-1]), TOP + height, TOP),
    )
