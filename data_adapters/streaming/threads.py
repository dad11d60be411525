"""Threads that read ahead, and what each of them reads at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

DECODING_BYTES = 512 * 2**20  # units that all threads together decompress at a time


@contextmanager
def reading_threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads; on leaving, what has not begun is dropped and what has begun is waited for."""
    threads = ThreadPoolExecutor(number, thread_name_prefix="event-stream")
    try:
        yield threads
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def decoding_threads(workers: int, unit_bytes: int) -> int:
    """As many of the workers as have room to decompress a unit at a time, at least one."""
    return max(1, min(workers, DECODING_BYTES // unit_bytes))


def split_units(units: NDArray[np.intp], task_rows: int) -> list[NDArray[np.intp]]:
    """Indices of events in the order of their units, in parts of about ``task_rows`` events and of whole units.

    Args:
        units: The unit in which each event lies, shape (n,).
    """
    by_unit = np.argsort(units, kind="stable")
    begin = np.append(True, np.diff(units[by_unit]) != 0)
    first = np.flatnonzero(begin)[np.cumsum(begin) - 1]  # of the unit in which each event lies
    return np.split(by_unit, np.flatnonzero(np.diff(first // task_rows)) + 1)
