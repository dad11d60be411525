"""The surface array of air showers: where its stations are, what they hold, and where the shower axis hits it.

The core is reconstructed from the signals. The true one is not used: no generator is told it.
"""

# Axes: N events, S = 9 × 9 stations, B bins of distance.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.airshower import GRID, STATIONS, TIME
from metrics.observables.sample import Sample

SPACING_M = 1500.0  # of the triangular grid; every second column is shifted by half of it
LEAST_SIGNAL_VEM = 1.0  # of a station that counts as triggered: a muon
# The power of the signal with which the core of full simulation is found best: to 150 m (root mean square).
CORE_POWER = 0.3
RING_M = 750.0
RINGS = 13  # the farthest station is 9.3 km from a core in the middle
RING_EDGES_M = tuple(RING_M * number for number in range(RINGS + 1))

Floats = NDArray[np.float64]


def is_array(detector: Detector) -> bool:
    """Whether the response is of the stations of the array, integrated or not, and an energy is known."""
    axes = detector.layers[0].axes
    known = len(detector.layers) == 1 and axes[:2] == GRID and axes[2:] in ((), (TIME,))
    return known and not detector.signed and detector.energy_condition is not None


def has_traces(detector: Detector) -> bool:
    """Whether the signals of the stations are resolved in time."""
    return is_array(detector) and len(detector.layers[0].axes) == len(GRID) + 1


def station_positions() -> Floats:
    """Shape (S, 2) [m]; the central station at 0."""
    row, column = np.indices(STATIONS).reshape(2, -1) - np.array([[STATIONS[0] // 2], [STATIONS[1] // 2]])
    return np.asarray(np.stack([row + 0.5 * (column % 2), column * np.sqrt(0.75)], axis=1) * SPACING_M)


def signals(sample: Sample) -> Floats:
    """Signal of each station over all time [VEM], shape (N, S)."""
    stations = STATIONS[0] * STATIONS[1]
    return sample.once(
        "station signals", lambda: sample.response.reshape(len(sample), stations, -1).sum(axis=2, dtype=np.float64)
    )


def triggered(sample: Sample) -> NDArray[np.bool_]:
    """Which stations hold at least 1 VEM, shape (N, S)."""
    return signals(sample) >= LEAST_SIGNAL_VEM


def log_signals(sample: Sample) -> Floats:
    """log10(1 + S / VEM), shape (N, S): signals fall off over six orders of magnitude."""
    return sample.once("log signals", lambda: np.log10(1 + signals(sample)))


def core(sample: Sample) -> Floats:
    """Where the axis hits the array [m], shape (N, 2): mean of the stations, weighted by S^0.3.

    Without signal it is at the first station, in a corner.
    """
    return sample.once("core", lambda: _core(signals(sample)))


def _core(signal: Floats) -> Floats:
    positions = station_positions()
    weights = signal**CORE_POWER
    total = weights.sum(axis=1, keepdims=True)
    filled = total > 0
    return np.where(filled, weights @ positions / np.where(filled, total, 1.0), positions[0])


def mean_in_rings(sample: Sample, values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Mean of the values (N, S) of the stations that count, in each bin of distance to the core; shape (N, B).

    0 where there is none; stations beyond the last bin are in it.
    """
    distance = np.linalg.norm(station_positions() - core(sample)[:, None], axis=2)
    ring = np.minimum(distance / RING_M, RINGS - 1).astype(np.intp)
    place = (ring + RINGS * np.arange(len(sample))[:, None])[counted]
    num = np.bincount(place, minlength=RINGS * len(sample))
    total = np.bincount(place, values[counted], minlength=RINGS * len(sample))
    return np.asarray((total / np.maximum(num, 1)).reshape(-1, RINGS), dtype=np.float64)
