"""Conditions without showers: a file that says what is to be generated, and becomes a sample once they are in it.

It is the arena's own layout without ``response``. Whoever writes that dataset, (N, V) float32, into a copy, row by row
for the rows of the conditions, has a file that every command reads.
"""

# Axes: N events, V cells.
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.adapters import open_events
from data_adapters.detector import Detector, detector_to_json
from data_adapters.events import Columns, InvalidEvents, check_columns
from data_adapters.layouts.arena_hdf5 import FORMAT, VERSION, check_format, parse_detector
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.unfinished import unfinished

GROUP = "conditions/"
SAME = 1e-6  # relative; float32 keeps 7 digits


@dataclass(frozen=True)
class ConditionTable:
    """What N events are generated for.

    Attributes:
        columns: One array of shape (N, *condition.shape) for each condition of the detector, in its unit.
    Raises: InvalidEvents for conditions that the detector does not have, or that cannot be.
    """

    detector: Detector
    columns: Columns
    num_events: int

    def __post_init__(self) -> None:
        check_columns(self.detector, self.columns, self.num_events)


def write_conditions(path: Path, table: ConditionTable, dataset: str, provenance: str) -> None:
    """Write conditions to a path that does not exist yet.

    Args:
        dataset: Name of the dataset that they belong to.
        provenance: Where they come from, in a sentence.
    Raises: FileExistsError.
    """
    if path.exists():
        raise FileExistsError(17, "it exists already; choose another name", str(path))
    with unfinished(path) as temporary, h5py.File(temporary, "x") as file:
        file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
        file.attrs["detector"] = json.dumps(detector_to_json(table.detector))
        file.attrs["provenance"], file.attrs["dataset"] = provenance, dataset
        file["identity"] = np.arange(table.num_events, dtype=np.uint64)
        for name, values in table.columns.items():
            file[GROUP + name] = values


def read_conditions(path: Path, layout: str | None = None) -> ConditionTable:
    """The conditions of a file with or without showers.

    Args:
        layout: Of a file with showers; by default it is recognised.
    Raises: UnreadableFile.
    """
    if layout is not None or not is_condition_file(path):
        source = open_events(path, layout)
        return ConditionTable(source.detector, source.conditions, len(source))
    with hdf5.open_hdf5(path) as file:
        attributes = dict(file.attrs)
    check_format(path, attributes.get("format"), attributes.get("version"))
    detector = parse_detector(str(attributes.get("detector", "")), path)
    needed = [hdf5.Needed(f"{GROUP}{condition.name}", condition.shape) for condition in detector.conditions]
    num_events = hdf5.check_datasets(path, [*needed, hdf5.Needed("identity")])
    columns = {
        condition.name: hdf5.read_column(path, f"{GROUP}{condition.name}").reshape(num_events, *condition.shape)
        for condition in detector.conditions
    }
    try:
        return ConditionTable(detector, columns, num_events)
    except InvalidEvents as error:
        raise UnreadableFile(path, Problem(str(error), "Mend the conditions", key="conditions")) from error


def is_condition_file(path: Path) -> bool:
    """Whether a file holds conditions in the arena's layout, and no showers."""
    keys = hdf5.keys_of(path) if path.is_file() else frozenset()
    own = {key for key in keys if key == "identity" or key.startswith(GROUP)}
    return "identity" in own and keys == own


def dataset_of(path: Path) -> str | None:
    """Name of the dataset that a file of conditions, or one made from it, says it belongs to."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return None
    with hdf5.open_hdf5(path) as file:
        name = file.attrs.get("dataset")
    return str(name) if isinstance(name, str) else None


def check_same_conditions(path: Path, expected: ConditionTable, found: ConditionTable) -> None:
    """Whether a file holds these events in this order, as exactly as float32 holds them.

    Raises: UnreadableFile naming what differs first: the detector, the number of events, or the event.
    """
    if found.detector != expected.detector:
        raise UnreadableFile(
            path,
            Problem(
                f"it is of {found.detector.title} ({found.detector.num_cells} cells); the conditions are of "
                f"{expected.detector.title} ({expected.detector.num_cells} cells)",
                "Write the showers into a copy of the published conditions",
                key="detector",
            ),
        )
    if found.num_events != expected.num_events:
        what = f"it holds {found.num_events} events; {expected.num_events} are needed"
        raise UnreadableFile(path, Problem(what, "Generate one event for each of the published conditions"))
    for name, values in expected.columns.items():
        _check_same(path, name, values, found.columns[name])


def _check_same(path: Path, name: str, expected: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    differs = (np.abs(found - expected) > SAME * np.abs(expected)).reshape(len(expected), -1).any(axis=1)
    if not differs.any():
        return
    event = int(np.argmax(differs))
    what = (
        f"{int(differs.sum())} of {len(expected)} events are of other conditions; event {event} is the first: "
        f"{found[event]:g} instead of {expected[event]:g}"
        if expected.ndim == 1
        else f"{int(differs.sum())} of {len(expected)} events are of other conditions; event {event} is the first"
    )
    raise UnreadableFile(path, Problem(what, "Generate for the published conditions, in their order", GROUP + name))
