"""Difference of the correlation matrices of the distributions."""

# Axes: n events, K rows of weights, O distributions.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric

# Relative to the reference's variance. Below lies rounding: the sample is constant.
SMALLEST_VARIANCE = 1e-10


def correlation_matrices(
    values: NDArray[np.float64], scale: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted correlation matrices of values of shape (n, O); shape (K, O, O), ones on the diagonal.

    The correlation with a constant is defined as 0. It is 0/0; zero says that the constant carries no
    information on the other observable, and a generator that always returns the mean shower so misses
    every correlation of the reference.
    """
    standard = (values - values.mean(axis=0)) / scale
    probability = weights / weights.sum(axis=1, keepdims=True)
    mean = probability @ standard
    num = standard.shape[1]
    products = (standard[:, :, None] * standard[:, None, :]).reshape(len(standard), -1)
    covariance = (probability @ products).reshape(-1, num, num) - mean[:, :, None] * mean[:, None, :]
    variance = np.einsum("kii->ki", covariance)
    fluctuates = variance > SMALLEST_VARIANCE
    inverse = np.divide(1.0, np.sqrt(np.abs(variance)), out=np.zeros_like(variance), where=fluctuates)
    correlation = covariance * inverse[:, :, None] * inverse[:, None, :]
    np.einsum("kii->ki", correlation)[:] = 1.0
    return np.asarray(np.clip(correlation, -1, 1), dtype=np.float64)


def correlation_difference(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Root mean square difference of the entries off the diagonal, shape (K,); 0 for fewer than two distributions."""
    if reference.values.shape[1] < 2:
        return np.zeros(len(weights))
    r = correlation_matrices(reference.values, condition_bin.scale, weights)
    g = correlation_matrices(generated.values, condition_bin.scale, weights)
    upper = np.triu_indices(r.shape[1], k=1)
    return np.asarray(np.sqrt(np.mean((g - r)[:, *upper] ** 2, axis=1)), dtype=np.float64)


CORRELATION = Metric(
    name="correlation",
    title="Correlation discrepancy",
    definition=(
        "Root mean square of ρ_ij(G) − ρ_ij(R) over all pairs i < j of distributions (the diagonal is one in both); "
        "the correlation with a constant is 0"
    ),
    unit="1",
    smallest_sample=50,
    cost="every evaluation",
    source=(
        "3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-E, compares such matrices; entry by entry is ours, because "
        "Gromov–Wasserstein does not see a relabelling of the observables"
    ),
    function=correlation_difference,
)
