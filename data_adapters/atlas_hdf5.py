"""Adapter for ATLAS-like photon showers in HDF5 (266 cells around the impact cell).

Layout: ``incident_energies`` (N, 1) and ``showers`` (N, 266) in MeV as in the CaloChallenge, and
beside them ``alignment_eta`` (N,) 0–1, ``alignment_phi`` (N,) 0–3, ``eta`` and ``phi`` (N,) [rad].
Cells: presampler 7×3, front 56×3, middle 7×7, back 4×7, each row-major in (eta, phi).
Source: arXiv:2210.06204 for the shape of the data; ATL-SOFT-PUB-2018-001 for cells and alignment.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Condition, Detector, Layer
from data_adapters.events import INCIDENT_ENERGY, Events
from data_adapters.registry import UnknownName
from data_adapters.splits import identities

MIDDLE_CELL_ETA, MIDDLE_CELL_PHI = 0.025, 2 * math.pi / 256

ATLAS_PHOTONS = Detector(
    name="atlas-photons",
    title="ATLAS-like electromagnetic barrel, photons, 266 cells",
    layers=(
        Layer("presampler", (7, 3), (MIDDLE_CELL_ETA, 4 * MIDDLE_CELL_PHI), depth_x0=2.05729561),
        Layer("front", (56, 3), (MIDDLE_CELL_ETA / 8, 4 * MIDDLE_CELL_PHI), depth_x0=4.83093967),
        Layer("middle", (7, 7), (MIDDLE_CELL_ETA, MIDDLE_CELL_PHI), depth_x0=15.0142836),
        Layer("back", (4, 7), (2 * MIDDLE_CELL_ETA, MIDDLE_CELL_PHI), depth_x0=24.36292722),
    ),
    conditions=(
        Condition(INCIDENT_ENERGY, "MeV", bins=True),
        Condition("alignment_eta", "1", categories=2),
        Condition("alignment_phi", "1", categories=4),
    ),
)

KEYS = ("incident_energies", "showers", "alignment_eta", "alignment_phi", "eta", "phi")


class UnreadableFile(ValueError):
    """A file that is missing, damaged or laid out differently; the message says what was expected."""


def read_atlas_hdf5(path: Path) -> Events:
    """Read every shower of a file.

    Raises: UnreadableFile if the file is missing or no HDF5 file, a key is missing, or lengths differ;
        InvalidEvents if an energy is negative or not finite.
    """
    columns = _read_columns(path)
    energy = columns["incident_energies"].reshape(-1).astype(np.float64)
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise UnreadableFile(f"{path}: the columns differ in length, {lengths}; each needs one row a shower")
    return Events(
        detector=ATLAS_PHOTONS,
        conditions={
            INCIDENT_ENERGY: energy,
            "alignment_eta": columns["alignment_eta"].astype(np.float64),
            "alignment_phi": columns["alignment_phi"].astype(np.float64),
        },
        response=columns["showers"].astype(np.float32),
        identity=identities(energy, columns["eta"], columns["phi"]),
    )


def _read_columns(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise UnreadableFile(f"{path}: there is no such file. Check the path given to --data")
    try:
        with h5py.File(path, "r") as file:
            return {key: _column(file, key, path) for key in KEYS}
    except OSError as error:
        raise UnreadableFile(f"{path}: not readable as HDF5 ({error}). Is it complete? Copy it again") from error


def _column(file: h5py.File, key: str, path: Path) -> NDArray[np.generic]:
    if key not in file:
        raise UnreadableFile(f"{path}: {UnknownName('key', key, file.keys())}; the layout needs {', '.join(KEYS)}")
    values: NDArray[np.generic] = file[key][()]
    return values
