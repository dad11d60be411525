"""Energy in each layer over the total energy."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.along_axes import depth_names, energy_in_depth
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample, ratio

SOURCE = "ATL-SOFT-PUB-2018-001, § 4 (f_i of eqs. 6 and 7); of a volume, its cells along the depth"


def layer_fractions_of(sample: Sample) -> NDArray[np.float64]:
    """E_i / E of each layer, shape (N, layers); 0 for an event without energy."""
    return sample.once("layer fractions", lambda: _fractions(energy_in_depth(sample)))


def _fractions(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(energies, energies.sum(axis=1, keepdims=True))


def layer_fractions(detector: Detector) -> tuple[Observable, ...]:
    """One observable for each layer; none for a detector without depth."""
    names = depth_names(detector)
    if detector.signed or len(names) < 2:
        return ()
    return tuple(_layer_fraction(name, number) for number, name in enumerate(names))


def _layer_fraction(name: str, number: int) -> Observable:
    def fraction(sample: Sample) -> NDArray[np.float64]:
        return layer_fractions_of(sample)[:, number]

    title = f"Energy in {name.replace('_', ' ')} / total energy"
    return Observable(f"fraction_{name}", title, "1", SOURCE, fraction)


LAYER_FRACTION = Family(
    name="layer_fraction",
    title="Energy in each layer / total energy",
    definition="E_i / E with E_i = Σ cells of layer i; 0 for an event without energy",
    unit="1",
    detectors="several layers, or cells along a depth; response never negative",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=layer_fractions,
)
