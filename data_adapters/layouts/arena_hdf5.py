"""Adapter for the arena's own layout in HDF5: every detector and all that belongs to its events, without loss.

Layout: ``response`` (N, V) float32; ``conditions/<name>`` (N, …) float64; ``identity`` (N,) uint64;
``auxiliary/<name>`` (N, …) of any type. Attributes of the file: ``format`` = "fastsim-arena events", ``version`` = 1,
``detector`` (JSON, as ``detector_to_json`` gives it), ``provenance`` (a sentence).
"""

# Axes: N events, V cells.
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5, root
from data_adapters.adapter import Adapter
from data_adapters.detector import Detector, detector_from_json, detector_to_json
from data_adapters.hdf5 import Needed
from data_adapters.options import NoOptions
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.source import FLOAT32_BYTES, EventSource

FORMAT, VERSION = "fastsim-arena events", 1
ARENA_ROOT_NAME = "arena-root"
CHUNK_BYTES = 2**20


def open_arena_hdf5(path: Path, _options: NoOptions) -> EventSource:
    """The events of a file.

    Raises: UnreadableFile if the file is missing, no HDF5 file or not of this layout and version, its detector cannot
        be read, or shapes or lengths do not fit it.
    """
    detector = _read_detector(path)
    needed = [Needed("response", (detector.num_cells,)), Needed("identity")]
    needed += [Needed(f"conditions/{condition.name}", condition.shape) for condition in detector.conditions]
    num_events = hdf5.check_datasets(path, needed)
    return EventSource(
        path=path,
        layout=ARENA_HDF5.name,
        detector=detector,
        conditions={
            condition.name: _read_condition(path, condition.name, (num_events, *condition.shape))
            for condition in detector.conditions
        },
        identity=_read_identity(path),
        auxiliary=_read_auxiliary(path, num_events),
        read_response=hdf5.Hdf5Response(path, "response"),
        response_key="response",
        chunk_rows=hdf5.chunk_rows(path, "response"),
    )


def write_arena_hdf5(source: EventSource, path: Path) -> None:
    """Write events, block by block, to a path that does not exist yet.

    Raises: FileExistsError; UnreadableFile for events of the source that cannot be.
    """
    with h5py.File(path, "x") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["detector"] = json.dumps(detector_to_json(source.detector))
        file.attrs["provenance"] = provenance_of(source)
        file["identity"] = source.identity
        for name, column in source.conditions.items():
            file[f"conditions/{name}"] = column
        for name, values in source.auxiliary.items():
            file[f"auxiliary/{name}"] = values.astype(h5py.string_dtype()) if values.dtype.kind == "U" else values
        cells = source.detector.num_cells
        rows = max(1, min(len(source), CHUNK_BYTES // (FLOAT32_BYTES * cells)))
        response = file.create_dataset(
            "response", (len(source), cells), "float32", chunks=(rows, cells), compression="gzip", shuffle=True
        )
        for start, events in source.blocks():
            response[start : start + len(events)] = events.response


def provenance_of(source: EventSource) -> str:
    """What a file of the arena says of where it comes from; the name of the file, for any other."""
    if source.provenance:
        return source.provenance
    if source.path.is_file() and source.layout == ARENA_HDF5.name:
        with hdf5.open_hdf5(source.path) as file:
            return str(file.attrs.get("provenance", ""))
    if source.path.is_file() and source.layout == ARENA_ROOT_NAME:
        return root.strings_of(source.path).get("provenance", "")
    return f"Read from {source.path.name} ({source.layout})."


def parse_detector(text: str, path: Path) -> Detector:
    """A detector from JSON.

    Raises: UnreadableFile if it describes none.
    """
    try:
        return detector_from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableFile(
            path, Problem(f"it describes no detector ({error!r})", "Write the file again", key="detector")
        ) from error


def check_format(path: Path, found: object, version: object) -> None:
    """Raises: UnreadableFile for another format, or a version that is not known."""
    if found != FORMAT:
        raise UnreadableFile(
            path, Problem(f"its format is {found!r}; {FORMAT!r} is needed", "Choose its layout: --layout", key="format")
        )
    if str(version) != str(VERSION):
        raise UnreadableFile(
            path,
            Problem(
                f"it is of version {version}; {VERSION} is known here",
                "Update this package, or convert the file with the one that wrote it",
                key="version",
            ),
        )


def _read_detector(path: Path) -> Detector:
    with hdf5.open_hdf5(path) as file:
        attributes: dict[str, Any] = dict(file.attrs)
    check_format(path, attributes.get("format"), attributes.get("version"))
    return parse_detector(str(attributes.get("detector", "")), path)


def _read_condition(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return hdf5.read_column(path, f"conditions/{name}").reshape(shape)  # a column of vectors of length 1 came flat


def _read_identity(path: Path) -> NDArray[np.uint64]:
    with hdf5.open_hdf5(path) as file:
        values = hdf5.dataset(file, "identity", path)
        if values.dtype != np.uint64:
            raise UnreadableFile(
                path, Problem(f"it holds {values.dtype}; uint64 is needed", "Write the file again", key="identity")
            )
        return np.asarray(values[()], dtype=np.uint64).ravel()


def _read_auxiliary(path: Path, num_events: int) -> Mapping[str, NDArray[np.generic]]:
    prefix = "auxiliary/"
    columns: dict[str, NDArray[np.generic]] = {}
    with hdf5.open_hdf5(path) as file:
        for key in sorted(name for name in hdf5.keys_of(path) if name.startswith(prefix)):
            item = hdf5.dataset(file, key, path)
            if item.shape[:1] != (num_events,):
                what = f"it has shape {item.shape}; {num_events} events need ({num_events}, …)"
                raise UnreadableFile(path, Problem(what, "Write the file again", key=key))
            text = h5py.check_string_dtype(item.dtype) is not None
            columns[key.removeprefix(prefix)] = np.asarray(item.asstr()[()], dtype=str) if text else item[()]
    return columns


def _recognises(path: Path) -> bool:
    return {"response", "identity"} <= hdf5.keys_of(path)


ARENA_HDF5 = Adapter(
    name="arena-hdf5",
    title="FastSim Arena, any detector (HDF5)",
    layout=(
        "response (N, V) float32; conditions/<name> (N, ...) float64; identity (N,) uint64; auxiliary/<name> (N, ...). "
        'Attributes: format "fastsim-arena events", version 1, detector (JSON), provenance'
    ),
    suffixes=hdf5.SUFFIXES,
    recognises=_recognises,
    open=open_arena_hdf5,
    source="this project",
    write=write_arena_hdf5,
)
