"""What every adapter states about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_adapters.detector import Detector
from data_adapters.options import NoOptions
from data_adapters.source import EventSource


@dataclass(frozen=True)
class Adapter:
    """A file layout.

    Attributes:
        layout: The exact keys, shapes and units, in a few lines.
        suffixes: Of the files, with the dot.
        recognises: Whether a readable file seems to be of this layout, from its keys alone.
        open: Path and options (an instance of ``options_class``) to a source. Raises UnreadableFile.
        options_class: A frozen dataclass (see ``data_adapters.options``) with what a file does not say itself.
        write: Write a source to a path that does not exist yet, in bounded memory; None where the layout is
            only read.
        accepts: Why a detector cannot be written in this layout; None if it can.
        source: Where the layout was published.
    """

    name: str
    title: str
    layout: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Path], bool]
    open: Callable[[Path, Any], EventSource]
    source: str
    options_class: type = NoOptions
    write: Callable[[EventSource, Path], None] | None = None
    accepts: Callable[[Detector], str | None] = lambda _detector: None
