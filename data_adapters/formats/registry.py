"""Every kind of file that can be described."""

from __future__ import annotations

from pathlib import Path

from data_adapters.formats.component import ArrayFile, FileFormat
from data_adapters.formats.csv_arrays import CSV
from data_adapters.formats.hdf5_arrays import HDF5
from data_adapters.formats.npz_arrays import NPZ
from data_adapters.formats.root_arrays import ROOT
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import Registry

FORMATS: Registry[FileFormat] = Registry("format", HDF5, NPZ, ROOT, CSV)


def format_of(path: Path) -> FileFormat:
    """The kind of a file, from its suffix.

    Raises: UnreadableFile for a suffix that is none of ours.
    """
    for kind in FORMATS.values():
        if path.suffix.lower() in kind.suffixes:
            return kind
    suffixes = ", ".join(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
    raise UnreadableFile(
        path, Problem(f"its suffix is {path.suffix!r}", f"Files of arrays are called {suffixes}: rename or convert it")
    )


def open_arrays(path: Path) -> ArrayFile:
    """The arrays of a file.

    Raises: UnreadableFile if it is missing, damaged, or of no known kind.
    """
    kind = format_of(path)
    if not path.is_file():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path"))
    return kind.open(path)
