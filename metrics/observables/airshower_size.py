"""Size of an air shower: the signal at a fixed distance from its core, by which arrays measure the energy."""

# Axes: N events, S = 9 × 9 stations.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.airshower_array import core, is_array, signals, station_positions
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample

SOURCE = "our choice, after the estimator S(1000) of surface arrays; the distances suit stations 1500 m apart"
NEAREST_M, FARTHEST_M = 750.0, 2250.0


def shower_size(sample: Sample) -> NDArray[np.float64]:
    """Mean of log10(1 + S / E) over the stations 750–2250 m from the core, VEM over EeV, shape (N,); 0 without any."""
    return sample.once("shower size", lambda: _shower_size(sample))


def _shower_size(sample: Sample) -> NDArray[np.float64]:
    distance = np.linalg.norm(station_positions() - core(sample)[:, None], axis=2)
    counted = (distance >= NEAREST_M) & (distance < FARTHEST_M)
    values = np.log10(1 + signals(sample) / sample.incident_energy[:, None])
    total = np.where(counted, values, 0).sum(axis=1)
    return np.asarray(total / np.maximum(counted.sum(axis=1), 1), dtype=np.float64)


SHOWER_SIZE = Observable(
    name="shower_size",
    title="log10(1 + signal / energy) at 750–2250 m from the core",
    unit="log10(1 + VEM / EeV)",
    source=SOURCE,
    function=shower_size,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return (SHOWER_SIZE,) if is_array(detector) else ()


AIRSHOWER_SIZE = Family(
    name="airshower_size",
    title="Signal at a fixed distance from the core, over the energy (air showers)",
    definition="mean of log10(1 + S / E) over the stations 750–2250 m from the core, S in VEM and E in EeV",
    unit="log10(1 + VEM / EeV)",
    detectors="array of 9 × 9 stations, primary energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
