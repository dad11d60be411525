"""χ² of every histogram and mean profile: reported, not scored."""

# Axes: n events, B bins, K rows of weights, O histograms or profiles.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric

Table = tuple[NDArray[np.float64], NDArray[np.float64]]


def histogram_terms(r: NDArray[np.float64], g: NDArray[np.float64]) -> Table:
    """Terms of χ² of two unweighted histograms, and which bins count; each of shape (K, B).

    (√(N_G/N_R) r_b − √(N_R/N_G) g_b)² / (r_b + g_b) for equal N_R and N_G; bins empty in both do not count.
    """
    total = r + g
    filled = total > 0
    return np.divide((r - g) ** 2, total, out=np.zeros_like(total), where=filled), filled.astype(np.float64)


def profile_terms(
    reference: NDArray[np.float64], generated: NDArray[np.float64], weights: NDArray[np.float64]
) -> Table:
    """(ḡ − r̄)² / (σ_g² + σ_r²) with the variances of the means, and which bins count; each of shape (K, B).

    Args:
        reference, generated: Energy of each event in each bin, shape (n, B).
    """
    num = weights.sum(axis=1, keepdims=True)
    probability = weights / num
    r, g = probability @ reference, probability @ generated
    variance = probability @ (reference**2 + generated**2) - r**2 - g**2
    variance_of_mean = np.maximum(variance, 0) / (num - 1)
    fluctuates = variance_of_mean > 1e-12 * (r**2 + g**2)
    terms = np.divide((g - r) ** 2, variance_of_mean, out=np.zeros_like(r), where=fluctuates)
    return terms, fluctuates.astype(np.float64)


def chi_squared_table(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> Table:
    """χ² and degrees of freedom of every histogram, then every profile; each of shape (K, O)."""
    histograms = histogram_terms(weights @ reference.membership, weights @ generated.membership)
    profiles = profile_terms(reference.profiles, generated.profiles, weights)
    chi2, ndf = _sums(histograms, condition_bin.histogram_sizes)
    profile_chi2, profile_ndf = _sums(profiles, condition_bin.profile_sizes)
    return np.hstack([chi2, profile_chi2]), np.hstack([ndf - 1, profile_ndf])


def _sums(terms: Table, sizes: NDArray[np.intp]) -> Table:
    if len(sizes) == 0:
        return terms
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return np.add.reduceat(terms[0], starts, axis=1), np.add.reduceat(terms[1], starts, axis=1)


def p_value(chi2: NDArray[np.float64], ndf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of a larger χ²; 1 without degrees of freedom."""
    from scipy.special import chdtrc

    return np.where(ndf > 0, chdtrc(np.maximum(ndf, 1), chi2), 1.0)


def mean_chi_squared(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of χ²/ndf over histograms and profiles, shape (K,)."""
    chi2, ndf = chi_squared_table(condition_bin, reference, generated, weights)
    return np.asarray((chi2 / np.maximum(ndf, 1)).mean(axis=1), dtype=np.float64)


CHI_SQUARED = Metric(
    name="chi2_ndf",
    title="Mean χ²/ndf",
    definition=(
        "Histograms: Σ (√(N_G/N_R) r_b − √(N_R/N_G) g_b)² / (r_b + g_b), ndf = B − 1. Mean profiles: "
        "Σ (ḡ − r̄)² / (σ_g² + σ_r²), ndf = B; bins of one profile are correlated, so its p-value is a guide only. "
        "About 1 or a little less, not 0, for full simulation of the same photons"
    ),
    unit="1",
    smallest_sample=50,
    cost="every evaluation",
    source="ATL-SOFT-PUB-2018-001 uses a χ² test without a formula; this choice is ours",
    function=mean_chi_squared,
)
