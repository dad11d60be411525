"""Writing large ROOT trees of flat and jagged branches block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import awkward
import numpy as np
import uproot
from numpy.typing import NDArray

Branch = Any  # an array of numpy, or a jagged one of awkward


def write_tree(path: Path, tree: str, blocks: Iterable[Mapping[str, Branch]], texts: Mapping[str, str]) -> int:
    """A file with one tree and texts beside it; returns the number of entries.

    Args:
        blocks: Branches of as many blocks as there are: arrays of shape (entries,) or (entries, cells), or jagged.
        texts: By name, TObjStrings.
    """
    entries = 0
    with uproot.recreate(path, compression=uproot.ZLIB(6)) as file:
        for block in blocks:
            if tree not in file:
                file.mktree(tree, {name: _type_of(branch) for name, branch in block.items()})
            file[tree].extend(dict(block))
            entries += len(next(iter(block.values())))
        for name, text in texts.items():
            file[name] = text
    return entries


def jagged(values: NDArray[Any], counts: NDArray[Any]) -> Branch:
    """A jagged branch from its values one after the other, and how many each entry has."""
    return awkward.unflatten(values, counts)


def _type_of(branch: Branch) -> Any:
    if isinstance(branch, np.ndarray):
        return np.dtype((branch.dtype, branch.shape[1:]))
    return awkward.type(branch).content
