"""What the CaloChallenge judges each layer by: centres, widths, sparsity."""

# Axes: N events, F features.
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.calochallenge import HighLevelFeatures, high_level_features
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample

SOURCE = "CaloChallenge (arXiv:2410.21611), high-level features"
AXES = {"alpha", "r"}
# Attributes of HighLevelFeatures, title, unit; layer energies are observables of their own.
QUANTITIES = {
    "centre_eta": ("Centre in η", "mm"),
    "width_eta": ("Width in η", "mm"),
    "centre_phi": ("Centre in φ", "mm"),
    "width_phi": ("Width in φ", "mm"),
    "centre_r": ("Centre in r", "mm"),
    "width_r": ("Width in r", "mm"),
    "sparsity": ("Fraction of voxels at or below the threshold", "1"),
}


def layer_features(detector: Detector) -> tuple[Observable, ...]:
    """Seven observables for each layer, three for one with a single angular bin; none for layers that are no discs."""
    if detector.signed or any({axis.name for axis in layer.axes} != AXES for layer in detector.layers):
        return ()
    return tuple(_feature(column, quantity, layer) for column, (quantity, layer) in enumerate(_columns(detector)))


def _columns(detector: Detector) -> Iterator[tuple[str, str]]:
    """Quantity and layer of each feature."""
    for quantity in QUANTITIES:
        in_plane = quantity.endswith(("_eta", "_phi"))
        for layer in detector.layers:
            if not in_plane or layer.shape[layer.axis("alpha")] > 1:
                yield quantity, layer.name


def _feature(column: int, quantity: str, layer: str) -> Observable:
    def value(sample: Sample) -> NDArray[np.float64]:
        return sample.once("high-level features", lambda: _features(sample))[:, column]

    title, unit = QUANTITIES[quantity]
    words = f"{title}, {layer.replace('_', ' ')}"
    return Observable(f"{quantity}_{layer}", words, unit, SOURCE, value)


def _features(sample: Sample) -> NDArray[np.float64]:
    """All features side by side, shape (N, F)."""
    found: HighLevelFeatures = high_level_features(sample.response, sample.detector)
    return np.stack([getattr(found, quantity)[layer] for quantity, layer in _columns(sample.detector)], axis=1)


CALOCHALLENGE_FEATURES = Family(
    name="calochallenge_features",
    title="Centre and width in η, φ and r, and sparsity, layer by layer",
    definition=(
        "of each layer: energy-weighted mean and standard deviation of r cos α (η), r sin α (φ) and r, 0 without "
        "energy; fraction of voxels at or below the threshold"
    ),
    unit="mm, 1",
    detectors="every layer a disc of voxels in α and r",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=layer_features,
)
