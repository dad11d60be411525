"""A Geant4 simulation in this process: a detector that stands, and particles that are shot at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from data_adapters.simulators import geant4 as g4

PRODUCTION_CUT_MM = 0.7


@dataclass(frozen=True)
class Shot:
    """A particle that starts an event.

    Attributes:
        pdg: Particle code of the Particle Data Group.
        kinetic_energy: [MeV]
        position: [mm]
        direction: Of any length.
    """

    pdg: int
    kinetic_energy: float
    position: tuple[float, float, float]
    direction: tuple[float, float, float]


class Apparatus(Protocol):
    """Geometry and what is sensitive in it."""

    def build(self) -> Any:
        """Make the geometry; returns the placed world volume."""

    def make_sensitive(self) -> None:
        """Set fields and sensitive detectors, once the geometry stands."""


class Simulation:
    """Geant4, initialised. One process can hold one only.

    Args:
        physics_list: From ``geant4_physics``.
        seeds: Of Geant4's random numbers, each from 1 to 2³¹ − 2.
    Raises: MissingSimulator.
    """

    def __init__(
        self,
        apparatus: Apparatus,
        physics_list: Any,
        seeds: tuple[int, int],
        production_cut_mm: float = PRODUCTION_CUT_MM,
    ) -> None:
        geant4 = g4.load()
        self._primaries: Any = None
        self._end_of_event: Callable[[], None] = lambda: None
        self._manager = geant4.G4RunManagerFactory.CreateRunManager(geant4.G4RunManagerType.Serial)
        parts = (_detector(apparatus), physics_list, self._actions())
        for part in parts:
            self._manager.SetUserInitialization(part)
        g4.keep_alive(self._manager, apparatus, *parts)
        geant4.G4EmParameters.Instance().SetVerbose(0)  # also creates the /process/em and /process/msc commands
        geant4.G4HadronicParameters.Instance().SetVerboseLevel(0)
        command = geant4.G4UImanager.GetUIpointer().ApplyCommand
        command(f"/run/setCut {production_cut_mm} mm")  # SetDefaultCutValue() has no effect from Python
        command(f"/random/setSeeds {seeds[0]} {seeds[1]}")
        self._manager.Initialize()

    def shoot(self, shots: Sequence[Shot], end_of_event: Callable[[], None]) -> None:
        """One event a shot, in their order; ``end_of_event`` is called after each."""
        self._primaries.load(shots)
        self._end_of_event = end_of_event
        self._manager.BeamOn(len(shots))

    def mass(self, pdg: int) -> float:
        """Mass of a particle [MeV], by its code."""
        return float(g4.load().G4ParticleTable.GetParticleTable().FindParticle(pdg).GetPDGMass())

    def _actions(self) -> Any:
        simulation = self

        class EventEnds(g4.load().G4UserEventAction):  # type: ignore[misc]
            def EndOfEventAction(self, _event: Any) -> None:  # noqa: N802
                simulation._end_of_event()

        class Actions(g4.load().G4VUserActionInitialization):  # type: ignore[misc]
            def Build(self) -> None:  # noqa: N802
                simulation._primaries = _primaries()  # Geant4 forbids it before the physics list is known
                actions = simulation._primaries, EventEnds()
                g4.keep_alive(*actions)
                for action in actions:
                    self.SetUserAction(action)

        return Actions()


def _detector(apparatus: Apparatus) -> Any:
    class Detector(g4.load().G4VUserDetectorConstruction):  # type: ignore[misc]
        def Construct(self) -> Any:  # noqa: N802
            return apparatus.build()

        def ConstructSDandField(self) -> None:  # noqa: N802
            apparatus.make_sensitive()

    return Detector()


def _primaries() -> Any:
    geant4 = g4.load()

    class Primaries(g4.load().G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._gun = geant4.G4ParticleGun(1)
            self._shots: Iterator[Shot] = iter(())

        def load(self, shots: Iterable[Shot]) -> None:
            self._shots = iter(shots)

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            shot = next(self._shots)
            self._gun.SetParticleDefinition(geant4.G4ParticleTable.GetParticleTable().FindParticle(shot.pdg))
            self._gun.SetParticleEnergy(shot.kinetic_energy * geant4.MeV)
            self._gun.SetParticlePosition(geant4.G4ThreeVector(*(x * geant4.mm for x in shot.position)))
            self._gun.SetParticleMomentumDirection(geant4.G4ThreeVector(*shot.direction).unit())
            self._gun.GeneratePrimaryVertex(event)

    return Primaries()
