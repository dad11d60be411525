"""The chunks of an HDF5 dataset, read and decompressed outside of HDF5's global lock, by many threads at once."""

# Axes: C chunks, V values of an event.
from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from data_adapters import hdf5
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.streaming.descriptors import Descriptors

FLOAT32 = np.dtype("<f4")
FEW = 1 / 16  # of the cells; up to there, to look for them pays

# Filters in the order in which HDF5 applies them when it writes.
SHUFFLE, DEFLATE = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE
DECODED = {(): (False, False), (SHUFFLE,): (True, False), (DEFLATE,): (False, True), (SHUFFLE, DEFLATE): (True, True)}


@dataclass(frozen=True)
class StoredChunks:
    """Where the events of a dataset lie in its file, and how they are packed.

    Attributes:
        rows: Events of one chunk.
        values: V.
        shuffled: Whether bytes are grouped by significance (HDF5's shuffle filter).
        deflated: Whether they are compressed with zlib's format (gzip in HDF5's words).
        offset, size: Of each chunk in the file, in bytes, shape (C,).
    """

    path: Path
    key: str
    rows: int
    values: int
    dtype: np.dtype[np.generic]
    shuffled: bool
    deflated: bool
    offset: NDArray[np.int64] = field(repr=False)
    size: NDArray[np.int64] = field(repr=False)

    def load(self, chunk: int, files: Descriptors) -> NDArray[np.uint8]:
        """Bytes of a chunk, decompressed, as they were before the compression (still shuffled).

        Raises: UnreadableFile, naming the chunk's first event, if it is damaged.
        """
        data = files.read(self.path, int(self.offset[chunk]), int(self.size[chunk]))
        length = self.rows * self.values * self.dtype.itemsize
        if self.deflated:
            try:
                data = zlib_ng.decompress(data, zlib_ng.MAX_WBITS, length)
            except zlib_ng.error as error:  # type: ignore[misc]  # an exception class, which its types call an instance
                raise self._damaged(chunk, str(error)) from error
        if len(data) != length:
            raise self._damaged(chunk, f"it has {len(data)} bytes, {length} are needed")
        return np.frombuffer(data, dtype=np.uint8)

    def unpack(self, data: NDArray[np.uint8], row: int, out: NDArray[np.float32]) -> None:
        """Event ``row`` of a chunk that ``load`` gave, into ``out`` (V,)."""
        values = slice(row * self.values, (row + 1) * self.values)
        if not self.shuffled:
            out[:] = data.view(self.dtype)[values]
            return
        planes = data.reshape(self.dtype.itemsize, -1)[:, values]
        if self.dtype == FLOAT32 and out.dtype == FLOAT32:
            _join_bytes(planes, out.view(np.uint32))
        else:
            out[:] = np.ascontiguousarray(planes.T).view(self.dtype)[:, 0]

    def _damaged(self, chunk: int, why: str) -> UnreadableFile:
        problem = Problem(f"its chunk is damaged ({why})", "Copy the file again", self.key, chunk * self.rows)
        return UnreadableFile(self.path, problem)


def _join_bytes(planes: NDArray[np.uint8], words: NDArray[np.uint32]) -> None:
    """Four planes of bytes, the least significant first, to words; only those that are not zero, if they are few."""
    used = np.flatnonzero((planes[0] | planes[1] | planes[2] | planes[3]) != 0)
    if len(used) > FEW * len(words):
        words[:] = planes[3]
        for plane in planes[2::-1]:  # faster than the transposition that it is
            words <<= np.uint32(8)
            words |= plane
        return
    found = np.empty((len(used), len(planes)), dtype=np.uint8)
    for byte, plane in enumerate(planes):
        found[:, byte] = plane.take(used)
    words.fill(0)
    words[used] = found.view("<u4")[:, 0]


def locate_chunks(path: Path, key: str) -> StoredChunks | None:
    """Where the chunks lie; None where only HDF5 itself can read the dataset.

    That is so for filters other than shuffle and gzip, for chunks that hold parts of events, and for chunks that were
    never written. A dataset in one piece without chunks counts as having one event a chunk.

    Raises: UnreadableFile.
    """
    with hdf5.open_hdf5(path) as file:
        found = hdf5.dataset(file, key, path)
        if file.userblock_size or not np.issubdtype(found.dtype, np.number) or found.dtype.kind == "c":
            return None
        values = math.prod(found.shape[1:])
        if found.chunks is None:
            return _in_one_piece(path, key, found, values)
        filters = tuple(number for number, *_ in _filters(found))
        if found.chunks[1:] != found.shape[1:] or filters not in DECODED:
            return None
        place = _places(found)
        if place is None:
            return None
        return StoredChunks(path, key, found.chunks[0], values, found.dtype, *DECODED[filters], *place)


def _filters(found: h5py.Dataset) -> list[tuple[int, ...]]:
    properties = found.id.get_create_plist()
    return [properties.get_filter(index) for index in range(properties.get_nfilters())]


def _in_one_piece(path: Path, key: str, found: h5py.Dataset, values: int) -> StoredChunks | None:
    start = found.id.get_offset()
    if start is None:
        return None
    size = values * found.dtype.itemsize
    offset = start + size * np.arange(len(found), dtype=np.int64)
    return StoredChunks(path, key, 1, values, found.dtype, False, False, offset, np.full(len(found), size))


def _places(found: h5py.Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Offset and size of each chunk; None if one is missing, or was stored without one of the filters."""
    rows = found.chunks[0]
    offset = np.full(-(-len(found) // rows), -1, dtype=np.int64)
    size, unfiltered = np.zeros_like(offset), []

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        index = chunk.chunk_offset[0] // rows
        offset[index], size[index] = chunk.byte_offset, chunk.size
        if chunk.filter_mask:
            unfiltered.append(index)

    found.id.chunk_iter(note)
    return None if unfiltered or (offset < 0).any() else (offset, size)
