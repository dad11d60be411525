"""Mean depth of the energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample, ratio


def shower_depth(sample: Sample) -> NDArray[np.float64]:
    """d = Σ E_i d_i / E [X0], shape (N,).

    A shower without energy has no depth; it is given 0, the interaction point, where no real shower
    lies: so it counts as the outlier that it is, and never becomes NaN.
    """
    energy = sample.layer_energies
    total = energy.sum(axis=1)
    weighted = energy @ np.array([layer.depth_x0 for layer in sample.detector.layers])
    return ratio(weighted, total)


SHOWER_DEPTH = Observable(
    name="shower_depth",
    title="Shower depth",
    unit="X0",
    source="ATL-SOFT-PUB-2018-001, eq. 2 and figure 3d; layer centres in radiation lengths",
    function=shower_depth,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    known = len(detector.layers) > 1 and all(layer.depth_x0 is not None for layer in detector.layers)
    return (SHOWER_DEPTH,) if known and not detector.signed else ()


DEPTH = Family(
    name="shower_depth",
    title="Shower depth",
    definition="d = Σ E_i d_i / E, with d_i the depth of layer i",
    unit="X0",
    detectors="several layers whose depth in X0 is known, response never negative",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source="ATL-SOFT-PUB-2018-001, eq. 2",
    of=_of,
)
