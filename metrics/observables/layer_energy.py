"""Energy in each layer over incident energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector, Layer
from data_adapters.events import Events
from metrics.observables.component import Observable


def layer_energies(detector: Detector) -> tuple[Observable, ...]:
    """One observable for each layer."""
    return tuple(_layer_energy(layer) for layer in detector.layers)


def _layer_energy(layer: Layer) -> Observable:
    def fraction_of_incident_energy(events: Events) -> NDArray[np.float64]:
        cells = events.response[:, events.detector.layer_slices[layer.name]]
        return np.asarray(cells.sum(axis=1, dtype=np.float64) / events.incident_energy, dtype=np.float64)

    return Observable(
        name=f"energy_{layer.name}",
        title=f"Energy in the {layer.name} / incident energy",
        unit="1",
        source="ATL-SOFT-PUB-2018-001, eq. 1 and figure 3a; divided by the incident energy",
        kind="distribution",
        function=fraction_of_incident_energy,
    )
