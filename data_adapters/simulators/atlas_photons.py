"""Photon showers in a simplified ATLAS electromagnetic barrel calorimeter, 266 cells.

Geant4 axes: z is the radial direction at the centre of a flat module, x the tangential (φ) direction, y the beam. The
origin is the interaction point. Cells are projective, on the fixed grid of the detector, so that the alignment of the
coarse cells to the impact cell arises as in a real detector.

Simplified: 64 modules of flat parallel plates instead of the folded accordion; 1.9 X0 of aluminium in one slab for
cryostat and coil; all photons from the origin; no electronic noise, no cross-talk, no charge collection, no pile-up.
"""

# Axes: N photons, 266 cells = presampler 7 × 3, front 56 × 3, middle 7 × 7, back 4 × 7, each row-major (eta, phi).
from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.hdf5 import Needed
from data_adapters.options import NoOptions, parse_options
from data_adapters.simulators import geant4, twins
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.geant4_physics import electromagnetic_physics
from data_adapters.simulators.geant4_run import PRODUCTION_CUT_MM, Shot, Simulation
from data_adapters.simulators.hdf5_output import seeds_attribute, write_hdf5
from data_adapters.simulators.plates import PlateBuilder
from data_adapters.simulators.production import Block, Columns, EventDone, Parts, Recipe, check_suffix, produce
from data_adapters.simulators.step_recorder import ENERGY, StepRecorder, X, Y, Z

Array = NDArray[np.float64]

ENERGIES_MEV = tuple(2.0**power for power in range(10, 19))
ETA_RANGE = (0.20, 0.25)
PHOTON = 22
EVENTS_PER_BLOCK = 5 * len(ENERGIES_MEV)

# Material along the radius [mm].
UPSTREAM_START, UPSTREAM_THICKNESS = 1220.0, 170.0  # aluminium: cryostat and coil, 1.9 X0
LIQUID_START = 1395.0  # inner edge of the liquid argon
PRESAMPLER_START, PRESAMPLER_THICKNESS = 1410.0, 11.0
ACCORDION_START = 1500.0
UNIT_MM = {"lead": 1.53, "steel": 0.40, "argon_gap": 4.20, "electrode": 0.54}
UNIT_THICKNESS = sum(UNIT_MM.values())
UNITS_IN_LAYER = {"front": 13, "middle": 48, "back": 8}
UNITS = sum(UNITS_IN_LAYER.values())
HALF_WIDTH = 1100.0

# Cells.
ETA_UNIT, PHI_UNIT = 0.025, 2 * math.pi / 256  # a cell of the middle layer
SHAPES = {"presampler": (7, 3), "front": (56, 3), "middle": (7, 7), "back": (4, 7)}
CELL_ETA = {"presampler": ETA_UNIT, "front": ETA_UNIT / 8, "middle": ETA_UNIT, "back": 2 * ETA_UNIT}
CELL_PHI = {"presampler": 4 * PHI_UNIT, "front": 4 * PHI_UNIT, "middle": PHI_UNIT, "back": PHI_UNIT}
MODULE_PHI = 4 * PHI_UNIT
LAYER_OF_UNIT = np.repeat([1, 2, 3], list(UNITS_IN_LAYER.values()))

# Visible energy divided by these gives the electromagnetic scale: the least-squares estimate of the true energy, with
# errors that grow as the square root of the energy.
SAMPLING_FRACTION = {"presampler": 0.0472, "front": 0.1910, "middle": 0.1910, "back": 0.1910}

# Radiation lengths of Geant4's materials [mm].
X0_MM = {
    "lead": 5.612532627800235,
    "steel": 17.574934650970928,
    "argon_gap": 140.0343868497192,
    "electrode": 63.353485280746696,
    "aluminium": 88.96317612726672,
}
CONDITIONS = ("incident_energies", "eta", "phi")

PROVENANCE = (
    "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (flat plates instead of the "
    "accordion, no noise, no pile-up). Not ATLAS full simulation."
)


class Calorimeter:
    """Geometry for ``geant4_run.Simulation``."""

    recorder: StepRecorder

    def build(self) -> Any:
        materials = materials_of_geant4()
        argon = materials["argon_gap"]
        plates = PlateBuilder(HALF_WIDTH, HALF_WIDTH)
        thickness = UNITS * UNIT_THICKNESS
        galactic = geant4.load().G4NistManager.Instance().FindOrBuildMaterial("G4_Galactic")
        world = plates.plate("world", 2 * (ACCORDION_START + thickness + 50), galactic, margin=10)
        placed_world = plates.place(world, 0, None)
        upstream = plates.plate("upstream", UPSTREAM_THICKNESS, materials["aluminium"])
        plates.place(upstream, UPSTREAM_START + UPSTREAM_THICKNESS / 2, world)
        liquid = plates.plate("liquid", ACCORDION_START - LIQUID_START, argon)
        liquid_centre = (LIQUID_START + ACCORDION_START) / 2
        plates.place(liquid, liquid_centre, world)
        presampler = plates.plate("presampler_gap", PRESAMPLER_THICKNESS, argon)
        plates.place(presampler, PRESAMPLER_START + PRESAMPLER_THICKNESS / 2 - liquid_centre, liquid)
        accordion = plates.plate("accordion", thickness, argon)
        plates.place(accordion, ACCORDION_START + thickness / 2, world)
        unit = plates.plate("unit", UNIT_THICKNESS, argon)
        plates.repeat(unit, accordion, UNITS, UNIT_THICKNESS)
        z = -UNIT_THICKNESS / 2
        for name, part in UNIT_MM.items():
            plates.place(plates.plate(name, part, materials[name]), z + part / 2, unit)
            z += part
        return placed_world

    def make_sensitive(self) -> None:
        self.recorder = StepRecorder(["presampler_gap", "argon_gap"])


def materials_of_geant4() -> dict[str, Any]:
    """Materials by the name of what is made of them. Raises: MissingSimulator."""
    g4 = geant4.load()
    nist = g4.G4NistManager.Instance().FindOrBuildMaterial
    electrode = g4.G4Material("electrode", 2.82 * g4.g / g4.cm3, 2)  # 0.10 mm copper, 0.44 mm kapton
    electrode.AddMaterial(nist("G4_Cu"), 0.59)
    electrode.AddMaterial(nist("G4_KAPTON"), 0.41)
    names = {"lead": "G4_Pb", "steel": "G4_Fe", "argon_gap": "G4_lAr", "aluminium": "G4_Al"}
    return {**{name: nist(code) for name, code in names.items()}, "electrode": electrode}


def layer_depths() -> tuple[list[float], list[float], list[float]]:
    """Of each layer at normal incidence: centre [mm of radius], centre and end [X0 from the interaction point]."""
    upstream = UPSTREAM_THICKNESS / X0_MM["aluminium"]
    argon = X0_MM["argon_gap"]
    unit_x0 = sum(thickness / X0_MM[name] for name, thickness in UNIT_MM.items())
    units = np.array(list(UNITS_IN_LAYER.values()))
    starts = np.cumsum(units) - units
    presampler_x0 = upstream + (PRESAMPLER_START - LIQUID_START) / argon
    accordion_x0 = upstream + (ACCORDION_START - LIQUID_START) / argon
    presampler_thickness_x0 = PRESAMPLER_THICKNESS / argon
    centre_mm = [
        PRESAMPLER_START + PRESAMPLER_THICKNESS / 2,
        *(ACCORDION_START + (starts + units / 2) * UNIT_THICKNESS),
    ]
    centre_x0 = [presampler_x0 + presampler_thickness_x0 / 2, *(accordion_x0 + (starts + units / 2) * unit_x0)]
    end_x0 = [presampler_x0 + presampler_thickness_x0, *(accordion_x0 + (starts + units) * unit_x0)]
    return centre_mm, centre_x0, end_x0


def window_of(layer: str, impact_eta: float, impact_phi: float) -> tuple[int, int]:
    """Numbers (η, φ) of the first cell of a layer's window.

    Windows in η cover the same range in presampler, front and middle; back has one middle cell more. Windows in φ: the
    cell that contains the impact, and as many on each side.

    Args:
        impact_eta, impact_phi: In cells of the middle layer.
    """
    eta, phi = math.floor(impact_eta) - 3, math.floor(impact_phi)
    coarse, fine = phi // 4 - 1, phi - 3
    return {"presampler": (eta, coarse), "front": (8 * eta, coarse), "middle": (eta, fine), "back": (eta // 2, fine)}[
        layer
    ]


def module_of(phi: float) -> int:
    """The flat module that a photon of azimuth φ [rad] hits."""
    return round(phi / MODULE_PHI)


def image_of(deposits: Array, eta: float, phi: float) -> Columns:
    """The 266 cells of one shower, and what belongs to its photon; visible energy [MeV].

    Args:
        deposits: As of ``StepRecorder.take``, shape (steps, 6).
    """
    x, y, z, energy = (deposits[:, column] for column in (X, Y, Z, ENERGY))
    hit_eta = np.arcsinh(y / np.hypot(x, z))
    hit_phi = np.arctan2(x, z) + module_of(phi) * MODULE_PHI
    unit = np.clip((z - ACCORDION_START) // UNIT_THICKNESS, 0, UNITS - 1).astype(int)
    layer = np.where(z < ACCORDION_START, 0, LAYER_OF_UNIT[unit])
    impact_eta, impact_phi = eta / ETA_UNIT, phi / PHI_UNIT
    cells, totals = [], []
    for number, (name, (rows, columns)) in enumerate(SHAPES.items()):
        here = layer == number
        first_row, first_column = window_of(name, impact_eta, impact_phi)
        row = np.floor(hit_eta[here] / CELL_ETA[name]).astype(int) - first_row
        column = np.floor(hit_phi[here] / CELL_PHI[name]).astype(int) - first_column
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        index, weights = row[inside] * columns + column[inside], energy[here][inside]
        cells.append(np.bincount(index, weights=weights, minlength=rows * columns))
        totals.append(energy[here].sum())
    return {
        "visible_cells": np.concatenate(cells).astype(np.float32),
        "visible_total": np.array(totals, np.float32),
        "alignment_eta": np.array(math.floor(impact_eta) % 2, np.int8),
        "alignment_phi": np.array(math.floor(impact_phi) % 4, np.int8),
        "impact_eta_offset": np.array(impact_eta - math.floor(impact_eta)),
        "impact_phi_offset": np.array(impact_phi - math.floor(impact_phi)),
    }


def draw_conditions(random: np.random.Generator, first: int, events: int) -> Columns:
    """Energies [MeV], which take turns from event 0 on, and uniform directions; each of shape (events,)."""
    turn = np.arange(first, first + events) % len(ENERGIES_MEV)
    return {
        "incident_energies": np.array(ENERGIES_MEV)[turn],
        "eta": random.uniform(*ETA_RANGE, events),
        "phi": random.uniform(0, 2 * math.pi, events),
    }


def simulate_block(block: Block, event_done: EventDone) -> Columns:
    """Photons from the interaction point."""
    drawn = draw_conditions(block.random(), block.first, block.events) if block.given is None else block.given
    calorimeter = Calorimeter()
    simulation = Simulation(calorimeter, electromagnetic_physics(), block.geant4_seeds())
    photons = list(zip(*(drawn[name].tolist() for name in CONDITIONS), strict=True))
    images: list[Columns] = []

    def end_of_event() -> None:
        _, eta, phi = photons[len(images)]
        images.append(image_of(calorimeter.recorder.take(), eta, phi))
        event_done()

    simulation.shoot([shot_of(*photon) for photon in photons], end_of_event)
    return {**drawn, **{key: np.stack([image[key] for image in images]) for key in images[0]}}


def shot_of(energy: float, eta: float, phi: float) -> Shot:
    """A photon of an energy [MeV], in the frame of the module that it hits."""
    phi_in_module = phi - module_of(phi) * MODULE_PHI
    direction = (math.sin(phi_in_module), math.sinh(eta), math.cos(phi_in_module))
    return Shot(PHOTON, energy, (0.0, 0.0, 0.0), direction)


def at_electromagnetic_scale(blocks: Parts) -> Iterator[Columns]:
    """Blocks as a file has them: visible energies divided by sampling fractions."""
    fraction = np.array([SAMPLING_FRACTION[name] for name in SHAPES])
    cells = [math.prod(shape) for shape in SHAPES.values()]
    for block in blocks:
        visible_cells, visible_total = block.pop("visible_cells"), block.pop("visible_total")
        yield {
            "incident_energies": block.pop("incident_energies")[:, None],
            "showers": (visible_cells / np.repeat(fraction, cells)).astype(np.float32),
            "layer_energy_without_window": (visible_total / fraction).astype(np.float32),
            **block,
        }


def write(parts: Parts, path: Path, seed: int, twin: bool) -> int:
    """Merge blocks into an HDF5 file; returns the number of showers."""
    _, counts = np.unique(parts.column("incident_energies"), return_counts=True)
    centre_mm, centre_x0, end_x0 = layer_depths()
    attributes: dict[str, object] = {
        "description": "Geant4 11.4.p1, data-file-free EM models, simplified geometry; not ATLAS full simulation",
        "particle": "photon from the interaction point",
        "layers": list(SHAPES),
        "layer_shapes_eta_phi": np.array(list(SHAPES.values())),
        "cell_size_eta": np.array(list(CELL_ETA.values())),
        "cell_size_phi": np.array(list(CELL_PHI.values())),
        "layer_centre_mm": np.array(centre_mm),
        "layer_centre_X0": np.array(centre_x0),
        "layer_end_X0": np.array(end_x0),
        "depth_origin": "mm: radius; X0: material from the interaction point at normal incidence",
        "sampling_fraction": np.array(list(SAMPLING_FRACTION.values())),
        "energy_unit": "MeV",
        "energy_scale": "electromagnetic: visible energy / sampling_fraction",
        "angle_unit": "rad",
        "impact_offset_unit": "cells of the middle layer",
        "flattening": "presampler, front, middle, back; each row-major (eta, phi)",
        "production_cut_mm": PRODUCTION_CUT_MM,
        "seeds": seeds_attribute(seed),
        "showers_per_energy": int(counts.min()),
    }
    if twin:
        attributes["twin"] = "incident_energies, eta and phi are those of another file, in its order"
    return write_hdf5(path, at_electromagnetic_scale(parts), attributes)


def make(request: Request) -> int:
    """Showers in HDF5: incident_energies (N, 1), showers (N, 266) [MeV], alignment_eta, alignment_phi, eta, phi (N,).

    Raises: InvalidRequest for a number of photons that the nine energies do not divide; MissingSimulator, UnknownName
        of an option, UnreadableFile of the twin's model, and what ``produce`` raises.
    """
    options = parse_options(NoOptions, request.options)
    check_suffix(request.out, ".h5")
    given = None if request.twin_of is None else _given(request, request.twin_of)
    if given is None and request.events % len(ENERGIES_MEV):
        below = request.events - request.events % len(ENERGIES_MEV)
        raise InvalidRequest(
            f"{request.events} photons cannot be shared out evenly among the {len(ENERGIES_MEV)} energies: give "
            f"{below or len(ENERGIES_MEV)} or {below + len(ENERGIES_MEV)}"
        )
    geant4.require_geant4()
    recipe = Recipe(
        name=ATLAS_PHOTONS.name,
        version=1,
        counted="showers",
        events_per_block=EVENTS_PER_BLOCK,
        simulate=simulate_block,
        write=partial(write, seed=request.seed, twin=given is not None),
    )
    return produce(recipe, request, options, None if given is None else len(given["eta"]), given)


def _given(request: Request, twin_of: Path) -> Columns:
    hdf5.check_datasets(twin_of, map(Needed, CONDITIONS))
    return twins.first_rows(request, {name: hdf5.read_column(twin_of, name) for name in CONDITIONS})


ATLAS_PHOTONS = Simulator(
    name="atlas-photons",
    title="photons in an ATLAS-like electromagnetic barrel, 266 cells, nine energies from 1 to 262 GeV",
    suffix=".h5",
    needs="refsim",
    make=make,
    provenance=PROVENANCE,
)
