"""Total energy over incident energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable, has_energies
from metrics.observables.sample import Sample


def energy_response(sample: Sample) -> NDArray[np.float64]:
    """E / E_inc with E the sum over all cells, shape (N,)."""
    return np.asarray(sample.total / sample.incident_energy, dtype=np.float64)


ENERGY_RESPONSE = Observable(
    name="response",
    title="Total energy / incident energy",
    unit="1",
    source="ATL-SOFT-PUB-2018-001, eq. 3 and figure 4a; divided by the incident energy",
    function=energy_response,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return (ENERGY_RESPONSE,) if has_energies(detector) else ()


RESPONSE = Family(
    name="response",
    title="Total energy / incident energy (sampling fraction)",
    definition="E / E_inc with E = Σ cells",
    unit="1",
    detectors="response never negative, incident energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source="ATL-SOFT-PUB-2018-001, eq. 3; 3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-B",
    of=_of,
)
