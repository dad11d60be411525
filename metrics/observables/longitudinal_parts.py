"""R1, R2, R3: the fractions of the energy at the front, in the middle and at the back."""

# Axes: N events, V cells.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.along_axes import depth_axis, depth_names
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.layer_fraction import layer_fractions_of
from metrics.observables.sample import Sample

PARTS = ("front", "middle", "back")
SOURCE = "3DGAN (doi:10.1109/ACCESS.2021.3101946), § III: first 8, middle 9 and last 8 of 25 layers"


def longitudinal_parts(detector: Detector) -> tuple[Observable, ...]:
    """Three observables; none for a detector with fewer than three layers."""
    if detector.signed or len(depth_names(detector)) < len(PARTS):
        return ()
    parts = zip(PARTS, layers_of_parts(detector), strict=True)
    return tuple(_part(number, name, layers) for number, (name, layers) in enumerate(parts, start=1))


def layers_of_parts(detector: Detector) -> tuple[NDArray[np.intp], ...]:
    """Numbers of the layers in each part of ``Detector.depth_parts``."""
    axis = depth_axis(detector)
    if axis is None:
        layer = np.repeat(np.arange(len(detector.layers)), [layer.num_cells for layer in detector.layers])
    else:
        layer = np.indices(detector.layers[0].shape)[axis].ravel()
    return tuple(np.unique(layer[cells]) for cells in detector.depth_parts(len(PARTS)))


def _part(number: int, name: str, layers: NDArray[np.intp]) -> Observable:
    def fraction(sample: Sample) -> NDArray[np.float64]:
        return np.asarray(layer_fractions_of(sample)[:, layers].sum(axis=1), dtype=np.float64)

    which = f"{name} {len(layers)} layers" if len(layers) > 1 else f"{name} layer"
    return Observable(f"r{number}", f"R{number}: energy in the {which} / total energy", "1", SOURCE, fraction)


LONGITUDINAL_PARTS = Family(
    name="longitudinal_parts",
    title="R1, R2, R3: energy in the front, middle and back third of the layers / total energy",
    definition="Σ E_i / E over the layers of a third; thirds differ by one layer at most; 0 without energy",
    unit="1",
    detectors="three layers or more, or cells along a depth; response never negative",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=longitudinal_parts,
)
