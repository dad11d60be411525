"""Energy in each layer over incident energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector, Layer
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable, has_energies
from metrics.observables.sample import Sample


def layer_energies(detector: Detector) -> tuple[Observable, ...]:
    """One observable for each layer; none for one layer, or without energies."""
    if len(detector.layers) < 2 or not has_energies(detector):
        return ()
    return tuple(_layer_energy(layer, number) for number, layer in enumerate(detector.layers))


def _layer_energy(layer: Layer, number: int) -> Observable:
    def fraction_of_incident_energy(sample: Sample) -> NDArray[np.float64]:
        return np.asarray(sample.layer_energies[:, number] / sample.incident_energy, dtype=np.float64)

    return Observable(
        name=f"energy_{layer.name}",
        title=f"Energy in the {layer.name} / incident energy",
        unit="1",
        source="ATL-SOFT-PUB-2018-001, eq. 1 and figure 3a; divided by the incident energy",
        function=fraction_of_incident_energy,
    )


LAYER_ENERGY = Family(
    name="layer_energy",
    title="Energy in each layer / incident energy",
    definition="E_i / E_inc with E_i = Σ cells of layer i",
    unit="1",
    detectors="several layers, response never negative, incident energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source="ATL-SOFT-PUB-2018-001, eq. 1",
    of=layer_energies,
)
