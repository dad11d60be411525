"""Pairs of events whose conditions are close, and means over them with errors."""

# Axes: N events, C numbers that describe the conditions of an event, P pairs, E condition bins, Q quantities.
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Condition
from metrics.bootstrap import independent_units
from metrics.conditioned_events import ConditionedEvents

Floats = NDArray[np.float64]

ROWS = 128  # events whose distances to all others of their bin are held at a time
TIE = 1e-9  # of a standard deviation of the conditions: below it, chance chooses


def condition_columns(events: ConditionedEvents) -> Floats:
    """The conditions as numbers, shape (N, C): the incident energy by its logarithm, categories one column each.

    A condition of several numbers (a list of tracks) weighs as much as one of one number.
    """
    columns = [_columns(condition, events.conditions[condition.name]) for condition in events.detector.conditions]
    return np.hstack([np.empty((len(events), 0)), *columns])


def _columns(condition: Condition, values: Floats) -> Floats:
    if condition.categories is not None:
        return np.eye(condition.categories)[values.astype(np.intp)]
    columns = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if condition.energy and (columns > 0).all():
        columns = np.log(columns)
    return np.asarray(columns / math.sqrt(columns.shape[1]), dtype=np.float64)


def condition_scale(columns: Floats) -> Floats:
    """Standard deviation of each column, shape (C,); 1 where it does not vary."""
    scale = columns.std(axis=0)
    return np.where(scale > 0, scale, 1.0)


@dataclass(frozen=True)
class NeighbourPairs:
    """Pairs of an event and one of its neighbours in the conditions.

    Attributes:
        first, second: Numbers of the events, shape (P,), in order of the first.
        bin: Number of their condition bin among those that have pairs, shape (P,): 0 … E − 1.
        units: Numbers of their independent units (events that share an identity), shape (P, 2).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    bin: NDArray[np.intp]
    units: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)

    def means(self, values: Floats) -> Floats:
        """Mean of values of shape (P, Q) in each bin, shape (E, Q)."""
        sums = [np.bincount(self.bin, column) for column in values.T]
        return np.stack(sums, axis=1) / np.bincount(self.bin)[:, None]

    def mean_error(self, values: Floats, bin_weights: Floats) -> float:
        """Standard error of a weighted sum of the mean values of the bins.

        Pairs that have an event in common are correlated. With r what a pair adds to the deviation of the sum, and S_i
        the sum of r over the pairs of event i, the variance is Σ_i S_i² − Σ r² (Fafchamps and Gubert 2007); at least
        Σ r², that of independent pairs.

        Args:
            values: Shape (P,).
            bin_weights: Shape (E,).
        """
        deviations = values - self.means(values[:, None])[self.bin, 0]
        added = deviations * (bin_weights / np.bincount(self.bin))[self.bin]
        # The same two events may be a pair twice, once for each as the first.
        units, number = np.unique(np.sort(self.units, axis=1), axis=0, return_inverse=True)
        merged = np.bincount(number.ravel(), added)
        of_units = np.bincount(units.ravel(), np.repeat(merged, 2))
        independent = float((merged**2).sum())
        return math.sqrt(max(float((of_units**2).sum()) - independent, independent))


def neighbouring_pairs(events: ConditionedEvents, bins: NDArray[np.intp], neighbours: int, seed: int) -> NeighbourPairs:
    """Each event with the nearest others of its condition bin, in units of the conditions' standard deviations.

    Events of one identity (tracks of a collision, overlays of a shower) are no neighbours: they are not independent.
    Between equally near ones chance decides, or all events of equal conditions would have the same neighbours. In a
    bin of few events, all others are neighbours.

    Args:
        bins: Condition bin of each event, shape (N,).
        neighbours: How many for each event.
        seed: Of the choice between equally near ones.
    Raises: ValueError if no bin holds two independent events.
    """
    columns = condition_columns(events)
    columns = columns / condition_scale(columns)
    generator = np.random.default_rng(seed)
    parts = [_pairs_of_bin(columns, events, np.flatnonzero(bins == one), neighbours, generator) for one in set(bins)]
    first, second = (np.concatenate(side) for side in zip(*parts, strict=True))
    if len(first) == 0:
        raise ValueError(
            f"{len(events)} events came, of which no two independent ones lie in one condition bin; pairs of events "
            "are compared: judge a larger sample"
        )
    order = np.argsort(first, kind="stable")
    bin_ = np.unique(bins[first[order]], return_inverse=True)[1]
    units = independent_units(events.identity)[np.column_stack([first[order], second[order]])]
    return NeighbourPairs(first[order], second[order], np.asarray(bin_, dtype=np.intp), units)


def _pairs_of_bin(
    columns: Floats,
    events: ConditionedEvents,
    members: NDArray[np.intp],
    neighbours: int,
    generator: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    first, second = [], []
    most = min(neighbours, len(members))
    for start in range(0, len(members), ROWS):
        rows = members[start : start + ROWS]
        distances = squared_distances(columns[rows], columns[members])
        distances += TIE**2 * generator.random(distances.shape)
        distances[events.identity[rows][:, None] == events.identity[members]] = np.inf
        nearest = np.argpartition(distances, most - 1, axis=1)[:, :most]
        row, place = np.nonzero(np.isfinite(np.take_along_axis(distances, nearest, axis=1)))
        first.append(rows[row])
        second.append(members[nearest[row, place]])
    return np.concatenate(first), np.concatenate(second)


def squared_distances(a: Floats, b: Floats) -> Floats:
    """|a_i − b_j|², column by column, so that equal conditions are at a distance of exactly 0; shape (len a, len b)."""
    total = np.zeros((len(a), len(b)))
    for left, right in zip(a.T, b.T, strict=True):
        total += (left[:, None] - right) ** 2
    return total
