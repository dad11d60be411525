"""Total energy over incident energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.observables.component import Observable


def energy_response(events: Events) -> NDArray[np.float64]:
    """E / E_inc with E the sum over all cells, shape (N,)."""
    total = events.response.sum(axis=1, dtype=np.float64)
    return np.asarray(total / events.incident_energy, dtype=np.float64)


ENERGY_RESPONSE = Observable(
    name="response",
    title="Total energy / incident energy",
    unit="1",
    source="ATL-SOFT-PUB-2018-001, eq. 3 and figure 4a; divided by the incident energy",
    kind="distribution",
    function=energy_response,
)
