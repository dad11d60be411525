"""Full events in a simplified LHCb hadronic calorimeter: many particles, of which a tracker sees the charged ones.

An event is the overlay of single-particle Geant4 showers, each simulated at its own place of impact: the four signal
particles K, π, π and μ of B → (D → Kππ) μν, further charged particles (π, K, p, μ) with tracks, photons and neutrons
without. The events of a block share a pool of further particles, whose showers they use several times; no shower is in
two blocks, so that splits by ``source_block`` share none.

Approximated: nothing is in front of the calorimeter, so that photons shower in it (an electromagnetic calorimeter would
stop most of them) and all charged particles arrive; no magnet, straight tracks; momenta, species and multiplicities are
chosen by hand (constants below), without correlations, decay kinematics or jets; no electrons, no neutral kaons; no
pile-up of earlier collisions. Kaons and pions that decay in flight do so in the calorimeter only. What is simplified in
the calorimeter itself: ``lhcb_calorimeter``.

Source of the task: thesis of the LHCb hadronic calorimeter GAN, sections 2.2 (full events) and 5.1 (trigger rates).
"""

# Axes: P particles of the pool of a block, E events, T tracks of all events of a block.
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.options import parse_options
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.simulators import geant4, lhcb_calorimeter, twins
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.lhcb_calorimeter import (
    IMAGES_DESCRIPTION,
    THETA_MRAD,
    TRACKER_RESOLUTION,
    calibrated,
    shot_at,
)
from data_adapters.simulators.production import (
    Block,
    Columns,
    EventDone,
    Parts,
    Recipe,
    Stream,
    check_suffix,
    evenly,
    produce,
    stream,
)
from data_adapters.simulators.root_output import jagged, write_tree
from data_adapters.splits import identities, split_of

TREE = "events"
VERSION = 1  # another one when a seed gives other particles
REQUEST = "request"  # a text beside the tree: the seed from which a twin draws the same particles
CONDITIONS = ("x_projections", "y_projections", "real_ET", "pdg")
TRACK_BRANCHES = ("x_projections", "y_projections", "real_ET", "signal", "pdg")

EVENTS_PER_BLOCK = 40
CHARGED_POOL, NEUTRAL_POOL = 100, 36  # particles that the events of a block share
TRACKS = (10, 40)  # in an event, the signal included; uniform
NEUTRALS_PER_TRACK = 0.32  # mean of a Poisson distribution

PHOTON, NEUTRON, MUON, PION, KAON, PROTON = 22, 2112, 13, 211, 321, 2212
MASS_MEV = {PHOTON: 0.0, NEUTRON: 939.57, MUON: 105.66, PION: 139.57, KAON: 493.68, PROTON: 938.27}
CHARGED_FRACTIONS = {PION: 0.78, KAON: 0.12, PROTON: 0.08, MUON: 0.02}  # each with its antiparticle, half and half
NEUTRAL_FRACTIONS = {PHOTON: 0.62, NEUTRON: 0.38}

# Of B0bar → (D+ → K− π+ π+) μ− ν; with equal probability all charges are reversed. A muon's code 13 is negative.
SIGNAL_CODES = (-KAON, PION, PION, MUON)
SIGNAL_MARKS = (1, 2, 2, 3)
NO_SIGNAL = 0

# Transverse momenta: p_T exp(−p_T / T), with mean 2 T. Pseudorapidity: uniform over the acceptance in angle.
BACKGROUND_T_MEV, SIGNAL_T_MEV = 250.0, 1100.0
BACKGROUND_LEAST_MEV, SIGNAL_LEAST_MEV = 2000.0, 3000.0  # momentum; softer ones do not get through the magnet
LARGEST_MEV = 100_000.0
QUANTUM_MEV = 0.125  # images are rounded to it, so that they compress

PROVENANCE = (
    "Overlay of single-particle showers of Geant4 11.4.p1 (physics models that need no data files) in a simplified "
    "geometry with nothing in front and no magnet; momenta, species and multiplicities chosen by hand. Not the LHCb "
    "full simulation."
)

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Pool:
    """Particles of a block, each array of shape (P,): first the signal particles, event by event.

    Attributes:
        pdg: int32 particle codes.
        signal: int8; 0 none, 1 kaon, 2 pion, 3 muon.
        energy: Total energy [MeV], float32.
        x, y: Impact on the face [mm], float32.
        real_et: What a tracker measures of the transverse energy [MeV], float32; also for those that it does not see.
    """

    pdg: NDArray[np.int32]
    signal: NDArray[np.int8]
    energy: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    real_et: NDArray[np.float32]

    @property
    def charged(self) -> NDArray[np.bool_]:
        return ~np.isin(np.abs(self.pdg), (PHOTON, NEUTRON))


def draw_block(seed: int, number: int) -> tuple[Pool, list[Indices]]:
    """The particles of a block, and for each of its 40 events which of them it has, in random order."""
    random = stream(seed, number, Stream.CONDITIONS)
    pool = draw_pool(random)
    return pool, [draw_members(random, event) for event in range(EVENTS_PER_BLOCK)]


def draw_pool(random: np.random.Generator) -> Pool:
    """Signal particles of all events, then further charged particles, then neutral ones."""
    conjugate = np.where(random.random(EVENTS_PER_BLOCK) < 0.5, 1, -1)
    signal = (conjugate[:, None] * np.array(SIGNAL_CODES)).ravel()
    charged = _draw_codes(random, CHARGED_FRACTIONS, CHARGED_POOL)
    neutral = np.abs(_draw_codes(random, NEUTRAL_FRACTIONS, NEUTRAL_POOL))
    pdg = np.concatenate([signal, charged, neutral])
    hard = np.arange(len(pdg)) < len(signal)
    momentum, theta, phi = np.array([_draw_momentum(random, bool(is_hard)) for is_hard in hard]).T
    energy = np.hypot(momentum, [MASS_MEV[code] for code in np.abs(pdg).tolist()])
    x, y = lhcb_calorimeter.impact(theta, phi)
    real_et = energy * np.sin(theta) * random.normal(1.0, TRACKER_RESOLUTION, len(pdg))
    marks = np.zeros(len(pdg), np.int8)
    marks[: len(signal)] = np.tile(SIGNAL_MARKS, EVENTS_PER_BLOCK)
    return Pool(
        pdg.astype(np.int32),
        marks,
        energy.astype(np.float32),
        np.asarray(x, np.float32),
        np.asarray(y, np.float32),
        real_et.astype(np.float32),
    )


def draw_members(random: np.random.Generator, event: int) -> Indices:
    """Numbers of the particles of an event of the block: its own signal, and others from the pool, none twice."""
    signal = len(SIGNAL_CODES)
    first_charged = signal * EVENTS_PER_BLOCK
    first_neutral = first_charged + CHARGED_POOL
    tracks = int(random.integers(*TRACKS, endpoint=True))
    neutrals = min(int(random.poisson(tracks * NEUTRALS_PER_TRACK)), NEUTRAL_POOL)
    members = np.concatenate(
        [
            signal * event + np.arange(signal),
            first_charged + random.choice(CHARGED_POOL, tracks - signal, replace=False),
            first_neutral + random.choice(NEUTRAL_POOL, neutrals, replace=False),
        ]
    )
    return random.permutation(members)  # the order tells nothing


def _draw_codes(random: np.random.Generator, fractions: dict[int, float], number: int) -> NDArray[np.int64]:
    codes = random.choice(list(fractions), number, p=list(fractions.values()))
    return np.asarray(codes * random.choice((-1, 1), number))


def _draw_momentum(random: np.random.Generator, hard: bool) -> tuple[float, float, float]:
    """Momentum [MeV], polar angle and azimuth [rad] of a particle that hits the face."""
    temperature, least = (SIGNAL_T_MEV, SIGNAL_LEAST_MEV) if hard else (BACKGROUND_T_MEV, BACKGROUND_LEAST_MEV)
    largest_eta, smallest_eta = (-np.log(np.tan(mrad / 2000.0)) for mrad in THETA_MRAD)
    while True:
        eta, phi = random.uniform(smallest_eta, largest_eta), random.uniform(-np.pi, np.pi)
        momentum = random.gamma(2.0, temperature) * np.cosh(eta)
        theta = 2.0 * np.arctan(np.exp(-eta))
        if least <= momentum <= LARGEST_MEV and lhcb_calorimeter.hits_face(*lhcb_calorimeter.impact(theta, phi)):
            return float(momentum), float(theta), float(phi)


# ------------------------------------------------------------------ overlay


def overlay(pool: Pool, members: list[Indices], showers: Columns) -> Columns:
    """Tracks and images of events.

    Args:
        members: The particles of each event.
        showers: ``inner_visible`` (P, 896) and ``outer_visible`` (P, 832) [MeV], as of ``shower_images``.
    Returns the track branches, each of shape (T,), how many an event has (``num_tracks``, shape (E,)), and
        ``inner_image`` (E, 896), ``outer_image`` (E, 832): sums over all particles at hadronic scale [MeV], cut at the
        limit of a cell after the summation, and rounded to 1/8 MeV.
    """
    tracks = [particles[pool.charged[particles]] for particles in members]
    chosen = np.concatenate(tracks)
    images = {
        f"{part}_image": rounded(
            calibrated(np.stack([showers[f"{part}_visible"][list(p)].sum(axis=0) for p in members]))
        )
        for part in ("inner", "outer")
    }
    return {
        "num_tracks": np.array([len(particles) for particles in tracks], np.int32),
        "x_projections": pool.x[chosen],
        "y_projections": pool.y[chosen],
        "real_ET": pool.real_et[chosen],
        "signal": pool.signal[chosen],
        "pdg": pool.pdg[chosen],
        **images,
    }


def rounded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """To the nearest multiple of 1/8 MeV."""
    return np.round(image / np.float32(QUANTUM_MEV)) * np.float32(QUANTUM_MEV)


@dataclass(frozen=True)
class LhcbEventsOptions:
    """Of a twin, whether the source blocks of the train split are left out."""

    only_judged: bool = False


@dataclass(frozen=True)
class Plan:
    """What is simulated, and for a twin follows from its model: the seed of the particles, and the source blocks."""

    particles_seed: int
    source_blocks: tuple[int, ...]


def simulate_block(block: Block, event_done: EventDone) -> Columns:
    """All particles of a block, then its events."""
    plan: Plan = block.options
    source_block = plan.source_blocks[block.number]
    pool, members = draw_block(plan.particles_seed, source_block)
    members = members[: block.events]
    used = np.unique(np.concatenate(members))
    shots = [
        shot_at(code, energy - MASS_MEV[abs(code)], x, y)
        for code, energy, x, y in zip(*(v[used].tolist() for v in (pool.pdg, pool.energy, pool.x, pool.y)), strict=True)
    ]
    visible = lhcb_calorimeter.shower_images(shots, block.geant4_seeds(), evenly(event_done, block.events, len(shots)))
    showers = {key: np.zeros((len(pool.pdg), *values.shape[1:]), values.dtype) for key, values in visible.items()}
    for key, values in visible.items():
        showers[key][used] = values
    return {
        "event": EVENTS_PER_BLOCK * source_block + np.arange(block.events, dtype=np.int32),
        "source_block": np.full(block.events, source_block, np.int32),
        **overlay(pool, members, showers),
    }


# ------------------------------------------------------------------ files


def write(parts: Parts, path: Path, request: Request, particles_seed: int) -> int:
    """Merge blocks into a ROOT file; returns the number of events."""
    twin = request.twin_of is not None
    description = (
        "EXPERIMENTAL. Full events as the overlay of single-particle showers: Geant4 11.4.p1, data-file-free models "
        "(FTFP + Bertini; no neutron capture), simplified geometry; not the LHCb full simulation. Nothing in front of "
        "the calorimeter, so that photons shower in it; no magnet, straight tracks. Momenta, species, multiplicities "
        f"chosen by hand: p_T exp(-p_T/T) with T = {BACKGROUND_T_MEV:g} MeV (signal {SIGNAL_T_MEV:g} MeV), uniform "
        f"pseudorapidity, momentum from {BACKGROUND_LEAST_MEV:g} MeV (signal {SIGNAL_LEAST_MEV:g} MeV) to "
        f"{LARGEST_MEV:g} MeV; {TRACKS[0]}-{TRACKS[1]} tracks. Jagged branches hold the charged particles (tracks): "
        "x_projections, y_projections: mm on the face at z = 13330 mm; real_ET: MeV, true transverse energy smeared "
        "by 0.5 %; signal: 0 none, 1 kaon, 2 pion, 3 muon of B -> (D -> K pi pi) mu nu; pdg: particle code. The images "
        f"also hold photons and neutrons, which have no track, and are rounded to {QUANTUM_MEV} MeV. "
        f"{IMAGES_DESCRIPTION}"
        f"The {EVENTS_PER_BLOCK} events of a source_block share showers (each event has its own signal), events of "
        f"different blocks do not: split by source_block. Seed {request.seed}."
    )
    if twin:
        description += (
            f" Twin: particles and events are those of seed {particles_seed}, in the same order, showers are others."
        )
    made_from = json.dumps({"particles_seed": particles_seed, "version": VERSION})
    return write_tree(path, TREE, _branches(parts), {"description": description, REQUEST: made_from})


def _branches(parts: Parts) -> Iterator[dict[str, Any]]:
    for block in parts:
        yield {
            "event": block["event"],
            "source_block": block["source_block"],
            **{name: jagged(block[name], block["num_tracks"]) for name in TRACK_BRANCHES},
            "inner_image": block["inner_image"],
            "outer_image": block["outer_image"],
        }


def make(request: Request) -> int:
    """Events in ROOT: tracks as jagged branches, inner_image (896,), outer_image (832,) [MeV], source_block.

    Raises: MissingSimulator, UnknownName and InvalidOption, UnreadableFile of the twin's model, InvalidRequest if its
        particles are not those of its seed, and what ``produce`` raises.
    """
    options = parse_options(LhcbEventsOptions, request.options)
    check_suffix(request.out, ".root")
    twins.check_only_judged(request, options.only_judged)
    seed, available = (request.seed, request.events) if request.twin_of is None else read_model(request.twin_of)
    plan, events = plan_of(request, options, seed, available)
    geant4.require_geant4()
    recipe = Recipe(
        name=LHCB_EVENTS.name,
        version=VERSION,
        counted="events",
        events_per_block=EVENTS_PER_BLOCK,
        simulate=simulate_block,
        write=partial(write, request=request, particles_seed=seed),
    )
    return produce(recipe, request, plan, events)


def plan_of(request: Request, options: LhcbEventsOptions, seed: int, available: int) -> tuple[Plan, int]:
    """The plan, and its number of events.

    Raises: InvalidRequest if more events are asked for than are available.
    """
    if request.events > available:
        raise InvalidRequest(
            f"{request.events} events were asked for; {request.twin_of} holds {available}: leave --events out for all"
        )
    source_block = np.arange(request.events or available) // EVENTS_PER_BLOCK
    if options.only_judged:
        source_block = source_block[split_of(identities(source_block)) != "train"]
    return Plan(seed, tuple(np.unique(source_block).tolist())), len(source_block)


def read_model(path: Path) -> tuple[int, int]:
    """Seed of the particles of a file, and its number of events; its tracks are compared with what the seed gives.

    Raises: UnreadableFile; InvalidRequest if they differ.
    """
    available = root.check_branches(path, TREE, [root.Needed(name, jagged=True) for name in CONDITIONS])
    tracks = root.read_jagged(path, TREE, CONDITIONS)
    seed = _particles_seed(path)
    again: list[Columns] = []
    for number, first in enumerate(range(0, available, EVENTS_PER_BLOCK)):
        pool, members = draw_block(seed, number)
        chosen = np.concatenate([p[pool.charged[p]] for p in members[: available - first]])
        drawn = (pool.x, pool.y, pool.real_et, pool.pdg)
        again.append({name: values[chosen] for name, values in zip(CONDITIONS, drawn, strict=True)})
    for name in CONDITIONS:
        if not np.array_equal(np.concatenate([block[name] for block in again]), tracks[name].values):
            raise InvalidRequest(
                f"the tracks of {path} are not those that its seed {seed} gives ({name} differs): it is a twin itself, "
                "was made by another version, or changed since"
            )
    return seed, available


def _particles_seed(path: Path) -> int:
    try:
        return int(json.loads(root.strings_of(path)[REQUEST])["particles_seed"])
    except (ValueError, KeyError, TypeError) as error:
        problem = Problem(f"its text {REQUEST!r} holds no seed", "Give a file of the simulator lhcb-events")
        raise UnreadableFile(path, problem) from error


LHCB_EVENTS = Simulator(
    name="lhcb-events",
    title="full events in an LHCb-like hadronic calorimeter: 10–40 tracks, inner and outer image",
    suffix=".root",
    needs="refsim",
    make=make,
    provenance=PROVENANCE,
)
