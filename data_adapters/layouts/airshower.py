"""Adapters for air showers on a surface array of water-Cherenkov stations (HDF5 or NPZ).

Layout: ``traces`` (N, 9, 9, 80) [VEM], the signal of each station in bins of 25 ns; or ``patterns`` (N, 9, 9) [VEM],
the signals integrated over time; ``energy`` (N,) of the primary particle [EeV], 1 to 100; where it is there ``core``
(N, 2), where the shower axis hits the array [m]. In NPZ an array may be compressed: it is then decompressed block by
block.

Read as patterns, a file of traces is integrated. Stations lie on a hexagonal grid of 1500 m spacing, every second
column shifted by half of it.

Source: arXiv:1802.03325, section 3; arXiv:1708.00647 (the array).
"""

# Axes: N events, n events that were asked for.
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.adapter import Adapter
from data_adapters.columns import impossible_values
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.formats.component import ArrayFile
from data_adapters.formats.hdf5_arrays import HDF5
from data_adapters.formats.npz_arrays import NPZ
from data_adapters.formats.registry import open_arrays
from data_adapters.options import NoOptions
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.source import EventSource, ReadResponse
from data_adapters.splits import identities_with_occurrence

STATIONS = (9, 9)
TIME_BINS, BIN_WIDTH_NS = 80, 25.0
SUFFIXES = (*HDF5.suffixes, *NPZ.suffixes)
TRACES, PATTERNS, ENERGY, CORE = "traces", "patterns", "energy", "core"
EVENTS_AT_A_TIME = 500  # of traces that are integrated: 13 MB

GRID = tuple(Axis.numbered(name, number) for name, number in zip(("row", "column"), STATIONS, strict=True))
TIME = Axis("time", tuple(BIN_WIDTH_NS * number for number in range(TIME_BINS + 1)), "ns")
# The paper has 1 to 100 EeV; energies in PeV, GeV or eV, or their logarithm to base 10 of eV, are not all inside.
PRIMARY_ENERGY = Condition(INCIDENT_ENERGY, "EeV", bins=True, energy=True, low=0.1, high=500.0)


def _detector(name: str, title: str, axes: tuple[Axis, ...]) -> Detector:
    layer = Layer("array", axes)
    return Detector(name, title, (layer,), (PRIMARY_ENERGY,), quantity="signal", unit="VEM")


AIRSHOWER_ARRAY_DETECTOR = _detector(
    "airshower-array", "surface array, 9 × 9 stations, 80 bins of 25 ns", (*GRID, TIME)
)
AIRSHOWER_PATTERN_DETECTOR = _detector("airshower-pattern", "surface array, 9 × 9 stations, integrated signals", GRID)


@dataclass(frozen=True)
class ArrayResponse:
    """Reads rows of an array, flattened to (n, V) [VEM]."""

    path: Path
    key: str

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        return _flat(open_arrays(self.path).read(self.key, start, stop))


@dataclass(frozen=True)
class IntegratedResponse:
    """Reads rows of an array of traces, summed over time, (n, 81) [VEM]; never many traces at once."""

    path: Path
    key: str

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        arrays = open_arrays(self.path)
        parts = []
        for first in range(start, stop, EVENTS_AT_A_TIME):
            traces = arrays.read(self.key, first, min(first + EVENTS_AT_A_TIME, stop))
            parts.append(_flat(traces.sum(axis=-1, dtype=np.float64)))
        return np.concatenate(parts)


def _flat(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return values.reshape(len(values), -1).astype(np.float32, copy=False)


def open_airshower_array(path: Path, _options: NoOptions) -> EventSource:
    """The showers of a file, as traces.

    Raises: UnreadableFile if it is missing or damaged, arrays are missing, shapes, types or lengths do not fit, or an
        energy cannot be one.
    """
    is_hdf5 = path.suffix.lower() in HDF5.suffixes
    response = hdf5.Hdf5Response(path, TRACES) if is_hdf5 else ArrayResponse(path, TRACES)
    return _open(path, AIRSHOWER_ARRAY, AIRSHOWER_ARRAY_DETECTOR, TRACES, (*STATIONS, TIME_BINS), response)


def open_airshower_pattern(path: Path, _options: NoOptions) -> EventSource:
    """The showers of a file, as integrated signals; of its traces, where it has no patterns.

    Raises: UnreadableFile as ``open_airshower_array``.
    """
    keys = open_arrays(path).keys()
    if TRACES in keys and PATTERNS not in keys:
        shape, response = (*STATIONS, TIME_BINS), IntegratedResponse(path, TRACES)
        return _open(path, AIRSHOWER_PATTERN, AIRSHOWER_PATTERN_DETECTOR, TRACES, shape, response)
    return _open(path, AIRSHOWER_PATTERN, AIRSHOWER_PATTERN_DETECTOR, PATTERNS, STATIONS, ArrayResponse(path, PATTERNS))


def _open(
    path: Path, adapter: Adapter, detector: Detector, key: str, shape: tuple[int, ...], response: ReadResponse
) -> EventSource:
    arrays = open_arrays(path)
    needed: dict[str, tuple[int, ...]] = {key: shape, ENERGY: ()}
    if CORE in arrays.keys():  # noqa: SIM118
        needed[CORE] = (2,)
    num_events = check_arrays(arrays, needed)
    columns = {name: arrays.read(name, 0, num_events).astype(np.float64) for name in needed if name != key}
    energy = columns.pop(ENERGY).reshape(-1)
    problems = impossible_values(energy, PRIMARY_ENERGY, ENERGY, "Give it in EeV")
    refuse_values(path, problems)
    return EventSource(
        path=path,
        layout=adapter.name,
        detector=detector,
        conditions={INCIDENT_ENERGY: energy},
        identity=identities_with_occurrence(energy),
        auxiliary=columns,
        read_response=response,
        response_key=key,
        chunk_rows=arrays.info(key).chunk_rows,
    )


def check_arrays(arrays: ArrayFile, needed: dict[str, tuple[int, ...]]) -> int:
    """Number of events, after all arrays were looked at.

    Raises: UnreadableFile with every array that is missing, of a wrong shape or type, or of another length.
    """
    problems: list[Problem] = []
    lengths: dict[str, int] = {}
    for key, shape in needed.items():
        try:
            info = arrays.info(key)
        except UnreadableFile as error:
            problems += error.problems
            continue
        problems += _wrong(key, info.shape, info.dtype, shape)
        lengths[key] = (*info.shape, 0)[0] or 0
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
        problems.append(Problem(f"the arrays differ in length: {listed}", "Each needs one row an event"))
    if problems:
        raise UnreadableFile(arrays.path, *problems)
    num_events = next(iter(lengths.values()))
    if num_events == 0:
        raise UnreadableFile(arrays.path, Problem("it holds no events", "Give a file with events", next(iter(lengths))))
    return num_events


def _wrong(
    key: str, found: tuple[int | None, ...], dtype: np.dtype[np.generic], shape: tuple[int, ...]
) -> list[Problem]:
    if not np.issubdtype(dtype, np.floating) and not np.issubdtype(dtype, np.integer):
        return [Problem(f"it holds {dtype}; numbers are needed", "Convert it to float32", key)]
    if found[1:] == shape or (shape == () and found[1:] == (1,)):
        return [] if found else [Problem("it is one number; one an event is needed", "Give an array", key)]
    wanted = ", ".join(["events", *map(str, shape)])
    return [Problem(f"it has shape {found}; ({wanted}) is needed", "Reshape it, or choose the layout", key)]


def _has(path: Path, *keys: str) -> bool:
    return set(keys) <= set(open_arrays(path).keys())


AIRSHOWER_ARRAY = Adapter(
    name="airshower-array",
    title="air showers on a surface array, traces (HDF5, NPZ)",
    layout=(
        "traces (N, 9, 9, 80) [VEM], row, column, bins of 25 ns; energy (N,) [EeV]; core (N, 2) [m] where it is there"
    ),
    suffixes=SUFFIXES,
    recognises=lambda path: _has(path, TRACES, ENERGY),
    open=open_airshower_array,
    source="arXiv:1802.03325, arXiv:1708.00647",
)

AIRSHOWER_PATTERN = Adapter(
    name="airshower-pattern",
    title="air showers on a surface array, integrated signals (HDF5, NPZ)",
    layout=(
        "patterns (N, 9, 9) [VEM], or traces (N, 9, 9, 80), which are integrated; energy (N,) [EeV]; core (N, 2) [m] "
        "where it is there"
    ),
    suffixes=SUFFIXES,
    recognises=lambda path: _has(path, PATTERNS, ENERGY),
    open=open_airshower_pattern,
    source="arXiv:1802.03325, arXiv:1708.00647",
)
