"""Adapter for tracks in the time projection chamber of ALICE (ROOT).

Layout: TTree ``tracks``. Lists with one element a point, in the order in which they were measured: ``x``, ``y``, ``z``
[mm]. One number a track: ``px``, ``py``, ``pz`` at production [GeV], ``charge`` [e], ``event``, the number of the
collision (its tracks are always in one split), and where it is there ``pdg``, the particle code.

Response: the points padded to 159 (``alice_geometry``).
Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, section 4.
"""

# Axes: N tracks, n tracks that were asked for.
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.adapter import Adapter
from data_adapters.layouts.alice_geometry import (
    ALICE_TRACKS_DETECTOR,
    conditions_of,
    pad,
    wrong_columns,
    wrong_points,
)
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.root import Needed
from data_adapters.source import EventSource
from data_adapters.splits import identities

POINTS = ("x", "y", "z")
MOMENTUM = ("px", "py", "pz")
CHARGE, EVENT, PDG = "charge", "event", "pdg"
TRACKS_AT_A_TIME = 10_000


@dataclass(frozen=True)
class AliceRootOptions:
    """Name of the tree."""

    tree: str = "tracks"


@dataclass(frozen=True)
class JaggedPoints:
    """Reads points, padded and flattened to (n, 477) [mm].

    Raises: UnreadableFile, naming the track, for points that are not in the chamber.
    """

    path: Path
    tree: str

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        lists = root.read_jagged(self.path, self.tree, POINTS, start, stop)
        points = np.stack([lists[name].values for name in POINTS], axis=1).astype(np.float32)
        num_points = lists["x"].counts
        padded = pad(points, num_points)
        problems = wrong_points(padded, num_points, self.key, start)
        if problems:
            raise UnreadableFile(self.path, *problems)
        return padded.reshape(len(padded), -1)

    @property
    def key(self) -> str:
        return ", ".join(POINTS)


def open_alice_root(path: Path, options: AliceRootOptions) -> EventSource:
    """The tracks of a file.

    Raises: UnreadableFile if it is missing or no ROOT file, tree or branches are missing or of another shape, x, y and
        z of a track differ in length, a track has more than 159 points, or a momentum or charge cannot be one (MeV
        given as GeV).
    """
    lists = [Needed(name, jagged=True) for name in POINTS]
    single = [Needed(name) for name in (*MOMENTUM, CHARGE, EVENT)]
    num_tracks = root.check_branches(path, options.tree, [*lists, *single, Needed(PDG, optional=True)])
    columns = root.read_fixed(path, options.tree, [item.branch for item in single])
    momentum = np.stack([columns[name].astype(np.float64) for name in MOMENTUM], axis=1)
    conditions = conditions_of(momentum, columns[CHARGE].astype(np.float64))
    num_points, unequal = _count(path, options.tree, num_tracks)
    keys = {"momentum": ", ".join(MOMENTUM), "charge": CHARGE, "num_points": POINTS[0]}
    impossible = wrong_columns(conditions, num_points.astype(np.float64), keys)
    if unequal:
        raise UnreadableFile(path, *unequal, *impossible)
    refuse_values(path, impossible)
    response = JaggedPoints(path, options.tree)
    further = [PDG] if f"{options.tree}/{PDG}" in root.keys_of(path) else []
    return EventSource(
        path=path,
        layout=ALICE_ROOT.name,
        detector=ALICE_TRACKS_DETECTOR,
        conditions=conditions,
        identity=identities(columns[EVENT]),
        auxiliary={
            "num_points": num_points.astype(np.int32),
            EVENT: columns[EVENT],
            **root.read_fixed(path, options.tree, further),
        },
        read_response=response,
        response_key=response.key,
        chunk_rows=root.chunk_rows(path, options.tree, POINTS[0]),
    )


def _count(path: Path, tree: str, num_tracks: int) -> tuple[NDArray[np.int64], list[Problem]]:
    """Points of all tracks, and the first of them whose lists differ in length; reads block by block."""
    counts = []
    problems: dict[str, Problem] = {}
    for start in range(0, num_tracks, TRACKS_AT_A_TIME):
        lists = root.read_jagged(path, tree, POINTS, start, start + TRACKS_AT_A_TIME)
        counts.append(lists[POINTS[0]].counts)
        for name in POINTS[1:]:
            other = np.flatnonzero(lists[name].counts != counts[-1])
            if len(other) and name not in problems:
                what = f"it has {lists[name].counts[other[0]]} elements, {POINTS[0]} has {counts[-1][other[0]]}"
                problems[name] = Problem(what, "Each point needs one of each", name, start + int(other[0]))
    return np.concatenate(counts), list(problems.values())


def _recognises(path: Path) -> bool:
    return {f"tracks/{name}" for name in POINTS} <= root.keys_of(path)


ALICE_ROOT = Adapter(
    name="alice-root",
    title="ALICE time projection chamber, tracks (ROOT)",
    layout=(
        "TTree tracks: lists of the points x, y, z [mm], up to 159; px, py, pz [GeV], charge [e], event, the "
        "collision; pdg where it is there"
    ),
    suffixes=root.SUFFIXES,
    recognises=_recognises,
    open=open_alice_root,
    source="K. Deja et al., Generative Models for Fast Cluster Simulations in the TPC for the ALICE Experiment",
    options_class=AliceRootOptions,
)
