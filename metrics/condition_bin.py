"""One bin of the conditions: its events, and the binning its reference events fixed."""

# Axes: n events of the bin, O distributions, B bins of all histograms, P bins of all profiles,
# K bootstrap replicas.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.binning import bin_index, profile_starts, quantile_edges
from metrics.condition_cells import ConditionCells
from metrics.scorecard import Scorecard

SMALLEST_SPREAD = 1e-6  # of the size of the values; below lies the rounding of float32

ObservableValues = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Measurement:
    """What all metrics need of a sample in one condition bin.

    Attributes:
        values: Distributions, shape (n, O).
        membership: 1 where an event lies in a bin of a histogram, else 0; shape (n, B), the histograms
            side by side.
        profiles: Energy over incident energy in the bins of the profiles, shape (n, P), side by side.
    """

    values: NDArray[np.float64]
    membership: NDArray[np.float64]
    profiles: NDArray[np.float64]


@dataclass(frozen=True)
class ConditionBin:
    """Binning of one condition bin, frozen from the reference.

    Attributes:
        condition: Value of the first binning condition, in its unit, that stands for the bin.
        events: Indices of its events in the sample, shape (n,).
        edges: Inner edges of the histogram of each distribution.
        starts: First positions of the merged bins of each profile.
        merged: Number of bins that were lost by merging.
        scale: Standard deviation of each distribution in the reference, shape (O,); where it does not fluctuate, its
            size or 1, so that a generated sample that differs is seen.
        label: What the bin is called.
        constant: Distributions that do not fluctuate in the reference.
    """

    condition: float
    events: NDArray[np.intp]
    distributions: tuple[str, ...]
    profiles: tuple[str, ...]
    edges: tuple[NDArray[np.float64], ...]
    starts: tuple[NDArray[np.intp], ...]
    merged: int
    scale: NDArray[np.float64]
    label: str = ""
    constant: tuple[str, ...] = ()

    def measure(self, values: ObservableValues) -> Measurement:
        """The events of this bin out of the observables of a whole sample."""
        distributions = [values[name][self.events] for name in self.distributions]
        membership = [
            np.eye(len(edges) + 1)[bin_index(column, edges)]
            for column, edges in zip(distributions, self.edges, strict=True)
        ]
        profiles = [
            np.add.reduceat(values[name][self.events], starts, axis=1)
            for name, starts in zip(self.profiles, self.starts, strict=True)
        ]
        none = np.empty((len(self.events), 0))  # a scorecard may have no profiles
        return Measurement(np.stack(distributions, axis=1), np.hstack(membership), np.hstack([none, *profiles]))

    @property
    def histogram_sizes(self) -> NDArray[np.intp]:
        """Number of bins of each histogram, shape (O,)."""
        return np.array([len(edges) + 1 for edges in self.edges], dtype=np.intp)

    @property
    def profile_sizes(self) -> NDArray[np.intp]:
        """Number of bins of each profile."""
        return np.array([len(starts) for starts in self.starts], dtype=np.intp)


def condition_bins(scorecard: Scorecard, cells: ConditionCells, values: ObservableValues) -> tuple[ConditionBin, ...]:
    """The bins of a scorecard, filled and binned by the reference.

    Args:
        cells: Condition bins of the reference events.
        values: Observables of the reference events.
    Raises: ValueError if an event lies in no bin, or a bin holds too few events.
    """
    strangers = np.flatnonzero(cells.number < 0)
    if len(strangers):
        raise ValueError(
            f"event {strangers[0]} of the reference lies in none of the condition bins of {scorecard.name} "
            f"({', '.join(cells.labels)}): remove such events, or register a scorecard for them"
        )
    return tuple(
        _condition_bin(scorecard, value, label, np.flatnonzero(cells.number == index), values)
        for index, (value, label) in enumerate(zip(cells.values, cells.labels, strict=True))
    )


def _condition_bin(
    scorecard: Scorecard, value: float, label: str, events: NDArray[np.intp], values: ObservableValues
) -> ConditionBin:
    if len(events) < scorecard.smallest_sample:
        raise ValueError(
            f"{scorecard.name} needs {scorecard.smallest_sample} reference events in every condition bin; "
            f"{label} has {len(events)}: give a larger sample"
        )
    edges = tuple(
        quantile_edges(values[name][events], scorecard.quantile_bins, scorecard.smallest_count)
        for name in scorecard.distributions
    )
    profiles = [values[name][events] for name in scorecard.profiles]
    starts = tuple(
        profile_starts(profile, scorecard.smallest_profile_fraction, scorecard.smallest_count) for profile in profiles
    )
    merged = sum(scorecard.quantile_bins - len(inner) - 1 for inner in edges)
    merged += sum(profile.shape[1] - len(start) for profile, start in zip(profiles, starts, strict=True))
    columns = np.stack([values[name][events] for name in scorecard.distributions], axis=1)
    scale = columns.std(axis=0)
    constant = scale <= SMALLEST_SPREAD * np.abs(columns).max(axis=0)
    return ConditionBin(
        condition=value,
        label=label,
        events=events,
        distributions=scorecard.distributions,
        profiles=scorecard.profiles,
        edges=edges,
        starts=starts,
        merged=merged,
        scale=np.where(constant, _size(columns), scale),
        constant=tuple(scorecard.distributions[index] for index in np.flatnonzero(constant)),
    )


def _size(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit of a distribution that does not fluctuate, shape (O,): its value, or 1 where that is 0."""
    size = np.abs(columns.mean(axis=0))
    return np.where(size > 0, size, 1.0)
