"""Reading HDF5 files that come from elsewhere: what is wrong is said with file, key and mend."""

# Axes: N events.
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import UnknownName

SUFFIXES = (".h5", ".hdf5", ".hdf")


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading.

    Raises: UnreadableFile if it is missing, truncated or no HDF5 file, also where a read inside fails.
    """
    if not path.is_file():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path"))
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise UnreadableFile(
            path, Problem(f"not readable as HDF5 ({error})", "Is it complete? Copy it again")
        ) from error


def keys_of(path: Path) -> frozenset[str]:
    """Names of all datasets, with their groups ("tracks/x"); empty for a file that is no HDF5.

    Links into other files count too, so that a layout is recognised and can say what is wrong with them.
    """
    if not h5py.is_hdf5(path):
        return frozenset()
    names: list[str] = []
    with open_hdf5(path) as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        file.visititems_links(lambda name, link: names.append(name) if isinstance(link, h5py.ExternalLink) else None)
    return frozenset(names)


def dataset(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    """A dataset of the file.

    Raises: UnreadableFile if it is missing (the nearest key is offered), a group, or lies in another file
        (external links are not followed: data could change behind the file's back).
    """
    link = file.get(key, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise UnreadableFile(
            path,
            Problem(
                f"it is an external link to {link.filename!r}",
                "Copy the data into the file (h5repack --merge, or h5copy -f ext)",
                key=key,
            ),
        )
    if link is None:
        names: list[str] = []
        file.visit(names.append)
        raise UnreadableFile(path, Problem(str(UnknownName("key", key, names)), "Rename it, or choose the layout"))
    try:
        item = file[key]
    except KeyError as error:
        raise UnreadableFile(path, Problem(f"it leads nowhere ({error})", "Mend the link", key=key)) from error
    if item.file.filename != file.filename:
        raise UnreadableFile(
            path, Problem(f"it lies in another file, {item.file.filename!r}", "Copy the data into the file", key=key)
        )
    if not isinstance(item, h5py.Dataset):
        raise UnreadableFile(path, Problem("it is a group; an array is needed", f"Its members: {', '.join(item)}", key))
    if item.external or item.is_virtual:
        raise UnreadableFile(
            path, Problem("its data lie in other files", "Copy the data into the file (h5repack)", key=key)
        )
    return item


@dataclass(frozen=True)
class Needed:
    """A dataset that a layout needs: shape without the events, None for any size; optional or not."""

    key: str
    shape: tuple[int | None, ...] = ()
    optional: bool = False


def check_datasets(path: Path, needed: Iterable[Needed]) -> int:
    """Number of events, after all datasets of a layout were looked at.

    A column of shape (N, 1) passes for (N,).

    Raises: UnreadableFile with everything that is missing, of a wrong shape or type, or of another length.
    """
    problems: list[Problem] = []
    lengths: dict[str, int] = {}
    with open_hdf5(path) as file:
        for item in needed:
            if item.optional and item.key not in file:
                continue
            try:
                found = dataset(file, item.key, path)
            except UnreadableFile as error:
                problems += error.problems
                continue
            problems += _wrong(found, item)
            lengths[item.key] = found.shape[0] if found.shape else 0
    problems += _different_lengths(lengths)
    if problems:
        raise UnreadableFile(path, *problems)
    num_events = next(iter(lengths.values()))
    if num_events == 0:
        raise UnreadableFile(path, Problem("it holds no events", "Give a file with events", next(iter(lengths))))
    return num_events


def _wrong(found: h5py.Dataset, item: Needed) -> list[Problem]:
    if not np.issubdtype(found.dtype, np.number):
        return [Problem(f"it holds {found.dtype}; numbers are needed", "Convert it to float32", item.key)]
    column = item.shape == () and len(found.shape) == 2 and found.shape[1] == 1
    sizes = found.shape[1:]
    fits = len(sizes) == len(item.shape) and all(
        want in (None, have) for want, have in zip(item.shape, sizes, strict=True)
    )
    if fits or column:
        return []
    wanted = ", ".join(["events", *("any" if size is None else str(size) for size in item.shape)])
    return [Problem(f"it has shape {found.shape}; ({wanted}) is needed", "Reshape it, or choose the layout", item.key)]


def _different_lengths(lengths: Mapping[str, int]) -> list[Problem]:
    if len(set(lengths.values())) <= 1:
        return []
    listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
    return [Problem(f"the columns differ in length: {listed}", "Each needs one row an event")]


def read_column(path: Path, key: str) -> NDArray[np.float64]:
    """A whole column as float64, shape (N,) or (N, …); (N, 1) becomes (N,).

    Raises: UnreadableFile.
    """
    with open_hdf5(path) as file:
        values: NDArray[np.float64] = dataset(file, key, path)[()].astype(np.float64)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


@dataclass(frozen=True)
class Hdf5Response:
    """Reads rows of a dataset as float32, flattened to (n, V), times ``scale``.

    With ``threshold``, values below it (after scaling) are set to zero.
    """

    path: Path
    key: str
    scale: float = 1.0
    threshold: float = 0.0

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        with open_hdf5(self.path) as file:
            values = dataset(file, self.key, self.path)[start:stop]
        response: NDArray[np.float32] = values.reshape(len(values), -1).astype(np.float32, copy=False)
        self.adjust(response)
        return response

    def adjust(self, response: NDArray[np.float32]) -> None:
        """Scale and threshold values as they were stored, in place."""
        if self.scale != 1.0:
            response *= np.float32(self.scale)
        if self.threshold > 0.0:
            response[response < np.float32(self.threshold)] = 0.0


def chunk_rows(path: Path, key: str) -> int:
    """Events that one chunk of a dataset holds; 1000 where it is not chunked."""
    with open_hdf5(path) as file:
        chunks = dataset(file, key, path).chunks
    return 1000 if chunks is None else int(chunks[0])
