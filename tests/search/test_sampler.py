"""What is tried next, and what the sampler and the pruner learn from."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.engine.ledger import Ledger, TrialEnd
from search.engine.sampler import ANYWHERE, Budget, LedgerSearch, grid_order
from search.engine.scheduler import EPOCH, OBJECTIVE, MedianHalving
from search.engine.study import StudyError, derive_seed
from search.spaces import SPACES

SPACE = SPACES["atlas-gan"].limit({"units": (64, 128), "learning_rate": (2e-5, 2e-3)})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def search(ledger: Ledger, trials: int = 12, sampler: Any = "tpe", seed: int = 1) -> LedgerSearch:
    return LedgerSearch(SPACE, ledger, Budget(trials), sampler, seed)


def ended(number: int, status: Any = "completed", objective: float | None = 1.0) -> TrialEnd:
    history = [] if objective is None else [(10, objective + 0.5), (20, objective)]
    return TrialEnd(number, status, 20, 1.0, objective, 0.1, objective, 20, {}, history)


def run(search: LedgerSearch, ledger: Ledger, number: int, **how: Any) -> dict[str, Any]:
    config = search.suggest(f"id{number}")
    assert isinstance(config, dict)
    end = ended(config["number"], **how)
    ledger.record_end(end)
    search.tell(end)
    return config


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
class TestEverySampler:
    def test_trial_0_is_the_papers_optimum(self, sampler: str, ledger: Ledger) -> None:
        config = search(ledger, sampler=sampler).suggest("a")
        assert config is not None
        assert config["number"] == 0
        assert config["hyperparameters"] == SPACE.default

    def test_everything_proposed_is_in_the_space_and_recorded(self, sampler: str, ledger: Ledger) -> None:
        searcher = search(ledger, sampler=sampler)
        configs = [run(searcher, ledger, number, objective=float(number))["hyperparameters"] for number in range(12)]
        assert all(SPACE.validate(config) == config for config in configs)
        assert [trial.start.config for trial in ledger.trials] == configs
        assert len({str(config) for config in configs}) == 12

    def test_it_stops_when_the_trials_are_spent(self, sampler: str, ledger: Ledger) -> None:
        searcher = search(ledger, trials=2, sampler=sampler)
        run(searcher, ledger, 0)
        run(searcher, ledger, 1)
        more: Any = searcher.suggest("more")
        assert more == Searcher.FINISHED
        assert searcher.finished

    def test_one_seed_is_one_sequence(self, sampler: str, tmp_path: Path) -> None:
        sequences = []
        for name in ("a", "b"):
            ledger = Ledger(tmp_path / name)
            searcher = search(ledger, sampler=sampler)
            sequences.append([run(searcher, ledger, number, objective=float(number % 5)) for number in range(10)])
        assert sequences[0] == sequences[1]

    def test_a_resumed_search_takes_up_what_was_running(self, sampler: str, ledger: Ledger) -> None:
        first = search(ledger, sampler=sampler)
        run(first, ledger, 0)
        left = [first.suggest("b"), first.suggest("c")]
        second = search(Ledger(ledger.path), sampler=sampler)
        assert [second.suggest("d"), second.suggest("e")] == left
        following = second.suggest("f")
        assert following is not None
        assert following["number"] == 3


def test_a_resumed_search_remembers_every_ended_trial(ledger: Ledger) -> None:
    first = search(ledger)
    statuses = ["completed", "pruned", "diverged", "failed", "out_of_memory", "preempted"]
    for number, status in enumerate(statuses):
        run(first, ledger, number, status=status, objective=None if status in ("failed", "diverged") else 1.0)
    states = [trial.state for trial in search(Ledger(ledger.path)).optuna_study.trials]
    assert states == [
        TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL,
    ]  # fmt: skip


def test_no_trial_stays_running_for_the_sampler(ledger: Ledger) -> None:
    searcher = search(ledger)
    for number, status in enumerate(["completed", "diverged", "failed", "pruned", "out_of_memory"]):
        run(searcher, ledger, number, status=status, objective=None if status == "diverged" else 2.0)
    assert TrialState.RUNNING not in {trial.state for trial in searcher.optuna_study.trials}


def test_a_diverged_trial_has_no_value_and_counts_as_worst(ledger: Ledger) -> None:
    searcher = search(ledger)
    run(searcher, ledger, 0, status="diverged", objective=None)
    (trial,) = searcher.optuna_study.trials
    assert trial.state is TrialState.PRUNED
    assert not trial.intermediate_values


def test_a_stopped_trial_counts_with_what_it_had_reached(ledger: Ledger) -> None:
    searcher = search(ledger)
    run(searcher, ledger, 0, status="completed", objective=2.0)
    run(searcher, ledger, 1, status="pruned", objective=1.0)
    assert searcher.optuna_study.best_value == 1.0
    resumed = search(Ledger(ledger.path))
    assert resumed.optuna_study.best_value == 1.0
    assert ledger[1].end is not None
    assert ledger[1].end.status == "pruned"


def test_tpe_learns(tmp_path: Path) -> None:
    """Told that small learning rates are good, it proposes smaller ones than chance does."""
    means = {}
    for name in ("tpe", "random"):
        ledger = Ledger(tmp_path / name)
        searcher = search(ledger, trials=60, sampler=name)
        rates = []
        for number in range(60):
            config = searcher.suggest(f"id{number}")
            assert config is not None
            rates.append(config["hyperparameters"]["learning_rate"])
            end = ended(number, objective=rates[-1])
            ledger.record_end(end)
            searcher.tell(end)
        means[name] = sum(rates[30:]) / 30
    assert means["tpe"] < 0.6 * means["random"]


def test_every_third_trial_is_drawn_anywhere_whatever_was_learned(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    searcher = search(ledger, trials=100)
    learned: list[float] = []
    anywhere: list[float] = []
    for number in range(100):
        config = searcher.suggest(f"id{number}")
        assert config is not None
        rate = config["hyperparameters"]["learning_rate"]
        end = ended(number, objective=rate)
        ledger.record_end(end)
        searcher.tell(end)
        if number > 40:
            (learned if number % ANYWHERE else anywhere).append(rate)
    middle = float(np.sqrt(2e-5 * 2e-3))
    assert np.median(anywhere) == pytest.approx(middle, rel=0.8)
    assert np.median(learned) < middle / 3


def test_a_smaller_budget_leaves_unfinished_trials_alone(ledger: Ledger) -> None:
    first = search(ledger)
    run(first, ledger, 0)
    first.suggest("left")
    more: Any = search(Ledger(ledger.path), trials=1).suggest("a")
    assert more == Searcher.FINISHED


def test_no_trial_is_proposed_after_the_time_is_up(ledger: Ledger) -> None:
    searcher = LedgerSearch(SPACE, ledger, Budget(None, time.monotonic() - 1), "tpe", 1)
    more: Any = searcher.suggest("a")
    assert more == Searcher.FINISHED


def test_the_grid_comes_in_another_order_without_repetition() -> None:
    small = SPACE.fix({name: SPACE.default[name] for name in SPACE.default if name not in ("units", "training_ratio")})
    points = [str(point) for point in grid_order(small, 1)]
    assert len(points) == len(set(points)) == small.grid_size - 1
    assert str(small.default) not in points
    unpublished = SPACE.fix({"learning_rate": 1.23e-4})
    with pytest.raises(StudyError, match="--sampler random"):
        grid_order(unpublished, 1)


def test_seeds_follow_from_their_parts() -> None:
    assert derive_seed(1, "trial", 3) == derive_seed(1, "trial", 3) != derive_seed(1, "trial", 4)
    assert 0 <= derive_seed("x") < 2**63


class TestPruner:
    def result(self, scheduler: MedianHalving, name: str, epoch: int, objective: float) -> str:
        trial: Any = SimpleNamespace(trial_id=name)
        return scheduler.on_trial_result(None, trial, {EPOCH: epoch, OBJECTIVE: objective})

    def trained(self, scheduler: MedianHalving, name: str, objective: float) -> int:
        """Epochs that a trial is given, with an evaluation every ten."""
        for epoch in range(10, 91, 10):
            if self.result(scheduler, name, epoch, objective) == "STOP":
                return epoch
        raise AssertionError("it was never stopped")

    def test_the_worse_trial_is_stopped_at_the_rung_and_remembered(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        assert self.result(scheduler, "good", 10, 1.0) == "CONTINUE"
        assert self.result(scheduler, "bad", 5, 9.0) == "CONTINUE"
        assert self.result(scheduler, "bad", 10, 9.0) == "STOP"
        assert scheduler.stopped("bad")
        assert not scheduler.stopped("good")

    def test_the_last_epoch_is_an_end_and_no_pruning(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        assert self.result(scheduler, "whole", 90, 1.0) == "STOP"
        assert not scheduler.stopped("whole")

    def test_the_first_trial_and_every_best_one_are_trained_whole(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        assert [self.trained(scheduler, f"{number}", -number) for number in range(20)] == [90] * 20

    def test_after_each_epoch_the_best_share_of_those_that_began_goes_on(self) -> None:
        order = Random(1).sample(range(900), 900)  # noqa: S311 -- an order of trials
        scheduler = MedianHalving(90, 10, 3, [])
        epochs = np.array([self.trained(scheduler, f"{objective}", objective) for objective in order])
        after_warm_up = epochs[100:]
        assert np.mean(after_warm_up > 10) == pytest.approx(1 / 3, abs=0.04)
        assert np.mean(after_warm_up > 30) == pytest.approx(1 / 9, abs=0.03)
        assert np.mean(after_warm_up > 60) == pytest.approx(1 / 18, abs=0.02)

    def test_many_good_ones_at_the_start_do_not_all_go_on(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        for number in range(9):  # each better than all before: nothing says that it is not worth it
            assert self.result(scheduler, f"{number}", 10, 1 - number / 100) == "CONTINUE"
        at_30 = [self.result(scheduler, f"{number}", 30, 1 - number / 100) for number in reversed(range(9))]
        assert at_30 == ["CONTINUE"] + ["STOP"] * 8

    def test_what_a_trial_has_reached_counts_and_not_its_last_value(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        self.trained(scheduler, "first", 2.0)
        assert self.result(scheduler, "up and down", 10, 1.0) == "CONTINUE"
        assert self.result(scheduler, "up and down", 20, 1.0) == "CONTINUE"

    def test_rungs_are_filled_from_earlier_trials(self) -> None:
        earlier = [TrialEnd(0, "completed", 90, 1.0, history=[(10, 1.0), (20, 1.5), (30, 0.8)])]
        scheduler = MedianHalving(90, 10, 3, earlier)
        assert self.result(scheduler, "new", 20, 1.2) == "STOP"
        assert self.result(scheduler, "newer", 10, 0.9) == "CONTINUE"

    def test_a_resumed_search_decides_as_one_that_was_never_interrupted(self) -> None:
        whole, ends = MedianHalving(90, 10, 3, []), []
        for number, objective in enumerate((3.0, 4.0, 2.0, 5.0, 2.5)):
            epochs = self.trained(whole, f"{number}", objective)
            ends.append(
                TrialEnd(number, "pruned", epochs, 1.0, history=[(e, objective) for e in range(10, epochs + 1, 10)])
            )
        resumed = MedianHalving(90, 10, 3, ends)
        for name, objective in (("a", 2.2), ("b", 2.1), ("c", 9.0), ("d", 1.0)):
            assert self.trained(resumed, name, objective) == self.trained(whole, name, objective)

    def test_a_trial_without_an_evaluation_is_left_alone(self) -> None:
        scheduler = MedianHalving(90, 10, 3, [])
        trial: Any = SimpleNamespace(trial_id="diverged")
        result = {"epoch": 10, "status": "diverged", "objective": None}
        assert scheduler.on_trial_result(None, trial, result) == "CONTINUE"
