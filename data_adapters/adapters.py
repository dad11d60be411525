"""Every file layout that can be read, and the way from a path to events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_adapters.adapter import Adapter
from data_adapters.layouts.atlas_hdf5 import ATLAS_HDF5
from data_adapters.options import parse_options
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import Registry
from data_adapters.source import EventSource, join

# In this order a file is tried: the layouts with more keys come first.
ADAPTERS: Registry[Adapter] = Registry(
    "layout",
    ATLAS_HDF5,
)


def open_events(path: Path, layout: str | None = None, options: Mapping[str, object] | None = None) -> EventSource:
    """Open a file, a folder of files of one kind, or a description (TOML).

    Args:
        layout: Name of an adapter; by default it is the description beside the file (same name, ``.toml``), else what
            the keys of the file tell.
        options: Of the adapter.
    Raises: UnreadableFile; UnknownName for a layout or an option that does not exist; InvalidOption.
    """
    if path.is_dir():
        return _open_folder(path, layout, options)
    if not path.is_file():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path"))
    adapter = ADAPTERS[layout] if layout else recognise(path)
    return adapter.open(path, parse_options(adapter.options_class, options or {}))


def recognise(path: Path) -> Adapter:
    """The adapter whose layout a file has.

    Raises: UnreadableFile if none fits.
    """
    for adapter in ADAPTERS.values():
        if path.suffix.lower() in adapter.suffixes and adapter.recognises(path):
            return adapter
    raise UnreadableFile(
        path,
        Problem(
            "its layout is none that is known",
            f"Name it (--layout {', '.join(ADAPTERS)}), or describe the file: arena data describe {path.name}",
        ),
    )


def _open_folder(path: Path, layout: str | None, options: Mapping[str, object] | None) -> EventSource:
    suffixes = {suffix for adapter in ADAPTERS.values() for suffix in adapter.suffixes} - {".toml"}
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes)
    if not files:
        raise UnreadableFile(
            path, Problem("no file in this folder can be read", f"Readable are {', '.join(sorted(suffixes))}")
        )
    return join([open_events(file, layout, options) for file in files], path)
