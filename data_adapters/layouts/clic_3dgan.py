"""Adapters for electrons in the electromagnetic calorimeter of CLIC/LCD, as 3DGAN reads them (HDF5).

Layout: ``ECAL`` (N, 51, 51, 25), the energy of each cell in GeV, axes x, y (transverse) and z (depth), around the
barycentre of the shower; ``energy`` (N,) in GeV; and the angle of incidence in rad as ``theta`` (N,) or ``mtheta``
(N,), or ``eta`` (N,), to which 0.6 is added. Where all three are absent the angle is measured from the images.

Older files, of electrons that all enter perpendicularly: ``ECAL`` (N, 25, 25, 25) and ``target`` (N, 2 or more), of
which ``target[:, 1]`` is the energy in GeV.

Source: doi:10.1109/ACCESS.2021.3101946, section III; its code (github.com/svalleco/3Dgan) for the keys and the 0.6.
That code divides ``ECAL`` by 50 and sets cells below 1e-4 to zero when it reads: here only the options ``scale`` (0.02)
and ``threshold`` (1e-4) do that. It also drops events with a small sum: train on the rows of the others
(``data_adapters.streaming.EventStream``), or select them before they are written.
"""

# Axes: N events, X, Y, Z cells.
from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.hdf5 import Hdf5Response, Needed
from data_adapters.options import InvalidOption
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.source import EventSource
from data_adapters.splits import identities_with_occurrence

CELL_MM = 5.1
HIT_GEV = 2e-4  # the paper's threshold
LOWEST_ENERGY_GEV, HIGHEST_ENERGY_GEV = 0.1, 1000.0  # no electron of 2 to 500 GeV is inside when written in MeV
LOWEST_THETA, HIGHEST_THETA = math.radians(30), math.radians(150)  # 60° to 120°, and what measuring adds
ETA_OFFSET = 0.6
ANGLES = {"theta": 0.0, "mtheta": 0.0, "eta": ETA_OFFSET}  # keys, and what is added to them [rad]
IMAGES_AT_A_TIME = 256
GZIP_LEVEL = 4

ENERGY = Condition(INCIDENT_ENERGY, "GeV", bins=True, energy=True, low=LOWEST_ENERGY_GEV, high=HIGHEST_ENERGY_GEV)
THETA = Condition("theta", "rad", low=LOWEST_THETA, high=HIGHEST_THETA)


def _layer(*cells: int) -> Layer:
    names = zip(("x", "y", "z"), cells, strict=True)
    return Layer("ecal", tuple(Axis.regular(name, number, CELL_MM, "mm") for name, number in names))


CLIC_ELECTRONS = Detector(
    name="clic-electrons",
    title="CLIC/LCD electromagnetic calorimeter, electrons, 51 × 51 × 25 cells",
    layers=(_layer(51, 51, 25),),
    conditions=(ENERGY, THETA),
    unit="GeV",
    threshold=HIT_GEV,
)

CLIC_ELECTRONS_FIXED = Detector(
    name="clic-electrons-fixed",
    title="CLIC/LCD electromagnetic calorimeter, electrons at 90°, 25 × 25 × 25 cells",
    layers=(_layer(25, 25, 25),),
    conditions=(ENERGY,),
    unit="GeV",
    threshold=HIT_GEV,
)


@dataclass(frozen=True)
class Clic3dganOptions:
    """What is done to the cells when they are read; nothing unless it is asked for.

    Attributes:
        scale: Factor that gives GeV; 0.02 is the public code's division by 50.
        threshold: Cells below it, after scaling, are set to zero [GeV]; 1e-4 in the public code.
    Raises: InvalidOption for a scale that is not positive, or a negative threshold.
    """

    scale: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.scale < math.inf and 0 <= self.threshold < math.inf):
            raise InvalidOption(
                f"scale {self.scale} and threshold {self.threshold}; a positive factor and at least 0 GeV are needed"
            )


def measured_angle(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angle of incidence, as far as the image tells it [rad], shape (N,).

    The angle between the second axis and the line from the event's barycentre to that of a layer, towards growing z;
    averaged over the layers with the depth of their middle as weight; layers without energy do not count. π/2 is
    perpendicular to the face; below it, y grows with depth.

    Args:
        images: Energies, shape (N, X, Y, Z), of any cells that are cubes.
    Returns: NaN for an event without energy.
    Source: doi:10.1109/ACCESS.2021.3101946, section IV-B, and its code.
    """
    angles = [_angle(images[start : start + IMAGES_AT_A_TIME]) for start in range(0, len(images), IMAGES_AT_A_TIME)]
    return np.concatenate([np.empty(0), *angles])


def _angle(images: NDArray[np.floating]) -> NDArray[np.float64]:
    along_y, along_x = images.sum(axis=1, dtype=np.float64), images.sum(axis=2, dtype=np.float64)
    layer = along_y.sum(axis=1)  # (n, Z)
    x, y = _barycentre(along_x, layer), _barycentre(along_y, layer)
    z = np.arange(layer.shape[1]) + 0.5
    with np.errstate(invalid="ignore"):  # no energy at all: NaN
        share = layer / layer.sum(axis=1, keepdims=True)
    x, y, beyond = (value - (share * value).sum(axis=1, keepdims=True) for value in (x, y, np.broadcast_to(z, x.shape)))
    angle = math.pi / 2 - np.arctan2(np.where(beyond < 0, -y, y), np.hypot(x, beyond))
    weight = np.where(layer > 0, z, 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((angle * weight).sum(axis=1) / weight.sum(axis=1), dtype=np.float64)


def _barycentre(projection: NDArray[np.float64], layer: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean place of the energy in each layer [cells], shape (n, Z), from the projection (n, cells, Z)."""
    places = np.arange(projection.shape[1]) + 0.5
    return np.asarray(np.einsum("ncz,c->nz", projection, places) / np.where(layer > 0, layer, 1.0), dtype=np.float64)


def open_clic_3dgan(path: Path, options: Clic3dganOptions) -> EventSource:
    """The showers of a file with variable angle.

    Raises: UnreadableFile if it is missing or no HDF5 file, keys are missing, shapes or lengths do not fit, or an
        energy or an angle cannot be one (energies in MeV, angles in degrees).
    """
    angles = [Needed(key, optional=True) for key in ANGLES]
    hdf5.check_datasets(path, [Needed("ECAL", CLIC_ELECTRONS.layers[0].shape), Needed("energy"), *angles])
    response = Hdf5Response(path, "ECAL", options.scale, options.threshold)
    energy = hdf5.read_column(path, "energy")
    theta = _theta(path, response, len(energy))
    return EventSource(
        path=path,
        layout=CLIC_3DGAN.name,
        detector=CLIC_ELECTRONS,
        conditions={INCIDENT_ENERGY: energy, THETA.name: theta},
        identity=identities_with_occurrence(energy, theta),
        read_response=response,
        response_key="ECAL",
        chunk_rows=hdf5.chunk_rows(path, "ECAL"),
    )


def open_clic_3dgan_fixed(path: Path, options: Clic3dganOptions) -> EventSource:
    """The showers of a file with perpendicular electrons.

    Raises: UnreadableFile as ``open_clic_3dgan``.
    """
    hdf5.check_datasets(path, [Needed("ECAL", CLIC_ELECTRONS_FIXED.layers[0].shape), Needed("target", (None,))])
    target = hdf5.read_column(path, "target")
    if target.ndim != 2:
        raise UnreadableFile(
            path, Problem("it has one column; the second is the energy", "Choose another layout", "target")
        )
    energy = target[:, 1]
    return EventSource(
        path=path,
        layout=CLIC_3DGAN_FIXED.name,
        detector=CLIC_ELECTRONS_FIXED,
        conditions={INCIDENT_ENERGY: energy},
        identity=identities_with_occurrence(energy),
        read_response=Hdf5Response(path, "ECAL", options.scale, options.threshold),
        response_key="ECAL",
        chunk_rows=hdf5.chunk_rows(path, "ECAL"),
    )


def _theta(path: Path, response: Hdf5Response, num_events: int) -> NDArray[np.float64]:
    present = hdf5.keys_of(path)
    for key, offset in ANGLES.items():
        if key in present:
            return hdf5.read_column(path, key) + offset
    starts = track(
        range(0, num_events, IMAGES_AT_A_TIME), description=f"{path.name} has no angle: measuring it", transient=True
    )
    shape = CLIC_ELECTRONS.layers[0].shape
    images = (response(start, start + IMAGES_AT_A_TIME).reshape(-1, *shape) for start in starts)
    return np.concatenate([measured_angle(some) for some in images])


def write_clic_3dgan(source: EventSource, path: Path) -> None:
    """Write showers in GeV with energy and theta, one event a chunk, compressed; in bounded memory.

    Raises: UnreadableFile as reading the source does; FileExistsError if the path exists.
    """
    with _writing(source, path) as file:
        _write_column(file, "energy", source.conditions[INCIDENT_ENERGY], "GeV")
        _write_column(file, "theta", source.conditions[THETA.name], "rad; pi/2 is perpendicular to the face")


def write_clic_3dgan_fixed(source: EventSource, path: Path) -> None:
    """Write perpendicular electrons: showers in GeV, and ``target`` with zeros and the energy; in bounded memory.

    Raises: UnreadableFile as reading the source does; FileExistsError if the path exists.
    """
    energy = source.conditions[INCIDENT_ENERGY]
    with _writing(source, path) as file:
        _write_column(file, "target", np.stack([np.zeros_like(energy), energy], axis=1), "0, and the energy in GeV")


@contextmanager
def _writing(source: EventSource, path: Path) -> Iterator[h5py.File]:
    """A file with the showers."""
    shape = source.detector.layers[0].shape
    with h5py.File(path, "x") as file:
        ecal = file.create_dataset(
            "ECAL",
            (len(source), *shape),
            dtype=np.float32,
            chunks=(1, *shape),
            compression="gzip",
            compression_opts=GZIP_LEVEL,
            shuffle=True,
        )
        ecal.attrs["unit"] = source.detector.unit
        for start, events in source.blocks():
            ecal[start : start + len(events)] = events.response.reshape(-1, *shape)
        yield file


def _write_column(file: h5py.File, key: str, values: NDArray[np.float64], unit: str) -> None:
    """As float32 where that loses nothing."""
    short = values.astype(np.float32)
    file.create_dataset(key, data=short if np.array_equal(short, values) else values).attrs["unit"] = unit


def _accepts(detector: Detector, wanted: Detector) -> str | None:
    same = detector.layers[0].shape == wanted.layers[0].shape and len(detector.layers) == 1
    names = [(condition.name, condition.unit) for condition in detector.conditions]
    if same and names == [(condition.name, condition.unit) for condition in wanted.conditions]:
        return None
    return f"it holds {wanted.layers[0].shape} cells and {', '.join(c.name for c in wanted.conditions)}, nothing else"


CLIC_3DGAN = Adapter(
    name="clic-3dgan",
    title="CLIC electrons, 51 × 51 × 25 cells, variable angle (3DGAN, HDF5)",
    layout=(
        "ECAL (N, 51, 51, 25) [GeV], axes x, y, z (depth); energy (N,) [GeV]; theta or mtheta (N,) [rad], or eta (N,), "
        "to which 0.6 is added; without any of them the angle is measured from the images"
    ),
    suffixes=hdf5.SUFFIXES,
    recognises=lambda path: {"ECAL", "energy"} <= hdf5.keys_of(path),
    open=open_clic_3dgan,
    source="doi:10.1109/ACCESS.2021.3101946",
    options_class=Clic3dganOptions,
    write=write_clic_3dgan,
    accepts=lambda detector: _accepts(detector, CLIC_ELECTRONS),
)

CLIC_3DGAN_FIXED = Adapter(
    name="clic-3dgan-fixed",
    title="CLIC electrons, 25 × 25 × 25 cells, perpendicular (3DGAN, HDF5)",
    layout="ECAL (N, 25, 25, 25) [GeV], axes x, y, z (depth); target (N, 2 or more), target[:, 1] the energy [GeV]",
    suffixes=hdf5.SUFFIXES,
    recognises=lambda path: {"ECAL", "target"} <= hdf5.keys_of(path),
    open=open_clic_3dgan_fixed,
    source="doi:10.1109/ACCESS.2021.3101946 (its reference [9])",
    options_class=Clic3dganOptions,
    write=write_clic_3dgan_fixed,
    accepts=lambda detector: _accepts(detector, CLIC_ELECTRONS_FIXED),
)
