"""Every file layout that can be read, and the way from a path to events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from data_adapters.adapter import Adapter
from data_adapters.description import SUFFIX, Description, NamedLayout, description_beside, read_description
from data_adapters.formats.registry import FORMATS, open_arrays
from data_adapters.layouts.airshower import AIRSHOWER_ARRAY, AIRSHOWER_PATTERN
from data_adapters.layouts.airshower_refinement import AIRSHOWER_REFINEMENT
from data_adapters.layouts.alice_hdf5 import ALICE_HDF5
from data_adapters.layouts.alice_root import ALICE_ROOT
from data_adapters.layouts.arena_hdf5 import ARENA_HDF5
from data_adapters.layouts.arena_root import ARENA_ROOT
from data_adapters.layouts.atlas_csv import ATLAS_CSV
from data_adapters.layouts.atlas_hdf5 import ATLAS_HDF5
from data_adapters.layouts.calochallenge import CALOCHALLENGE
from data_adapters.layouts.clic_3dgan import CLIC_3DGAN, CLIC_3DGAN_FIXED
from data_adapters.layouts.described import DESCRIBED, open_described
from data_adapters.layouts.lhcb_events import LHCB_EVENTS
from data_adapters.layouts.lhcb_tracks import LHCB_TRACKS
from data_adapters.options import InvalidOption, NoOptions, parse_options
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import Registry, UnknownName
from data_adapters.source import EventSource, join

# In this order a file is tried: the layouts with more keys come first.
ADAPTERS: Registry[Adapter] = Registry(
    "layout",
    ATLAS_HDF5,
    CLIC_3DGAN,
    CLIC_3DGAN_FIXED,
    ARENA_HDF5,
    ARENA_ROOT,
    ATLAS_CSV,
    CALOCHALLENGE,
    LHCB_TRACKS,
    LHCB_EVENTS,
    ALICE_HDF5,
    ALICE_ROOT,
    AIRSHOWER_REFINEMENT,
    AIRSHOWER_ARRAY,
    AIRSHOWER_PATTERN,
    DESCRIBED,
)


def open_events(path: Path, layout: str | None = None, options: Mapping[str, object] | None = None) -> EventSource:
    """Open a file, a folder of files of one kind, or a description (TOML).

    Args:
        layout: Name of an adapter; by default it is the description beside the file (same name, ``.toml``), else what
            the keys of the file tell.
        options: Of the adapter; they go before those of a description.
    Raises: UnreadableFile; UnknownName for a layout or an option that does not exist; InvalidOption.
    """
    if not path.exists():
        raise UnreadableFile(path, Problem("there is no such file", "Check the path"))
    description = _description_of(path) if layout in (None, DESCRIBED.name) else None
    if description is not None:
        return _open_description(description, options or {})
    if path.is_dir():
        return _open_folder(path, layout, options)
    adapter = ADAPTERS[layout] if layout else recognise(path)
    return adapter.open(path, parse_options(adapter.options_class, options or {}))


def _description_of(path: Path) -> Description | NamedLayout | None:
    """What a description says of a file; None if there is none, or the one beside it is of another file."""
    if path.suffix.lower() == SUFFIX and path.is_file():
        return read_description(path)
    beside = description_beside(path)
    if beside is None:
        return None
    description = read_description(beside, path)
    return description if description.file.resolve() == path.resolve() else None


def _open_description(description: Description | NamedLayout, options: Mapping[str, object]) -> EventSource:
    if isinstance(description, NamedLayout):
        _check_named(description)
        return open_events(description.file, description.layout, {**description.options, **options})
    parse_options(NoOptions, options)
    if not description.file.is_dir():
        return open_described(description)
    files = _files_of(description.file)
    return join([open_described(description, file) for file in files], description.file)


def _check_named(description: NamedLayout) -> None:
    key = "layout"
    try:
        adapter = ADAPTERS[description.layout]
        key = "options"
        parse_options(adapter.options_class, description.options)
    except (UnknownName, InvalidOption) as error:
        raise UnreadableFile(description.path, Problem(str(error), "Mend it", key)) from error


def recognise(path: Path) -> Adapter:
    """The adapter whose layout a file has.

    Raises: UnreadableFile if none fits; it says what is missing from the layout that shares most keys with the file.
    """
    for adapter in ADAPTERS.values():
        if path.suffix.lower() in adapter.suffixes and adapter.recognises(path):
            return adapter
    unknown = Problem(
        "its layout is none that is known",
        f"Name it (--layout {', '.join(ADAPTERS)}), or describe the file: arena data describe {path.name}",
    )
    raise UnreadableFile(path, unknown, *_nearly(path))


def _nearly(path: Path) -> list[Problem]:
    """What keeps a file from the layout whose keys it has most of; nothing where it has none of any."""
    keys = {part for key in open_arrays(path).keys() for part in key.split("/")}  # noqa: SIM118
    shared = {
        adapter: len(keys & set(re.findall(r"\w+", adapter.layout)))
        for adapter in ADAPTERS.values()
        if path.suffix.lower() in adapter.suffixes
    }
    nearest = max(shared, key=lambda adapter: shared[adapter], default=None)
    if nearest is None or shared[nearest] == 0:
        return []
    try:
        nearest.open(path, nearest.options_class())
    except UnreadableFile as error:
        return [replace(problem, what=f"as {nearest.name}: {problem.what}") for problem in error.problems]
    return []


def _open_folder(path: Path, layout: str | None, options: Mapping[str, object] | None) -> EventSource:
    return join([open_events(file, layout, options) for file in _files_of(path)], path)


def _files_of(folder: Path) -> list[Path]:
    suffixes = {suffix for adapter in ADAPTERS.values() for suffix in adapter.suffixes}
    suffixes |= {suffix for kind in FORMATS.values() for suffix in kind.suffixes}
    suffixes.discard(SUFFIX)
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes)
    if not files:
        raise UnreadableFile(
            folder, Problem("no file in this folder can be read", f"Readable are {', '.join(sorted(suffixes))}")
        )
    return files
