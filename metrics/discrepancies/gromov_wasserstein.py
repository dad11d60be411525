"""Gromov–Wasserstein discrepancy between correlation matrices: reported, not scored."""

# Axes: K rows of weights, O distributions.
from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.discrepancies.correlation import correlation_matrices


def gromov_wasserstein_distance(r: NDArray[np.float64], g: NDArray[np.float64]) -> float:
    """Gromov–Wasserstein discrepancy of two matrices of shape (O, O) with uniform weights.

    Square loss, by conditional gradient without entropic regularisation, which is exactly zero for
    identical matrices. It is also zero for a relabelling of the observables. The gradient stops at the first local
    minimum; so it begins at the uniform coupling, as POT does, and at that of each observable with itself, and the
    smaller discrepancy counts: at most the mean square difference of the matrices.
    """
    # POT imports every tensor library that it finds; numpy is all this needs.
    os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")
    from ot.gromov import gromov_wasserstein2

    starts = (None, np.eye(len(r)) / len(r))
    found = [float(gromov_wasserstein2(r, g, loss_fun="square_loss", G0=start)) for start in starts]
    return max(0.0, min(found))


def gromov_wasserstein(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Discrepancy for each row of weights, shape (K,)."""
    r = correlation_matrices(reference.values, condition_bin.scale, weights)
    g = correlation_matrices(generated.values, condition_bin.scale, weights)
    return np.array([gromov_wasserstein_distance(*pair) for pair in zip(r, g, strict=True)], dtype=np.float64)


GROMOV_WASSERSTEIN = Metric(
    name="gromov_wasserstein",
    title="Gromov–Wasserstein discrepancy of the correlation matrices",
    definition=(
        "min over couplings T of Σ (ρ_ij(R) − ρ_kl(G))² T_ik T_jl, uniform weights, by exact conditional gradient "
        "from the uniform coupling and from that of each observable with itself, of which the smaller counts; "
        "blind to a relabelling of the observables, so read it together with the correlation discrepancy"
    ),
    unit="1",
    smallest_sample=50,
    cost="end of trial",
    source="3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-E and V-F2; POT's solver without the entropic term",
    function=gromov_wasserstein,
    bootstrap_replicas=10,
)
