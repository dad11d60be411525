"""Two layers stand in each other's place."""

from __future__ import annotations

import numpy as np

from data_adapters.detector import Detector
from data_adapters.events import Events
from metrics.faults.component import Fault, Response, is_positive

APART = 4  # within a volume: the largest layer and the one a quarter of the depth behind it


def _applies(detector: Detector) -> bool:
    return is_positive(detector) and (len(detector.layers) > 1 or len(detector.layers[0].shape) == 3)


def _permuted_layers(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    if len(events.detector.layers) > 1:
        return _energies_exchanged(events, strength)
    return _slices_exchanged(events, strength)


def _energies_exchanged(events: Events, strength: float) -> Response:
    """The two layers with most energy exchange their energies, not their cells, which differ in number."""
    response = events.response.astype(np.float64)
    slices = list(events.detector.layer_slices.values())
    energy = np.stack([response[:, cells].sum(axis=1) for cells in slices], axis=1)
    first, second = np.argsort(energy.sum(axis=0))[-2:]
    for layer, other in ((first, second), (second, first)):
        wanted = energy[:, layer] + strength * (energy[:, other] - energy[:, layer])
        filled = energy[:, layer] > 0
        factor = np.divide(wanted, energy[:, layer], out=np.zeros(len(events)), where=filled)
        response[:, slices[layer]] *= factor[:, None]
    return response


def _slices_exchanged(events: Events, strength: float) -> Response:
    volume = events.response.astype(np.float64).reshape(len(events), *events.detector.layers[0].shape)
    depth = volume.shape[-1]
    first = int(volume.sum(axis=(0, 1, 2)).argmax())
    second = (first + max(1, depth // APART)) % depth
    difference = volume[..., second] - volume[..., first]
    volume[..., first] += strength * difference
    volume[..., second] -= strength * difference
    return volume.reshape(len(events), -1)


PERMUTED_LAYERS = Fault(
    name="permuted_layers",
    title="Two layers (bins of time) exchange their energies",
    strength=1.0,
    harmless=0.0,
    strength_unit="part exchanged",
    noticed_by=("bmre", "wasserstein", "correlation"),
    function=_permuted_layers,
    applies=_applies,
)
