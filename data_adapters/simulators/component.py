"""What every reference simulation registers: a name, and a function that makes a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Needs = Literal["nothing", "refsim"]


class InvalidRequest(ValueError):
    """A simulation that cannot be made as it was asked for."""


@dataclass(frozen=True)
class Request:
    """One file to be simulated.

    Attributes:
        events: How many: showers, or collisions where these are simulated. Of a twin, the first so many of the file
            it is made of; 0 for all of them.
        out: The file; it is complete or not there.
        seed: Of all random numbers; the same seed gives the same events, whatever the number of processes.
        processes: At work at the same time.
        twin_of: A file whose very particles are simulated again, in its order, with other random numbers.
        force: Replace ``out`` if it exists.
        options: Of the simulator, by name.
    Raises: InvalidRequest for numbers that make no sense.
    """

    events: int
    out: Path
    seed: int = 1
    processes: int = 1
    twin_of: Path | None = None
    force: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.events < 0 or (self.events == 0 and self.twin_of is None):
            raise InvalidRequest(f"{self.events} events were asked for; give 1 or more")
        if self.seed < 0:
            raise InvalidRequest(f"the seed is {self.seed}; give 0 or more")
        if self.processes < 1:
            raise InvalidRequest(f"{self.processes} processes were asked for; give 1 or more")


@dataclass(frozen=True)
class Simulator:
    """A reference simulation.

    Attributes:
        suffix: Of the files it writes (".h5" or ".root").
        needs: "refsim" for the simulators of the optional extra of that name.
        make: Writes ``request.out`` and returns the number of events in it. Raises ValueError and its children.
        provenance: What is simplified, in a sentence or two.
    """

    name: str
    title: str
    suffix: str
    needs: Needs
    make: Callable[[Request], int]
    provenance: str
