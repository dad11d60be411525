"""Entropic Gromov–Wasserstein discrepancy between correlation matrices: for comparison with 3DGAN, not scored."""

# Axes: K rows of weights, O distributions.
from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.discrepancies.correlation import correlation_matrices

EPSILON = 0.05
SINKHORN_STEPS = 1000
SINKHORN_TOLERANCE = 1e-6


def entropic_gromov_wasserstein_distance(r: NDArray[np.float64], g: NDArray[np.float64]) -> float:
    """Loss of the coupling that minimises loss − ε · entropy, for matrices of shape (O, O) with uniform weights.

    The entropy blurs the coupling, so identical matrices do not give 0: correlation matrices of the ATLAS-like photons
    (6 × 6) give 0.001 to 0.009, two unit matrices of that size 10/36 = 0.278, since the solver never leaves the uniform
    coupling that it begins with.

    The solver's inner iteration ends after 1000 steps whether or not it has converged. The marginals of the coupling
    are then off by some 1e-5; a tenth of the steps changes the discrepancy by less than 1 %. So it does not warn.
    """
    # POT imports every tensor library that it finds; numpy is all this needs.
    os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")
    from ot.gromov import entropic_gromov_wasserstein2

    loss = entropic_gromov_wasserstein2(
        r,
        g,
        loss_fun="square_loss",
        epsilon=EPSILON,
        symmetric=True,
        numItermax=SINKHORN_STEPS,
        stopThr=SINKHORN_TOLERANCE,
        warn=False,
    )
    return max(0.0, float(loss))


def entropic_gromov_wasserstein(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Discrepancy for each row of weights, shape (K,)."""
    r = correlation_matrices(reference.values, condition_bin.scale, weights)
    g = correlation_matrices(generated.values, condition_bin.scale, weights)
    pairs = zip(r, g, strict=True)
    return np.array([entropic_gromov_wasserstein_distance(*pair) for pair in pairs], dtype=np.float64)


ENTROPIC_GROMOV_WASSERSTEIN = Metric(
    name="entropic_gromov_wasserstein",
    title="Entropic Gromov–Wasserstein discrepancy of the correlation matrices",
    definition=(
        "Σ (ρ_ij(R) − ρ_kl(G))² T_ik T_jl for the coupling T that minimises it minus ε = 0.05 times the entropy of T, "
        "uniform weights; positive even for identical samples, and blind to a relabelling of the observables: for "
        "comparison with earlier work only"
    ),
    unit="1",
    smallest_sample=50,
    cost="benchmark only",
    source="3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-E and figure 15; ε as in its code; POT's solver",
    function=entropic_gromov_wasserstein,
    bootstrap_replicas=10,
    largest_for_identical=0.5,  # two unit matrices of O observables: 2 (1/O − 1/O²)
)
