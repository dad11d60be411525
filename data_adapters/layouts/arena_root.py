"""Adapter for the arena's own layout in ROOT: every detector and all numbers that belong to its events.

Layout: TTree ``events`` with the branches ``response`` (float32[V]), ``identity`` (uint64), ``condition_<name>``
(float64, or a fixed-size array) and ``auxiliary_<name>`` (a number or fixed-size array of any type). Beside it the
TObjStrings ``format`` ("fastsim-arena events"), ``version`` ("1"), ``detector`` (JSON, as ``detector_to_json`` gives
it) and ``provenance`` (a sentence). Characters that a branch name cannot have are written as in a URL (%2F).
"""

# Axes: N events, V cells.
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import uproot
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.adapter import Adapter
from data_adapters.detector import Condition, detector_to_json
from data_adapters.layouts.arena_hdf5 import (
    ARENA_ROOT_NAME,
    FORMAT,
    VERSION,
    check_format,
    parse_detector,
    provenance_of,
)
from data_adapters.options import NoOptions
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.root import Needed
from data_adapters.source import EventSource

TREE = "events"
CONDITION, AUXILIARY = "condition_", "auxiliary_"
BRANCH_TYPES = frozenset("?bhilqBHILQfd")  # NumPy's characters of what a branch can hold


def open_arena_root(path: Path, _options: NoOptions) -> EventSource:
    """The events of a file.

    Raises: UnreadableFile if the file is missing, no ROOT file or not of this layout and version, its detector cannot
        be read, or branches are missing or do not fit it.
    """
    strings = root.strings_of(path)
    check_format(path, strings.get("format"), strings.get("version"))
    detector = parse_detector(strings.get("detector", ""), path)
    needed = [Needed("response", (detector.num_cells,)), Needed("identity")]
    needed += [Needed(_branch(CONDITION, condition.name), condition.shape) for condition in detector.conditions]
    root.check_branches(path, TREE, needed)
    return EventSource(
        path=path,
        layout=ARENA_ROOT.name,
        detector=detector,
        conditions=_read_conditions(path, detector.conditions),
        identity=_read_identity(path),
        auxiliary=_read_auxiliary(path),
        read_response=root.RootResponse(path, TREE, "response"),
        response_key="response",
        chunk_rows=root.chunk_rows(path, TREE, "response"),
    )


def write_arena_root(source: EventSource, path: Path) -> None:
    """Write events, block by block, to a path that does not exist yet.

    Auxiliary columns that are no numbers (text) cannot be held and are left out.

    Raises: FileExistsError; UnreadableFile for events of the source that cannot be.
    """
    columns: dict[str, NDArray[Any]] = {"identity": source.identity}
    columns |= {_branch(CONDITION, name): values for name, values in source.conditions.items()}
    columns |= {
        _branch(AUXILIARY, name): values
        for name, values in source.auxiliary.items()
        if values.dtype.char in BRANCH_TYPES
    }
    types = {name: np.dtype((values.dtype, values.shape[1:])) for name, values in columns.items()}
    types["response"] = np.dtype((np.float32, (source.detector.num_cells,)))
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    with uproot.recreate(path) as file:
        file["format"], file["version"] = FORMAT, str(VERSION)
        file["detector"] = json.dumps(detector_to_json(source.detector))
        file["provenance"] = provenance_of(source)
        tree = file.mktree(TREE, types)
        for start, events in source.blocks():
            rows = slice(start, start + len(events))
            tree.extend({"response": events.response, **{name: values[rows] for name, values in columns.items()}})


def _branch(prefix: str, name: str) -> str:
    return prefix + quote(name, safe=" ")


def _read_conditions(path: Path, conditions: tuple[Condition, ...]) -> dict[str, NDArray[np.float64]]:
    branches = {condition.name: _branch(CONDITION, condition.name) for condition in conditions}
    values = root.read_fixed(path, TREE, list(branches.values()))
    return {name: values[branch].astype(np.float64) for name, branch in branches.items()}


def _read_identity(path: Path) -> NDArray[np.uint64]:
    values = root.read_fixed(path, TREE, ["identity"])["identity"]
    if values.dtype != np.uint64:
        raise UnreadableFile(
            path, Problem(f"it holds {values.dtype}; uint64 is needed", "Write the file again", key="identity")
        )
    return values


def _read_auxiliary(path: Path) -> Mapping[str, NDArray[np.generic]]:
    prefix = f"{TREE}/{AUXILIARY}"
    branches = sorted(key.removeprefix(f"{TREE}/") for key in root.keys_of(path) if key.startswith(prefix))
    values = root.read_fixed(path, TREE, branches)
    for branch in branches:
        if values[branch].dtype.kind == "O":
            what = "it holds no numbers, or lists of variable length; fixed-size arrays of numbers are needed"
            raise UnreadableFile(path, Problem(what, "Write the file again", key=branch))
    return {unquote(branch.removeprefix(AUXILIARY)): values[branch] for branch in branches}


def _recognises(path: Path) -> bool:
    return {f"{TREE}/response", f"{TREE}/identity"} <= root.keys_of(path)


ARENA_ROOT = Adapter(
    name=ARENA_ROOT_NAME,
    title="FastSim Arena, any detector (ROOT)",
    layout=(
        "TTree events: response float32[V], identity uint64, condition_<name> float64 or float64[...], "
        'auxiliary_<name>; TObjStrings format ("fastsim-arena events"), version ("1"), detector (JSON), provenance'
    ),
    suffixes=root.SUFFIXES,
    recognises=_recognises,
    open=open_arena_root,
    source="this project",
    write=write_arena_root,
)
