"""Events in files, read when they are asked for: memory holds the conditions and what was asked for, no more."""

# Axes: N events, n events that were asked for, V cells.
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.columns import impossible_values, not_whole, unit_hint
from data_adapters.detector import Detector
from data_adapters.events import (
    Events,
    allowed_values,
    concatenate,
    first_bad_cell,
)
from data_adapters.problems import Problem, UnreadableFile, has_collected, refuse_values

BLOCK_BYTES = 64 * 2**20
FLOAT32_BYTES = 4

ReadResponse = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class EventSource:
    """N events on disk.

    Attributes:
        path: The file, for messages.
        layout: Name of the adapter that opened it.
        conditions, identity, auxiliary: As in ``Events``, of all N events; they are in memory.
        read_response: ``(start, stop)`` to the response of these events, (n, V), unchecked. It opens the file
            anew, so that a source can be sent to another process and leaves nothing open.
        response_key: Where the response lies in the file, for messages.
        chunk_rows: Events that the file stores together; reading in multiples of it is fastest.
        files: All files that belong to it, its description too.
        provenance: Where the events come from, in a sentence, if no file of ours says it.
    Raises: UnreadableFile if conditions do not fit the detector, or there are no events.
    """

    path: Path
    layout: str
    detector: Detector
    conditions: Mapping[str, NDArray[np.float64]]
    identity: NDArray[np.uint64]
    read_response: ReadResponse = field(repr=False)
    response_key: str
    auxiliary: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    chunk_rows: int = 1000
    files: tuple[Path, ...] = ()
    provenance: str = ""

    def __post_init__(self) -> None:
        if len(self) == 0:
            raise UnreadableFile(self.path, Problem("it holds no events", "Give a file with events"))
        if not has_collected():
            refuse_values(self.path, self._impossible_conditions())
        object.__setattr__(self, "files", self.files or (self.path,))

    def __len__(self) -> int:
        return len(self.identity)

    def _impossible_conditions(self) -> list[Problem]:
        problems: list[Problem] = []
        for condition in self.detector.conditions:
            values = self.conditions[condition.name]
            number = np.repeat(np.arange(len(self)), math.prod(condition.shape))
            mend = unit_hint(values, condition) or "Remove these events, or choose the layout"
            problems += impossible_values(values.ravel(), condition, condition.name, mend, number)
            if condition.categories is not None:
                problems += not_whole(values.ravel(), 0, condition.categories - 1, condition.name, mend, number)
        return problems

    @property
    def nbytes(self) -> int:
        """Memory that all responses would take as float32."""
        return len(self) * self.detector.num_cells * FLOAT32_BYTES

    @property
    def block_rows(self) -> int:
        """Events of one read: about 64 MiB, in whole chunks of the file."""
        rows = max(1, BLOCK_BYTES // (self.detector.num_cells * FLOAT32_BYTES))
        return max(1, rows // self.chunk_rows) * self.chunk_rows if rows >= self.chunk_rows else rows

    def read(self, start: int = 0, stop: int | None = None) -> Events:
        """The events from ``start`` up to ``stop`` (the end by default).

        Raises: UnreadableFile, naming file, key and event, for values that no detector produces.
        """
        stop = len(self) if stop is None else min(stop, len(self))
        response = self.read_response(start, stop)
        bad = first_bad_cell(response, self.detector)
        if bad is not None:
            raise UnreadableFile(self.path, self.bad_cell_problem(response, start, bad))
        return self._events(slice(start, stop), response)

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Events:
        """The events of a mask (N,) or of a list of indices, in that order; reads block by block.

        Raises: UnreadableFile as ``read``; ValueError for an empty selection.
        """
        rows = np.flatnonzero(which) if which.dtype == bool else np.asarray(which, dtype=np.intp)
        if len(rows) == 0:
            raise ValueError(f"{self.path}: no events were asked for; ask for at least one")
        order = np.argsort(rows, kind="stable")
        parts = [self.read(start, stop).select(inside - start) for start, stop, inside in self._spans(rows[order])]
        together = parts[0] if len(parts) == 1 else concatenate(parts)
        inverse = np.empty(len(rows), dtype=np.intp)
        inverse[order] = np.arange(len(rows))
        return together if np.array_equal(inverse, np.arange(len(rows))) else together.select(inverse)

    def blocks(self) -> Iterator[tuple[int, Events]]:
        """All events, block by block: number of the first event, events.

        Raises: UnreadableFile as ``read``.
        """
        for start in range(0, len(self), self.block_rows):
            yield start, self.read(start, start + self.block_rows)

    def bad_cell_problem(self, response: NDArray[np.float32], start: int, bad: tuple[int, int]) -> Problem:
        """The problem of an impossible value; ``bad`` is event and cell within a response that starts at ``start``."""
        return Problem(
            f"cell {bad[1]} holds {response[bad]} {self.detector.unit}; {allowed_values(self.detector)}",
            "Remove this event from the file, or simulate it again",
            key=self.response_key,
            event=start + bad[0],
        )

    def _spans(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, int, NDArray[np.intp]]]:
        """Blocks of the file that hold sorted rows: first row to read, end, the rows inside."""
        block = rows // self.block_rows
        for inside in np.split(rows, np.flatnonzero(np.diff(block)) + 1):
            yield int(inside[0]), int(inside[-1]) + 1, inside

    def _events(self, which: slice, response: NDArray[np.float32]) -> Events:
        return Events(
            self.detector,
            {name: values[which] for name, values in self.conditions.items()},
            response,
            self.identity[which],
            {name: values[which] for name, values in self.auxiliary.items()},
        )


def join(sources: Sequence[EventSource], path: Path) -> EventSource:
    """Several files as one; ``path`` is what messages call them.

    Raises: UnreadableFile if they are not of one detector and one layout.
    """
    first = sources[0]
    for source in sources[1:]:
        if source.detector != first.detector or source.layout != first.layout:
            raise UnreadableFile(
                source.path,
                Problem(
                    f"it holds {source.detector.name} ({source.layout}); {first.path.name} beside it holds "
                    f"{first.detector.name} ({first.layout})",
                    "Keep files of one kind in a folder",
                ),
            )
    ends = np.cumsum([len(source) for source in sources])
    return replace(
        first,
        path=path,
        conditions={name: np.concatenate([s.conditions[name] for s in sources]) for name in first.conditions},
        identity=np.concatenate([source.identity for source in sources]),
        auxiliary={name: np.concatenate([s.auxiliary[name] for s in sources]) for name in first.auxiliary},
        read_response=JoinedResponse(
            tuple(source.path for source in sources),
            tuple(source.read_response for source in sources),
            tuple(ends.tolist()),
        ),
        files=tuple(dict.fromkeys(file for source in sources for file in source.files)),
    )


@dataclass(frozen=True)
class JoinedResponse:
    """Reads rows across several files, whose events end at ``ends``."""

    paths: tuple[Path, ...]
    parts: tuple[ReadResponse, ...]
    ends: tuple[int, ...]

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        pieces = []
        begin = 0
        for read, end in zip(self.parts, self.ends, strict=True):
            if begin < stop and start < end:
                pieces.append(read(max(start, begin) - begin, min(stop, end) - begin))
            begin = end
        return np.concatenate(pieces)
