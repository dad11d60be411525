"""Mean depth of the energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.observables.component import Observable


def shower_depth(events: Events) -> NDArray[np.float64]:
    """d = Σ E_i d_i / E [X0], shape (N,).

    A shower without energy has no depth; it is given 0, the interaction point, where no real shower
    lies: so it counts as the outlier that it is, and never becomes NaN.
    """
    layers = events.detector.layers
    energy = np.stack(
        [events.response[:, cells].sum(axis=1, dtype=np.float64) for cells in events.detector.layer_slices.values()],
        axis=1,
    )
    total = energy.sum(axis=1)
    weighted = energy @ np.array([layer.depth_x0 for layer in layers])
    depth = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(depth, dtype=np.float64)


SHOWER_DEPTH = Observable(
    name="shower_depth",
    title="Shower depth",
    unit="X0",
    source="ATL-SOFT-PUB-2018-001, eq. 2 and figure 3d; layer centres in radiation lengths",
    kind="distribution",
    function=shower_depth,
)
