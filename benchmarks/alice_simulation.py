"""CPU time of a full simulation of a track in the ALICE-like chamber, on one core.

    python benchmarks/alice_simulation.py

Transports the particles of tracks of the sample again, ten times as many as once, and prints milliseconds a track: mean
and standard deviation of the ten runs. Their production by Pythia, the start of Geant4 and the file are not counted.
Needs geant4-pybind (the extra ``refsim``).
"""

# Axes: N tracks.
from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import ALICE_TRACKS_GEANT4
from data_adapters.layouts.alice_geometry import momentum_of
from data_adapters.simulators import geant4
from data_adapters.simulators.alice_tracks import PRODUCTION_CUT_MM, Chamber, shots_of
from data_adapters.simulators.geant4_physics import hadronic_physics
from data_adapters.simulators.geant4_run import Simulation

RUNS, TRACKS, WARM_UP = 10, 200, 20
SEEDS = 1, 2


def measure_simulation() -> list[float]:
    """CPU milliseconds a track of each run. Raises: MissingSimulator."""
    geant4.require_geant4()
    events = ALICE_TRACKS_GEANT4.split("validation").select(np.arange(TRACKS))
    chamber = Chamber()
    physics = hadronic_physics(geant4.load().G4StepLimiterPhysics())
    simulation = Simulation(chamber, physics, SEEDS, PRODUCTION_CUT_MM)
    shots = shots_of(_primaries(events.conditions, events.auxiliary), simulation)
    simulation.shoot(shots[:WARM_UP], lambda: None)
    chamber.take()
    milliseconds = []
    for _ in range(RUNS):
        started = time.process_time()
        simulation.shoot(shots, _taking(chamber))
        milliseconds.append((time.process_time() - started) * 1000 / len(shots))
    return milliseconds


def _taking(chamber: Chamber) -> Callable[[], None]:
    def take() -> None:
        chamber.take()

    return take


def _primaries(
    conditions: Mapping[str, NDArray[np.float64]], auxiliary: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    momentum = momentum_of(*(conditions[name] for name in ("transverse_momentum", "phi", "eta")))
    return {"momentum": momentum, "pdg": auxiliary["pdg"], "vertex": auxiliary["vertex"]}


if __name__ == "__main__":
    measured = measure_simulation()
    print(json.dumps({"ms_per_track": mean(measured), "deviation": stdev(measured), "runs": RUNS}))
