"""Datasets of an HDF5 file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters import hdf5
from data_adapters.formats.component import DEFAULT_CHUNK_ROWS, ArrayInfo, FileFormat

UNIT_ATTRIBUTES = ("unit", "units")


@dataclass(frozen=True)
class Hdf5Arrays:
    """The datasets of a file; keys have their groups ("calorimeter/cells")."""

    path: Path

    def keys(self) -> tuple[str, ...]:
        names: list[str] = []
        with hdf5.open_hdf5(self.path) as file:
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return tuple(sorted(names))

    def info(self, key: str) -> ArrayInfo:
        with hdf5.open_hdf5(self.path) as file:
            found = hdf5.dataset(file, key, self.path)
            chunk_rows = int(found.chunks[0]) if found.chunks else DEFAULT_CHUNK_ROWS
            units = [found.attrs[name] for name in UNIT_ATTRIBUTES if isinstance(found.attrs.get(name), str)]
            return ArrayInfo(found.shape, found.dtype, chunk_rows, units[0] if units else "")

    def read(self, key: str, start: int, stop: int) -> NDArray[np.generic]:
        with hdf5.open_hdf5(self.path) as file:
            values: NDArray[np.generic] = hdf5.dataset(file, key, self.path)[start:stop]
        return values


HDF5 = FileFormat("hdf5", "HDF5", hdf5.SUFFIXES, 'a dataset with its groups ("calorimeter/cells")', Hdf5Arrays)
