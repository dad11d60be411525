"""Checkpoints stay within their disk; the best trials keep theirs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from search.engine.checkpoint_budget import RESERVE_BYTES, CheckpointBudget, Need, folder_bytes, room_for_trials
from search.engine.ledger import Ledger, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE
from search.engine.study import StudyError

EACH = 10_000


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Six trials; number n has the score n, but for trial 1, which diverged."""
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for number in range(6):
        ledger.record_start(TrialStart(number, {}, seed=1))
        best = tmp_path / "trials" / f"{number:04d}" / "best"
        best.mkdir(parents=True)
        (best / "checkpoint.safetensors").write_bytes(bytes(EACH))
        score = None if number == 1 else float(number)
        status = "diverged" if number == 1 else "completed"
        ledger.record_end(TrialEnd(number, status, 1, 1.0, score, 0.1, score))  # type: ignore[arg-type]
    return ledger


def kept(folder: Path) -> list[int]:
    return sorted(int(path.parent.name) for path in folder.glob("trials/*/best"))


def test_the_worst_go_first_and_those_without_a_score_before_them(tmp_path: Path, ledger: Ledger) -> None:
    budget = CheckpointBudget(4 * EACH, tmp_path / "trials", SCORE_ALONE)
    assert budget.enforce(ledger) == [1, 5]
    assert kept(tmp_path) == [0, 2, 3, 4]
    assert budget.enforce(ledger) == []


def test_the_best_three_always_stay(tmp_path: Path, ledger: Ledger) -> None:
    CheckpointBudget(0, tmp_path / "trials", SCORE_ALONE).enforce(ledger)
    assert kept(tmp_path) == [0, 2, 3]


def test_the_total_is_said_before_the_start(tmp_path: Path) -> None:
    need = Need(EACH, trials=100, running=2, final=4)
    assert need.total == (100 + 2 + 8) * EACH
    of_trials, sentence = room_for_trials(need, tmp_path, None)
    assert sentence.startswith("Checkpoints take up to 1.1 MB in all;")
    assert of_trials > need.total
    of_trials, sentence = room_for_trials(need, tmp_path, 40 * EACH)
    assert of_trials == 30 * EACH
    assert "the best 30 trials keep theirs" in sentence


def test_too_little_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"at least 150 kB; there is room for 100 kB.*--checkpoint-gb"):
        room_for_trials(Need(EACH, 100, running=2, final=4), tmp_path, 10 * EACH)


def test_what_is_there_already_counts_as_room(
    tmp_path: Path,
    ledger: Ledger,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=RESERVE_BYTES + 20 * EACH)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert folder_bytes(tmp_path / "nothing") == 0
    of_trials, _ = room_for_trials(Need(EACH, 100, running=1, final=1), tmp_path / "nothing", None)
    assert of_trials == 17 * EACH
    of_trials, _ = room_for_trials(Need(EACH, 100, running=1, final=1), tmp_path / "trials", None)
    assert of_trials == 23 * EACH
