"""Pairing the events of two samples whose conditions differ, so that they can be compared event by event."""

# Axes: N reference events, n of them, M events of the other sample, V cells, C numbers that make up the conditions.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events, InvalidEvents
from data_adapters.splits import places_of
from metrics.conditioned_events import ConditionedEvents, incident_energy

PAIRS_AT_A_TIME = 2**22  # distances held at once: 32 MB
SAME = 1e-6  # relative difference of conditions that were stored as float32


@dataclass(frozen=True)
class Mismatch:
    """How far paired conditions lie apart, in the unit of the condition; ``of_spread`` is the mean in σ of R."""

    condition: str
    unit: str
    mean: float
    largest: float
    of_spread: float

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Pairing:
    """Which event of another sample stands for each reference event.

    Attributes:
        rows: Numbers of the events, shape (N,); none is used twice.
        mismatch: Of each condition; empty where they are the particles of the reference.
        factor: What the response is multiplied by, shape (N,): where a response cannot be negative, the ratio of the
            incident energies; None where it stays as it is.
    """

    rows: NDArray[np.intp]
    mismatch: tuple[Mismatch, ...] = ()
    factor: NDArray[np.float64] | None = None

    def scaled(self, response: NDArray[np.float32], which: NDArray[np.intp]) -> NDArray[np.float32]:
        """As if simulated at the conditions of the reference.

        Args:
            response: Of the events that stand for the reference events ``which``, shape (n, V).
        """
        if self.factor is None:
            return response
        return np.asarray(response * self.factor[which, None].astype(np.float32), dtype=np.float32)


@dataclass(frozen=True)
class Matched:
    """One event of the other sample for each reference event.

    Attributes:
        response: As if simulated at the conditions of the reference, float32, shape (N, V).
        rows, mismatch: As in ``Pairing``.
    """

    response: NDArray[np.float32]
    rows: NDArray[np.intp]
    mismatch: tuple[Mismatch, ...]


def match(reference: Events, other: Events) -> Matched:
    """Pair samples in memory, as ``pair`` does.

    Raises: InvalidEvents as ``pair``.
    """
    pairing = pair(reference, other)
    same = len(other) == len(reference) and np.array_equal(pairing.rows, np.arange(len(reference)))
    response = other.response if same else pairing.scaled(other.response[pairing.rows], np.arange(len(reference)))
    return Matched(response, pairing.rows, pairing.mismatch)


def pair(reference: ConditionedEvents, other: ConditionedEvents) -> Pairing:
    """Pair the samples: the same particles, wherever they stand, else so that the distances of conditions are smallest.

    A distance is Euclidean, each condition in units of its standard deviation in the reference. Beyond 2²² pairs the
    assignment is made in slices of the first condition.

    Raises: InvalidEvents for another detector, or fewer events than the reference has.
    """
    if other.detector != reference.detector:
        raise InvalidEvents(
            f"the reference is of {reference.detector.name}, the other sample of {other.detector.name} (or of other "
            "cells): compare samples of one detector"
        )
    if len(other) < len(reference):
        raise InvalidEvents(
            f"the reference has {len(reference)} events, the other sample {len(other)}: samples are compared at equal "
            "size. Give at least as many, or cut the reference"
        )
    rows = _same_particles(reference, other)
    if rows is not None:
        return Pairing(rows)
    rows = _assign(_columns(reference, reference), _columns(other, reference))
    return Pairing(rows, _mismatch(reference, other, rows), _energy_ratio(reference, other, rows))


def _same_particles(reference: ConditionedEvents, other: ConditionedEvents) -> NDArray[np.intp] | None:
    """Event by event, or by identity where the other sample has further events or another order; None if neither."""
    in_order = np.arange(len(reference))
    if len(other) == len(reference) and _same(reference, other, in_order):
        return in_order
    places = places_of(reference.identity, other.identity)
    return places if (places >= 0).all() and _same(reference, other, places) else None


def _same(reference: ConditionedEvents, other: ConditionedEvents, rows: NDArray[np.intp]) -> bool:
    return all(
        np.allclose(values, other.conditions[name][rows], rtol=SAME, atol=0, equal_nan=True)
        for name, values in reference.conditions.items()
    )


def _columns(events: ConditionedEvents, reference: ConditionedEvents) -> NDArray[np.float64]:
    """Conditions in units of their spread in the reference, shape (N, C)."""
    columns = []
    for name, values in events.conditions.items():
        flat = np.nan_to_num(values.reshape(len(events), -1).astype(np.float64))
        spread = np.nan_to_num(reference.conditions[name].reshape(len(reference), -1).astype(np.float64)).std(axis=0)
        columns.append(flat / np.where(spread > 0, spread, 1.0))
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(events), 1))


def _assign(reference: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.intp]:
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    slices = max(1, int(np.ceil(np.sqrt(len(reference) * len(other) / PAIRS_AT_A_TIME))))
    rows = np.empty(len(reference), dtype=np.intp)
    of_reference = np.array_split(np.argsort(reference[:, 0], kind="stable"), slices)
    ends = np.cumsum([len(part) for part in of_reference]) * len(other) // len(reference)
    of_other = np.split(np.argsort(other[:, 0], kind="stable"), ends[:-1])
    for here, there in zip(of_reference, of_other, strict=True):
        left, right = linear_sum_assignment(cdist(reference[here], other[there]))
        rows[here[left]] = there[right]
    return rows


def _energy_ratio(
    reference: ConditionedEvents, other: ConditionedEvents, rows: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    energy, others = incident_energy(reference), incident_energy(other)
    if reference.detector.signed or energy is None or others is None:
        return None
    return energy / others[rows]


def _mismatch(reference: ConditionedEvents, other: ConditionedEvents, rows: NDArray[np.intp]) -> tuple[Mismatch, ...]:
    found = []
    for condition in reference.detector.conditions:
        values = np.nan_to_num(reference.conditions[condition.name].astype(np.float64))
        apart = np.abs(np.nan_to_num(other.conditions[condition.name][rows].astype(np.float64)) - values)
        spread = float(values.std()) or 1.0
        mean = float(apart.mean())
        found.append(Mismatch(condition.name, condition.unit, mean, float(apart.max()), mean / spread))
    return tuple(found)
