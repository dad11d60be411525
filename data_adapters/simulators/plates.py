"""Stacks of plates perpendicular to z."""

from __future__ import annotations

from typing import Any

from data_adapters.simulators import geant4 as g4


class PlateBuilder:
    """Makes plates of one lateral size [mm], and keeps the Python objects that Geant4 points to."""

    def __init__(self, half_x: float, half_y: float) -> None:
        self._half_x, self._half_y = half_x, half_y
        self._geant4 = g4.load()

    def plate(self, name: str, thickness: float, material: Any, margin: float = 0.0) -> Any:
        """A logical volume; thickness, and the margin that is added at each side, in mm."""
        half = (self._half_x + margin, self._half_y + margin, thickness / 2)
        solid = self._geant4.G4Box(name, *(length * self._geant4.mm for length in half))
        volume = self._geant4.G4LogicalVolume(solid, material, name)
        g4.keep_alive(volume)
        return volume

    def place(self, volume: Any, z: float, mother: Any) -> Any:
        """Put a volume into its mother, with its centre at z [mm]; None as mother for the world."""
        position = self._geant4.G4ThreeVector(0, 0, z * self._geant4.mm)
        placed = self._geant4.G4PVPlacement(None, position, volume, volume.GetName(), mother, False, 0, False)
        g4.keep_alive(placed)
        return placed

    def repeat(self, volume: Any, mother: Any, count: int, pitch: float) -> None:
        """Fill the mother with copies along z, one every ``pitch`` [mm]."""
        axis, width = self._geant4.EAxis.kZAxis, pitch * self._geant4.mm
        g4.keep_alive(self._geant4.G4PVReplica(volume.GetName(), volume, mother, axis, count, width))
