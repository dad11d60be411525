"""Air showers as large as a study needs them, from the parameterised simulation."""

# Axes: N events.
from __future__ import annotations

import numpy as np

from data_adapters.events import INCIDENT_ENERGY, Events
from data_adapters.layouts.airshower import AIRSHOWER_PATTERN_DETECTOR
from data_adapters.layouts.airshower_refinement import AIRSHOWER_REFINEMENT_DETECTOR, SIMULATED_TRACES
from data_adapters.simulators.airshower import DATA, SIMULATION, AirShowers, integrated, simulate, simulate_blocks


def patterns(events: int, seed: int) -> Events:
    """Integrated signals of the paper's data set."""
    blocks = list(simulate_blocks(DATA, events, seed))
    signals = np.concatenate([integrated(showers.traces).reshape(len(showers), -1) for showers in blocks])
    energy = np.concatenate([showers.energy for showers in blocks])
    return Events(AIRSHOWER_PATTERN_DETECTOR, {INCIDENT_ENERGY: energy}, signals, _identity(events))


def data_and_simulation(events: int, seed: int, *, paired: bool) -> Events:
    """Traces of the paper's data set, with those of its simulation set among the conditions.

    Args:
        paired: Of the same showers; else both are sorted by energy, and the energy is that of the data.
    """
    data = simulate(DATA, events, seed)
    if paired:
        return _joined(data, simulate(SIMULATION, events, seed))
    # Other showers follow in the sequence of the same seed.
    return _joined(_sorted(data), _sorted(simulate(SIMULATION, events, seed, first=events)))


def _joined(data: AirShowers, simulation: AirShowers) -> Events:
    conditions = {INCIDENT_ENERGY: data.energy, SIMULATED_TRACES: simulation.traces.astype(np.float64)}
    response = data.traces.reshape(len(data), -1)
    return Events(AIRSHOWER_REFINEMENT_DETECTOR, conditions, response, _identity(len(data)))


def _sorted(showers: AirShowers) -> AirShowers:
    order = np.argsort(showers.energy, kind="stable")
    return AirShowers(showers.traces[order], showers.energy[order], showers.core[order], showers.particles[:, order])


def _identity(events: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.arange(events, dtype=np.uint64)
