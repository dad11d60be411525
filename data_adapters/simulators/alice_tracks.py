"""Tracks of 7 TeV proton-proton collisions in a simplified ALICE time projection chamber.

Pythia 8 (minimum bias) makes the primary particles; one Geant4 event transports one of them through a beam pipe, a
lumped inner tracker and the gas in a field of 0.5 T. A point is the first outward crossing of a pad row, smeared.

Simplified: one cylinder of silicon (7.5 % X0) as inner tracker; points are crossings with Gaussian errors, not
clusters; no drift distortions, no missing clusters, no pile-up, no pattern recognition. PYTHIA 8 (Monash) in place of
PYTHIA 6 Perugia-0.
"""

# Axes: N tracks, R = 159 pad rows.
from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.hdf5 import Needed
from data_adapters.options import parse_options
from data_adapters.simulators import geant4, twins
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.geant4_physics import hadronic_physics
from data_adapters.simulators.geant4_run import Shot, Simulation
from data_adapters.simulators.hdf5_output import seeds_attribute, write_hdf5
from data_adapters.simulators.production import Block, Columns, EventDone, Parts, Recipe, check_suffix, produce
from data_adapters.simulators.root_output import jagged, write_tree
from data_adapters.splits import identities, split_of

Array = NDArray[np.float64]

PAD_ROW_RADII = np.linspace(848.0, 2466.0, 159)  # mm
HALF_LENGTH = 2500.0  # mm
FIELD_TESLA = 0.5
MIN_PT_GEV, MAX_ETA = 0.15, 0.9
SMEAR_RPHI_MM, SMEAR_Z_MM = 0.8, 1.0
VERTEX_SIGMA_Z_MM = 53.0
QUANTUM_MM = 1.0 / 128.0  # a power of two, so that the rounded numbers compress well
MAX_STEP_MM = 10.0
PRODUCTION_CUT_MM = 1.0
LEAST_KINETIC_MEV = 1e-3
MIN_POINTS = 20  # tracks with fewer are left out
MOST_TRIES = 1000  # to get a twin with as many points

PYTHIA = "pythia8mc==8.317.2"
PYTHIA_SETTINGS = (
    "Beams:eCM = 7000.",
    "SoftQCD:inelastic = on",
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10",
    "Print:quiet = on",
    "Random:setSeed = on",
)
LARGEST_PYTHIA_SEED = 900_000_000
COLLISIONS_PER_BLOCK, TRACKS_PER_TWIN_BLOCK = 200, 1000

PROVENANCE = (
    "Primaries of Pythia 8.317 (7 TeV pp, SoftQCD:inelastic), transported by Geant4 11.4.p1 with physics models that "
    "need no data files through a simplified chamber (points are smeared crossings of pad rows, one cylinder as inner "
    "tracker). Not the ALICE full simulation."
)
CONDITIONS = {"momentum": (3,), "charge": (), "pdg": (), "event": (), "vertex": (3,)}
TYPES = {"momentum": np.float32, "charge": np.int8, "pdg": np.int32, "event": np.int32, "vertex": np.float32}


@dataclass(frozen=True)
class AliceOptions:
    """Of a twin, whether the collisions of the train split are left out."""

    only_judged: bool = False


# ------------------------------------------------------------------ primaries


def collide(block: Block, random: np.random.Generator) -> Columns:
    """Charged primaries of the collisions of a block, float32 as they are stored; momentum in GeV, vertex in mm."""
    pythia = importlib.import_module("pythia8mc").Pythia("", False)
    for setting in (*PYTHIA_SETTINGS, f"Random:seed = {random.integers(1, LARGEST_PYTHIA_SEED)}"):
        pythia.readString(setting)
    if not pythia.init():
        raise InvalidRequest("Pythia does not start with these settings: its log says why")
    rows: dict[str, list[Any]] = {name: [] for name in CONDITIONS}
    for collision in range(block.first, block.first + block.events):
        while not pythia.next():
            pass
        vertex_z = random.normal(0.0, VERTEX_SIGMA_Z_MM)
        for particle in filter(_is_wanted, pythia.event):
            rows["momentum"].append((particle.px(), particle.py(), particle.pz()))
            rows["charge"].append(round(particle.charge()))
            rows["pdg"].append(particle.id())
            rows["event"].append(collision)
            rows["vertex"].append((particle.xProd(), particle.yProd(), particle.zProd() + vertex_z))
    return {name: np.array(values, TYPES[name]).reshape(-1, *CONDITIONS[name]) for name, values in rows.items()}


def _is_wanted(particle: Any) -> bool:
    return bool(
        particle.isFinal() and particle.isCharged() and particle.pT() > MIN_PT_GEV and abs(particle.eta()) < MAX_ETA
    )


# ------------------------------------------------------------------ transport


class Chamber:
    """Geometry for ``geant4_run.Simulation``; collects the crossings of the pad rows by the primary particle."""

    def build(self) -> Any:
        g4 = geant4.load()
        nist = g4.G4NistManager.Instance().FindOrBuildMaterial
        gas = g4.G4Material("neon_carbon_dioxide", 0.00095 * g4.g / g4.cm3, 2)
        gas.AddMaterial(nist("G4_Ne"), 0.83)
        gas.AddMaterial(nist("G4_CARBON_DIOXIDE"), 0.17)
        world = g4.G4LogicalVolume(g4.G4Box("world", *[3000 * g4.mm] * 3), nist("G4_AIR"), "world")
        placed_world = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0, False)
        geant4.keep_alive(world, placed_world)
        _cylinder("beam_pipe", (29.0, 29.8, HALF_LENGTH), nist("G4_Be"), world)
        _cylinder("inner_tracker", (400.0, 407.0, 1000.0), nist("G4_Si"), world)  # 7.5 % X0 in one place
        self._gas = _cylinder("gas", (PAD_ROW_RADII[0] - 1, PAD_ROW_RADII[-1] + 1, HALF_LENGTH), gas, world)
        limits = g4.G4UserLimits(MAX_STEP_MM * g4.mm)
        geant4.keep_alive(limits)
        self._gas.SetUserLimits(limits)
        return placed_world

    def make_sensitive(self) -> None:
        g4 = geant4.load()
        field = g4.G4UniformMagField(g4.G4ThreeVector(0, 0, FIELD_TESLA * g4.tesla))
        manager = g4.G4TransportationManager.GetTransportationManager().GetFieldManager()
        manager.SetDetectorField(field)
        manager.CreateChordFinder(field)
        self._crossings = _crossings()
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self._crossings)
        self._gas.SetSensitiveDetector(self._crossings)
        geant4.keep_alive(field, self._crossings)

    def take(self) -> Array:
        """The crossings since the last call, shape (points, 3) [mm], from the inside out."""
        points = np.array(self._crossings.points).reshape(-1, 3)
        self._crossings.clear()
        return points


def _cylinder(name: str, size: tuple[float, float, float], material: Any, mother: Any) -> Any:
    """A tube around the beam: inner and outer radius and half its length [mm]."""
    g4 = geant4.load()
    solid = g4.G4Tubs(name, *(float(length) * g4.mm for length in size), 0, 360 * g4.deg)
    volume = g4.G4LogicalVolume(solid, material, name)
    placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), volume, name, mother, False, 0, False)
    geant4.keep_alive(volume, placed)
    return volume


def _crossings() -> Any:
    class Crossings(geant4.load().G4VSensitiveDetector):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__("chamber")
            self.clear()

        def clear(self) -> None:
            self.points: list[tuple[float, float, float]] = []
            self._next_row = 0

        def ProcessHits(self, step: Any, _history: Any) -> bool:  # noqa: N802
            if step.GetTrack().GetParentID() != 0:
                return False
            a, b = step.GetPreStepPoint().GetPosition(), step.GetPostStepPoint().GetPosition()
            inner, outer = a.perp(), b.perp()
            while self._next_row < len(PAD_ROW_RADII) and PAD_ROW_RADII[self._next_row] < outer:
                radius = PAD_ROW_RADII[self._next_row]
                if radius >= inner:
                    part = (radius - inner) / (outer - inner)
                    self.points.append((a.x + part * (b.x - a.x), a.y + part * (b.y - a.y), a.z + part * (b.z - a.z)))
                self._next_row += 1
            return True

    return Crossings()


def smeared(points: Array, random: np.random.Generator) -> Array:
    """Points (points, 3) [mm] with the errors of a measurement, rounded to 1/128 mm."""
    phi = np.arctan2(points[:, 1], points[:, 0])
    shift = random.normal(0.0, SMEAR_RPHI_MM, len(points))
    along_z = random.normal(0.0, SMEAR_Z_MM, len(points))
    moved = points + np.stack([-np.sin(phi) * shift, np.cos(phi) * shift, along_z], axis=1)
    return np.asarray(np.round(moved / QUANTUM_MM) * QUANTUM_MM)


# ------------------------------------------------------------------ blocks


def simulate_block(block: Block, event_done: EventDone) -> Columns:
    """Tracks of the collisions of a block, or of given particles.

    Those of a twin are simulated until they have as many points as a track of the sample must have.
    """
    random = block.random()
    primaries = collide(block, random) if block.given is None else block.given
    tracks = transport(primaries, block.geant4_seeds(), MOST_TRIES if block.twin else 1)
    for _ in range(block.events):
        event_done()
    kept = [row for row, points in enumerate(tracks) if len(points) >= MIN_POINTS]
    points = np.zeros((len(kept), len(PAD_ROW_RADII), 3), np.float32)
    for place, row in enumerate(kept):
        points[place, : len(tracks[row])] = smeared(tracks[row], random)
    counts = np.array([len(tracks[row]) for row in kept], np.int32)
    return {"points": points, "num_points": counts, **{name: values[kept] for name, values in primaries.items()}}


def transport(primaries: Columns, seeds: tuple[int, int], most_tries: int) -> list[Array]:
    """Crossings of each particle; those with too few points are simulated again, so many times in all.

    Raises: InvalidRequest if some have too few points every time, of many.
    """
    chamber = Chamber()
    physics = hadronic_physics(geant4.load().G4StepLimiterPhysics())
    simulation = Simulation(chamber, physics, seeds, PRODUCTION_CUT_MM)
    shots = shots_of(primaries, simulation)
    tracks = [np.zeros((0, 3))] * len(shots)
    waiting: Sequence[int] = range(len(shots))
    for _ in range(most_tries):
        found: list[Array] = []
        simulation.shoot([shots[row] for row in waiting], lambda found=found: found.append(chamber.take()))  # type: ignore[misc]
        for row, points in zip(waiting, found, strict=True):
            tracks[row] = points
        waiting = [row for row in waiting if len(tracks[row]) < MIN_POINTS]
        if not waiting:
            break
    if waiting and most_tries > 1:
        raise InvalidRequest(
            f"{len(waiting)} particles have fewer than {MIN_POINTS} points in each of {most_tries} tries: were they "
            "simulated in another chamber?"
        )
    return tracks


def shots_of(primaries: Columns, simulation: Simulation) -> list[Shot]:
    """One shot a particle, with the momentum [GeV] and vertex [mm] that are stored."""
    shots = []
    for pdg, momentum, vertex in zip(
        *(primaries[name].tolist() for name in ("pdg", "momentum", "vertex")), strict=True
    ):
        mass = simulation.mass(pdg)
        kinetic = float(np.hypot(1000.0 * np.linalg.norm(momentum), mass)) - mass
        shots.append(Shot(pdg, max(kinetic, LEAST_KINETIC_MEV), tuple(vertex), tuple(momentum)))
    return shots


# ------------------------------------------------------------------ files


def description_of(seed: int, twin: bool) -> str:
    """What lies in a file, in words."""
    text = (
        "Pythia 8.317 (7 TeV pp, SoftQCD:inelastic), Geant4 11.4.p1 with data-file-free models, simplified geometry; "
        "not the ALICE full simulation. Charged primaries, pT > 0.15 GeV, |eta| < 0.9. points: mm, crossings of 159 "
        "pad-row radii from 848 to 2466 mm on the way out, smeared by 0.8 mm (r-phi) and 1 mm (z), zero-padded at the "
        f"end, rounded to 1/128 mm. momentum: GeV at production; vertex: mm. Field 0.5 T along +z. Seeds [{seed}]."
    )
    again = (
        f" Twin: the particles are those of another file, in its order; each was simulated until its track had "
        f"{MIN_POINTS} points, as those of the sample have."
    )
    return text + again if twin else text


def write(parts: Parts, path: Path, suffix: str, seed: int, twin: bool) -> int:
    """Merge blocks into an HDF5 or a ROOT file; returns the number of tracks."""
    description = description_of(seed, twin)
    if suffix == ".root":
        return write_tree(path, "tracks", map(branches_of, parts), {"description": description})
    attributes = {
        "description": description,
        "points_unit": "mm",
        "momentum_unit": "GeV",
        "field_tesla": FIELD_TESLA,
        "smearing_rphi_mm": SMEAR_RPHI_MM,
        "smearing_z_mm": SMEAR_Z_MM,
        "pad_row_radii_mm": PAD_ROW_RADII,
        "seeds": seeds_attribute(seed),
    }
    return write_hdf5(path, parts, attributes, chunk_rows={"points": 500})


def branches_of(block: Columns) -> dict[str, Any]:
    """Branches of the ROOT layout: points as jagged x, y, z, the rest flat."""
    counts = block["num_points"]
    filled = np.arange(len(PAD_ROW_RADII)) < counts[:, None]
    points = {axis: jagged(block["points"][..., i][filled], counts) for i, axis in enumerate("xyz")}
    momentum = {f"p{axis}": block["momentum"][:, i] for i, axis in enumerate("xyz")}
    return {**points, **momentum, **{name: block[name] for name in ("charge", "pdg", "event")}}


def make(request: Request) -> int:
    """Tracks of ``request.events`` collisions, in HDF5 or ROOT by the suffix; returns the number of tracks.

    HDF5: points (N, 159, 3) [mm], num_points (N,), momentum (N, 3) [GeV], charge, pdg, event (N,), vertex (N, 3) [mm].
    The twin of an HDF5 file has all its tracks, or those of its first ``request.events`` collisions.

    Raises: MissingSimulator, UnknownName and InvalidOption, UnreadableFile of the twin's model, and what ``produce``
        raises.
    """
    options = parse_options(AliceOptions, request.options)
    check_suffix(request.out, ".h5", ".root")
    twins.check_only_judged(request, options.only_judged)
    given = None if request.twin_of is None else _given(request, request.twin_of, options)
    geant4.require_geant4()
    geant4.require("pythia8mc", PYTHIA)
    recipe = Recipe(
        name=ALICE_TRACKS.name,
        version=1,
        counted="collisions" if given is None else "tracks",
        events_per_block=COLLISIONS_PER_BLOCK if given is None else TRACKS_PER_TWIN_BLOCK,
        simulate=simulate_block,
        write=partial(write, suffix=request.out.suffix, seed=request.seed, twin=given is not None),
    )
    return produce(recipe, request, options, None if given is None else len(given["pdg"]), given)


def _given(request: Request, twin_of: Path, options: AliceOptions) -> Columns:
    hdf5.check_datasets(twin_of, [Needed(name, shape) for name, shape in CONDITIONS.items()])
    columns = {name: hdf5.read_column(twin_of, name).astype(kind) for name, kind in TYPES.items()}
    first = twins.first_rows(request, {"event": np.unique(columns["event"])})["event"]
    wanted = np.isin(columns["event"], first)
    if options.only_judged:
        wanted &= split_of(identities(columns["event"])) != "train"
    return {name: values[wanted] for name, values in columns.items()}


ALICE_TRACKS = Simulator(
    name="alice-tracks",
    title="tracks of pp collisions in an ALICE-like time projection chamber, up to 159 points",
    suffix=".h5",
    needs="refsim",
    make=make,
    provenance=PROVENANCE,
)
