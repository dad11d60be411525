"""Adapter for single tracks in the hadronic calorimeter of LHCb (ROOT).

Layout: TTree ``tracks`` with ``x_projections``, ``y_projections`` [mm], where the track hits the face; ``real_ET``
[MeV], its transverse energy from the tracker; ``inner_image`` float32[896] and ``outer_image`` float32[832] [MeV of
transverse energy], 28 × 32 and 26 × 32 cells, row-major, row 0 at the lowest y, column 0 at the lowest x. Where
they are there, ``true_energy``, ``visible_energy`` [MeV], ``eta``, ``phi``, ``event`` and ``pdg`` are taken along.

Response: both images merged, 52 × 64 cells (``lhcb_geometry``).
Source: T. Neuer, master thesis, University of Zurich, 2020, section 2.1; names of the branches as there.
"""

# Axes: N events, n events that were asked for.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.adapter import Adapter
from data_adapters.columns import impossible_values
from data_adapters.detector import Condition, Detector
from data_adapters.layouts.lhcb_geometry import (
    FACE,
    HIGHEST_ET_MEV,
    HIT_MEV,
    INNER_SHAPE,
    LOWEST_ET_MEV,
    OUTER_SHAPE,
    X,
    Y,
    merge_images,
    misplaced,
)
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.root import Needed
from data_adapters.source import EventSource
from data_adapters.splits import identities_with_occurrence

TRANSVERSE_ENERGY = "transverse_energy"
AUXILIARY = ("true_energy", "visible_energy", "eta", "phi", "event", "pdg")
NO_TRACK_MM = 10.0  # that near the beam there is no track: a sample that has no other is in metres
OFF_FACE = "Remove these events; the origin is the beam, y points up"
NOT_MEV = "Give it in MeV; remove softer tracks"

TRACK_ENERGY = Condition(TRANSVERSE_ENERGY, "MeV", bins=True, energy=True, low=LOWEST_ET_MEV, high=HIGHEST_ET_MEV)

LHCB_TRACKS_DETECTOR = Detector(
    name="lhcb-tracks",
    title="LHCb hadronic calorimeter, single tracks, 52 × 64 cells",
    layers=(FACE,),
    conditions=(X, Y, TRACK_ENERGY),
    quantity="transverse energy",
    threshold=HIT_MEV,
)


@dataclass(frozen=True)
class LhcbTracksOptions:
    """Names of the tree and its branches."""

    tree: str = "tracks"
    x: str = "x_projections"
    y: str = "y_projections"
    transverse_energy: str = "real_ET"
    inner_image: str = "inner_image"
    outer_image: str = "outer_image"


@dataclass(frozen=True)
class MergedResponse:
    """Reads inner and outer images of a tree, merged and flattened to (n, 3328) [MeV].

    Raises: UnreadableFile, naming the event, for energy where a part of the calorimeter has no cells.
    """

    path: Path
    tree: str
    inner: str
    outer: str

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        images = root.read_fixed(self.path, self.tree, [self.inner, self.outer], start, stop)
        inner = images[self.inner].astype(np.float32).reshape(-1, *INNER_SHAPE)
        outer = images[self.outer].astype(np.float32).reshape(-1, *OUTER_SHAPE)
        wrong = misplaced(inner, outer)
        if wrong is not None:
            mend = "Store the images row by row, row 0 at the lowest y, column 0 at the lowest x"
            raise UnreadableFile(self.path, Problem(wrong[1], mend, self.key, start + wrong[0]))
        return merge_images(inner, outer).reshape(len(inner), -1)

    @property
    def key(self) -> str:
        return f"{self.inner}, {self.outer}"

    @property
    def needed(self) -> list[Needed]:
        """The branches of the images, for ``root.check_branches``."""
        sizes = (INNER_SHAPE[0] * INNER_SHAPE[1], OUTER_SHAPE[0] * OUTER_SHAPE[1])
        return [Needed(name, (size,)) for name, size in zip((self.inner, self.outer), sizes, strict=True)]


def open_lhcb_tracks(path: Path, options: LhcbTracksOptions) -> EventSource:
    """The tracks of a file.

    Raises: UnreadableFile if it is missing or no ROOT file, tree or branches are missing or of another shape, or a
        track is not on the face or has an energy that cannot be one (GeV given as MeV).
    """
    response = MergedResponse(path, options.tree, options.inner_image, options.outer_image)
    names = (options.x, options.y, options.transverse_energy)
    further = [Needed(name, optional=True) for name in AUXILIARY]
    root.check_branches(path, options.tree, [*map(Needed, names), *response.needed, *further])
    x, y, energy = (values.astype(np.float64) for values in root.read_fixed(path, options.tree, names).values())
    problems = impossible_values(x, X, options.x, OFF_FACE) + impossible_values(y, Y, options.y, OFF_FACE)
    problems += in_metres(x, y, options.x)
    problems += impossible_values(energy, TRACK_ENERGY, options.transverse_energy, NOT_MEV)
    refuse_values(path, problems)
    return EventSource(
        path=path,
        layout=LHCB_TRACKS.name,
        detector=LHCB_TRACKS_DETECTOR,
        conditions={"x": x, "y": y, TRANSVERSE_ENERGY: energy},
        identity=identities_with_occurrence(x, y, energy),
        auxiliary=root.read_fixed(path, options.tree, present(path, options.tree, further)),
        read_response=response,
        response_key=response.key,
        chunk_rows=root.chunk_rows(path, options.tree, options.inner_image),
    )


def present(path: Path, tree: str, branches: Sequence[Needed]) -> list[str]:
    """Names of those branches that the tree has."""
    keys = root.keys_of(path)
    return [item.branch for item in branches if f"{tree}/{item.branch}" in keys]


def in_metres(x: NDArray[np.float64], y: NDArray[np.float64], key: str) -> list[Problem]:
    """The problem of projections that are all inside the hole for the beam, or none."""
    largest = max(np.abs(x).max(initial=0.0), np.abs(y).max(initial=0.0))
    if len(x) == 0 or not largest < NO_TRACK_MM:
        return []
    return [Problem(f"no track is more than {largest:.3g} mm from the beam", "Give it in mm: is it in metres?", key)]


def _recognises(path: Path) -> bool:
    return bool({"tracks/inner_image", "tracks/outer_image"} & root.keys_of(path))


LHCB_TRACKS = Adapter(
    name="lhcb-tracks",
    title="LHCb hadronic calorimeter, single tracks (ROOT)",
    layout=(
        "TTree tracks: x_projections, y_projections [mm], real_ET [MeV], inner_image float32[896] (28 x 32) and "
        "outer_image float32[832] (26 x 32) [MeV of transverse energy], row-major, row 0 at lowest y, column 0 at "
        "lowest x; true_energy, visible_energy, eta, phi, event, pdg where they are there"
    ),
    suffixes=root.SUFFIXES,
    recognises=_recognises,
    open=open_lhcb_tracks,
    source="T. Neuer, master thesis, University of Zurich, 2020, section 2.1",
    options_class=LhcbTracksOptions,
)
