"""Making a file of simulated events: in blocks, in parallel, and so that a killed run loses no finished block.

Events are divided into blocks of a fixed size. Each block has random streams of its own, derived from the seed and its
number, and is simulated by a fresh process (Geant4 is one run manager a process, and remembers). So a file is the same,
bit for bit on one kind of machine, whatever the number of processes and whatever was interrupted.

Finished blocks lie in ``OUT.parts/`` until all are there; then they are merged under a temporary name, and renamed.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import IntEnum
from multiprocessing import connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from data_adapters.hdf5 import open_hdf5
from data_adapters.options import NoOptions
from data_adapters.simulators.component import InvalidRequest, Request
from data_adapters.unfinished import unfinished

Columns = dict[str, NDArray[Any]]
EventDone = Callable[[], None]

LARGEST_GEANT4_SEED = 2**31 - 2
POLL_SECONDS = 0.5
LOG_LINES = 12  # of a failed block, shown in the error


class OutputExists(ValueError):
    """The file is there already."""


class OtherParts(ValueError):
    """The folder of parts belongs to another request, or to another process."""


class FailedBlock(ValueError):
    """A block could not be simulated; those that are finished are kept."""


class Stream(IntEnum):
    """What random numbers are for: a twin shares no stream with the sample that it is the twin of."""

    CONDITIONS = 0
    PHYSICS = 1
    TWIN_CONDITIONS = 2
    TWIN_PHYSICS = 3


@dataclass(frozen=True, eq=False)
class Block:
    """What a process simulates.

    Attributes:
        first: Number of its first event in the file.
        twin: Whether it belongs to a twin.
        options: Those of the simulator, a frozen dataclass.
        given: The conditions of its events, where they are prescribed; each of shape (events, …).
    """

    number: int
    first: int
    events: int
    seed: int
    twin: bool
    options: Any
    given: Columns | None

    def random(self) -> np.random.Generator:
        """For everything that is drawn outside Geant4."""
        return stream(self.seed, self.number, Stream.TWIN_CONDITIONS if self.twin else Stream.CONDITIONS)

    def geant4_seeds(self) -> tuple[int, int]:
        """Each from 1 to 2³¹ − 2."""
        generator = stream(self.seed, self.number, Stream.TWIN_PHYSICS if self.twin else Stream.PHYSICS)
        first, second = generator.integers(1, LARGEST_GEANT4_SEED, 2, endpoint=True)
        return int(first), int(second)


@dataclass(frozen=True)
class Recipe:
    """How a simulator makes a file.

    Attributes:
        version: Another one when the same seed gives other events.
        counted: What an event is, in the plural, for the progress bar.
        simulate: A function of a module (processes find it by its name) that simulates a block, calls its second
            argument after each event, and returns columns, each with one row a row of the file.
        write: Merges all blocks into a file of the given name, and returns the number of events in it.
    """

    name: str
    version: int
    counted: str
    events_per_block: int
    simulate: Callable[[Block, EventDone], Columns]
    write: Callable[[Parts, Path], int]


class Parts:
    """The finished blocks of a production, in their order."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __iter__(self) -> Iterator[Columns]:
        for path in self._paths:
            with open_hdf5(path) as file:
                yield {key: item[()] for key, item in file.items()}

    def column(self, key: str) -> NDArray[Any]:
        """One column of all blocks. To be used with columns that fit into memory."""
        values = []
        for path in self._paths:
            with open_hdf5(path) as file:
                values.append(file[key][()])
        return np.concatenate(values)


def stream(seed: int, block: int, purpose: Stream) -> np.random.Generator:
    """Random numbers that no other block, seed or purpose has."""
    return np.random.default_rng(np.random.SeedSequence((seed, block, int(purpose))))


def evenly(event_done: EventDone, events: int, calls: int) -> Callable[[], None]:
    """A function that reports so many events as done, evenly over so many calls of it."""
    numbers = itertools.count(1)

    def part_done() -> None:
        number = next(numbers)
        for _ in range(number * events // calls - (number - 1) * events // calls):
            event_done()

    return part_done


def produce(
    recipe: Recipe, request: Request, options: Any = None, events: int | None = None, given: Columns | None = None
) -> int:
    """Write ``request.out``; returns the number of events in it.

    Args:
        options: Of the simulator, a frozen dataclass.
        events: How many to simulate; None for ``request.events``.
        given: Conditions that are prescribed, each of shape (events, …).
    Raises: OutputExists, OtherParts, FailedBlock, InvalidRequest; what is finished is kept in ``OUT.parts/``.
    """
    options = NoOptions() if options is None else options
    events = request.events if events is None else events
    check_output(request)
    identity = identity_of(recipe, request, options, events)
    blocks = divide(recipe, request, options, events, given)
    with _locked_folder(parts_folder(request.out)) as folder:
        jobs = [_Job(recipe.simulate, block, folder / f"block-{block.number:06d}.h5", identity) for block in blocks]
        _simulate_all([job for job in jobs if not _is_finished(job)], recipe, events, request.processes)
        return _merge(recipe, Parts([job.path for job in jobs]), request)


def check_output(request: Request) -> None:
    """Raises: OutputExists if the file is there and may not be replaced; InvalidRequest if it is the twin's model."""
    out = request.out
    if request.twin_of is not None and out.resolve() == request.twin_of.resolve():
        raise InvalidRequest(f"{out} would replace the file of which it is the twin: choose another name")
    if out.is_dir():
        raise OutputExists(f"{out} is a folder: give the name of a file")
    if out.exists() and not request.force:
        raise OutputExists(f"{out} exists: choose another name, or replace it with --force")


def check_suffix(out: Path, *suffixes: str) -> None:
    """Raises: InvalidRequest if the name of the file ends otherwise."""
    if out.suffix not in suffixes:
        raise InvalidRequest(f"{out} ends with {out.suffix!r}; this simulator writes {' or '.join(suffixes)}")


def parts_folder(out: Path) -> Path:
    """Where finished blocks lie until all are there."""
    return out.with_name(f"{out.name}.parts")


def divide(recipe: Recipe, request: Request, options: Any, events: int, given: Columns | None) -> list[Block]:
    """The blocks of a production."""
    blocks = []
    for number, first in enumerate(range(0, events, recipe.events_per_block)):
        size = min(recipe.events_per_block, events - first)
        rows = None if given is None else {key: values[first : first + size] for key, values in given.items()}
        twin = request.twin_of is not None
        blocks.append(Block(number, first, size, request.seed, twin, options, rows))
    return blocks


def identity_of(recipe: Recipe, request: Request, options: Any, events: int) -> dict[str, object]:
    """What must be the same for parts to be taken up again: everything but processes and force."""
    twin_of = None if request.twin_of is None else sha256_of(request.twin_of)
    identity: dict[str, object] = {
        "simulator": recipe.name,
        "version": recipe.version,
        "events": events,
        "seed": request.seed,
        "twin_of": twin_of,
        **{f"option {name}": value for name, value in asdict(options).items()},
    }
    return dict(json.loads(json.dumps(identity)))  # as it comes back from a part


def sha256_of(path: Path) -> str:
    """Raises: InvalidRequest if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror}): check the path") from error


# ------------------------------------------------------------------ parts


@contextmanager
def _locked_folder(folder: Path) -> Iterator[Path]:
    """The folder of parts, ours alone; it goes when all went well."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OtherParts(f"another process is at work in {folder}: wait for it, or choose another name") from None
        yield folder
        shutil.rmtree(folder)


def _is_finished(job: _Job) -> bool:
    """Raises: OtherParts if the part is one of another request; UnreadableFile if it is damaged."""
    if not job.path.exists():
        return False
    with open_hdf5(job.path) as file:
        found, wanted = json.loads(file.attrs["request"]), job.identity
    differing = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if differing:
        listed = ", ".join(f"{name} {found.get(name)} and not {wanted.get(name)}" for name in differing)
        raise OtherParts(
            f"{job.path.parent} holds parts of another request ({listed}): finish that one, choose another name, or "
            "delete the folder"
        )
    return True


def _write_part(path: Path, columns: Columns, identity: Mapping[str, object]) -> None:
    with unfinished(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["request"] = json.dumps(identity)
        for key, values in columns.items():
            file.create_dataset(key, data=values, compression="gzip", compression_opts=1, shuffle=True)


def _merge(recipe: Recipe, parts: Parts, request: Request) -> int:
    with unfinished(request.out) as temporary:
        num_events = recipe.write(parts, temporary)
        check_output(request)  # it may have appeared meanwhile
    return num_events


# ------------------------------------------------------------------ processes


@dataclass(frozen=True, eq=False)
class _Job:
    """A block that is to be simulated, and where it goes."""

    simulate: Callable[[Block, EventDone], Columns]
    block: Block
    path: Path
    identity: Mapping[str, object]

    @property
    def log(self) -> Path:
        return self.path.with_suffix(".log")


def _run(job: _Job, done: Any) -> None:
    """Runs in a process of its own, whose output (Geant4 talks) goes to a file."""
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for output in (1, 2):
        os.dup2(log, output)

    def event_done() -> None:
        with done.get_lock():
            done.value += 1

    _write_part(job.path, job.simulate(job.block, event_done), job.identity)
    job.log.unlink(missing_ok=True)


def _simulate_all(jobs: list[_Job], recipe: Recipe, events: int, processes: int) -> None:
    """Raises: FailedBlock as soon as one fails; the others that are running are stopped."""
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    done = context.Value("q", 0)
    waiting, running = jobs[::-1], dict[Any, _Job]()
    before = events - sum(job.block.events for job in jobs)
    try:
        with _progress(recipe.counted) as progress:
            bar = progress.add_task(recipe.name, total=events, completed=before, before=before, since=time.monotonic())
            while waiting or running:
                while waiting and len(running) < processes:
                    process = context.Process(target=_run, args=(waiting[-1], done))
                    process.start()
                    running[process] = waiting.pop()
                connection.wait([process.sentinel for process in running], POLL_SECONDS)
                progress.update(bar, completed=before + done.value)
                for process in [process for process in running if process.exitcode is not None]:
                    _check(process.exitcode, running.pop(process))
    finally:
        for process in running:
            process.terminate()
            process.join()


def _check(exit_code: int, job: _Job) -> None:
    """Raises: FailedBlock unless the block is there."""
    if exit_code == 0:
        return
    said = job.log.read_text(errors="replace").splitlines()[-LOG_LINES:] if job.log.exists() else []
    reason = said[-1] if exit_code == 1 and said else f"its process ended with {exit_code} (out of memory?)"
    raise FailedBlock(
        f"block {job.block.number} could not be simulated: {reason}. Finished blocks are kept: the same command goes "
        f"on from there. The process said last ({job.log}):" + "".join(f"\n  {line}" for line in said)
    )


class _Rate(ProgressColumn):
    def __init__(self, counted: str) -> None:
        super().__init__()
        self._counted = counted

    def render(self, task: Task) -> Text:
        rate = (task.completed - task.fields["before"]) / max(time.monotonic() - task.fields["since"], 1e-3)
        return Text(f"{rate:.3g} {self._counted}/s")


def _progress(counted: str) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(counted),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
