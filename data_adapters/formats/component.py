"""What every kind of file offers: named arrays with one row an event, read in slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import UnknownName

# Events that are read together where a file itself has no chunks.
DEFAULT_CHUNK_ROWS = 1000


@dataclass(frozen=True)
class ArrayInfo:
    """An array without its values.

    Attributes:
        shape: The number of events first; None for a size that differs from event to event.
        chunk_rows: Events that the file stores together.
        unit: What the file itself says of it; "" where it does not.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype[np.generic]
    chunk_rows: int = DEFAULT_CHUNK_ROWS
    unit: str = ""


class ArrayFile(Protocol):
    """A file of arrays. It can be pickled, and holds nothing open that another process could disturb."""

    @property
    def path(self) -> Path: ...

    def keys(self) -> tuple[str, ...]:
        """Names of all arrays. Raises: UnreadableFile."""

    def info(self, key: str) -> ArrayInfo:
        """Shape and type of an array. Raises: UnreadableFile; for a key that is missing it offers the nearest."""

    def read(self, key: str, start: int, stop: int) -> NDArray[np.generic]:
        """Rows from ``start`` up to ``stop``, in the type of the file. Raises: UnreadableFile."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Attributes:
        keys: How an array is named in a description, for messages.
        open: Raises UnreadableFile for what is not of this kind.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    keys: str
    open: Callable[[Path], ArrayFile]


def missing_key(path: Path, key: str, known: tuple[str, ...]) -> UnreadableFile:
    """The error for an array that a file does not hold."""
    return UnreadableFile(path, Problem(str(UnknownName("key", key, known)), "Write one that the file holds", key))
