"""A sparse copy of a sample on the disk of this machine: the cells that are not zero, nothing else.

Most cells of a shower are empty (97 in 100 of the 3DGAN images). Without them a sample is so small, and an event so
cheap to fetch, that any order costs the same. The copy is lossless, bit for bit.

Folder ``<name>-<key>``; the key is a hash of the source files (path, size, time of change) and of how they are read:

    cells.bin      event after event: the values (float32) of its n cells, then their indices (uint16, or uint32 where
                   the detector has more than 65 536 cells)
    starts.npy     number of stored cells before each event, and in total; int64, shape (N + 1,)
    cache.json     sizes and check sums; written last

It is made under a temporary name, by one process while others wait, and renamed when it is complete. A cache whose
check sums do not fit is made again. The folder can be deleted at any time when nobody reads it.
"""

# Axes: N events, n events that are read, B rows of an array, V cells.
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from zlib_ng import zlib_ng

from data_adapters.source import FLOAT32_BYTES, EventSource
from data_adapters.streaming.descriptors import Descriptors
from data_adapters.streaming.reader import SourceReader
from data_adapters.streaming.threads import decoding_threads, reading_threads, split_units

FORMAT = 1
CELLS, STARTS, DESCRIPTION = "cells.bin", "starts.npy", "cache.json"
CHECK_BYTES = 8 * 2**20
TASK_BYTES = 8 * 2**20
SAMPLED_EVENTS = 32  # from which the size is estimated before the cache is made
SPARE = 1.2  # room for the error of that estimate
SMALL_INDEX_CELLS = 2**16


class CacheFolderFull(ValueError):
    """Not enough room for a cache."""


@dataclass(frozen=True)
class SparseCache:
    """Reads events from a cache; see ``RowReader``."""

    folder: Path
    num_cells: int
    starts: NDArray[np.int64] = field(repr=False)
    unit_rows: int = 1

    def units(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rows

    def read(
        self, rows: NDArray[np.intp], out: NDArray[np.float32], into: NDArray[np.intp], files: Descriptors
    ) -> None:
        index_type = _index_type(self.num_cells)
        cell_bytes = FLOAT32_BYTES + index_type.itemsize
        for row, target in zip(rows.tolist(), into.tolist(), strict=True):
            first, last = int(self.starts[row]), int(self.starts[row + 1])
            data = files.read(self.folder / CELLS, first * cell_bytes, (last - first) * cell_bytes)
            values = np.frombuffer(data, dtype="<f4", count=last - first)
            response = out[target]
            response.fill(0.0)
            response[np.frombuffer(data, dtype=index_type, offset=values.nbytes)] = values


def open_cache(source: EventSource, folder: Path, workers: int) -> SparseCache:
    """The cache of a source in ``folder``; it is made if there is none, and made again if it is damaged.

    Args:
        workers: Threads that read and encode.
    Raises: UnreadableFile, naming file and event, for values that no detector produces; CacheFolderFull;
        ValueError for a source that says nothing about how it is read.
    """
    key = _key(source)
    target = folder / f"{source.path.stem}-{key[:16]}"
    cache = _opened(target, key)
    if cache is not None:
        return cache
    folder.mkdir(parents=True, exist_ok=True)
    with _only_process(folder / f"{target.name}.lock"):
        cache = _opened(target, key)  # another process may have made it meanwhile
        if cache is None:
            _make(source, target, key, workers)
            cache = SparseCache(target, source.detector.num_cells, np.load(target / STARTS, allow_pickle=False))
    return cache


def _key(source: EventSource) -> str:
    how = repr(source.read_response)
    if " at 0x" in how:
        raise ValueError(
            f"{source.path}: its layout ({source.layout}) reads with {how}, which does not tell its options; "
            "read without a cache, or make it a dataclass"
        )
    files = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in source.files]
    told = json.dumps([FORMAT, source.layout, source.detector.num_cells, len(source), how, files])
    return hashlib.sha256(told.encode()).hexdigest()


def _opened(target: Path, key: str) -> SparseCache | None:
    """The cache in a folder; None if it is missing, incomplete or damaged."""
    try:
        description = json.loads((target / DESCRIPTION).read_text())
        starts = np.load(target / STARTS, allow_pickle=False)
        sums = [_check_sum(target / name) for name in (CELLS, STARTS)]
        if description["key"] != key or description["check_sums"] != sums:
            return None
        return SparseCache(target, description["cells"], starts)
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        return None


def _check_sum(path: Path) -> list[int]:
    """Size and CRC-32 of a file."""
    total, size = 0, 0
    with path.open("rb", buffering=0) as file:
        while data := file.read(CHECK_BYTES):
            total, size = zlib_ng.crc32(data, total), size + len(data)
    return [size, total]


@contextmanager
def _only_process(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits; the system lets go of it if the process dies
        yield


def _make(source: EventSource, target: Path, key: str, workers: int) -> None:
    making = target.with_name(f"{target.name}.making")
    for left in (making, target):  # of a process that died, and what is damaged
        shutil.rmtree(left, ignore_errors=True)
    making.mkdir()
    try:
        _write(source, making, target.parent, workers)
        sums = [_check_sum(making / name) for name in (CELLS, STARTS)]
        description = {"key": key, "check_sums": sums, "cells": source.detector.num_cells, "events": len(source)}
        (making / DESCRIPTION).write_text(json.dumps(description))
        making.rename(target)
    except OSError as error:
        raise CacheFolderFull(f"{target.parent}: the sparse cache cannot be written ({error})") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write(source: EventSource, making: Path, folder: Path, workers: int) -> None:
    encoder = _Encoder(source, workers)
    with Descriptors() as files, reading_threads(encoder.threads) as threads:
        _check_room(encoder, folder, files)
        counts = []
        progress = Progress(console=Console(stderr=True), transient=True)
        with progress, (making / CELLS).open("wb") as cells:
            bar = progress.add_task(f"sparse cache of {source.path.name}", total=len(source))
            for data, part in encoder.encoded(files, threads):
                cells.write(data)
                counts.append(part)
                progress.advance(bar, len(part))
            _to_disk(cells)
    np.save(making / STARTS, np.append(0, np.cumsum(np.concatenate(counts))))


def _check_room(encoder: _Encoder, folder: Path, files: Descriptors) -> None:
    needed, free = SPARE * encoder.expected_bytes(files), shutil.disk_usage(folder).free
    if needed > free:
        raise CacheFolderFull(
            f"{folder}: the sparse cache needs about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "give another folder, or read without a cache"
        )


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


class _Encoder:
    """Events of a source as a cache stores them."""

    def __init__(self, source: EventSource, workers: int) -> None:
        self.num_events, self.num_cells = len(source), source.detector.num_cells
        self.reader = SourceReader(source)
        row_bytes = self.num_cells * FLOAT32_BYTES
        self.task_rows = max(1, TASK_BYTES // row_bytes)
        self.threads = decoding_threads(workers, self.reader.unit_rows * row_bytes)

    def encoded(self, files: Descriptors, threads: ThreadPoolExecutor) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
        """All events in order, some at a time: their bytes; number of cells of each."""
        queue: deque[Future[tuple[bytes, NDArray[np.int64]]]] = deque()
        for rows in split_units(self.reader.units(np.arange(self.num_events)), self.task_rows):
            queue.append(threads.submit(self.encode, rows, files))
            if len(queue) > self.threads:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()

    def encode(self, rows: NDArray[np.intp], files: Descriptors) -> tuple[bytes, NDArray[np.int64]]:
        """Bytes of the events with these numbers; number of cells of each."""
        response = np.empty((len(rows), self.num_cells), dtype=np.float32)
        self.reader.read(rows, response, np.arange(len(rows)), files)
        index_type = _index_type(self.num_cells)
        parts, counts = [], []
        for event in response:
            index = np.flatnonzero(event.view(np.uint32))  # bits: -0.0 is kept
            parts += [event[index].tobytes(), index.astype(index_type).tobytes()]
            counts.append(len(index))
        return b"".join(parts), np.array(counts, dtype=np.int64)

    def expected_bytes(self, files: Descriptors) -> float:
        rows = np.unique(np.linspace(0, self.num_events - 1, SAMPLED_EVENTS).astype(np.intp))
        sizes = [len(self.encode(rows[index : index + 1], files)[0]) for index in range(len(rows))]
        return self.num_events * sum(sizes) / len(sizes)


def _index_type(num_cells: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u2" if num_cells <= SMALL_INDEX_CELLS else "<u4")
