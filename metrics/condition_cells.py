"""Which condition bin an event lies in, and what the bins are called.

Bins are declared by the scorecard: values of one condition, frozen edges of one condition, or cells of several
conditions that follow from the reference, as many as hold enough of its events each.
"""

# Axes: N events, E condition bins, n events of one part of them.
from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.binning import bin_index, quantile_edges
from metrics.labels import quantity
from metrics.scorecard import ConditionAxis, Scorecard

Columns = Mapping[str, NDArray[np.float64]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class ConditionCells:
    """Condition bins of one reference sample.

    Attributes:
        number: Bin of each reference event, shape (N,); −1 for an event in none of them.
        values: Value of the first condition that stands for each bin, in its unit, length E.
        labels: What each bin is called, length E.
    """

    number: NDArray[np.intp]
    values: tuple[float, ...]
    labels: tuple[str, ...]


def condition_cells(scorecard: Scorecard, detector: Detector, conditions: Columns) -> ConditionCells:
    """The condition bins of a scorecard for reference events with these conditions."""
    if scorecard.cells:
        return _adaptive(scorecard, detector, conditions)
    condition = detector.binning_condition
    values = scorecard.condition_bins
    labels = [quantity(value, condition.unit) for value in values]
    if scorecard.condition_edges:
        labels = [_range_label(pair, condition.unit) for pair in itertools.pairwise(scorecard.condition_edges)]
    return ConditionCells(scorecard.bin_index(conditions[condition.name]), values, tuple(labels))


def energy_cells(scorecard: Scorecard, detector: Detector, conditions: Columns) -> ConditionCells:
    """The same in the first condition of the scorecard alone: for curves against it."""
    if not scorecard.cells:
        return condition_cells(scorecard, detector, conditions)
    return _cells(scorecard.cells[:1], scorecard.smallest_sample, detector, conditions)


def _adaptive(scorecard: Scorecard, detector: Detector, conditions: Columns) -> ConditionCells:
    return _cells(scorecard.cells, scorecard.smallest_sample, detector, conditions)


def _cells(axes: Sequence[ConditionAxis], smallest: int, detector: Detector, conditions: Columns) -> ConditionCells:
    columns = [conditions[axis.condition] for axis in axes]
    units = {condition.name: condition.unit for condition in detector.conditions}
    parts = _divide(np.arange(len(columns[0])), columns, axes, smallest)
    number = np.empty(len(columns[0]), dtype=np.intp)
    values, labels = [], []
    for index, (rows, intervals) in enumerate(parts):
        number[rows] = index
        values.append(float(np.median(columns[0][rows])))
        words = (_range_label(interval, units[axis.condition]) for axis, interval in zip(axes, intervals, strict=True))
        labels.append(", ".join(words))
    return ConditionCells(number, tuple(values), tuple(labels))


def _divide(
    rows: NDArray[np.intp], columns: Sequence[NDArray[np.float64]], axes: Sequence[ConditionAxis], smallest: int
) -> list[tuple[NDArray[np.intp], tuple[Interval, ...]]]:
    """Rows of each cell and its interval along each axis; about as many parts along each axis."""
    if not axes:
        return [(rows, ())]
    values = columns[0][rows]
    room = len(rows) // smallest
    wanted = math.floor(room ** (1 / len(axes)) + 1e-9)
    width = float(values.max() - values.min())
    parts = max(1, min(wanted, math.ceil(width / axes[0].finest - 1e-9)))
    edges = quantile_edges(values, parts, smallest)
    part = bin_index(values, edges)
    borders = [float(values.min()), *edges.tolist(), float(values.max())]
    return [
        (inside, (interval, *others))
        for index, interval in enumerate(itertools.pairwise(borders))
        for inside, others in _divide(rows[part == index], columns[1:], axes[1:], smallest)
    ]


def _range_label(interval: Interval, unit: str) -> str:
    low, high = interval
    return f"{quantity(low, unit)} – {quantity(high, unit)}"
