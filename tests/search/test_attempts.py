"""A trial that loses its worker again and again at the same place ends; one that gets further does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from search.engine import attempts
from search.engine.attempts import MOST_ATTEMPTS, GivenUp, begin_attempt, read_attempts


def test_attempts_without_progress_are_counted(tmp_path: Path) -> None:
    for _ in range(MOST_ATTEMPTS):
        begin_attempt(tmp_path, "session", 40)
    with pytest.raises(GivenUp, match="5 times at epoch 40") as raised:
        begin_attempt(tmp_path, "session", 40)
    assert raised.value.status == "failed"


def test_progress_begins_the_count_anew(tmp_path: Path) -> None:
    for epoch in range(3 * MOST_ATTEMPTS):
        begin_attempt(tmp_path, "session", epoch)
    assert len(read_attempts(tmp_path, "session")) == 3 * MOST_ATTEMPTS


def test_a_search_that_is_resumed_begins_the_count_anew(tmp_path: Path) -> None:
    """What ended with its search did not fail."""
    for session in range(3 * MOST_ATTEMPTS):
        begin_attempt(tmp_path, str(session), 0)


def test_two_kills_for_want_of_memory_are_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kills in (7, 8):
        monkeypatch.setattr(attempts, "memory_kills", lambda kills=kills: kills)
        begin_attempt(tmp_path, "session", 0)
    monkeypatch.setattr(attempts, "memory_kills", lambda: 9)
    with pytest.raises(GivenUp, match="killed 2 times at epoch 0 for want of memory") as raised:
        begin_attempt(tmp_path, "session", 0)
    assert raised.value.status == "out_of_memory"


def test_kills_on_other_machines_prove_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for attempt in range(MOST_ATTEMPTS):
        monkeypatch.setattr(attempts, "memory_kills", lambda kills=attempt: kills)
        monkeypatch.setattr("platform.node", lambda name=attempt: f"node{name}")
        begin_attempt(tmp_path, "session", 0)


def test_a_torn_line_is_no_attempt(tmp_path: Path) -> None:
    begin_attempt(tmp_path, "session", 0)
    with (tmp_path / attempts.FILE).open("a") as file:
        file.write('{"session": "sess')
    assert len(read_attempts(tmp_path, "session")) == 1


HUNGRY = """
import sys
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from search.engine.attempts import GivenUp, begin_attempt
Path(sys.argv[1], "cgroup.procs").write_text("0")
try:
    begin_attempt(Path(sys.argv[2]), "session", 7)
except GivenUp as error:
    sys.exit(f"{error.status}: {error}")
eaten = []
while True:
    eaten.append(bytearray(10**7))
"""
LIMITS = ("memory.max", "memory.limit_in_bytes")  # in version 2 and 1 of control groups


def own_groups() -> list[Path]:
    """Control groups that may have a group of ours below."""
    return [path.parent for path in attempts.counters() if path.is_relative_to("/sys/fs/cgroup")]


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group in which the kernel kills what takes more than 300 MB."""
    for parent in own_groups():
        group = parent / f"arena-test-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            limits = [group / name for name in LIMITS if (group / name).exists()]
            if limits:
                limits[0].write_text("300000000")
                yield group
                group.rmdir()
                return
            group.rmdir()
    pytest.skip("no control group can be made here")


def test_the_kernel_kills_twice_and_the_trial_is_out_of_memory(tmp_path: Path, small_group: Path) -> None:
    command = [sys.executable, "-c", HUNGRY, str(small_group), str(tmp_path)]
    ends = [subprocess.run(command, capture_output=True, text=True, timeout=120, check=False) for _ in range(3)]
    assert [end.returncode for end in ends] == [-signal.SIGKILL, -signal.SIGKILL, 1]
    assert "out_of_memory: its worker was killed 2 times at epoch 7" in ends[-1].stderr
