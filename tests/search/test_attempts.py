"""A trial that loses its worker again and again at the same place ends; one that gets further does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.engine import attempts
from search.engine.attempts import MOST_ATTEMPTS, GivenUp, begin_attempt, memory_kills, read_attempts


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


def test_this_machine_counts_kills() -> None:
    assert memory_kills() >= 0
