"""Adapter for tracks in the time projection chamber of ALICE, padded (HDF5).

Layout: ``points`` (N, 159, 3) x, y, z [mm], in the order in which they were measured, zeros after the last;
``num_points`` (N,); ``momentum`` (N, 3) px, py, pz at production [GeV]; ``charge`` (N,) [e]; ``event`` (N,), the number
of the collision: its tracks are always in one split; where they are there ``pdg`` (N,), the particle code, and
``vertex`` (N, 3), where it was produced [mm].

Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, section 4.
"""

# Axes: N tracks, n tracks that were asked for.
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.hdf5 import Needed
from data_adapters.layouts.alice_geometry import (
    ALICE_TRACKS_DETECTOR,
    COORDINATES,
    MOST_POINTS,
    conditions_of,
    wrong_columns,
    wrong_points,
)
from data_adapters.options import NoOptions
from data_adapters.problems import UnreadableFile, refuse_values
from data_adapters.source import EventSource
from data_adapters.splits import identities

POINTS, NUM_POINTS, MOMENTUM, CHARGE, EVENT = "points", "num_points", "momentum", "charge", "event"
AUXILIARY: dict[str, tuple[tuple[int, ...], str]] = {"pdg": ((), "int64"), "vertex": ((COORDINATES,), "float64")}


@dataclass(frozen=True)
class PaddedPoints:
    """Reads points, (n, 477) [mm].

    Raises: UnreadableFile, naming the track, for points that are not in the chamber, or after the last.
    """

    path: Path

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        with hdf5.open_hdf5(self.path) as file:
            points = hdf5.dataset(file, POINTS, self.path)[start:stop].astype(np.float32, copy=False)
            num_points = hdf5.dataset(file, NUM_POINTS, self.path)[start:stop].reshape(-1)
        problems = wrong_points(points, num_points, POINTS, start)
        if problems:
            raise UnreadableFile(self.path, *problems)
        response: NDArray[np.float32] = points.reshape(len(points), -1)
        return response


def open_alice_hdf5(path: Path, _options: NoOptions) -> EventSource:
    """The tracks of a file.

    Raises: UnreadableFile if it is missing or no HDF5 file, keys are missing, shapes or lengths do not fit, a track has
        more than 159 points, or a momentum or charge cannot be one (MeV given as GeV).
    """
    single = [Needed(key) for key in (NUM_POINTS, CHARGE, EVENT)]
    optional = [Needed(key, shape, optional=True) for key, (shape, _) in AUXILIARY.items()]
    arrays = [Needed(POINTS, (MOST_POINTS, COORDINATES)), Needed(MOMENTUM, (COORDINATES,))]
    hdf5.check_datasets(path, arrays + single + optional)
    num_points, charge, event = (hdf5.read_column(path, item.key) for item in single)
    conditions = conditions_of(hdf5.read_column(path, MOMENTUM), charge)
    keys = {"momentum": MOMENTUM, "charge": CHARGE, "num_points": NUM_POINTS}
    problems = wrong_columns(conditions, num_points, keys)
    refuse_values(path, problems)
    present = hdf5.keys_of(path)
    return EventSource(
        path=path,
        layout=ALICE_HDF5.name,
        detector=ALICE_TRACKS_DETECTOR,
        conditions=conditions,
        identity=identities(event),
        auxiliary={
            NUM_POINTS: num_points.astype(np.int32),
            EVENT: event.astype(np.int64),
            **{key: hdf5.read_column(path, key).astype(kind) for key, (_, kind) in AUXILIARY.items() if key in present},
        },
        read_response=PaddedPoints(path),
        response_key=POINTS,
        chunk_rows=hdf5.chunk_rows(path, POINTS),
    )


ALICE_HDF5 = Adapter(
    name="alice-hdf5",
    title="ALICE time projection chamber, tracks (HDF5)",
    layout=(
        "points (N, 159, 3) [mm], zeros after the last; num_points (N,); momentum (N, 3) [GeV]; charge (N,) [e]; event "
        "(N,), the collision; pdg (N,) and vertex (N, 3) [mm] where they are there"
    ),
    suffixes=hdf5.SUFFIXES,
    recognises=lambda path: {POINTS, NUM_POINTS} <= hdf5.keys_of(path),
    open=open_alice_hdf5,
    source="K. Deja et al., Generative Models for Fast Cluster Simulations in the TPC for the ALICE Experiment",
)
