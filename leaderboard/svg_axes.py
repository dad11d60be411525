"""Plots written as SVG directly, for those of which a page holds a hundred.

matplotlib takes 150 ms and 12 kB for a histogram with a ratio panel, and a page of 126 of them 20 s; written here, one
takes 1 ms and 4 kB. Only the places of the ticks and the colour maps are matplotlib's. Colours and fonts come from
``templates/plots.css``, so that a drawing says what a line is, not what it looks like.
"""

# Axes: P points of a line, R × C cells of an image. Lengths in pixels of the drawing, y downwards.
from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

TICK, LABEL_GAP = 4, 7
TEXT_SIZE = 12.0  # that of plots.css
LETTER = 0.61  # mean width over height of the letters of wide fonts
LARGEST_PLAIN, SMALLEST_PLAIN = 1e5, 1e-3
LOWEST_PLAIN, HIGHEST_PLAIN = -3, 5  # powers of ten that are written out
FEW_DECADES = 2.0
NICE_STEPS = [1, 2, 5, 10]
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """A direction of a plot: values from ``low`` to ``high`` lie between two borders of the drawing [px]."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool = False

    def __call__(self, values: Array) -> Array:
        """Places [px] of values; NaN stays NaN."""
        low, high = np.log10([self.low, self.high]) if self.logarithmic else (self.low, self.high)
        scaled = np.log10(values) if self.logarithmic else values
        return np.asarray(self.start + (scaled - low) / (high - low) * (self.stop - self.start), dtype=np.float64)

    def ticks(self, number: int) -> tuple[Array, list[str], str]:
        """Places of about so many ticks inside the limits, what stands at them, and a common factor such as ×10⁻⁴."""
        return _ticks(self.low, self.high, number, self.logarithmic)


@dataclass(frozen=True)
class Frame:
    """A panel: two axes at its left and bottom border."""

    x: Axis
    y: Axis

    def ticks(
        self, across: int, upwards: int, *, name_x: bool = True, name_y: bool = True, size: float | None = None
    ) -> str:
        """Both axes with their ticks, and the numbers of those that are named, in letters of a size [px]."""
        places, names, factor = self.x.ticks(across)
        heights, height_names, height_factor = self.y.ticks(upwards)
        bottom, left = self.y.start, self.x.start
        xs, ys = self.x(places), self.y(heights)
        marks = "".join(f"M{short(x)} {short(bottom)}v{TICK}" for x in xs)
        marks += "".join(f"M{short(left)} {short(y)}h-{TICK}" for y in ys)
        axes = f"M{short(left)} {short(self.y.stop)}V{short(bottom)}H{short(self.x.stop)}"
        parts = [f'<path class="a" d="{axes}{marks}"/>']
        if name_x:
            step = 2 if _crowded(xs, names, size or TEXT_SIZE) else 1
            shown = list(zip(xs, names, strict=True))[step - 1 :: step]
            parts += [text(x, bottom + TICK + 12, name, "m", size=size) for x, name in shown]
            parts += [text(self.x.stop, bottom + TICK + 25, factor, "e")] if factor else []
        if name_y:
            parts += [
                text(left - LABEL_GAP, y + 4, name, "e", size=size) for y, name in zip(ys, height_names, strict=True)
            ]
            parts += [text(left + 4, self.y.stop + 4, height_factor)] if height_factor else []
        return "".join(parts)


def _crowded(places: Array, names: Sequence[str], size: float) -> bool:
    """Whether the numbers of an axis would touch each other."""
    return len(names) > 2 and LETTER * size * (max(map(len, names)) + 1) > abs(places[1] - places[0])


def short(value: float) -> str:
    """Tenths of a pixel are finer than a screen."""
    number = f"{value:.1f}".removesuffix(".0")
    return "0" if number == "-0" else number


def text(x: float, y: float, words: str, style: str = "", *, size: float | None = None, upright: bool = False) -> str:
    """A text, escaped.

    Args:
        style: Classes of ``plots.css``: m centred, e to the left of the place, t a title, q quiet.
        size: Of the letters [px] where it isn't the style sheet's.
        upright: Turned by a quarter, as along a vertical axis.
    """
    attributes = f' class="{style}"' if style else ""
    attributes += f' style="font-size:{size:.1f}px"' if size is not None else ""
    attributes += f' transform="rotate(-90 {short(x)} {short(y)})"' if upright else ""
    return f'<text x="{short(x)}" y="{short(y)}"{attributes}>{html.escape(words)}</text>'


def fitting(words: str, size: float, width: float) -> float | None:
    """Size of the letters [px] at which a text is no wider than the room; None if it fits at ``size``."""
    wide = LETTER * size * len(words)
    return None if wide <= width else max(7.5, size * width / wide)


def path(style: str, data: str) -> str:
    return f'<path class="{style}" d="{data}"/>' if data else ""


def steps(edges: Array, heights: Array) -> str:
    """Outline of bins: P + 1 edges and P heights [px]; gaps where a height is NaN."""
    parts: list[str] = []
    drawing = False
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        if np.isnan(height):
            drawing = False
            continue
        parts.append(f"V{short(height)}" if drawing else f"M{short(left)} {short(height)}")
        parts.append(f"H{short(right)}")
        drawing = True
    return "".join(parts)


def bands(edges: Array, low: Array, high: Array) -> str:
    """A box for each bin, from its lower to its upper border [px]; none where one is NaN."""
    return "".join(
        f"M{short(left)} {short(top)}H{short(right)}V{short(bottom)}H{short(left)}z"
        for left, right, bottom, top in zip(edges[:-1], edges[1:], low, high, strict=True)
        if not np.isnan(bottom + top) and abs(top - bottom) >= 0.05
    )


def bars(x: Array, low: Array, high: Array) -> str:
    """Error bars [px]."""
    return "".join(
        f"M{short(place)} {short(bottom)}V{short(top)}"
        for place, bottom, top in zip(x, low, high, strict=True)
        if not np.isnan(bottom + top) and abs(top - bottom) >= 0.05
    )


def dots(x: Array, y: Array) -> str:
    """Points as lines without length, which round caps make circles of: one path for all of them."""
    return "".join(f"M{short(a)} {short(b)}h0" for a, b in zip(x, y, strict=True) if not np.isnan(a + b))


def squares(x: Array, y: Array) -> str:
    """Points as squares [px]."""
    places = zip(x, y, strict=True)
    return "".join(f"M{short(a - 3)} {short(b - 3)}h6v6h-6z" for a, b in places if not np.isnan(a + b))


def line(x: Array, y: Array) -> str:
    """A polyline [px]."""
    return "M" + "L".join(f"{short(a)} {short(b)}" for a, b in zip(x, y, strict=True))


def triangles(x: Iterable[float], y: float, *, upwards: bool) -> str:
    """Marks of what lies outside a panel."""
    rise = -7 if upwards else 7
    return "".join(f"M{short(place - 4)} {short(y)}h8l-4 {rise}z" for place in x)


def picture(levels: NDArray[np.integer], colours: Array, box: tuple[float, float, float, float]) -> str:
    """Cells of equal size in a box, as an image with one pixel a cell that the browser enlarges without seams.

    Args:
        levels: Number of the colour of each cell, shape (R, C), row 0 at the bottom; −1 is transparent.
        colours: Red, green and blue in 0 … 1, shape (colours, 3).
        box: x, y of the upper left corner, width and height [px].
    """
    data = base64.b64encode(png(levels[::-1], colours)).decode()
    x, y, width, height = (short(value) for value in box)
    return (
        f'<image class="i" x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{data}"/>'
    )


def png(levels: NDArray[np.integer], colours: Array) -> bytes:
    """A PNG whose palette holds the colours that occur; row 0 is the uppermost, −1 transparent."""
    used, index = np.unique(levels, return_inverse=True)
    palette = np.where(used[:, None] < 0, 1.0, colours[np.maximum(used, 0)])
    rows = np.asarray(index, dtype=np.uint8).reshape(levels.shape)
    filtered = np.hstack([np.zeros((len(rows), 1), dtype=np.uint8), rows])  # each row begins with its filter, none
    height, width = levels.shape
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", np.rint(255 * palette).astype(np.uint8).tobytes()),
    ]
    if used[0] < 0:
        chunks.append((b"tRNS", b"\0"))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def drawing(width: float, height: float, label: str, content: Sequence[str]) -> str:
    """The ``<svg>`` element, as wide as its container and at most ``width`` pixels; ``label`` is what it shows."""
    return (
        f'<svg class="drawn" role="img" aria-label="{html.escape(label)}" viewBox="0 0 {short(width)} {short(height)}" '
        f'style="max-width:{short(width)}px" xmlns="http://www.w3.org/2000/svg">{"".join(content)}</svg>'
    )


def decade(exponent: int) -> str:
    """A power of ten: 0.01, 1, 100, 10⁵."""
    if LOWEST_PLAIN <= exponent <= HIGHEST_PLAIN:
        return f"{10.0**exponent:g}"
    return f"10{_raised(exponent)}"


def _raised(exponent: int) -> str:
    return str(exponent).translate(SUPERSCRIPTS)


@lru_cache(maxsize=4096)
def _ticks(low: float, high: float, number: int, logarithmic: bool) -> tuple[Array, list[str], str]:
    if logarithmic:
        return _log_ticks(low, high, number)
    places = np.asarray(MaxNLocator(number, steps=NICE_STEPS).tick_values(low, high), dtype=np.float64)
    margin = 1e-9 * (high - low)
    places = places[(places >= low - margin) & (places <= high + margin)]
    largest = float(np.abs(places).max(initial=0.0))
    exponent = 0
    if largest and not SMALLEST_PLAIN <= largest < LARGEST_PLAIN:
        exponent = int(np.floor(np.log10(largest)))
    scaled = np.where(places == 0, 0.0, places / 10.0**exponent)
    decimals = next((d for d in range(8) if np.allclose(scaled, np.round(scaled, d), atol=1e-9, rtol=1e-9)), 8)
    names = [f"{value:.{decimals}f}".replace("-", "−") for value in scaled]
    return places, names, f"×10{_raised(exponent)}" if exponent else ""


def _log_ticks(low: float, high: float, number: int) -> tuple[Array, list[str], str]:
    first, last = np.log10(low), np.log10(high)
    if last - first < FEW_DECADES:
        places = np.asarray(LogLocator(subs=(1.0, 2.0, 5.0)).tick_values(low, high), dtype=np.float64)
    else:
        places = np.asarray(LogLocator(numticks=number).tick_values(low, high), dtype=np.float64)
    places = places[(places >= low * (1 - 1e-9)) & (places <= high * (1 + 1e-9))]
    return places, [_log_name(place) for place in places], ""


def _log_name(place: float) -> str:
    exponent = int(np.floor(np.log10(place) + 1e-9))
    leading = round(place / 10.0**exponent)
    if LOWEST_PLAIN <= exponent <= HIGHEST_PLAIN:
        return f"{place:g}"
    power = decade(exponent)
    return power if leading == 1 else f"{leading}·{power}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
