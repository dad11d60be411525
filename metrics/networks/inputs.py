"""What the networks see of events: cells, sums of cells, conditions; and their scaling."""

# Axes: N events, V cells, B blocks of cells, L layers, F inputs.
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Condition, Detector
from data_adapters.events import Events
from metrics.conditioned_events import ConditionedEvents

MOST_BLOCKS = 4096
CELLS_AT_A_TIME = 2**21  # 16 MB in double precision
LARGEST_INPUT = 10.0  # in standard deviations; what lies further out is told apart all the same

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """Inputs less the mean of the reference, over its standard deviation, clipped; an input that is constant in the
    reference is only shifted."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, reference: Floats) -> Scaling:
        """Each input has its own standard deviation."""
        deviation = reference.std(axis=0)
        return cls(reference.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    @classmethod
    def common(cls, reference: Floats) -> Scaling:
        """All inputs have one standard deviation, and together vary as much as one input of its own.

        So a cell that is seldom hit stays a small input, and thousands of cells do not drown their few sums: with 600
        events to train with, a shift of the energy scale by 3 % is otherwise hardly seen.
        """
        deviation = math.sqrt(reference.var(axis=0).sum())
        return cls(reference.mean(axis=0), np.full(reference.shape[1], deviation if deviation > 0 else 1.0))

    def __call__(self, values: Floats) -> Floats:
        scaled = (values - self.mean) / self.deviation
        return np.asarray(np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT), dtype=np.float64)


def block_factors(shape: Sequence[int], most: int) -> tuple[int, ...]:
    """Cells along each axis that are summed, so that at most so many blocks are left: always along the axis that has
    most."""
    factors = [1] * len(shape)
    while math.prod(_blocks(shape, factors)) > max(most, 1):
        axis = int(np.argmax(_blocks(shape, factors)))
        factors[axis] += 1
    return tuple(factors)


def _blocks(shape: Sequence[int], factors: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-cells // factor) for cells, factor in zip(shape, factors, strict=True))


def blocks(events: Events, factor: float = 1.0) -> Floats:
    """Sums over blocks of neighbouring cells, shape (N, B) with B ≤ 4096; a detector with as many cells or fewer is
    left as it is.

    Args:
        factor: That all cells are multiplied by.
    """
    return np.concatenate([_summed(response, events.detector) for response in _responses(events, factor)])


def _responses(events: Events, factor: float) -> Iterator[NDArray[np.float32]]:
    """All cells times a factor, some events at a time."""
    size = max(1, CELLS_AT_A_TIME // events.detector.num_cells)
    for start in range(0, len(events), size):
        response = events.response[start : start + size]
        yield response if factor == 1 else response * np.float32(factor)


def _summed(response: NDArray[np.float32], detector: Detector) -> Floats:
    parts = []
    for layer, cells in zip(detector.layers, detector.layer_slices.values(), strict=True):
        values = response[:, cells].astype(np.float64).reshape(-1, *layer.shape)
        factors = block_factors(layer.shape, MOST_BLOCKS * layer.num_cells // detector.num_cells)
        for axis, factor in enumerate(factors, start=1):
            if factor > 1:
                values = np.add.reduceat(values, np.arange(0, values.shape[axis], factor), axis=axis)
        parts.append(values.reshape(len(response), -1))
    return np.hstack(parts)


def layer_sums(events: Events, factor: float = 1.0) -> Floats:
    """Sum over each layer, and over all layers where there are several, shape (N, L) or (N, L + 1).

    Args:
        factor: That all cells are multiplied by.
    """
    slices = events.detector.layer_slices.values()
    parts = [
        np.stack([response[:, cells].sum(axis=1, dtype=np.float64) for cells in slices], axis=1)
        for response in _responses(events, factor)
    ]
    sums = np.concatenate(parts)
    return np.hstack([sums, sums.sum(axis=1, keepdims=True)]) if len(slices) > 1 else sums


def condition_columns(events: ConditionedEvents) -> Floats:
    """What the generator is told, shape (N, F): categories one by one, the logarithm of the energy, other values."""
    none = np.empty((len(events), 0))
    columns = [_columns(condition, events.conditions[condition.name]) for condition in events.detector.conditions]
    return np.hstack([none, *columns])


def _columns(condition: Condition, values: Floats) -> Floats:
    flat = values.reshape(len(values), -1)
    if condition.categories is not None:
        return np.hstack([np.eye(condition.categories)[column.astype(np.intp)] for column in flat.T])
    if condition.energy and (flat > 0).all():
        return np.log(flat)
    return flat


def typical_hit(values: Floats) -> float:
    """Median of the values other than 0, without their signs; 1 if there is none."""
    hit = np.abs(values[values != 0])
    return float(np.median(hit)) if len(hit) else 1.0


def logarithm(values: Floats, typical: float) -> Floats:
    """sign(x) ln(1 + |x| / typical): linear far below a typical hit, logarithmic far above it."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / typical), dtype=np.float64)
