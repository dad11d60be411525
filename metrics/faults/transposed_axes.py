"""Cells are read in the wrong order."""

from __future__ import annotations

import numpy as np

from data_adapters.detector import Detector
from data_adapters.events import Events
from metrics.faults.component import Fault, Response, is_positive
from metrics.observables.lhcb_image import is_lhcb_face


def _applies(detector: Detector) -> bool:
    return is_positive(detector) and all(len(layer.shape) > 1 for layer in detector.layers)


def _transposed_axes(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for layer, cells in zip(events.detector.layers, events.detector.layer_slices.values(), strict=True):
        images = response[:, cells].reshape(len(events), *layer.shape)
        transposed = images.swapaxes(1, 2).reshape(len(events), -1)
        response[:, cells] += strength * (transposed - response[:, cells])
    return response


TRANSPOSED_AXES = Fault(
    name="transposed_axes",
    title="Every layer read as if its first two axes were stored the other way round",
    strength=1.0,
    harmless=0.0,
    strength_unit="part transposed",
    noticed_by=("bmre",),
    function=_transposed_axes,
    applies=_applies,
    # Showers metres from their impact would be all that counts in such a mean.
    sets_scales=lambda detector: not is_lhcb_face(detector),
)
