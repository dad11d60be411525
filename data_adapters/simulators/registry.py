"""Every reference simulation. Importing them needs no Geant4."""

from __future__ import annotations

from data_adapters.registry import Registry
from data_adapters.simulators.airshower import AIRSHOWER_DATA, AIRSHOWER_SIMULATION
from data_adapters.simulators.alice_tracks import ALICE_TRACKS
from data_adapters.simulators.atlas_photons import ATLAS_PHOTONS
from data_adapters.simulators.clic_electrons import CLIC_ELECTRONS
from data_adapters.simulators.component import Simulator
from data_adapters.simulators.lhcb_events import LHCB_EVENTS
from data_adapters.simulators.lhcb_pions import LHCB_PIONS

SIMULATORS: Registry[Simulator] = Registry(
    "simulator",
    ATLAS_PHOTONS,
    CLIC_ELECTRONS,
    LHCB_PIONS,
    LHCB_EVENTS,
    ALICE_TRACKS,
    AIRSHOWER_DATA,
    AIRSHOWER_SIMULATION,
)
