"""Mean energy along eta and along phi in each layer."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector, Layer
from metrics.observables.component import FOR_PROFILE, Family, Observable, has_energies
from metrics.observables.sample import Sample

AXES: tuple[tuple[Literal[0, 1], str, str, str], ...] = ((0, "eta", "Δη", "1"), (1, "phi", "Δφ", "rad"))


def lateral_shapes(detector: Detector) -> tuple[Observable, ...]:
    """Two profiles for each layer: against Δη and against Δφ; none unless the axes of all layers are those."""
    in_eta_and_phi = all(tuple(axis.name for axis in layer.axes) == ("eta", "phi") for layer in detector.layers)
    if not in_eta_and_phi or not has_energies(detector):
        return ()
    return tuple(_lateral_shape(layer, *axis) for layer in detector.layers for axis in AXES)


def _lateral_shape(layer: Layer, axis: Literal[0, 1], name: str, symbol: str, unit: str) -> Observable:
    def energy_along_axis(sample: Sample) -> NDArray[np.float64]:
        cells = sample.response[:, sample.detector.layer_slices[layer.name]].reshape(-1, *layer.shape)
        energy = cells.sum(axis=2 - axis, dtype=np.float64)
        return np.asarray(energy / sample.incident_energy[:, None], dtype=np.float64)

    return Observable(
        name=f"lateral_{name}_{layer.name}",
        title=f"Mean lateral shape in {symbol}, {layer.name}",
        unit="1",
        source="ATL-SOFT-PUB-2018-001, figures 3b and 3c; every layer, divided by the incident energy",
        function=energy_along_axis,
        edges=layer.axes[axis].edges,
        edges_unit=unit,
    )


LATERAL_SHAPE = Family(
    name="lateral_shape",
    title="Mean lateral shape in Δη and Δφ, layer by layer",
    definition="mean over events of the energy at each Δη or Δφ of a layer, over E_inc",
    unit="1",
    detectors="layers in η and φ, incident energy known",
    smallest_sample=FOR_PROFILE,
    cost="every evaluation",
    source="ATL-SOFT-PUB-2018-001, figures 3b and 3c",
    of=lateral_shapes,
)
