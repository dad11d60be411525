"""Adapter for ATLAS-like photon showers in HDF5 (266 cells around the impact cell).

Layout: ``incident_energies`` (N, 1) and ``showers`` (N, 266) in MeV as in the CaloChallenge, and
beside them ``alignment_eta`` (N,) 0–1, ``alignment_phi`` (N,) 0–3, ``eta`` and ``phi`` (N,) [rad].
Cells: presampler 7×3, front 56×3, middle 7×7, back 4×7, each row-major in (eta, phi).
Source: arXiv:2210.06204 for the shape of the data; ATL-SOFT-PUB-2018-001 for cells and alignment.
"""

from __future__ import annotations

import math
from pathlib import Path

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.hdf5 import Needed
from data_adapters.options import NoOptions
from data_adapters.source import EventSource
from data_adapters.splits import identities

MIDDLE_CELL_ETA, MIDDLE_CELL_PHI = 0.025, 2 * math.pi / 256
LOWEST_ENERGY_MEV, HIGHEST_ENERGY_MEV = 100.0, 1e9  # energies given in GeV or eV do not lie in between


def _layer(name: str, shape: tuple[int, int], cell_size: tuple[float, float], depth_x0: float) -> Layer:
    axes = (Axis.regular("eta", shape[0], cell_size[0], "1"), Axis.regular("phi", shape[1], cell_size[1], "rad"))
    return Layer(name, axes, depth_x0)


ATLAS_PHOTONS = Detector(
    name="atlas-photons",
    title="ATLAS-like electromagnetic barrel, photons, 266 cells",
    layers=(
        _layer("presampler", (7, 3), (MIDDLE_CELL_ETA, 4 * MIDDLE_CELL_PHI), depth_x0=2.05729561),
        _layer("front", (56, 3), (MIDDLE_CELL_ETA / 8, 4 * MIDDLE_CELL_PHI), depth_x0=4.83093967),
        _layer("middle", (7, 7), (MIDDLE_CELL_ETA, MIDDLE_CELL_PHI), depth_x0=15.0142836),
        _layer("back", (4, 7), (2 * MIDDLE_CELL_ETA, MIDDLE_CELL_PHI), depth_x0=24.36292722),
    ),
    conditions=(
        Condition(INCIDENT_ENERGY, "MeV", bins=True, energy=True, low=LOWEST_ENERGY_MEV, high=HIGHEST_ENERGY_MEV),
        Condition("alignment_eta", "1", categories=2),
        Condition("alignment_phi", "1", categories=4),
    ),
)

NEEDED = (
    Needed("incident_energies"),
    Needed("showers", (ATLAS_PHOTONS.num_cells,)),
    Needed("alignment_eta"),
    Needed("alignment_phi"),
    Needed("eta"),
    Needed("phi"),
)


def open_atlas_hdf5(path: Path, _options: NoOptions) -> EventSource:
    """The showers of a file.

    Raises: UnreadableFile if the file is missing or no HDF5 file, a key is missing, shapes or lengths do not fit, or
        an incident energy cannot be one.
    """
    hdf5.check_datasets(path, NEEDED)
    energy = hdf5.read_column(path, "incident_energies")
    return EventSource(
        path=path,
        layout=ATLAS_HDF5.name,
        detector=ATLAS_PHOTONS,
        conditions={
            INCIDENT_ENERGY: energy,
            "alignment_eta": hdf5.read_column(path, "alignment_eta"),
            "alignment_phi": hdf5.read_column(path, "alignment_phi"),
        },
        identity=identities(energy, hdf5.read_column(path, "eta"), hdf5.read_column(path, "phi")),
        read_response=hdf5.Hdf5Response(path, "showers"),
        response_key="showers",
        chunk_rows=hdf5.chunk_rows(path, "showers"),
    )


def _recognises(path: Path) -> bool:
    return {"showers", "alignment_eta", "alignment_phi"} <= hdf5.keys_of(path)


ATLAS_HDF5 = Adapter(
    name="atlas-hdf5",
    title="ATLAS-like photons, 266 cells (HDF5)",
    layout=(
        "incident_energies (N, 1) and showers (N, 266) [MeV]; alignment_eta (N,) 0-1, alignment_phi (N,) 0-3; "
        "eta (N,), phi (N,) [rad]. Cells: presampler 7x3, front 56x3, middle 7x7, back 4x7, each row-major (eta, phi)"
    ),
    suffixes=hdf5.SUFFIXES,
    recognises=_recognises,
    open=open_atlas_hdf5,
    source="arXiv:2210.06204 (shape of the data), ATL-SOFT-PUB-2018-001 (cells)",
)
