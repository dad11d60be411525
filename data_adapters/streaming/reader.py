"""Single events of a source, wherever they lie, into an array that is there."""

# Axes: N events of the source, n events that are read, B rows of the array, V cells.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import first_bad_cell
from data_adapters.hdf5 import Hdf5Response
from data_adapters.problems import UnreadableFile
from data_adapters.source import FLOAT32_BYTES, EventSource, JoinedResponse, ReadResponse
from data_adapters.streaming.descriptors import Descriptors
from data_adapters.streaming.stored_chunks import StoredChunks, locate_chunks

ORDINARY_READ_BYTES = 4 * 2**20  # what a reader that opens its file anew reads at once, at least
INFINITY_BITS = np.uint32(0x7F800000)  # of a float32; above it lie NaN and everything negative


class RowReader(Protocol):
    """Reads any events.

    Attributes:
        unit_rows: Most events that are stored together and so are best read together.
    """

    @property
    def unit_rows(self) -> int: ...

    def units(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The unit of storage in which each event lies, shape (n,)."""
        ...

    def read(
        self, rows: NDArray[np.intp], out: NDArray[np.float32], into: NDArray[np.intp], files: Descriptors
    ) -> None:
        """Fill row ``into[i]`` of ``out`` (B, V) with event ``rows[i]``; rows of one unit follow each other.

        Raises: UnreadableFile, naming file and event.
        """
        ...


@dataclass(frozen=True)
class _File:
    """One file of a source: its events are ``first`` to ``last`` − 1 of the source."""

    path: Path
    first: int
    last: int
    response: ReadResponse
    chunks: StoredChunks | None
    unit_rows: int
    first_unit: int

    @property
    def units(self) -> int:
        return -(-(self.last - self.first) // self.unit_rows)


class SourceReader:
    """Reads from the files themselves: HDF5 chunk by chunk and in parallel, everything else as its adapter does."""

    def __init__(self, source: EventSource) -> None:
        self.source = source
        self._files = _files(source)
        self._lasts = np.array([file.last for file in self._files])
        self.unit_rows = max(file.unit_rows for file in self._files)

    def units(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        number = np.searchsorted(self._lasts, rows, side="right")
        first, first_unit, unit_rows = np.array([(f.first, f.first_unit, f.unit_rows) for f in self._files]).T[
            :, number
        ]
        return np.asarray(first_unit + (rows - first) // unit_rows, dtype=np.intp)

    def read(
        self, rows: NDArray[np.intp], out: NDArray[np.float32], into: NDArray[np.intp], files: Descriptors
    ) -> None:
        units = self.units(rows)
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(units)) + 1):
            file = self._files[int(np.searchsorted(self._lasts, rows[part[0]], side="right"))]
            read = _read_chunk if file.chunks is not None else _read_block
            read(file, rows[part] - file.first, out, into[part], files)
            for row, target in zip(rows[part], into[part], strict=True):
                self._check(file, int(row), out[target])

    def _check(self, file: _File, row: int, response: NDArray[np.float32]) -> None:
        if not self.source.detector.signed and response.view(np.uint32).max() < INFINITY_BITS:
            return
        bad = first_bad_cell(response[None], self.source.detector)
        if bad is not None:
            raise UnreadableFile(file.path, self.source.bad_cell_problem(response[None], row - file.first, bad))


def _read_chunk(
    file: _File, rows: NDArray[np.intp], out: NDArray[np.float32], into: NDArray[np.intp], files: Descriptors
) -> None:
    assert file.chunks is not None
    assert isinstance(file.response, Hdf5Response)
    number = int(rows[0]) // file.unit_rows
    chunk = file.chunks.load(number, files)
    for row, target in zip(rows, into, strict=True):
        file.chunks.unpack(chunk, int(row) - number * file.unit_rows, out[target])
        file.response.adjust(out[target])


def _read_block(
    file: _File, rows: NDArray[np.intp], out: NDArray[np.float32], into: NDArray[np.intp], _files: Descriptors
) -> None:
    start = int(rows.min())
    out[into] = file.response(start, int(rows.max()) + 1)[rows - start]


def _files(source: EventSource) -> tuple[_File, ...]:
    joined = source.read_response
    if isinstance(joined, JoinedResponse):
        parts = list(zip(joined.paths, joined.parts, joined.ends, strict=True))
    else:
        parts = [(source.path, joined, len(source))]
    return tuple(_with_places(source, parts))


def _with_places(source: EventSource, parts: list[tuple[Path, ReadResponse, int]]) -> Iterator[_File]:
    first = first_unit = 0
    for path, response, last in parts:
        chunks = locate_chunks(response.path, response.key) if isinstance(response, Hdf5Response) else None
        unit_rows = _ordinary_rows(source) if chunks is None else chunks.rows
        file = _File(path, first, last, response, chunks, unit_rows, first_unit)
        yield file
        first, first_unit = last, first_unit + file.units


def _ordinary_rows(source: EventSource) -> int:
    """Whole chunks that an ordinary read takes at once."""
    chunk_bytes = source.chunk_rows * source.detector.num_cells * FLOAT32_BYTES
    return source.chunk_rows * max(1, ORDINARY_READ_BYTES // chunk_bytes)
