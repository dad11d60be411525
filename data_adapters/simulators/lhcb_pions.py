"""Single pions in a simplified LHCb hadronic calorimeter: inner and outer image.

The momentum spectrum is not that of LHCb: 3–100 GeV, uniform in the logarithm, and uniform in angle, so that many
tracks exceed the limit of a cell. What is simplified in the calorimeter: ``lhcb_calorimeter``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from data_adapters import root
from data_adapters.options import NoOptions, parse_options
from data_adapters.simulators import geant4, lhcb_calorimeter, twins
from data_adapters.simulators.component import Request, Simulator
from data_adapters.simulators.lhcb_calorimeter import IMAGES_DESCRIPTION, TRACKER_RESOLUTION, calibrated, shot_at
from data_adapters.simulators.production import Block, Columns, EventDone, Parts, Recipe, check_suffix, produce
from data_adapters.simulators.root_output import write_tree

TREE = "tracks"
CONDITIONS = ("x_projections", "y_projections", "real_ET", "eta", "phi", "true_energy")
LOWEST_MEV, HIGHEST_MEV = 3000.0, 100_000.0  # uniform in the logarithm
PION, PION_MASS_MEV = 211, 139.57
EVENTS_PER_BLOCK = 250

PROVENANCE = (
    "Geant4 11.4.p1 with physics models that need no data files, in a simplified geometry (plates of iron and "
    "scintillator across the beam, nothing in front, no magnet, no noise, no digitisation). Not the LHCb full "
    "simulation."
)


def draw_conditions(random: np.random.Generator, events: int) -> Columns:
    """Pions that hit the face, with what a tracker would give; float32 as they are stored, each of shape (events,)."""
    energy = np.exp(random.uniform(math.log(LOWEST_MEV), math.log(HIGHEST_MEV), events))
    theta, phi = np.array([lhcb_calorimeter.draw_direction(random) for _ in range(events)]).T
    smearing = random.normal(1.0, TRACKER_RESOLUTION, events)
    x, y = lhcb_calorimeter.impact(theta, phi)
    columns = {
        "x_projections": x,
        "y_projections": y,
        "real_ET": energy * np.sin(theta) * smearing,
        "eta": -np.log(np.tan(theta / 2)),
        "phi": phi,
        "true_energy": energy,
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


def simulate_block(block: Block, event_done: EventDone) -> Columns:
    """Pions with the energy and the place that are stored; straight tracks from the interaction point."""
    conditions = draw_conditions(block.random(), block.events) if block.given is None else block.given
    places = zip(
        *(conditions[name].tolist() for name in ("true_energy", "x_projections", "y_projections")), strict=True
    )
    shots = [shot_at(PION, energy - PION_MASS_MEV, x, y) for energy, x, y in places]
    number = np.arange(block.first, block.first + block.events, dtype=np.int32)
    images = lhcb_calorimeter.shower_images(shots, block.geant4_seeds(), event_done)
    return {"event": number, **conditions, **images}


def write(parts: Parts, path: Path, seed: int, twin: bool) -> int:
    """Merge blocks into a ROOT file; returns the number of pions."""
    description = (
        "EXPERIMENTAL. Geant4 11.4.p1, data-file-free models (FTFP + Bertini; no neutron capture), "
        "simplified geometry; not the LHCb full simulation. pi+, straight tracks, nothing in front of the calorimeter. "
        "x_projections, y_projections: mm on the face at z = 13330 mm. "
        f"real_ET: MeV, true transverse energy smeared by 0.5 %. {IMAGES_DESCRIPTION}true_energy, visible_energy: MeV. "
        f"Seeds [{seed}]."
    )
    if twin:
        description += " Twin: the pions are those of another file, in its order, smearing included."
    return write_tree(path, TREE, _branches(parts), {"description": description})


def _branches(parts: Parts) -> Iterator[Columns]:
    for block in parts:
        yield {
            **{name: block[name] for name in ("event", *CONDITIONS[:-1])},
            "inner_image": calibrated(block["inner_visible"]),
            "outer_image": calibrated(block["outer_visible"]),
            "true_energy": block["true_energy"],
            "visible_energy": block["visible_energy"].astype(np.float32),
        }


def make(request: Request) -> int:
    """Pions in ROOT: x_projections, y_projections [mm], real_ET [MeV], inner_image (896,), outer_image (832,) [MeV].

    Raises: MissingSimulator, UnknownName of an option, UnreadableFile of the twin's model, and what ``produce`` raises.
    """
    options = parse_options(NoOptions, request.options)
    check_suffix(request.out, ".root")
    given = None
    if request.twin_of is not None:
        root.check_branches(request.twin_of, TREE, map(root.Needed, CONDITIONS))
        given = twins.first_rows(request, root.read_fixed(request.twin_of, TREE, CONDITIONS))
    geant4.require_geant4()
    recipe = Recipe(
        name=LHCB_PIONS.name,
        version=1,
        counted="showers",
        events_per_block=EVENTS_PER_BLOCK,
        simulate=simulate_block,
        write=partial(write, seed=request.seed, twin=given is not None),
    )
    return produce(recipe, request, options, None if given is None else len(given["true_energy"]), given)


LHCB_PIONS = Simulator(
    name="lhcb-pions",
    title="pions in an LHCb-like hadronic calorimeter, inner 28 × 32 and outer 26 × 32 cells",
    suffix=".root",
    needs="refsim",
    make=make,
    provenance=PROVENANCE,
)
