"""Bootstrap over events, by weights.

Observables, bins and sorted orders stay as they are; only the weights of the events change. Two
consequences, both on the safe side. Near the floor, a distance that cannot become negative has errors
about a fifth too large. Far from it, the error of the bin-mean relative error is up to twice too
large, because its bins lie at quantiles of the reference: its bin contents would not fluctuate if the
bins were drawn anew in each replica.
"""

# Axes: n events of one condition bin, K replicas.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bootstrap_weights(num_events: int, replicas: int, seed: tuple[int, ...]) -> NDArray[np.float64]:
    """How often each event is drawn in each replica, shape (K, n); every row sums to n.

    Event i of the reference, of the generated sample and of the twin belong to one photon, and photons
    are what is independent: so a replica draws photons, and one row of weights serves all three
    samples. Differences between two scores are paired by that, down to the noise of the reference.
    """
    probabilities = np.full(num_events, 1 / num_events)
    return np.random.default_rng(seed).multinomial(num_events, probabilities, size=replicas).astype(np.float64)


def standard_error(replicas: NDArray[np.float64]) -> float:
    """Standard deviation over the replicas, shape (K,); NaN if there are none."""
    return float(replicas.std(ddof=1)) if len(replicas) > 1 else float("nan")
