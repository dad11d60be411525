"""Wasserstein-1 distance of the helix residuals of tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.discrepancies.wasserstein import wasserstein

RESIDUALS = ("helix_residual_mean", "helix_residual_rms")


def helix_residual_distance(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over both residuals of W1 / standard deviation of R, shape (K,)."""
    columns = [condition_bin.distributions.index(name) for name in RESIDUALS]
    alone = replace(condition_bin, scale=condition_bin.scale[columns])
    r, g = (replace(sample, values=sample.values[:, columns]) for sample in (reference, generated))
    return wasserstein(alone, r, g, weights)


HELIX_RESIDUAL_DISTANCE = Metric(
    name="helix_residual",
    title="Wasserstein-1 distance of the helix residuals",
    definition=(
        "∫ |F_R − F_G| dx / σ_R of the mean and of the root mean square over a track of the distances of its points to "
        "the helix, averaged over both. Residuals of 0 are not perfect: full simulation scatters"
    ),
    unit="standard deviations of R",
    smallest_sample=50,
    cost="every evaluation",
    source="K. Deja et al. (ALICE), section 5, for the residuals; their distance to those of full simulation is ours",
    function=helix_residual_distance,
    needs=RESIDUALS,
)
