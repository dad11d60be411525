"""Separation power of every histogram: reported, not scored."""

# Axes: n events, B bins, K rows of weights, O histograms.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.chi_squared import histogram_terms
from metrics.discrepancies.component import Metric


def separation_powers(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """½ Σ_b (r_b − g_b)² / (r_b + g_b) of each histogram, normalised to one, shape (K, O).

    Bins are those of the scorecard, frozen from the reference, under- and overflow in the end bins; bins empty in both
    samples do not count. Between 0 for equal and 1 for disjoint histograms. Two full simulations of n events each do
    not reach 0: from B filled bins they get (B − 1) / (2n) on average, so only values at equal n are compared.
    """
    num = weights.sum(axis=1, keepdims=True)
    r, g = weights @ reference.membership / num, weights @ generated.membership / num
    terms, _filled = histogram_terms(r, g)
    starts = np.concatenate(([0], np.cumsum(condition_bin.histogram_sizes)[:-1]))
    return np.asarray(np.add.reduceat(terms, starts, axis=1) / 2, dtype=np.float64)


def separation_power(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over the histograms, shape (K,)."""
    powers = separation_powers(condition_bin, reference, generated, weights)
    return np.asarray(powers.mean(axis=1), dtype=np.float64)


SEPARATION_POWER = Metric(
    name="separation_power",
    title="Separation power",
    definition=(
        "½ Σ_b (r_b − g_b)² / (r_b + g_b) of histograms normalised to one, averaged over the distributions; 1 where "
        "they do not overlap. Full simulation of the same particles gets about B / (2n), with B filled bins and n "
        "events in the condition bin, not 0"
    ),
    unit="1",
    smallest_sample=50,
    cost="every evaluation",
    source=(
        "CaloChallenge (arXiv:2410.21611); bins at quantiles of R are ours, so that no event lies outside the histogram"
    ),
    function=separation_power,
)
