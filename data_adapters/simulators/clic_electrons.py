"""Electron showers in a simplified CLIC silicon-tungsten electromagnetic calorimeter.

Images of 51 × 51 × 25 cells, as in the public 3DGAN files. Geant4 z is the depth, which is the third axis of the image;
the tilt (the polar angle θ, 90° being perpendicular incidence) lies along the second axis. A shower of θ < 90° moves
towards larger second index with depth. Layers and cells have the same pitch of 5.1 mm, so that angles measured in cells
are angles in space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.hdf5 import Needed
from data_adapters.options import InvalidOption, parse_options
from data_adapters.simulators import geant4, twins
from data_adapters.simulators.component import Request, Simulator
from data_adapters.simulators.geant4_physics import electromagnetic_physics
from data_adapters.simulators.geant4_run import Shot, Simulation
from data_adapters.simulators.hdf5_output import seeds_attribute, write_hdf5
from data_adapters.simulators.plates import PlateBuilder
from data_adapters.simulators.production import Block, Columns, EventDone, Parts, Recipe, check_suffix, produce
from data_adapters.simulators.step_recorder import ENERGY, StepRecorder, Z

LAYERS, CELLS, PITCH = 25, 51, 5.1  # mm
TUNGSTEN, SILICON = 3.5, 0.5  # mm; the rest of the pitch is air: 25 X0 in all
HALF_WIDTH = 800.0  # mm
THETA_DEGREES = (60.0, 120.0)
GUN_Z = -0.01  # mm, just in front of the face
ELECTRON = 11
EVENTS_PER_BLOCK = 50
LOWEST_GEV, HIGHEST_GEV = 0.1, 1000.0  # what options may ask for

PROVENANCE = (
    "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (25 equal flat layers of "
    "tungsten and silicon, no field, no noise, no threshold). Not the CLIC/LCD full simulation."
)


@dataclass(frozen=True)
class ClicOptions:
    """Range of the uniform energy spectrum [GeV]; of a twin, whether train events are left out.

    Raises: InvalidOption for a range that is none.
    """

    low_gev: float = 100.0
    high_gev: float = 200.0
    only_judged: bool = False

    def __post_init__(self) -> None:
        if not LOWEST_GEV <= self.low_gev < self.high_gev <= HIGHEST_GEV:
            raise InvalidOption(
                f"options low_gev and high_gev are {self.low_gev:g} and {self.high_gev:g}; they take a range within "
                f"{LOWEST_GEV:g} and {HIGHEST_GEV:g} GeV, the lower end first"
            )


class Calorimeter:
    """Geometry for ``geant4_run.Simulation``."""

    recorder: StepRecorder

    def build(self) -> Any:
        nist = geant4.load().G4NistManager.Instance().FindOrBuildMaterial
        plates = PlateBuilder(HALF_WIDTH, HALF_WIDTH)
        depth = LAYERS * PITCH
        world = plates.plate("world", 2 * depth + 100, nist("G4_Galactic"), margin=10)
        placed_world = plates.place(world, 0, None)
        stack = plates.plate("stack", depth, nist("G4_AIR"))
        plates.place(stack, depth / 2, world)
        layer = plates.plate("layer", PITCH, nist("G4_AIR"))
        plates.repeat(layer, stack, LAYERS, PITCH)
        front = -PITCH / 2
        plates.place(plates.plate("tungsten", TUNGSTEN, nist("G4_W")), front + TUNGSTEN / 2, layer)
        plates.place(plates.plate("silicon", SILICON, nist("G4_Si")), front + TUNGSTEN + SILICON / 2, layer)
        return placed_world

    def make_sensitive(self) -> None:
        self.recorder = StepRecorder(["silicon"])


def image_of(deposits: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
    """Image [GeV], shape (51, 51, 25), centred on the cell of the barycentre; and the energy without the window.

    Args:
        deposits: As of ``StepRecorder.take``, shape (steps, 6), z from 0 at the face.
    """
    shape = (CELLS, CELLS, LAYERS)
    energy = deposits[:, ENERGY] / 1000.0
    total = energy.sum()
    if total == 0:
        return np.zeros(shape, np.float32), 0.0
    layer = np.clip(deposits[:, Z] // PITCH, 0, LAYERS - 1).astype(int)
    cell = np.floor(deposits[:, :2] / PITCH).astype(int)
    barycentre = np.floor((deposits[:, :2] * energy[:, None]).sum(0) / total / PITCH).astype(int)
    cell += CELLS // 2 - barycentre
    inside = np.all((cell >= 0) & (cell < CELLS), axis=1)
    index = np.ravel_multi_index((cell[inside, 0], cell[inside, 1], layer[inside]), shape)
    image = np.bincount(index, weights=energy[inside], minlength=math.prod(shape))
    return image.reshape(shape).astype(np.float32), float(total)


def draw_conditions(random: np.random.Generator, events: int, options: ClicOptions) -> Columns:
    """Energies [GeV] and angles [rad], uniform, as float32 as they are stored; shape (events,)."""
    energy = random.uniform(options.low_gev, options.high_gev, events)
    theta = np.radians(random.uniform(*THETA_DEGREES, events))
    return {"energy": energy.astype(np.float32), "theta": theta.astype(np.float32)}


def simulate_block(block: Block, event_done: EventDone) -> Columns:
    """Electrons at random places within a cell of the face; of a twin, at other ones than its model's."""
    random = block.random()
    conditions = draw_conditions(random, block.events, block.options) if block.given is None else block.given
    impacts = random.uniform(0, PITCH, (block.events, 2))
    return simulate_electrons(conditions, impacts, block.geant4_seeds(), event_done)


def simulate_electrons(
    conditions: Columns, impacts: NDArray[np.float64], seeds: tuple[int, int], event_done: EventDone
) -> Columns:
    """One shower an electron; ``impacts`` [mm] has shape (events, 2)."""
    calorimeter = Calorimeter()
    simulation = Simulation(calorimeter, electromagnetic_physics(), seeds)
    shots = [
        Shot(ELECTRON, 1000.0 * energy, (x, y, GUN_Z), (0.0, math.cos(theta), math.sin(theta)))
        for energy, theta, (x, y) in zip(*(conditions[k].tolist() for k in ("energy", "theta")), impacts, strict=True)
    ]
    images, totals = [], []

    def end_of_event() -> None:
        image, total = image_of(calorimeter.recorder.take())
        images.append(image)
        totals.append(total)
        event_done()

    simulation.shoot(shots, end_of_event)
    return {"ECAL": np.stack(images), **conditions, "visible_total": np.array(totals, np.float32)}


def write(parts: Parts, path: Path, seed: int, twin: bool) -> int:
    """Merge blocks into an HDF5 file; returns the number of showers."""
    energy = parts.column("energy")
    attributes: dict[str, object] = {
        "description": (
            "Geant4 11.4.p1, data-file-free EM models, simplified geometry; not the CLIC/LCD full simulation"
        ),
        "particle": "electron",
        "ECAL_unit": "GeV deposited in silicon (not corrected for the sampling fraction)",
        "ECAL_axes": "x, y (direction of the tilt), depth; centred on the cell of the shower's barycentre",
        "energy_unit": "GeV",
        "theta_unit": "rad; pi/2 is perpendicular; theta < pi/2: y grows with depth",
        "visible_total_unit": "GeV deposited in all silicon, also outside the image",
        "lowest_and_highest_energy_GeV": np.array([energy.min(), energy.max()]),
        "cell_mm": PITCH,
        "layer_pitch_mm": PITCH,
        "tungsten_mm": TUNGSTEN,
        "silicon_mm": SILICON,
        "production_cut_mm": 0.7,
        "seeds": seeds_attribute(seed),
    }
    if twin:
        attributes["twin"] = (
            "energy and theta are those of another file, in its order; the place of impact within the cell is not in "
            "it, and was drawn again"
        )
    return write_hdf5(path, parts, attributes, chunk_rows={"ECAL": 1})


def make(request: Request) -> int:
    """Showers in HDF5: ECAL (N, 51, 51, 25) [GeV], energy (N,) [GeV], theta (N,) [rad], visible_total (N,) [GeV].

    Raises: MissingSimulator, UnknownName and InvalidOption, UnreadableFile of the twin's model, and what ``produce``
        raises.
    """
    options = parse_options(ClicOptions, request.options)
    check_suffix(request.out, ".h5")
    given = _given(request, options)
    geant4.require_geant4()
    recipe = Recipe(
        name=CLIC_ELECTRONS.name,
        version=1,
        counted="showers",
        events_per_block=EVENTS_PER_BLOCK,
        simulate=simulate_block,
        write=partial(write, seed=request.seed, twin=request.twin_of is not None),
    )
    return produce(recipe, request, options, None if given is None else len(given["energy"]), given)


def _given(request: Request, options: ClicOptions) -> Columns | None:
    twins.check_only_judged(request, options.only_judged)
    if request.twin_of is None:
        return None
    keys = ("energy", "theta")
    hdf5.check_datasets(request.twin_of, map(Needed, keys))
    columns = {key: hdf5.read_column(request.twin_of, key).astype(np.float32) for key in keys}
    columns = twins.first_rows(request, columns)
    return twins.judged_rows(columns, keys) if options.only_judged else columns


CLIC_ELECTRONS = Simulator(
    name="clic-electrons",
    title="electrons in a CLIC-like tungsten/silicon calorimeter, 51 × 51 × 25 cells",
    suffix=".h5",
    needs="refsim",
    make=make,
    provenance=PROVENANCE,
)
