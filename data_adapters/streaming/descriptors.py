"""Files that several threads read at once, each at its own place."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from types import TracebackType

from data_adapters.problems import Problem, UnreadableFile


class Descriptors:
    """Opens each file once, for any number of threads; closes all of them on leaving.

    Bytes come through ``pread``, not through a memory map: mapped pages would count as memory of this process, and
    a sample larger than memory would fill it.
    """

    def __init__(self) -> None:
        self._lock, self._open = Lock(), dict[Path, int]()

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``.

        Raises: UnreadableFile if the file is gone, unreadable or shorter.
        """
        try:
            with self._lock:
                if path not in self._open:
                    self._open[path] = os.open(path, os.O_RDONLY)
            data = os.pread(self._open[path], size, offset)
        except OSError as error:
            raise UnreadableFile(
                path, Problem(f"reading failed ({error})", "Check the disk, and how many files may be open (ulimit -n)")
            ) from error
        if len(data) != size:
            raise UnreadableFile(path, Problem(f"it ends before byte {offset + size}", "Is it complete? Copy it again"))
        return data
