"""Events of a trained generator for conditions of one's own: in bounded memory, whatever their number."""

# Axes: N events, V cells.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_adapters.condition_file import ConditionTable
from data_adapters.detector import Condition, Detector
from data_adapters.source import EventSource

BLOCK = 1000  # events that share a seed; part of what a seed means, so not to be changed
ROUNDING = 1e-6  # relative; how far beyond the trained range a float32 may lie

Range = tuple[float, float]


class Generator(Protocol):
    """What makes events of conditions: a checkpoint's generator, or an exported model."""

    @property
    def detector(self) -> Detector:
        """The detector whose events it makes."""
        ...

    def generate(self, conditions: Mapping[str, NDArray[np.float64]], seed: int) -> NDArray[np.float32]:
        """Responses (N, V) in the unit of the detector."""
        ...


class OutOfRange(ValueError):
    """Conditions that a generator was not trained for."""


@dataclass(frozen=True)
class _Blocks:
    """Reads rows of events that are generated when they are asked for."""

    generator: Generator
    conditions: Mapping[str, NDArray[np.float64]]
    seed: int

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        blocks = range(start // BLOCK, -(-stop // BLOCK))
        parts = [self._block(number) for number in blocks]
        return np.concatenate(parts)[start - blocks.start * BLOCK :][: stop - start]

    def _block(self, number: int) -> NDArray[np.float32]:
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        return self.generator.generate({name: values[rows] for name, values in self.conditions.items()}, seed)


def generated_events(generator: Generator, table: ConditionTable, seed: int, name: str, provenance: str) -> EventSource:
    """Events for conditions, unread: each block of them is generated when it is read, and with a seed of its own.

    Args:
        table: Of the generator's detector.
        name: Of the generator, for messages.
    """
    return EventSource(
        path=Path(name),
        layout="generated",
        detector=generator.detector,
        conditions=table.columns,
        identity=np.arange(table.num_events, dtype=np.uint64),
        read_response=_Blocks(generator, table.columns, seed),
        response_key="response",
        chunk_rows=BLOCK,
        provenance=provenance,
    )


def check_range(table: ConditionTable, trained: Mapping[str, Range]) -> None:
    """Raises: OutOfRange if a condition lies outside the range that a generator was trained on."""
    for condition in table.detector.conditions:
        if condition.name not in trained:
            continue
        low, high = trained[condition.name]
        values = table.columns[condition.name].reshape(table.num_events, -1)
        slack = ROUNDING * max(abs(low), abs(high))
        outside = ((values < low - slack) | (values > high + slack)).any(axis=1)
        if outside.any():
            event = int(np.argmax(outside))
            raise OutOfRange(
                f"{condition.name} of {int(outside.sum())} of {table.num_events} events lies outside {low:g} to "
                f"{high:g} {condition.unit}, on which the model was trained (event {event}: "
                f"{_extreme(values[event], low):g}). What it generates there was never judged: change the "
                "conditions, or say --extrapolate"
            )


def _extreme(values: NDArray[np.float64], low: float) -> float:
    return float(values.min() if values.min() < low else values.max())


def drawn_conditions(
    detector: Detector, num_events: int, fixed: Mapping[str, float], trained: Mapping[str, Range], seed: int
) -> ConditionTable:
    """Conditions that are given, and for the others numbers drawn evenly from the trained range.

    Args:
        fixed: Condition → its value for all events, in the unit of the detector.
    Raises: ValueError for a condition that is not one number an event and cannot be drawn, or whose range is unknown.
    """
    random = np.random.default_rng([seed, num_events])
    columns = {
        condition.name: np.full(num_events, float(fixed[condition.name]))
        if condition.name in fixed
        else _drawn(condition, num_events, trained, random)
        for condition in detector.conditions
    }
    return ConditionTable(detector, columns, num_events)


def _drawn(
    condition: Condition, num_events: int, trained: Mapping[str, Range], random: np.random.Generator
) -> NDArray[np.float64]:
    if condition.shape:
        raise ValueError(
            f"{condition.name} has the shape {condition.shape}, which no flag can say: give the conditions of the "
            "events in a file (--conditions; arena leaderboard conditions writes one to look at)"
        )
    if condition.name not in trained:
        raise ValueError(f"{condition.name}: the trained range is not known; give it with --set {condition.name}=…")
    low, high = trained[condition.name]
    if condition.categories is not None:
        return random.integers(int(low), int(high) + 1, num_events).astype(np.float64)
    return random.uniform(low, high, num_events)
