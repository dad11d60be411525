"""From one file layout to another, without loss, or with every loss told."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID

from data_adapters.adapter import Adapter
from data_adapters.adapters import ADAPTERS, open_events
from data_adapters.detector import Axis, Detector
from data_adapters.source import EventSource, ReadResponse


class CannotConvert(ValueError):
    """Events that the layout asked for cannot hold, or a target that must not be written."""


@dataclass(frozen=True)
class Conversion:
    """What came of a conversion.

    Attributes:
        files: All that were written; the first holds the events.
        not_held: What the new file does not hold, or holds differently, a sentence each; empty if it is the same.
    """

    files: tuple[Path, ...]
    num_events: int
    not_held: tuple[str, ...]


def convert(
    path: Path,
    out: Path,
    layout: str,
    options: Mapping[str, object] | None = None,
    force: bool = False,
    source_layout: str | None = None,
) -> Conversion:
    """Write the events of a file (or folder) in another layout, block by block.

    The new file is written beside its place, read again, and only then put there: a conversion that fails leaves
    nothing behind.

    Args:
        layout: The layout to write.
        options: Of the layout that is read.
        force: Overwrite what is there.
        source_layout: The layout to read; by default it is recognised.
    Raises: CannotConvert if the layout cannot be written, cannot hold these events, or ``out`` is there already or has
        another suffix; UnreadableFile for what is wrong with the source; UnknownName; InvalidOption.
    """
    adapter = ADAPTERS[layout]
    _check_target(adapter, out, force)
    source = open_events(path, source_layout, options)
    if out.resolve() in {file.resolve() for file in source.files}:
        raise CannotConvert(f"{out} is the file that is read: choose another name")
    _check_accepted(adapter, source)
    with _folder_beside(out) as folder:
        written = folder / out.name
        _write(adapter, source, written)
        not_held = _differences(source, open_events(written, layout))
        files = [written, *sorted(file for file in folder.iterdir() if file != written)]
        places = _put(files, out.parent, force)
    return Conversion(places, len(source), not_held)


def write_events(source: EventSource, out: Path, layout: str, *, force: bool = False) -> tuple[Path, ...]:
    """Write events that need not come from a file, block by block; what fails leaves nothing behind.

    Returns: All files that were written; the first holds the events.
    Raises: CannotConvert as ``convert``; whatever reading raises.
    """
    adapter = ADAPTERS[layout]
    _check_target(adapter, out, force)
    _check_accepted(adapter, source)
    with _folder_beside(out) as folder:
        written = folder / out.name
        _write(adapter, source, written)
        files = [written, *sorted(file for file in folder.iterdir() if file != written)]
        return _put(files, out.parent, force)


def _check_accepted(adapter: Adapter, source: EventSource) -> None:
    reason = adapter.accepts(source.detector)
    if reason is not None:
        raise CannotConvert(
            f"{source.path} cannot be written as {adapter.name}: {reason}. {_alternatives(source.detector)}"
        )


def _check_target(adapter: Adapter, out: Path, force: bool) -> None:
    if adapter.write is None:
        can = ", ".join(name for name, other in ADAPTERS.items() if other.write is not None)
        raise CannotConvert(f"the layout {adapter.name} is only read; those that can be written are {can}")
    if out.suffix.lower() not in adapter.suffixes:
        raise CannotConvert(f"{out}: files of the layout {adapter.name} end in {' or '.join(adapter.suffixes)}")
    if not out.parent.is_dir():
        raise CannotConvert(f"{out}: there is no folder {out.parent}; make it first")
    if out.is_dir() or (out.exists() and not force):
        raise CannotConvert(f"{out} is there already; give another name, or --force to overwrite it")


def _alternatives(detector: Detector) -> str:
    can = [name for name, other in ADAPTERS.items() if other.write is not None and other.accepts(detector) is None]
    return f"These layouts can hold it: {', '.join(can)}"


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """A folder on the same disk, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.stem}-", dir=out.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _write(adapter: Adapter, source: EventSource, path: Path) -> None:
    assert adapter.write is not None
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{source.path.name} as {adapter.name}", total=len(source))
        adapter.write(replace(source, read_response=_Counted(source.read_response, progress, task)), path)


@dataclass(frozen=True)
class _Counted:
    read: ReadResponse
    progress: Progress
    task: TaskID

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        response = self.read(start, stop)
        self.progress.advance(self.task, len(response))
        return response


def _put(files: list[Path], folder: Path, force: bool) -> tuple[Path, ...]:
    """Move finished files to their place, the one with the events last; their new paths."""
    places = tuple(folder / file.name for file in files)
    taken = [place for place in places if place.exists() and not force]
    if taken:
        raise CannotConvert(f"{taken[0]} is there already; give another name, or --force to overwrite it")
    for file, place in reversed(list(zip(files, places, strict=True))):
        file.replace(place)
    return places


def _differences(source: EventSource, written: EventSource) -> tuple[str, ...]:
    """What the events read again lack, a sentence each."""
    old, new = source.detector, written.detector
    lost = ", ".join(name for name in source.auxiliary if name not in written.auxiliary)
    compared: list[tuple[object, object, str]] = [
        (old.unit, new.unit, f"The response is in {new.unit} instead of {old.unit}, rounded to float32."),
        (_axes(old), _axes(new), f"The axes of the layers are not held; the cells lie as {_shapes(new)}."),
        (_names(old), _names(new), f"The names of the layers are not held; they read {new.layers[0].name}, …"),
        (_depths(old), _depths(new), "The depths of the layers in radiation lengths are not held."),
        (old.threshold, new.threshold, f"The threshold of {old.threshold:g} {old.unit} is not held."),
        (old.name, new.name, f"The name of the detector, {old.name}, is not held; it reads {new.name}."),
        (old.title, new.title, f"The title of the detector is not held; it reads {new.title!r}."),
        (old.conditions, new.conditions, "Names, units and bounds of the conditions are not held."),
        (lost, "", f"The auxiliary columns are not held: {lost}."),
        (
            source.identity.tolist(),
            written.identity.tolist(),
            "The identities of the events are not held: they are computed anew, so that events may fall into other "
            "splits, and twins are no longer known as such.",
        ),
    ]
    return tuple(sentence for was, now, sentence in compared if was != now)


def _axes(detector: Detector) -> list[tuple[Axis, ...]]:
    return [layer.axes for layer in detector.layers]


def _names(detector: Detector) -> list[str]:
    return [layer.name for layer in detector.layers]


def _depths(detector: Detector) -> list[float | None]:
    return [depth for layer in detector.layers if (depth := layer.depth_x0) is not None]


def _shapes(detector: Detector) -> str:
    first = detector.layers[0]
    cells = " × ".join(f"{axis.num_cells} in {axis.name}" for axis in first.axes)
    return f"{len(detector.layers)} layers, the first with {cells}"
