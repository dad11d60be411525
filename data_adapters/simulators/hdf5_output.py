"""Writing large HDF5 files block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 1000


def write_hdf5(
    path: Path,
    blocks: Iterable[Mapping[str, NDArray[Any]]],
    attributes: Mapping[str, object],
    chunk_rows: Mapping[str, int] | None = None,
) -> int:
    """A file with one dataset a column, gzip and shuffle; returns the number of rows.

    Args:
        blocks: Columns, each of shape (rows, …), of as many blocks as there are.
        attributes: Of the file.
        chunk_rows: Rows of a chunk, by column; 1000 where it is not given, and never more than the file has.
    """
    with h5py.File(path, "w") as file:
        for block in blocks:
            for key, values in block.items():
                _append(file, key, values, (chunk_rows or {}).get(key, CHUNK_ROWS))
        file.attrs.update(attributes)
        return len(next(iter(file.values())))


def _append(file: h5py.File, key: str, values: NDArray[Any], chunk_rows: int) -> None:
    if key not in file:
        file.create_dataset(
            key,
            data=values,
            maxshape=(None, *values.shape[1:]),
            chunks=(chunk_rows, *values.shape[1:]),
            compression="gzip",
            compression_opts=6,
            shuffle=True,
        )
        return
    column = file[key]
    column.resize(len(column) + len(values), axis=0)
    column[-len(values) :] = values


def seeds_attribute(seed: int) -> NDArray[np.int64]:
    """As the samples have it: an array."""
    return np.array([seed])
