"""One trial without Ray: replayable, resumable, and honest about how it ended."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from data_adapters.datasets import DatasetFiles
from search.engine import trial
from search.engine.attempts import GivenUp
from search.engine.runner import tracked_metrics, trial_end
from search.engine.trial import Evaluation, TrialRun, TrialSetup, TrialTrainable, read_history
from search.spaces import SPACES

CONFIG = {**SPACES["atlas-gan"].default, "learning_rate": 1e-3, "training_ratio": 3}


@pytest.fixture
def setup(tmp_path: Path) -> TrialSetup:
    return TrialSetup(
        model="atlas-gan",
        data=DatasetFiles("atlas-photons-geant4"),
        scorecard="atlas-photons-v1",
        epochs=6,
        evaluate_every=2,
        trials_folder=tmp_path / "trials",
    )


def whole(setup: TrialSetup, number: int, seed: int = 5) -> list[Evaluation]:
    run = TrialRun(setup, number, CONFIG, seed)
    while not run.finished:
        run.advance()
    run.close()
    return run.history


def scores(history: list[Evaluation]) -> list[tuple[int, float, dict[str, float], dict[str, float]]]:
    return [(e.epoch, e.score, e.components, e.losses) for e in history]


def test_one_seed_is_one_trial(setup: TrialSetup) -> None:
    first, again, other = whole(setup, 0), whole(setup, 1), whole(setup, 2, seed=6)
    assert scores(first) == scores(again)
    assert scores(first) != scores(other)
    assert [evaluation.epoch for evaluation in first] == [2, 4, 6]


def test_an_interrupted_trial_equals_one_that_was_not(setup: TrialSetup) -> None:
    TrialRun(setup, 3, CONFIG, 5).advance()  # and the process is gone
    interrupted = TrialRun(setup, 3, CONFIG, 5)
    assert interrupted.model.epoch == 2
    while not interrupted.finished:
        interrupted.advance()
    assert scores(interrupted.history) == scores(whole(setup, 4))
    assert read_history(setup.folder(3)) == interrupted.history


def test_a_trial_is_kept_between_evaluations_and_goes_on_from_there(
    setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "KEEP_EVERY", 0.0)
    slow = replace(setup, evaluate_every=3)
    interrupted = TrialRun(slow, 8, CONFIG, 5)
    monkeypatch.setattr(interrupted, "_evaluate", stop)
    with pytest.raises(KeyboardInterrupt):
        interrupted.advance()
    again = TrialRun(slow, 8, CONFIG, 5)
    assert (again.model.epoch, again.history) == (2, [])
    while not again.finished:
        again.advance()
    assert scores(again.history) == scores(whole(slow, 9))


def stop(*_: Any) -> Evaluation:
    raise KeyboardInterrupt


def test_evaluations_after_the_last_checkpoint_are_made_again(setup: TrialSetup) -> None:
    TrialRun(setup, 5, CONFIG, 5).advance()
    history = setup.folder(5) / "history.jsonl"
    history.write_text(history.read_text().replace('"epoch": 2', '"epoch": 4') + '{"epoch": 4, "torn')
    run = TrialRun(setup, 5, CONFIG, 5)
    assert run.history == []
    run.advance()
    assert [evaluation.epoch for evaluation in read_history(setup.folder(5))] == [4]


def test_a_finished_trial_whose_end_was_not_recorded_is_not_run_again(setup: TrialSetup) -> None:
    first, again = trainable(setup), trainable(setup)
    results = [first.step() for _ in range(3)]
    assert results[-1]["done"]
    repeated = again.step()
    assert (repeated["done"], repeated["epoch"], repeated["score"]) == (True, 6, results[-1]["score"])
    assert [evaluation.epoch for evaluation in read_history(setup.folder(0))] == [2, 4, 6]


def test_a_start_that_left_no_checkpoint_leaves_no_history(setup: TrialSetup) -> None:
    whole(setup, 10)
    assert not (setup.folder(10) / "last").exists()
    assert scores(whole(setup, 10)) == scores(read_history(setup.folder(10)))


def test_a_process_lost_in_its_first_checkpoint_begins_anew(setup: TrialSetup) -> None:
    last = setup.folder(11) / "last"
    last.mkdir(parents=True)
    (last / ".checkpoint.safetensors.7").write_bytes(b"half of")
    assert [evaluation.epoch for evaluation in whole(setup, 11)] == [2, 4, 6]


def test_the_best_checkpoint_is_that_of_the_best_score(setup: TrialSetup) -> None:
    history = whole(setup, 6)
    best = min(history, key=lambda evaluation: evaluation.score)
    assert best.score_error is not None
    assert best.score_error > 0
    end = trial_end(setup.folder(6), 6, "completed", 1.0, "")
    assert (end.score, end.best_epoch, end.score_error) == (best.score, best.epoch, best.score_error)
    assert end.objective == min(evaluation.median_score for evaluation in history)
    assert not (setup.folder(6) / "last").exists()


def test_the_median_is_that_of_the_last_three_scores(setup: TrialSetup) -> None:
    history = whole(replace(setup, epochs=5, evaluate_every=1), 7)
    scores_so_far = [evaluation.score for evaluation in history]
    expected = [median(scores_so_far[max(0, end - 3) : end]) for end in range(1, 6)]
    assert [evaluation.median_score for evaluation in history] == expected


def trainable(setup: TrialSetup, **config: Any) -> TrialTrainable:
    """The class that Ray drives, without Ray."""
    actor = TrialTrainable.__new__(TrialTrainable)
    actor.setup({"number": 0, "seed": 1, "hyperparameters": {**CONFIG, **config}}, setup)
    return actor


def test_divergence_is_a_status_and_no_score(setup: TrialSetup) -> None:
    exploding = trainable(replace(setup, epochs=400, evaluate_every=200), learning_rate=10.0)
    result = exploding.step()
    assert (result["status"], result["done"]) == ("diverged", True)
    assert "score" not in result
    assert "in epoch" in result["detail"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError("no room"), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (GivenUp("out_of_memory", "killed twice"), "out_of_memory"),
        (ZeroDivisionError("a model's mistake"), "failed"),
    ],
    ids=["memory", "GPU memory", "given up", "mistake"],
)
def test_other_ends_are_told_apart(
    error: Exception, status: str, setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrialRun, "advance", failing(error))
    result = trainable(setup).step()
    assert (result["status"], result["done"]) == (status, True)
    assert str(error) in result["detail"]


def test_a_mistake_leaves_its_story(setup: TrialSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrialRun, "advance", failing(ZeroDivisionError("a model's mistake")))
    trainable(setup).step()
    assert "in step" in (setup.folder(0) / "error.txt").read_text()


def test_a_full_disk_is_no_end_of_a_trial(setup: TrialSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrialRun, "advance", failing(OSError(errno.ENOSPC, "No space left on device")))
    result = trainable(setup).step()
    assert result["done"]
    assert "status" not in result
    assert "No space left on device" in result["storage_error"]


def test_a_gpu_that_is_broken_for_this_process_ends_the_process(
    setup: TrialSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrialRun, "advance", failing(RuntimeError("CUDA error: an illegal memory access")))
    with pytest.raises(RuntimeError, match="CUDA error"):
        trainable(setup).step()


def failing(error: Exception) -> Callable[[TrialRun], Evaluation]:
    def fail(_: TrialRun) -> Evaluation:
        raise error

    return fail


def test_an_actor_takes_one_trial_after_the_other(setup: TrialSetup) -> None:
    actor = trainable(setup)
    first = [actor.step()["score"] for _ in range(3)]
    assert actor.reset_config({"number": 1, "seed": 1, "hyperparameters": CONFIG})
    assert [actor.step()["score"] for _ in range(3)] == first


def test_mlflow_gets_scores_components_losses_and_speed(setup: TrialSetup) -> None:
    names = tracked_metrics(trainable(setup).step()).keys()
    assert {"score", "median_score", "score_error", "showers_per_second"} <= names
    assert {"component.bmre", "component.response", "loss.critic", "loss.generator"} <= names
