"""A simplified LHCb hadronic calorimeter: plates of iron and scintillator, read out as an inner and an outer image.

Geant4 axes: z is the beam with z = 0 at the calorimeter face, 13.33 m from the interaction point; x and y are the
coordinates on the face. Row 0 of an image is at the lowest y, column 0 at the lowest x.

Simplified: the hadronic physics lacks neutron capture, Birks' law is applied to whole steps, there is nothing in front
of the calorimeter (no electromagnetic calorimeter, no magnet), the plates are perpendicular to the beam, and the beam
hole is filled with material that is not read out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.simulators import geant4
from data_adapters.simulators.geant4_physics import hadronic_physics
from data_adapters.simulators.geant4_run import Shot, Simulation
from data_adapters.simulators.plates import PlateBuilder
from data_adapters.simulators.production import Columns, EventDone
from data_adapters.simulators.step_recorder import ENERGY, LENGTH, TIME, StepRecorder, X, Y

Array = NDArray[np.float64]

DISTANCE = 13330.0  # interaction point to face [mm]
INNER_CELL, OUTER_CELL = 131.3, 262.6  # mm
INNER_SHAPE, OUTER_SHAPE = (28, 32), (26, 32)  # rows, columns
HOLE_INNER_CELLS = 4  # the beam hole is 4 × 4 inner cells
FACE_HEIGHT, FACE_WIDTH = (cells * OUTER_CELL for cells in OUTER_SHAPE)
GUN_Z = -0.01  # mm, just in front of the face
IRON, SCINTILLATOR, AIR = 14.8, 3.4, 1.8  # mm in a period
PERIOD, PERIODS = IRON + SCINTILLATOR + AIR, 61

THETA_MRAD = (25.0, 300.0)  # of the particles
TRACKER_RESOLUTION = 0.005
TIME_WINDOW_NS = 50.0  # after the particle enters
BIRKS_MM_PER_MEV = 0.126  # polystyrene
CELL_LIMIT_MEV = 6120.0  # firmware limit of transverse energy in a cell
# Hadronic scale: the sum of the true energies over that of the visible energies of the 5000 pions of the sample that
# ships with the project (leakage and the hole included). All files have it, so that twins are of the same calorimeter.
CALIBRATION = 37.7374

IMAGES_DESCRIPTION = (
    f"inner_image: {INNER_SHAPE[0]} rows x {INNER_SHAPE[1]} columns, "
    f"outer_image: {OUTER_SHAPE[0]} x {OUTER_SHAPE[1]}, row-major, row 0 at lowest y, column 0 at lowest x, "
    f"MeV of transverse energy at hadronic scale, cut at {CELL_LIMIT_MEV:g} MeV; the outer image is zero where the "
    f"inner part is. Calibration constant {CALIBRATION:.4f} (true energy / visible energy). "
    f"Deposits within {TIME_WINDOW_NS:g} ns; Birks' constant {BIRKS_MM_PER_MEV} mm/MeV, for each step. "
)


class Calorimeter:
    """Geometry for ``geant4_run.Simulation``."""

    recorder: StepRecorder

    def build(self) -> Any:
        nist = geant4.load().G4NistManager.Instance().FindOrBuildMaterial
        iron, scintillator, air = nist("G4_Fe"), nist("G4_POLYSTYRENE"), nist("G4_AIR")
        plates = PlateBuilder(FACE_WIDTH / 2, FACE_HEIGHT / 2)
        depth = PERIODS * PERIOD
        world = plates.plate("world", 2 * depth + 100, nist("G4_Galactic"), margin=10)
        placed_world = plates.place(world, 0, None)
        stack = plates.plate("stack", depth, air)
        plates.place(stack, depth / 2, world)
        period = plates.plate("period", PERIOD, air)
        plates.repeat(period, stack, PERIODS, PERIOD)
        front = -PERIOD / 2
        plates.place(plates.plate("iron", IRON, iron), front + IRON / 2, period)
        plates.place(plates.plate("scintillator", SCINTILLATOR, scintillator), front + IRON + SCINTILLATOR / 2, period)
        return placed_world

    def make_sensitive(self) -> None:
        self.recorder = StepRecorder(["scintillator"])


def draw_direction(random: np.random.Generator) -> tuple[float, float]:
    """Polar angle, uniform within 25–300 mrad, and azimuth [rad] of a straight track that hits the face."""
    while True:
        theta = random.uniform(*THETA_MRAD) / 1000.0
        phi = random.uniform(-np.pi, np.pi)
        if hits_face(*impact(theta, phi)):
            return theta, phi


def impact(theta: Any, phi: Any) -> tuple[Any, Any]:
    """Where straight tracks from the interaction point hit the plane of the face: x, y [mm], shaped as the angles."""
    radius = DISTANCE * np.tan(theta)
    return radius * np.cos(phi), radius * np.sin(phi)


def hits_face(x: float, y: float) -> bool:
    """Whether a point [mm] lies on the face."""
    return abs(x) < FACE_WIDTH / 2 and abs(y) < FACE_HEIGHT / 2


def shower_images(shots: Sequence[Shot], seeds: tuple[int, int], event_done: EventDone) -> Columns:
    """The visible images of one shower a shot, columns as of ``images_of``."""
    calorimeter = Calorimeter()
    simulation = Simulation(calorimeter, hadronic_physics(), seeds)
    showers: list[Columns] = []

    def end_of_event() -> None:
        showers.append(images_of(calorimeter.recorder.take()))
        event_done()

    simulation.shoot(shots, end_of_event)
    return {key: np.stack([shower[key] for shower in showers]) for key in showers[0]}


def shot_at(pdg: int, kinetic_energy: float, x: float, y: float) -> Shot:
    """A particle from the interaction point that enters the face at x, y [mm]; its kinetic energy in MeV."""
    return Shot(pdg, kinetic_energy, (x, y, GUN_Z), (x, y, DISTANCE))


def images_of(deposits: Array) -> Columns:
    """Visible transverse energy in the cells of the inner part (896,) and the outer part (832,) [MeV], float32.

    And ``visible_energy``, that of all cells [MeV], not transverse.
    """
    deposits = deposits[deposits[:, TIME] < TIME_WINDOW_NS]
    x, y = deposits[:, X], deposits[:, Y]
    energy = light_of(deposits[:, ENERGY], deposits[:, LENGTH])
    half_height, half_width = (cells * INNER_CELL / 2 for cells in INNER_SHAPE)
    half_hole = HOLE_INNER_CELLS * INNER_CELL / 2
    in_hole = (abs(x) < half_hole) & (abs(y) < half_hole)
    inner = (abs(x) < half_width) & (abs(y) < half_height) & ~in_hole
    outer = ~inner & ~in_hole
    inner_image = cell_sum(x[inner], y[inner], energy[inner], INNER_CELL, INNER_SHAPE) * INNER_SINE
    outer_image = cell_sum(x[outer], y[outer], energy[outer], OUTER_CELL, OUTER_SHAPE) * OUTER_SINE
    return {
        "inner_visible": inner_image.astype(np.float32),
        "outer_visible": outer_image.astype(np.float32),
        "visible_energy": np.asarray(energy[inner | outer].sum()),
    }


def calibrated(visible: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Transverse energy at hadronic scale [MeV], cut at the limit of a cell."""
    return np.asarray(np.minimum(visible * CALIBRATION, CELL_LIMIT_MEV), np.float32)


def light_of(energy: Array, step_length: Array) -> Array:
    """Birks' law for each step: visible energy [MeV] from energy [MeV] and length [mm]."""
    density = np.divide(energy, step_length, out=np.zeros_like(energy), where=step_length > 0)
    return energy / (1.0 + BIRKS_MM_PER_MEV * density)


def cell_sum(x: Array, y: Array, energy: Array, cell: float, shape: tuple[int, int]) -> Array:
    """Energy in square cells around the origin, flattened row by row; what lies outside is lost."""
    rows, columns = shape
    row = np.floor(y / cell + rows / 2).astype(int)
    column = np.floor(x / cell + columns / 2).astype(int)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    index = row[inside] * columns + column[inside]
    return np.asarray(np.bincount(index, weights=energy[inside], minlength=rows * columns), np.float64)


def sine_of_polar_angle(cell: float, shape: tuple[int, int]) -> Array:
    """Of the centres of the cells, flattened."""
    y, x = ((np.arange(number) - (number - 1) / 2) * cell for number in shape)
    radius = np.hypot(x[None, :], y[:, None])
    return np.asarray((radius / np.hypot(radius, DISTANCE)).ravel())


INNER_SINE = sine_of_polar_angle(INNER_CELL, INNER_SHAPE)
OUTER_SINE = sine_of_polar_angle(OUTER_CELL, OUTER_SHAPE)
