"""A sample at the conditions of a reference, read block by block: files may be larger than memory."""

# Axes: N reference events, n events of a block, M events of the file, V cells.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from data_adapters.source import EventSource
from metrics.matching import Pairing, pair
from metrics.observables import CELLS_AT_A_TIME


@dataclass(frozen=True)
class PairedSample:
    """One event of a file for each reference event, as if simulated at its conditions.

    Attributes:
        reference: Of which only conditions, identities and further columns are looked at.
        source: Where the responses are read from, M ≥ N events.
        pairing: Which of them stand for the reference events.
    """

    reference: EventSource
    source: EventSource
    pairing: Pairing

    @classmethod
    def of(cls, reference: EventSource, other: EventSource) -> PairedSample:
        """Events of ``other``, paired by ``metrics.matching.pair``.

        Raises: InvalidEvents as ``pair``.
        """
        return cls(reference, other, pair(reference, other))

    @classmethod
    def itself(cls, reference: EventSource) -> PairedSample:
        """The reference events."""
        return cls(reference, reference, Pairing(np.arange(len(reference))))

    @classmethod
    def in_memory(cls, reference: Events, response: NDArray[np.float32]) -> PairedSample:
        """A response of shape (N, V) at the conditions of the reference, event by event.

        Raises: InvalidEvents for a response that cannot be of these events.
        """
        generated = in_memory(reference.with_response(response))
        return cls(in_memory(reference), generated, Pairing(np.arange(len(reference))))

    def __len__(self) -> int:
        return len(self.reference)

    def blocks(self) -> Iterator[tuple[NDArray[np.intp], Events]]:
        """All events once, in the order of their file: numbers of the reference events, shape (n,), and events.

        Blocks are those in which observables are computed, so that the numbers are the same as in memory.

        Raises: UnreadableFile as ``EventSource.read``.
        """
        number = np.full(len(self.source), -1, dtype=np.intp)
        number[self.pairing.rows] = np.arange(len(self))
        for start in range(0, len(self.source), self._events_at_a_time):
            which = number[start : start + self._events_at_a_time]
            used = which >= 0
            if used.any():
                response = self.source.read(start, start + len(which)).response
                yield which[used], self._events(which[used], response if used.all() else response[used])

    def select(self, which: NDArray[np.intp]) -> Events:
        """The events that stand for these reference events, shape (n,), in that order.

        Raises: UnreadableFile as ``EventSource.read``.
        """
        rows = self.pairing.rows[which]
        response = np.empty((len(which), self.source.detector.num_cells), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        block = rows[order] // self._events_at_a_time
        for places in np.split(order, np.flatnonzero(np.diff(block)) + 1):
            start, stop = int(rows[places[0]]), int(rows[places[-1]]) + 1
            response[places] = self.source.read(start, stop).response[rows[places] - start]
        return self._events(which, response)

    @property
    def _events_at_a_time(self) -> int:
        return max(1, CELLS_AT_A_TIME // self.source.detector.num_cells)

    def _events(self, which: NDArray[np.intp], response: NDArray[np.float32]) -> Events:
        reference = self.reference
        return Events(
            reference.detector,
            {name: values[which] for name, values in reference.conditions.items()},
            self.pairing.scaled(response, which),
            reference.identity[which],
            {name: values[which] for name, values in reference.auxiliary.items()},
        )


def in_memory(events: Events) -> EventSource:
    """Events in memory as what is read from a file."""
    return EventSource(
        path=Path("events in memory"),
        layout="memory",
        detector=events.detector,
        conditions=events.conditions,
        identity=events.identity,
        read_response=lambda start, stop: events.response[start:stop],
        response_key="response",
        auxiliary=events.auxiliary,
    )
