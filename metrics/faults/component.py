"""What a fault states about itself, and which events are of like conditions."""

# Axes: N events, V cells, n events of one group.
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events
from metrics.faults.carrying import carried

Response = NDArray[np.float64]
Rows = NDArray[np.intp]

REPEATED = 3  # so often on average, a condition takes few values, and events are grouped by them
AT_ONE_ENERGY = 50  # events of a group along the binning condition, where it is continuous
AT_LIKE_CONDITIONS = 10  # events of a group along all conditions


@dataclass(frozen=True)
class Fault:
    """A fault that a bad generator might have, injected into full simulation.

    Attributes:
        strength: Strength at which it is injected; ``strength_unit`` says what the number means.
        harmless: Strength at which nothing changes.
        noticed_by: Scored metrics that are meant to notice it on the ATLAS-like photons at this strength.
        function: (events, strength, random generator) to response [unit of the detector], shape (N, V).
        applies: Whether a detector can have it.
        strengths: By name of the detector, where ``strength`` does not suit its unit.
        sets_scales: Whether the scales of a detector's scorecards are means over it too.
        seed: Seed of the random generator.
    """

    name: str
    title: str
    strength: float
    harmless: float
    strength_unit: str
    noticed_by: tuple[str, ...]
    function: Callable[[Events, float, np.random.Generator], Response]
    applies: Callable[[Detector], bool] = lambda _detector: True
    strengths: Mapping[str, float] = field(default_factory=dict)
    sets_scales: Callable[[Detector], bool] = lambda _detector: True
    seed: int = 0

    def strength_for(self, detector: Detector) -> float:
        """Strength at which it is injected."""
        return self.strengths.get(detector.name, self.strength)

    def inject(self, events: Events, strength: float | None = None, seed: int | None = None) -> NDArray[np.float32]:
        """Response with the fault [unit of the detector], shape (N, V), at the conditions of ``events``.

        Args:
            strength: Default: what ``strength_for`` says.
            seed: Default: the fault's own.
        Raises: ValueError if the detector cannot have it.
        """
        if not self.applies(events.detector):
            raise ValueError(
                f"{self.name} cannot be injected into events of {events.detector.name}: take one of faults_of(detector)"
            )
        chosen = self.strength_for(events.detector) if strength is None else strength
        rng = np.random.default_rng(self.seed if seed is None else seed)
        return self.function(events, chosen, rng).astype(np.float32)


def is_positive(detector: Detector) -> bool:
    """Whether cells hold what cannot be negative: energies or signals, not coordinates."""
    return not detector.signed


def at_one_energy(events: Events) -> Iterator[Rows]:
    """Events of each value of the binning condition, or of each range of it; shape (n,)."""
    condition = events.conditions[events.detector.binning_condition.name]
    if _takes_few_values(condition):
        yield from _by_value(np.arange(len(events)), condition)
        return
    yield from _in_ranges(np.arange(len(events)), [condition], AT_ONE_ENERGY)


def at_like_conditions(events: Events) -> Iterator[Rows]:
    """Events that are alike in all real conditions; in the binning condition alone where it takes few values."""
    detector = events.detector
    binning = events.conditions[detector.binning_condition.name]
    if _takes_few_values(binning):
        yield from _by_value(np.arange(len(events)), binning)
        return
    real = [c for c in detector.conditions if c.categories is None and not c.shape]
    columns = [events.conditions[condition.name] for condition in real]
    groups = [np.arange(len(events))]
    for column in filter(_takes_few_values, columns):
        groups = [part for rows in groups for part in _by_value(rows, column[rows])]
    ranged = [column for column in columns if not _takes_few_values(column)]
    for rows in groups:
        yield from _in_ranges(rows, ranged, AT_LIKE_CONDITIONS)


def carried_within(events: Events, rows: Rows, to: Rows) -> Response:
    """Responses of some events as if they were at the conditions of others, shape (n, V)."""
    own, wanted = ({name: values[index] for name, values in events.conditions.items()} for index in (rows, to))
    return carried(events.detector, events.response[rows].astype(np.float64), own, wanted)


def incident_energy(events: Events) -> NDArray[np.float64]:
    """Shape (N,); 1 where no energy is known."""
    return np.ones(len(events)) if events.detector.energy_condition is None else events.incident_energy


def _takes_few_values(column: NDArray[np.float64]) -> bool:
    return len(np.unique(column)) * REPEATED <= len(column)


def _by_value(rows: Rows, column: NDArray[np.float64]) -> Iterator[Rows]:
    for value in np.unique(column):
        yield rows[column == value]


def _in_ranges(rows: Rows, columns: Sequence[NDArray[np.float64]], fewest: int) -> Iterator[Rows]:
    """As many parts along each column as leave so many events in each group."""
    if not columns:
        yield rows
        return
    parts = max(1, int((len(rows) / fewest) ** (1 / len(columns)) + 1e-9))
    ordered = rows[np.argsort(columns[0][rows], kind="stable")]
    for part in np.array_split(ordered, parts):
        yield from _in_ranges(part, columns[1:], fewest)
