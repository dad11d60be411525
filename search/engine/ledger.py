"""The ledger: one line for each start and each end of a trial, appended and synced to disk.

It is the only truth from which a search resumes. Nothing in it is ever changed, so that a process
killed at any moment loses at most the line that it was writing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Status = Literal["completed", "pruned", "diverged", "out_of_memory", "failed", "preempted"]
SCORED: tuple[Status, ...] = ("completed", "pruned", "preempted")


@dataclass(frozen=True)
class TrialStart:
    """What a trial needs to be run again: its number, configuration and seed."""

    number: int
    config: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ended.

    Attributes:
        score, score_error: Validation score of the best checkpoint; None where none was reached.
        objective: Lowest running median of the objective on validation (of the score, where there are several
            objectives); what trials are ordered by, and what the sampler learns from where there is one objective.
        values: Running median of every objective where that one is lowest; what the sampler learns from where there
            are several. Empty without an evaluation.
        history: (epoch, running median) of every evaluation; what the pruner learns from.
    """

    number: int
    status: Status
    epochs: int
    seconds: float
    score: float | None = None
    score_error: float | None = None
    objective: float | None = None
    best_epoch: int | None = None
    components: dict[str, float] = field(default_factory=dict)
    history: list[tuple[int, float]] = field(default_factory=list)
    detail: str = ""
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A start and, once it is there, its end."""

    start: TrialStart
    end: TrialEnd | None

    @property
    def number(self) -> int:
        return self.start.number


class DamagedLedger(ValueError):
    """A line in the middle of a ledger that no search wrote."""


class Ledger:
    """Starts and ends of the trials of one study, in a JSON-lines file. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = threading.RLock()
        self._trials: dict[int, Trial] = {}
        if path.exists():
            drop_torn_line(path)
            self._read()

    @property
    def trials(self) -> list[Trial]:
        """All trials in the order of their starts, which is that of their numbers."""
        return list(self._trials.values())

    @property
    def ended(self) -> list[tuple[TrialStart, TrialEnd]]:
        return [(trial.start, trial.end) for trial in self.trials if trial.end is not None]

    @property
    def unfinished(self) -> list[TrialStart]:
        """Trials that started and have not ended: a search that was killed left them behind.

        Trials that were stopped by the end of the time budget go on as well.
        """
        return [trial.start for trial in self.trials if trial.end is None or trial.end.status == "preempted"]

    @property
    def next_number(self) -> int:
        return next(reversed(self._trials), -1) + 1

    def __getitem__(self, number: int) -> Trial:
        return self._trials[number]

    def record_start(self, start: TrialStart) -> None:
        with self._writing:
            if start.number in self._trials:
                return  # taken up again after an interruption
            self._append({"event": "start", **asdict(start)})
            self._trials[start.number] = Trial(start, None)

    def record_end(self, end: TrialEnd) -> None:
        """Raises: ValueError if the trial never started, or has ended before."""
        with self._writing:
            trial = self._trials.get(end.number)
            if trial is None or (trial.end is not None and trial.end.status != "preempted"):
                raise ValueError(f"trial {end.number} {'has not started' if trial is None else 'has ended before'}")
            self._append({"event": "end", **asdict(end)})
            self._trials[end.number] = Trial(trial.start, end)

    def _append(self, line: dict[str, Any]) -> None:
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        with self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        for position, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                self._take(json.loads(line))
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise DamagedLedger(
                    f"{self.path}, line {position}: not a line of a ledger ({error}). Restore the file from a copy, "
                    "or start a new search"
                ) from error

    def _take(self, line: dict[str, Any]) -> None:
        event = line.pop("event")
        if event == "start":
            start = TrialStart(**line)
            self._trials[start.number] = Trial(start, None)
            return
        line["history"] = [(int(epoch), float(median)) for epoch, median in line["history"]]
        end = TrialEnd(**line)
        self._trials[end.number] = Trial(self._trials[end.number].start, end)


def ledger_as_it_is(path: Path) -> Ledger:
    """A ledger to look at, of a search that may be writing it; empty where there is none.

    From a copy: reading a ledger drops a line that is half written.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if path.exists():
            shutil.copyfile(path, copy)
        return Ledger(copy)


def drop_torn_line(path: Path) -> None:
    """Cut off what a killed process left half written."""
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
