"""Branches of the trees (TTree or RNTuple) of a ROOT file; a key is "tree/branch"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters import root
from data_adapters.formats.component import ArrayInfo, FileFormat, missing_key
from data_adapters.problems import Problem, UnreadableFile


@dataclass(frozen=True)
class RootArrays:
    """The branches of a file. Lists of a length that differs from event to event have the size None."""

    path: Path

    def keys(self) -> tuple[str, ...]:
        with _opened(self.path) as file:
            return tuple(f"{tree}/{branch}" for tree in _trees(file) for branch in file[tree].keys())  # noqa: SIM118

    def info(self, key: str) -> ArrayInfo:
        with self._branch(key) as branch:
            events = int(branch.num_entries) if hasattr(branch, "num_entries") else int(branch.ntuple.num_entries)
            first = branch.array(entry_start=0, entry_stop=1, library="np")
        if first.dtype != object:
            return ArrayInfo((events, *first.shape[1:]), first.dtype)
        inside = np.asarray(first[0]) if len(first) else np.empty(0, np.float32)
        return ArrayInfo((events, None), inside.dtype)

    def read(self, key: str, start: int, stop: int) -> NDArray[np.generic]:
        with self._branch(key) as branch:
            values: NDArray[np.generic] = branch.array(entry_start=start, entry_stop=stop, library="np")
        if values.dtype != object:
            return values
        lengths = np.array([len(row) for row in values])
        usual = int(np.median(lengths))
        if (lengths != usual).any():
            event = int(np.flatnonzero(lengths != usual)[0])
            problem = Problem(
                f"it has {lengths[event]} values, others have {usual}; one for each cell is needed",
                "Fill the branch with as many values in every event",
                key,
                start + event,
            )
            raise UnreadableFile(self.path, problem)
        return np.stack(list(values))

    @contextmanager
    def _branch(self, key: str) -> Iterator[Any]:
        with _opened(self.path) as file:
            trees = [tree for tree in _trees(file) if key.startswith(f"{tree}/")]
            name = key.removeprefix(f"{trees[0]}/") if trees else ""
            if not trees or name not in file[trees[0]].keys():  # noqa: SIM118
                raise missing_key(self.path, key, self.keys())
            yield file[trees[0]][name]


def _trees(file: Any) -> list[str]:
    """Names of the trees, the longest first: one may be the beginning of another."""
    names = {name.partition(";")[0] for name, kind in file.classnames().items() if kind in root.TREE_CLASSES}
    return sorted(names, key=lambda name: (-len(name), name))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with root.open_root(path) as file:
        try:
            yield file
        except UnreadableFile:
            raise
        except Exception as error:  # what uproot raises for damaged bytes depends on where they are
            text = " ".join(str(error).split())[:200]
            problem = Problem(f"not readable as ROOT ({type(error).__name__}: {text})", "Copy or write it again")
            raise UnreadableFile(path, problem) from error


ROOT = FileFormat("root", "ROOT", root.SUFFIXES, '"tree/branch"', RootArrays)
