"""BMRE: mean relative error over the bins of histograms and profiles."""

# Axes: n events, B bins, K rows of weights, O histograms or profiles.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric

# A bin holds at least ten reference entries, but may lose all of them in a bootstrap replica. There
# its reference is taken to be one entry (in profiles: a tenth of its energy), never zero.
SMALLEST_PART = 0.1


def relative_errors(
    reference: NDArray[np.float64],
    generated: NDArray[np.float64],
    sizes: NDArray[np.intp],
    weights: NDArray[np.float64],
    smallest: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """(1/B) Σ_b |g_b − r_b| / r_b of each histogram or profile, shape (K, O).

    Args:
        reference, generated: Contribution of each event to each bin, shape (n, ΣB), side by side.
        sizes: Number of bins B of each, shape (O,).
        weights: Shape (K, n).
        smallest: Lower bound of r_b, shape (ΣB,) or one number.
    """
    if len(sizes) == 0:
        return np.empty((len(weights), 0))
    r, g = weights @ reference, weights @ generated
    error = np.abs(g - r) / np.maximum(r, smallest)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return np.asarray(np.add.reduceat(error, starts, axis=1) / sizes, dtype=np.float64)


def bin_mean_relative_error(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean BMRE over all histograms and profiles, shape (K,)."""
    histograms = relative_errors(
        reference.membership, generated.membership, condition_bin.histogram_sizes, weights, smallest=1.0
    )
    profiles = relative_errors(
        reference.profiles,
        generated.profiles,
        condition_bin.profile_sizes,
        weights,
        smallest=SMALLEST_PART * reference.profiles.sum(axis=0),
    )
    return np.asarray(np.hstack([histograms, profiles]).mean(axis=1), dtype=np.float64)


BIN_MEAN_RELATIVE_ERROR = Metric(
    name="bmre",
    title="Bin-mean relative error",
    definition=(
        "(1/B) Σ_b |g_b − r_b| / r_b over the bins of a histogram or mean profile, averaged over all of them. "
        "Bins from R alone: between quantiles, adjacent bins merged to 10 entries or more, under- and overflow in "
        "the end bins; profiles merged to 1 % of the energy and 10 effective entries or more"
    ),
    unit="1",
    smallest_sample=50,
    cost="every evaluation",
    source=(
        "3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-F2; the merging of bins is ours, because the published "
        "definition is infinite where a reference bin is empty"
    ),
    function=bin_mean_relative_error,
)
