"""A few single events, full simulation and generated, as what a page can draw of them.

Which ones follows from the conditions alone, so that nobody chooses the good ones.
"""

# Axes: N events, V cells, R × C cells of a view, P points of a track.
from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Axis, Detector
from data_adapters.events import Events
from metrics.condition_cells import ConditionCells, condition_cells
from metrics.labels import axis_label, quantity
from metrics.observables.along_axes import Grid, grids
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1

EVENTS = 4
DIGITS = 3
DECADES = 4  # cells further below the largest one of an event would have no colour
TIME_AXIS = "time"

Response = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A picture of the cells of an event: a layer, or the sums of a volume along an axis.

    Attributes:
        grid: Where its cells are.
        rows, columns: Numbers of the axes of the grid.
    """

    grid: Grid
    rows: int
    columns: int

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Of rows and columns."""
        return self.grid.axes[self.rows], self.grid.axes[self.columns]

    @property
    def name(self) -> str:
        rows, columns = self.axes
        return self.grid.prefix.removesuffix("_") or f"{rows.name}, {columns.name}"

    def image(self, response: NDArray[np.floating]) -> NDArray[np.float64]:
        """What a response of shape (V,) holds there, shape (R, C)."""
        volume = response[self.grid.cells].reshape([axis.num_cells for axis in self.grid.axes])
        others = tuple(index for index in range(volume.ndim) if index not in (self.rows, self.columns))
        summed = np.asarray(volume.sum(axis=others, dtype=np.float64), dtype=np.float64)
        return summed if self.rows < self.columns else summed.T

    def to_json(self, detector: Detector) -> dict[str, Any]:
        rows, columns = self.axes
        depth = next((layer.depth_x0 for layer in detector.layers if f"{layer.name}_" == self.grid.prefix), None)
        return {
            "layer": self.name,
            "depth_x0": None if depth is None else _rounded(depth),
            "row_edges": [_rounded(edge, 6) for edge in rows.edges],
            "column_edges": [_rounded(edge, 6) for edge in columns.edges],
            "row_label": axis_label(rows),
            "column_label": axis_label(columns),
        }


def views(detector: Detector) -> tuple[View, ...]:
    """How the cells of a detector are drawn: each layer, a volume along each of its axes; no axis of one cell.

    x runs to the right where there is a y, and the depth of a volume too.
    """
    return tuple(
        View(grid, *_upright(grid, pair))
        for grid in grids(detector)
        if not grid.summed
        for pair in itertools.combinations(range(len(grid.axes)), 2)
    )


def event_gallery(
    reference: Events, generated_response: Response, scorecard: Scorecard = ATLAS_PHOTONS_V1
) -> dict[str, Any]:
    """A few events of the reference, each beside what was generated for the very same conditions.

    Of at most four condition bins, spread evenly, the first event in the order of the file; of fewer bins further
    events.

    Args:
        generated_response: Shape (N, V) [unit of the detector], at the conditions of the reference.
    Returns: ``kind`` (``cells``, ``stations`` or ``tracks``), ``quantity``, ``unit``, ``num_bins``, ``views`` as in
        ``mean_images``, and ``events``: ``label`` of the bin, ``told`` (conditions in words), ``reference`` and
        ``generated``. Of cells and stations these are a list with one entry a view, flat indices of the filled
        ``cells`` (row by row) and their ``values``, three digits; cells 10⁴ times below the largest of the event are
        left out. Of tracks they are the points' ``x``, ``y`` and ``z``.
    """
    detector = reference.detector
    cells = condition_cells(scorecard, detector, reference.conditions)
    rows = chosen_events(cells)
    kind = gallery_kind(detector)
    drawn = DRAWN[kind](detector)
    return {
        "kind": kind,
        "quantity": detector.quantity,
        "unit": detector.unit,
        "num_bins": len(cells.labels),
        "views": [] if kind == "tracks" else [view.to_json(detector) for view in _gallery_views(detector)],
        "events": [
            {
                "label": cells.labels[cells.number[row]],
                "told": _told(reference, row),
                **drawn(reference.response[row], generated_response[row]),
            }
            for row in rows
        ],
    }


def chosen_events(cells: ConditionCells) -> list[int]:
    """Numbers of the events that are shown; see ``event_gallery``."""
    num_bins = len(cells.labels)
    bins = np.unique(np.linspace(0, num_bins - 1, min(EVENTS, num_bins)).round().astype(np.intp))
    inside = [np.flatnonzero(cells.number == index) for index in bins]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*(rows[:EVENTS] for rows in inside)))
    return sorted(
        (int(row) for row in itertools.islice((r for r in turns if r is not None), EVENTS)),
        key=lambda row: (int(cells.number[row]), row),
    )


def gallery_kind(detector: Detector) -> str:
    """What an event looks like: points of a track, signals of the stations of an array, or cells."""
    if detector.quantity == "coordinate":
        return "tracks"
    return "stations" if detector.quantity == "signal" else "cells"


def _gallery_views(detector: Detector) -> tuple[View, ...]:
    """Of stations with traces only the ground: the sum of each trace."""
    if gallery_kind(detector) != "stations":
        return views(detector)
    return tuple(view for view in views(detector) if TIME_AXIS not in (axis.name for axis in view.axes))


def _images(detector: Detector) -> Callable[[Response, Response], dict[str, Any]]:
    def drawn(reference: Response, generated: Response) -> dict[str, Any]:
        samples = {"reference": reference, "generated": generated}
        found = {role: [view.image(sample) for view in _gallery_views(detector)] for role, sample in samples.items()}
        largest = max(float(np.abs(image).max()) for images in found.values() for image in images)
        return {role: [_sparse(image, largest) for image in images] for role, images in found.items()}

    return drawn


def _sparse(image: NDArray[np.float64], largest: float) -> dict[str, Any]:
    flat = image.ravel()
    filled = np.flatnonzero(np.abs(flat) > largest * 10.0**-DECADES)
    return {"cells": filled.tolist(), "values": [_rounded(value) for value in flat[filled]]}


def _tracks(detector: Detector) -> Callable[[Response, Response], dict[str, Any]]:
    shape = detector.layers[0].shape
    place = shape.index(3)

    def points(response: Response) -> dict[str, Any]:
        track = np.moveaxis(response.reshape(shape), place, -1).reshape(-1, 3)
        measured = track[track.any(axis=1)]  # a missing point is 0, 0, 0
        return {name: [_rounded(value, 4) for value in column] for name, column in zip("xyz", measured.T, strict=True)}

    return lambda reference, generated: {"reference": points(reference), "generated": points(generated)}


DRAWN: dict[str, Callable[[Detector], Callable[[Response, Response], dict[str, Any]]]] = {
    "cells": _images,
    "stations": _images,
    "tracks": _tracks,
}


def _told(events: Events, row: int) -> str:
    """The conditions of an event that are single numbers, in words."""
    return ", ".join(
        f"{condition.name.replace('_', ' ')} {_with_true_minus(events.conditions[condition.name][row], condition.unit)}"
        for condition in events.detector.conditions
        if condition.shape == ()
    )


def _with_true_minus(value: float, unit: str) -> str:
    return f"{'−' if value < 0 else ''}{quantity(abs(float(value)), unit)}"


def _upright(grid: Grid, pair: tuple[int, int]) -> tuple[int, int]:
    first, second = pair
    return (second, first) if [grid.axes[first].name, grid.axes[second].name] == ["x", "y"] else pair


def _rounded(value: float, digits: int = DIGITS) -> float:
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() else number
