"""The ledger: nothing recorded is ever lost, nothing ends twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.engine.ledger import DamagedLedger, Ledger, TrialEnd, TrialStart


def start(number: int) -> TrialStart:
    return TrialStart(number, {"units": 64 + number, "learning_rate": 1e-3}, seed=10 + number)


def end(number: int, status: str = "completed", score: float | None = 0.5) -> TrialEnd:
    return TrialEnd(
        number, status, 40, 1.5, score, 0.02, score, 40, {"bmre": 0.3}, [(20, 0.7), (40, 0.5)]  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_what_was_recorded_is_read_again(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(3):
        ledger.record_start(start(number))
    ledger.record_end(end(1))
    again = Ledger(path)
    assert again.trials == ledger.trials
    assert again.ended == [(start(1), end(1))]
    assert again.unfinished == [start(0), start(2)]
    assert again.next_number == 3


def test_a_trial_ends_once(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    ledger.record_end(end(0))
    with pytest.raises(ValueError, match="trial 0 has ended before"):
        ledger.record_end(end(0))
    with pytest.raises(ValueError, match="trial 1 has not started"):
        ledger.record_end(end(1))


def test_a_preempted_trial_goes_on_and_ends_again(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    ledger.record_end(end(0, "preempted"))
    assert ledger.unfinished == [start(0)]
    ledger.record_end(end(0))
    assert Ledger(path).unfinished == []


def test_a_start_that_is_taken_up_again_is_written_once(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    Ledger(path).record_start(start(0))
    assert len(path.read_text().splitlines()) == 1


def test_a_torn_last_line_is_dropped_and_written_over(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    ledger.record_end(end(0))
    ledger.record_start(start(1))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "end", "number": 1, "sta')
    again = Ledger(path)
    assert path.read_bytes() == whole
    again.record_end(end(1))
    assert [trial.number for trial, _ in Ledger(path).ended] == [0, 1]


def test_a_damaged_line_in_the_middle_is_named(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    path.write_text('{"event": "nonsense"}\n' + path.read_text())
    with pytest.raises(DamagedLedger, match="line 1: not a line of a ledger"):
        Ledger(path)


def test_no_score_is_ever_nan(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    with pytest.raises(ValueError, match="Out of range float"):
        ledger.record_end(end(0, score=float("nan")))
    assert Ledger(path).ended == []


def test_every_line_is_plain_json(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record_start(start(0))
    ledger.record_end(end(0, "diverged", None))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "end"]
    assert lines[1]["status"] == "diverged"
    assert lines[1]["score"] is None
