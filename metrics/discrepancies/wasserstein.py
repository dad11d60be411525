"""Wasserstein-1 distance of each distribution, exactly."""

# Axes: n events, K rows of weights, O distributions.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric

BLOCK = 2**17  # numbers worked on at a time, so that they stay in the cache
RUN = 8  # positions summed one after another, for many runs and all replicas at once


def wasserstein_1d(r: NDArray[np.float64], g: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """∫ |F_R − F_G| dx of two samples of shape (n,), events weighted alike; shape (K,).

    Args:
        weights: Shape (K, n); one row of ones is the plain distance, for which sorting is enough.
    """
    if _is_plain(weights):
        return np.array([_sorted_distance(r, g)])
    return _weighted_distances(r, g, np.ascontiguousarray(weights.T))


def wasserstein(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the distributions of W1 / standard deviation of R, shape (K,)."""
    pairs = list(zip(reference.values.T, generated.values.T, strict=True))
    if _is_plain(weights):
        distances = [np.array([_sorted_distance(r, g)]) for r, g in pairs]
    else:
        columns = np.ascontiguousarray(weights.T)
        distances = [_weighted_distances(r, g, columns) for r, g in pairs]
    deviations = weighted_deviations(reference.values, condition_bin.scale, weights)
    return np.asarray((np.stack(distances, axis=1) / deviations).mean(axis=1), dtype=np.float64)


def _is_plain(weights: NDArray[np.float64]) -> bool:
    return len(weights) == 1 and bool((weights == 1).all())


def _sorted_distance(r: NDArray[np.float64], g: NDArray[np.float64]) -> float:
    return float(np.abs(np.sort(r) - np.sort(g)).mean())


def _weighted_distances(
    r: NDArray[np.float64], g: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The distances for weights of shape (n, K), a column for each replica; shape (K,)."""
    both = np.concatenate([r, g])
    order = np.argsort(both)
    positions = -(-len(order) // RUN) * RUN  # the last run is filled with positions that neither step nor count
    events, steps, gaps = np.zeros(positions, dtype=np.intp), np.zeros(positions), np.zeros(positions)
    np.remainder(order, len(r), out=events[: len(order)])
    steps[: len(order)] = np.where(order < len(r), 1.0, -1.0)
    gaps[: len(order) - 1] = np.diff(both[order])
    replicas = weights.shape[1]
    height, total = np.zeros(replicas), np.zeros(replicas)
    block = max(1, BLOCK // (RUN * max(1, replicas))) * RUN
    for start in range(0, positions, block):
        here = slice(start, start + block)
        difference = weights[events[here]]
        difference *= steps[here, None]
        height = _accumulate(difference, height)
        total += gaps[here] @ np.abs(difference, out=difference)
    return np.asarray(total / weights.sum(axis=0), dtype=np.float64)


def _accumulate(steps: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn steps of shape (positions, K) into the heights after them, in place; returns the last height, shape (K,).

    As ``np.cumsum``, but in runs side by side: its additions would wait for each other.
    """
    runs = steps.reshape(len(steps) // RUN, RUN, steps.shape[1])
    for position in range(1, RUN):
        runs[:, position] += runs[:, position - 1]
    heights = np.cumsum(np.vstack([height, runs[:, -1]]), axis=0)
    runs += heights[:-1, None]
    return np.asarray(heights[-1], dtype=np.float64)


def weighted_deviations(
    values: NDArray[np.float64], scale: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviations of the reference values, shape (n, O), for each row of weights; shape (K, O).

    The unit fluctuates with the reference, which counts far from the floor. A replica that by chance
    lost all fluctuation is given a tenth of the reference's.
    """
    standard = (values - values.mean(axis=0)) / scale
    total = weights.sum(axis=1, keepdims=True)
    variance = weights @ standard**2 / total - (weights @ standard / total) ** 2
    return np.asarray(scale * np.sqrt(np.maximum(variance, 0.01)), dtype=np.float64)


WASSERSTEIN = Metric(
    name="wasserstein",
    title="Wasserstein-1 distance",
    definition="∫ |F_R − F_G| dx / σ_R from the sorted samples, averaged over the distributions",
    unit="standard deviations of R",
    smallest_sample=50,
    cost="every evaluation",
    source="Kantorovich–Rubinstein distance in one dimension; in units of σ_R so that observables can be averaged",
    function=wasserstein,
)
