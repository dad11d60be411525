"""How often a trial was begun without getting any further, so that a hopeless one is not tried for ever.

A worker that is killed leaves no word. Each attempt of a trial therefore begins with a line in its folder, and the
next one reads them: the same epoch again and again, and whether the machine ran out of memory meanwhile.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from search.engine.ledger import Status

FILE = "attempts.jsonl"
MOST_ATTEMPTS = 5
MOST_OUT_OF_MEMORY = 2


class GivenUp(RuntimeError):
    """A trial that lost its worker too often; ``status`` says how it is recorded."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class Attempt:
    """A begin of a trial.

    Attributes:
        session: Of the search; attempts of an earlier one ended with it, and do not count.
        epoch: At which it began.
        memory_kills: How often this machine had killed a process for want of memory.
    """

    session: str
    epoch: int
    host: str
    memory_kills: int


def begin_attempt(folder: Path, session: str, epoch: int) -> None:
    """Write down that a trial begins at an epoch.

    Raises: GivenUp if it began there too often.
    """
    now = Attempt(session, epoch, platform.node(), memory_kills())
    in_vain = [attempt for attempt in read_attempts(folder, session) if attempt.epoch == epoch]
    kills = sum(
        earlier.host == later.host and later.memory_kills > earlier.memory_kills
        for earlier, later in pairwise([*in_vain, now])
    )
    if kills >= MOST_OUT_OF_MEMORY:
        raise GivenUp("out_of_memory", f"its worker was killed {kills} times at epoch {epoch} for want of memory")
    if len(in_vain) >= MOST_ATTEMPTS:
        raise GivenUp("failed", f"it lost its worker {len(in_vain)} times at epoch {epoch}")
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(now)) + "\n")


def read_attempts(folder: Path, session: str) -> list[Attempt]:
    """The attempts of a trial in one session; a torn line is left out."""
    path = folder / FILE
    if not path.exists():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    attempts = [Attempt(**json.loads(line)) for line in lines]
    return [attempt for attempt in attempts if attempt.session == session]


def memory_kills() -> int:
    """Processes that the kernel has killed for want of memory: in this control group, or on this machine."""
    group = _own_group()
    for path in (Path("/sys/fs/cgroup") / group / "memory.events", Path("/proc/vmstat")):
        if path.is_file():
            counts = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return 0


def _own_group() -> str:
    path = Path("/proc/self/cgroup")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line[len("0::/") :] for line in lines if line.startswith("0::/")), "")
