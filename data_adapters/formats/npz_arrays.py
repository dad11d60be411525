"""Arrays of an NPZ file (``numpy.savez``): mapped where they are stored plainly, streamed where compressed."""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from data_adapters.formats.component import ArrayInfo, FileFormat, missing_key
from data_adapters.problems import Problem, UnreadableFile

LOCAL_HEADER_BYTES = 30  # of a member in a ZIP file, before its name
NPY_SUFFIX = ".npy"


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    begin: int  # of the data within the member


@dataclass(frozen=True)
class NpzArrays:
    """The arrays of a file. Nothing in it is unpickled."""

    path: Path

    def keys(self) -> tuple[str, ...]:
        with _opened(self.path) as archive:
            return tuple(name.removesuffix(NPY_SUFFIX) for name in archive.namelist())

    def info(self, key: str) -> ArrayInfo:
        header = self._header(key)
        return ArrayInfo(header.shape, header.dtype)

    def read(self, key: str, start: int, stop: int) -> NDArray[np.generic]:
        header = self._header(key)
        with _opened(self.path) as archive:
            member = archive.getinfo(key + NPY_SUFFIX)
        if member.compress_type == zipfile.ZIP_STORED:
            return self._mapped(member, header, start, stop)
        if header.fortran and len(header.shape) > 1:
            raise UnreadableFile(
                self.path,
                Problem(
                    "it is stored column by column (Fortran order) and compressed, so that no event can be read alone",
                    "Save numpy.ascontiguousarray of it",
                    key,
                ),
            )
        return self._streamed(key, header, start, stop)

    def _header(self, key: str) -> _Header:
        if key not in self.keys():
            raise missing_key(self.path, key, self.keys())
        try:
            with _opened(self.path) as archive, archive.open(key + NPY_SUFFIX) as member:
                header = _read_header(member)
        except (ValueError, KeyError) as error:
            if isinstance(error, UnreadableFile):
                raise
            problem = Problem(f"not an array of numpy ({error})", "Save it with numpy.savez", key)
            raise UnreadableFile(self.path, problem) from error
        if header.dtype.hasobject:
            raise UnreadableFile(
                self.path,
                Problem("it holds Python objects, which are never unpickled", "Save an array of numbers", key),
            )
        return header

    def _mapped(self, member: zipfile.ZipInfo, header: _Header, start: int, stop: int) -> NDArray[np.generic]:
        with self.path.open("rb") as file:
            file.seek(member.header_offset)
            local = file.read(LOCAL_HEADER_BYTES)
        names = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        begin = member.header_offset + LOCAL_HEADER_BYTES + names + header.begin
        order = "F" if header.fortran else "C"
        whole = np.memmap(self.path, header.dtype, "r", begin, header.shape, order)  # type: ignore[call-overload]
        return np.array(whole[start:stop])

    def _streamed(self, key: str, header: _Header, start: int, stop: int) -> NDArray[np.generic]:
        row_bytes = int(np.prod(header.shape[1:], dtype=np.int64)) * header.dtype.itemsize
        rows = max(0, min(stop, header.shape[0]) - start)
        with _explained(self.path):
            stream = _stream(self.path, key, self.path.stat().st_mtime_ns, threading.get_native_id())
            data = stream.read(header.begin + start * row_bytes, rows * row_bytes)
        return np.frombuffer(data, header.dtype).reshape(rows, *header.shape[1:])


class _Stream:
    """A member that stays open, so that reading block after block decompresses it once."""

    def __init__(self, path: Path, key: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._member = self._archive.open(key + NPY_SUFFIX)

    def read(self, begin: int, size: int) -> bytes:
        self._member.seek(begin)
        return self._member.read(size)

    def __del__(self) -> None:
        for opened in ("_member", "_archive"):
            if hasattr(self, opened):
                getattr(self, opened).close()


@lru_cache(maxsize=4)
def _stream(path: Path, key: str, _modified: int, _thread: int) -> _Stream:
    """The stream of a member; each thread of each process has its own, as a position cannot be shared."""
    return _Stream(path, key)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableFile(
            path, Problem(f"not readable as NPZ ({error})", "Is it complete? Copy it again")
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with _explained(path), zipfile.ZipFile(path) as archive:
        yield archive


def _read_header(member: IO[bytes]) -> _Header:
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(member)
    return _Header(shape, fortran, dtype, member.tell())


NPZ = FileFormat("npz", "NumPy NPZ", (".npz",), "an array of the file", NpzArrays)
