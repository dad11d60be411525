"""Events in random order, batch by batch, prepared by threads while the model trains."""

# Axes: N events of the stream, B of a batch, V cells.
from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.source import FLOAT32_BYTES, EventSource
from data_adapters.streaming.descriptors import Descriptors
from data_adapters.streaming.order import epoch_order
from data_adapters.streaming.reader import RowReader, SourceReader
from data_adapters.streaming.sparse_cache import open_cache
from data_adapters.streaming.threads import decoding_threads, reading_threads, split_units

POOL_BYTES = 256 * 2**20  # events that are shuffled together where the file stores several in a chunk
AHEAD_BYTES, AHEAD_BATCHES = 256 * 2**20, 3  # what is prepared ahead at most, but always one batch or pool
TASK_BYTES = 2 * 2**20  # what a thread reads at a time: small, so that all threads work on the next batch


@dataclass(frozen=True)
class Batch:
    """B events of a stream.

    Attributes:
        response: What the cells hold, in the unit of the detector, shape (B, V).
        conditions: One array (B, *condition.shape) for each condition of the detector, in its unit.
        rows: Numbers of the events in the source, shape (B,).
    """

    response: NDArray[np.float32]
    conditions: Mapping[str, NDArray[np.float64]]
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class _Piece:
    """Consecutive events of an epoch that are read together."""

    rows: NDArray[np.intp]
    response: NDArray[np.float32]
    reading: list[Future[None]]

    def finished(self) -> _Piece:
        """Itself, when all of it has been read. Raises: what reading raised."""
        for part in self.reading:
            part.result()
        return self


class EventStream:
    """Events of a source, or some of them (the train split), in random order, batch by batch.

    How well it shuffles: chunks of all files come in random order, and pools of 256 MiB of them (1 000 showers of
    51 × 51 × 25 cells) are shuffled event by event (``data_adapters.streaming.order``). With one event a chunk, or from
    the sparse cache, every order of all events is equally probable.

    Memory stays bounded whatever the size of the files: two pools, or a few batches.

    Args:
        rows: Numbers of the events, each at most once; by default all, shape (N,).
        seed: Of the order.
        workers: Threads that read and decompress ahead; the order does not depend on them.
        cache: Folder on a fast disk of this machine for a sparse cache, made once and used by all processes; see
            ``data_adapters.streaming.sparse_cache``. By default the files themselves are read.
        shuffle: Whether the order is random; else it is that of ``rows``.
    Raises: UnreadableFile; ValueError for rows that are not in the source, or no worker.
    """

    def __init__(
        self,
        source: EventSource,
        rows: NDArray[np.intp] | None = None,
        *,
        seed: int,
        workers: int = 1,
        cache: Path | None = None,
        shuffle: bool = True,
    ) -> None:
        if workers < 1:
            raise ValueError(f"{workers} workers cannot read; give at least one")
        self.source, self.seed, self.workers, self.shuffle = source, seed, workers, shuffle
        self.rows = _checked_rows(source, rows)
        self._reader: RowReader = SourceReader(source) if cache is None else open_cache(source, cache, workers)

    @property
    def detector(self) -> Detector:
        return self.source.detector

    @property
    def conditions(self) -> dict[str, NDArray[np.float64]]:
        """Conditions of the N events, in the order of ``rows``; (N, *condition.shape) each."""
        return {name: values[self.rows] for name, values in self.source.conditions.items()}

    @property
    def identity(self) -> NDArray[np.uint64]:
        """Identity of the N events, in the order of ``rows``."""
        return self.source.identity[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, which: NDArray[np.bool_]) -> EventStream:
        """A stream of the events of a mask (N,) alone, with the same seed and cache. Raises: ValueError for none."""
        part = copy(self)
        part.rows = _checked_rows(self.source, self.rows[which])
        return part

    def batches(self, batch_size: int, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch; each event comes once, the last batch holds what is left.

        The order of the events follows from seed and epoch (and the files) alone. Closing the iterator stops the
        threads.

        Args:
            epoch: From 0.
            first_batch: Batches that were seen already: the epoch goes on after them without reading them again.
        Raises: ValueError for numbers that make no sense; while it runs, UnreadableFile, naming file and event.
        """
        if batch_size < 1 or epoch < 0 or first_batch < 0:
            raise ValueError(
                f"batch size {batch_size}, epoch {epoch}, first batch {first_batch}: at least 1, 0 and 0 are needed"
            )
        order, ends = self._order(epoch)
        start = first_batch * batch_size
        if self._reader.unit_rows == 1:
            ends = np.append(np.arange(start + batch_size, len(self), batch_size), len(self))
        cuts = np.append(start, ends[ends > start])
        pieces = [order[begin:end] for begin, end in pairwise(cuts.tolist())]
        return self._run([self.rows[piece] for piece in pieces], batch_size)

    def _order(self, epoch: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        pool_rows = max(1, POOL_BYTES // self._row_bytes)
        if self.shuffle:
            return epoch_order(self._reader.units(self.rows), pool_rows, self.seed, epoch)
        return np.arange(len(self)), np.append(np.arange(pool_rows, len(self), pool_rows), len(self))

    def _run(self, pieces: list[NDArray[np.intp]], batch_size: int) -> Iterator[Batch]:
        with Descriptors() as files, reading_threads(self._threads) as threads:
            for rows, response in _batched(self._read_ahead(pieces, files, threads), batch_size):
                yield Batch(response, {name: all_[rows] for name, all_ in self.source.conditions.items()}, rows)

    @property
    def _threads(self) -> int:
        return decoding_threads(self.workers, self._reader.unit_rows * self._row_bytes)

    @property
    def _row_bytes(self) -> int:
        return self.detector.num_cells * FLOAT32_BYTES

    def _read_ahead(
        self, pieces: list[NDArray[np.intp]], files: Descriptors, threads: ThreadPoolExecutor
    ) -> Iterator[_Piece]:
        largest = max((len(rows) for rows in pieces), default=1) * self._row_bytes
        ahead = max(1, min(AHEAD_BATCHES, AHEAD_BYTES // largest))
        queue: deque[_Piece] = deque()
        for rows in pieces:
            queue.append(self._begin(rows, files, threads))
            if len(queue) > ahead:
                yield queue.popleft().finished()
        while queue:
            yield queue.popleft().finished()

    def _begin(self, rows: NDArray[np.intp], files: Descriptors, threads: ThreadPoolExecutor) -> _Piece:
        response = np.empty((len(rows), self.detector.num_cells), dtype=np.float32)
        tasks = split_units(self._reader.units(rows), max(1, TASK_BYTES // self._row_bytes))
        return _Piece(rows, response, [threads.submit(self._reader.read, rows[t], response, t, files) for t in tasks])


def _checked_rows(source: EventSource, rows: NDArray[np.intp] | None) -> NDArray[np.intp]:
    if rows is None:
        return np.arange(len(source))
    if len(rows) == 0 or rows.min() < 0 or rows.max() >= len(source):
        raise ValueError(f"{source.path} has the events 0 to {len(source) - 1}; give at least one of them, none else")
    if len(np.unique(rows)) != len(rows):
        raise ValueError("an event is asked for twice; give each number once")
    return np.asarray(rows, dtype=np.intp)


def _batched(pieces: Iterator[_Piece], batch_size: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Pieces of any size, cut and joined to batches; copied, so that no batch keeps a pool in memory."""
    parts: list[tuple[NDArray[np.intp], NDArray[np.float32]]] = []
    missing = batch_size
    while (piece := next(pieces, None)) is not None:
        if missing == len(piece.rows) == batch_size:
            yield piece.rows, piece.response
            piece = None  # gone before the next one is begun
            continue
        for begin, end in _spans(len(piece.rows), missing, batch_size):
            parts.append((piece.rows[begin:end], piece.response[begin:end].copy()))
            missing -= end - begin
            if missing == 0:
                yield _joined(parts)
                parts, missing = [], batch_size
        piece = None
    if parts:
        yield _joined(parts)


def _spans(length: int, first: int, other: int) -> Iterator[tuple[int, int]]:
    """Consecutive parts of ``length`` rows: the first of ``first``, all others of ``other``, the last what is left."""
    ends = [*range(first, length, other), length]
    return pairwise([0, *ends])


def _joined(
    parts: list[tuple[NDArray[np.intp], NDArray[np.float32]]],
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([response for _, response in parts])
