"""Pattern of the integrated signals of an air shower: total, hottest station, core, lateral fall-off, neighbours."""

# Axes: N events, S = 9 × 9 stations, B bins of distance, O octaves.
from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.airshower_array import (
    LEAST_SIGNAL_VEM,
    RING_EDGES_M,
    SPACING_M,
    core,
    is_array,
    log_signals,
    mean_in_rings,
    signals,
    station_positions,
    triggered,
)
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample, ratio

PAPER = "arXiv:1802.03325"
SOURCE = f"{PAPER}, section 4: total signal, hottest station, fall-off and neighbours in words; formulas are ours"
OCTAVES = 24  # 1 to 1.7e7 VEM; the largest mean signal is 1e7
OCTAVE_EDGES = tuple(LEAST_SIGNAL_VEM * 2.0**number for number in range(OCTAVES + 1))
ROUNDING = 1e-20  # variance of logarithms that are all equal

Floats = NDArray[np.float64]


def total_signal(sample: Sample) -> Floats:
    """log10(1 + Σ S / E) with the signal in VEM and the energy in EeV, shape (N,)."""
    return _log_per_energy(sample, _total(sample))


def hottest_signal(sample: Sample) -> Floats:
    """log10(1 + max S / E), shape (N,)."""
    return _log_per_energy(sample, signals(sample).max(axis=1))


def _total(sample: Sample) -> Floats:
    return np.asarray(signals(sample).sum(axis=1), dtype=np.float64)


def _log_per_energy(sample: Sample, signal: Floats) -> Floats:
    return np.asarray(np.log10(1 + signal / sample.incident_energy), dtype=np.float64)


def hottest_fraction(sample: Sample) -> Floats:
    """max S / Σ S, shape (N,); 0 without signal."""
    return ratio(signals(sample).max(axis=1), _total(sample))


def hottest_distance(sample: Sample) -> Floats:
    """From the hottest station to the core [m], shape (N,); 0 without signal."""
    hottest = station_positions()[signals(sample).argmax(axis=1)]
    return np.asarray(np.linalg.norm(hottest - core(sample), axis=1), dtype=np.float64)


def num_triggered(sample: Sample) -> Floats:
    """Stations with at least 1 VEM, shape (N,)."""
    return np.asarray(triggered(sample).sum(axis=1), dtype=np.float64)


def lateral_falloff(sample: Sample) -> Floats:
    """Mean of log10(1 + S / VEM) over the stations in each bin of distance to the core, shape (N, B)."""
    return mean_in_rings(sample, log_signals(sample), np.ones(signals(sample).shape, dtype=bool))


def signal_spectrum(sample: Sample) -> Floats:
    """Number of stations in each octave of signal from 1 VEM, shape (N, O); overflow is in the last."""
    counted = triggered(sample)
    octave = np.minimum(np.log2(signals(sample)[counted] / LEAST_SIGNAL_VEM), OCTAVES - 1).astype(np.intp)
    place = octave + OCTAVES * np.nonzero(counted)[0]
    counts = np.bincount(place, minlength=OCTAVES * len(sample))
    return np.asarray(counts.reshape(-1, OCTAVES), dtype=np.float64)


def neighbour_correlation(sample: Sample) -> Floats:
    """Correlation of log10(1 + S / VEM) of neighbours over all pairs of an event, shape (N,); 0 if all are equal."""
    first, second = _neighbours().T
    a, b = log_signals(sample)[:, first], log_signals(sample)[:, second]
    mean = a.mean(axis=1, keepdims=True)
    variance = ((a - mean) ** 2).mean(axis=1)
    covariance = ((a - mean) * (b - mean)).mean(axis=1)
    varies = variance > ROUNDING
    return np.asarray(np.divide(covariance, variance, out=np.zeros_like(variance), where=varies), dtype=np.float64)


@cache
def _neighbours() -> NDArray[np.intp]:
    """Numbers of stations next to each other, each pair both ways, shape (pairs, 2)."""
    positions = station_positions()
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    return np.argwhere(np.isclose(distance, SPACING_M))


def _along(name: str, index: int) -> Observable:
    def place(sample: Sample) -> Floats:
        return core(sample)[:, index]

    return Observable(f"core_{name}", f"Core along {name}", "m", SOURCE, place)


OBSERVABLES = (
    Observable("total_signal", "log10(1 + total signal / E [VEM/EeV])", "1", SOURCE, total_signal),
    Observable("hottest_signal", "log10(1 + signal of the hottest station / E [VEM/EeV])", "1", SOURCE, hottest_signal),
    Observable("hottest_fraction", "Hottest station / total signal", "1", SOURCE, hottest_fraction),
    Observable("hottest_distance", "Distance of the hottest station to the core", "m", SOURCE, hottest_distance),
    Observable("num_triggered", "Stations with a signal", "stations", SOURCE, num_triggered),
    Observable("neighbour_correlation", "Correlation of neighbouring stations", "1", SOURCE, neighbour_correlation),
    _along("x", 0),
    _along("y", 1),
    Observable(
        name="lateral_falloff",
        title="Signal against the distance to the core",
        unit="1",
        source=SOURCE,
        function=lateral_falloff,
        edges=RING_EDGES_M,
        edges_unit="m",
        x_label="distance to the core",
        y_label="Mean of log10(1 + signal [VEM])",
    ),
    Observable(
        name="signal_spectrum",
        title="Spectrum of the signals of stations",
        unit="stations",
        source="our choice: the spectrum of cell energies of calorimeters",
        function=signal_spectrum,
        edges=OCTAVE_EDGES,
        edges_unit="VEM",
        x_label="signal of a station",
        y_label="Mean number of stations",
    ),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return OBSERVABLES if is_array(detector) else ()


AIRSHOWER_SIGNAL = Family(
    name="airshower_signal",
    title="Total signal, hottest station, core, lateral fall-off and neighbours (air showers)",
    definition=(
        "log10(1 + Σ S / E), log10(1 + max S / E) [VEM, EeV]: in logarithms, because the hottest station has most of "
        "the signal; max S / Σ S; core: mean of the stations weighted by S^0.3 (no generator is told the true one, "
        "from which it is 150 m); distance of the hottest station to it; stations with 1 VEM or more; correlation of "
        "log10(1 + S) over pairs of neighbours; mean log10(1 + S) against the distance to the core; stations in "
        "octaves of signal"
    ),
    unit="1, m, stations",
    detectors="array of 9 × 9 stations, primary energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
