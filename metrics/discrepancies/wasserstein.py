"""Wasserstein-1 distance of each distribution, exactly."""

# Axes: n events, K rows of weights, O distributions.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric


def wasserstein_1d(r: NDArray[np.float64], g: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """∫ |F_R − F_G| dx of two samples of shape (n,), events weighted alike; shape (K,)."""
    both = np.concatenate([r, g])
    order = np.argsort(both)
    signed = np.hstack([weights, -weights])[:, order]
    difference = np.abs(np.cumsum(signed, axis=1)[:, :-1])
    return np.asarray(difference @ np.diff(both[order]) / weights.sum(axis=1), dtype=np.float64)


def wasserstein(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the distributions of W1 / standard deviation of R, shape (K,)."""
    distances = [wasserstein_1d(r, g, weights) for r, g in zip(reference.values.T, generated.values.T, strict=True)]
    deviations = weighted_deviations(reference.values, condition_bin.scale, weights)
    return np.asarray((np.stack(distances, axis=1) / deviations).mean(axis=1), dtype=np.float64)


def weighted_deviations(
    values: NDArray[np.float64], scale: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviations of the reference values, shape (n, O), for each row of weights; shape (K, O).

    The unit fluctuates with the reference, which counts far from the floor. A replica that by chance
    lost all fluctuation is given a tenth of the reference's.
    """
    standard = (values - values.mean(axis=0)) / scale
    probability = weights / weights.sum(axis=1, keepdims=True)
    variance = probability @ standard**2 - (probability @ standard) ** 2
    return np.asarray(scale * np.sqrt(np.maximum(variance, 0.01)), dtype=np.float64)


WASSERSTEIN = Metric(
    name="wasserstein",
    title="Wasserstein-1 distance",
    definition="∫ |F_R − F_G| dx / σ_R from the sorted samples, averaged over the distributions",
    unit="standard deviations of R",
    smallest_sample=50,
    cost="fast",
    source="Kantorovich–Rubinstein distance in one dimension; in units of σ_R so that observables can be averaged",
    function=wasserstein,
)
