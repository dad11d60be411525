"""What a search minimises by name, alone or as a Pareto set."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState, create_trial
from rich.console import Console

import search.atlas_gan
from data_adapters.datasets import DatasetFiles
from data_adapters.registry import UnknownName
from leaderboard.pareto import non_dominated
from leaderboard.studies import read_studies
from metrics import SCORECARDS
from search.engine import cli
from search.engine.ledger import Ledger, Status, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE, Objectives, objectives_named
from search.engine.pareto import pareto_record, pareto_set, pareto_table
from search.engine.plan import Options, Plan, begin, check_identity, make_plan, new_folder, recorded_options
from search.engine.runner import best_trials, tracked_metrics, trial_end
from search.engine.sampler import ANYWHERE, Budget, LedgerSearch
from search.engine.scheduler import EPOCH, OBJECTIVE, MedianHalving
from search.engine.study import StudyError
from search.engine.trial import (
    Evaluation,
    TrialRun,
    TrialSetup,
    TrialTrainable,
    reached,
    read_history,
    running_medians,
    timed_showers,
)
from search.spaces import SPACES

CARD = SCORECARDS["atlas-photons-v1"]
GAN = search.atlas_gan.STUDY
SPACE = SPACES["atlas-gan"].limit({"units": (64, 128), "learning_rate": (2e-5, 2e-3)})
TWO = Objectives(("bmre", "generation_time"))


class TestNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            (None, ("score",)),
            ("score", ("score",)),
            ("bmre", ("bmre",)),
            ("generation_time", ("generation_time",)),
            ("generation_time, wasserstein,bmre", ("bmre", "wasserstein", "generation_time")),
            ("bmre,bmre", ("bmre",)),
        ],
    )
    def test_they_are_put_into_the_order_of_the_scorecard(self, text: str | None, names: tuple[str, ...]) -> None:
        assert objectives_named(text, CARD).names == names

    def test_every_scored_metric_has_one(self) -> None:
        for name in CARD.weights:
            assert objectives_named(name, CARD) == Objectives((name,))

    @pytest.mark.parametrize("text", ["bmer", "bmre,chi2_ndf", "", "bmre,", "Score"])
    def test_others_are_refused_with_the_list(self, text: str) -> None:
        everything = "All of them: bmre, correlation, generation_time, response, score, wasserstein"
        with pytest.raises(UnknownName, match=everything):
            objectives_named(text, CARD)

    def test_the_nearest_is_offered(self) -> None:
        with pytest.raises(UnknownName, match=r"no objective 'waserstein'\. Nearest: 'wasserstein'"):
            objectives_named("bmre,waserstein", CARD)

    def test_a_score_orders_what_several_do_not(self) -> None:
        assert (TWO.several, TWO.leading, TWO.text) == (True, "score", "bmre,generation_time")
        alone = Objectives(("bmre",))
        assert (alone.several, alone.leading) == (False, "bmre")


class TestDominance:
    @pytest.mark.parametrize(("trials", "objectives", "levels"), [(40, 2, 6), (60, 3, 4), (30, 5, 3), (1, 2, 2)])
    def test_it_is_what_trying_all_pairs_gives(self, trials: int, objectives: int, levels: int) -> None:
        values = np.random.default_rng(trials).integers(0, levels, (trials, objectives)).astype(float)
        expected = [
            not any(
                all(b <= a for a, b in zip(mine, other, strict=True))
                and any(b < a for a, b in zip(mine, other, strict=True))
                for other in values
            )
            for mine in values
        ]
        assert non_dominated(values).tolist() == expected

    def test_it_is_what_optuna_calls_best(self) -> None:
        values = np.random.default_rng(3).normal(size=(50, 3))
        study = optuna.create_study(directions=["minimize"] * 3)
        study.add_trials([create_trial(values=row) for row in values.tolist()])
        best = {trial.number for trial in study.best_trials}
        assert set(np.flatnonzero(non_dominated(values)).tolist()) == best
        assert 1 < len(best) < 50

    def test_equal_trials_stay_together_and_the_higher_go(self) -> None:
        values = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0], [0.0, 9.0]])
        assert non_dominated(values).tolist() == [True, True, False, True]


def evaluation(epoch: int, score: float, bmre: float, milliseconds: float) -> Evaluation:
    return Evaluation(epoch, score, score, None, {"bmre": bmre}, {}, 1.0, 1.0, milliseconds)


HISTORY = [
    evaluation(1, score=9.0, bmre=1.0, milliseconds=0.9),
    evaluation(2, score=2.0, bmre=5.0, milliseconds=0.2),
    evaluation(3, score=3.0, bmre=6.0, milliseconds=0.3),
    evaluation(4, score=1.0, bmre=7.0, milliseconds=0.3),
]


class TestReached:
    def test_medians_are_those_of_the_last_three(self) -> None:
        assert running_medians(HISTORY, "bmre") == [1.0, 3.0, 5.0, 6.0]
        assert running_medians(HISTORY, "score") == [9.0, 5.5, 3.0, 2.0]

    def test_one_objective_takes_its_lowest_median(self) -> None:
        assert reached(HISTORY, Objectives(("bmre",))) == {"bmre": 1.0}
        assert reached(HISTORY, SCORE_ALONE) == {"score": 2.0}

    def test_several_are_taken_where_the_score_is_lowest_and_not_each_at_its_own_best(self) -> None:
        assert reached(HISTORY, TWO) == {"bmre": 6.0, "generation_time": 0.3}

    def test_without_an_evaluation_nothing_is_reached(self) -> None:
        assert reached([], TWO) == {}


def ledger_of(path: Path, *ends: TrialEnd) -> Ledger:
    ledger = Ledger(path)
    for end in ends:
        ledger.record_start(TrialStart(end.number, {**SPACE.default, "learning_rate": 1e-4 * (1 + end.number)}, 1))
        ledger.record_end(end)
    return ledger


def ended(number: int, score: float, bmre: float, milliseconds: float, status: Status = "completed") -> TrialEnd:
    values = {"bmre": bmre, "generation_time": milliseconds}
    return TrialEnd(
        number, status, 20, 1.0, score, 0.1, score, 20, {"bmre": bmre}, [(10, score + 1), (20, score)], "", values
    )


ENDS = (
    ended(0, score=3.0, bmre=2.0, milliseconds=0.5),
    ended(1, score=1.0, bmre=2.5, milliseconds=0.5),  # the lowest score, and dominated by trial 0
    ended(2, score=4.0, bmre=9.0, milliseconds=0.1),
    ended(3, score=2.0, bmre=1.0, milliseconds=0.9, status="preempted"),
    ended(4, score=0.5, bmre=0.1, milliseconds=0.1, status="diverged"),
)


class TestParetoSet:
    def test_it_holds_the_scored_trials_that_none_dominates_the_lowest_score_first(self, tmp_path: Path) -> None:
        ledger = ledger_of(tmp_path / "ledger.jsonl", *ENDS)
        assert [start.number for start, _ in pareto_set(ledger, TWO)] == [3, 0, 2]

    def test_the_best_trial_is_that_of_the_set_with_the_lowest_score(self, tmp_path: Path) -> None:
        ledger = ledger_of(tmp_path / "ledger.jsonl", *ENDS)
        assert [start.number for start, _ in best_trials(ledger, 2, TWO)] == [3, 0]
        assert [start.number for start, _ in best_trials(ledger, 2, SCORE_ALONE)] == [1, 3]

    def test_without_trials_it_is_empty(self, tmp_path: Path) -> None:
        assert pareto_record(Ledger(tmp_path / "ledger.jsonl"), TWO)["pareto_set"] == []

    def test_its_record_survives_the_ledger_being_read_again(self, tmp_path: Path) -> None:
        ledger = ledger_of(tmp_path / "ledger.jsonl", *ENDS)
        record = pareto_record(ledger, TWO)
        assert record == pareto_record(Ledger(ledger.path), TWO) == json.loads(json.dumps(record))
        assert record["trials_compared"] == 4
        first = record["pareto_set"][0]
        assert (first["trial"], first["values"]) == (3, {"bmre": 1.0, "generation_time": 0.9})
        assert first["parameters"] == {**SPACE.default, "learning_rate": 4e-4}

    def test_its_table_shows_values_and_what_differs(self, tmp_path: Path) -> None:
        record = pareto_record(ledger_of(tmp_path / "ledger.jsonl", *ENDS), TWO)
        console = Console(width=160, record=True, file=(tmp_path / "out").open("w"))
        console.print(pareto_table(record, SPACE.default))
        text = console.export_text()
        console.file.close()
        assert "Pareto set: 3 of 4 trials" in text
        assert "generation_time [ms]" in text
        rows = [line.split()[0] for line in text.splitlines() if "learning_rate=" in line]
        assert rows == ["3", "0", "2"]
        assert "learning_rate=0.0004" in text


class TestSampler:
    def search(self, ledger: Ledger, sampler: Any = "tpe") -> LedgerSearch:
        return LedgerSearch(SPACE, ledger, Budget(40), sampler, 1, TWO)

    def run(self, searcher: LedgerSearch, ledger: Ledger, number: int, status: Status = "completed") -> Any:
        config = searcher.suggest(f"id{number}")
        assert isinstance(config, dict)
        rate = config["hyperparameters"]["learning_rate"]
        end = ended(config["number"], rate, bmre=rate, milliseconds=1 / rate, status=status)
        ledger.record_end(end)
        searcher.tell(end)
        return config["hyperparameters"]

    @pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
    def test_a_resumed_search_knows_every_value(self, sampler: str, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "ledger.jsonl")
        first = self.search(ledger, sampler)
        for number in range(12):
            self.run(first, ledger, number, "diverged" if number == 8 else "completed")
        second = self.search(Ledger(ledger.path), sampler)
        told = [(trial.state, trial.values, trial.params) for trial in first.optuna_study.trials]
        assert [(trial.state, trial.values, trial.params) for trial in second.optuna_study.trials] == told
        assert [state for state, *_ in told] == [TrialState.COMPLETE] * 8 + [TrialState.PRUNED] + [
            TrialState.COMPLETE
        ] * 3
        assert told[0][1] == [5e-5, 2e4]

    def test_two_resumed_searches_propose_the_same(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "ledger.jsonl")
        first = self.search(ledger)
        for number in range(10):
            self.run(first, ledger, number)
        left = first.suggest("left")
        proposals = []
        for name in ("a", "b"):
            shutil.copy(ledger.path, tmp_path / name)
            again = self.search(Ledger(tmp_path / name))
            assert again.suggest("left") == left
            proposals.append([again.suggest(str(number)) for number in range(3)])
        assert proposals[0] == proposals[1]

    def test_tpe_leaves_what_is_dominated(self, tmp_path: Path) -> None:
        """Units cost time and help nothing here: a sampler that understands both values leaves the many."""
        few = {}
        for sampler in ("tpe", "random"):
            ledger = Ledger(tmp_path / sampler)
            searcher = self.search(ledger, sampler)
            for number in range(40):
                config = searcher.suggest(f"id{number}")
                assert config is not None
                rate, units = config["hyperparameters"]["learning_rate"], config["hyperparameters"]["units"]
                end = ended(config["number"], 1.0, bmre=rate * units, milliseconds=units / rate)
                ledger.record_end(end)
                searcher.tell(end)
            learned = [trial for trial in ledger.trials[20:] if trial.number % ANYWHERE]
            few[sampler] = sum(trial.start.config["units"] == 64 for trial in learned) / len(learned)
        assert few["tpe"] > few["random"]
        assert few["tpe"] >= 0.75


def plan_of(output: Path, objective: str | None, folder: Path | None = None, **options: Any) -> Plan:
    return make_plan(
        GAN, Options(objective=objective, **options), output, folder or new_folder(output, GAN), "sqlite:///x"
    )


class TestIdentity:
    def test_that_of_searches_for_the_score_is_what_it_was(self, tmp_path: Path) -> None:
        expected = [
            "study", "model", "preset", "dataset", "space", "scorecard", "epochs", "evaluate_every", "sampler", "seed",
            "checkpoint_rule",
        ]  # fmt: skip
        plain, named = plan_of(tmp_path, None), plan_of(tmp_path, "score")
        assert list(plain.identity) == expected
        assert plain.identity == named.identity
        assert plain.command == named.command == "python search/atlas_gan.py"

    def test_objectives_belong_to_it_in_any_order(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, "wasserstein,bmre", trials=4)
        assert plan.identity["objective"] == "bmre,wasserstein"
        assert plan.identity == plan_of(tmp_path, "bmre,wasserstein").identity
        assert plan.command == "python search/atlas_gan.py --trials 4 --objective bmre,wasserstein"

    @pytest.mark.parametrize(
        ("before", "now", "difference"),
        [
            ("bmre", "score", "objective: bmre there, score now"),
            (None, "bmre", "objective: score there, bmre now"),
            ("bmre,wasserstein", "bmre", "objective: bmre,wasserstein there, bmre now"),
        ],
    )
    def test_another_objective_is_another_search(
        self, before: str | None, now: str, difference: str, tmp_path: Path
    ) -> None:
        begun = plan_of(tmp_path, before)
        begin(begun)
        options = recorded_options(begun.folder, Options(objective=now))
        with pytest.raises(StudyError, match=re.escape(difference)):
            check_identity(make_plan(GAN, options, tmp_path, begun.folder, None))

    @pytest.mark.parametrize(
        ("before", "now"), [("bmre,wasserstein", None), ("bmre,wasserstein", "wasserstein,bmre"), (None, "score")]
    )
    def test_the_same_one_goes_on(self, before: str | None, now: str | None, tmp_path: Path) -> None:
        begun = plan_of(tmp_path, before)
        begin(begun)
        again = make_plan(GAN, recorded_options(begun.folder, Options(objective=now)), tmp_path, begun.folder, None)
        check_identity(again)
        assert again.objectives == begun.objectives

    def test_a_search_from_before_there_were_objectives_goes_on(self, tmp_path: Path) -> None:
        begun = plan_of(tmp_path, None)
        begin(begun)
        record = json.loads((begun.folder / "study.json").read_text())
        del record["options"]["objective"]
        (begun.folder / "study.json").write_text(json.dumps(record))
        options = recorded_options(begun.folder, Options())
        again = make_plan(GAN, options, tmp_path, begun.folder, None)
        check_identity(again)
        assert again.objectives == SCORE_ALONE

    def test_an_unknown_name_ends_the_command(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as left:
            cli.main(GAN, ["--objective", "bmer", "--output", str(tmp_path)])
        assert left.value.code == 2
        assert "no objective 'bmer'. Nearest: 'bmre'" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


class TestPruner:
    def decisions(self, plan: Plan) -> list[str]:
        """What becomes of a trial that is far worse than an earlier one, at every epoch of its training."""
        earlier = [TrialEnd(0, "completed", plan.epochs, 1.0, history=[(epoch, 1.0) for epoch in range(1, 91)])]
        scheduler = MedianHalving(plan.epochs, plan.first_rung, plan.study.reduction_factor, earlier)
        trial: Any = SimpleNamespace(trial_id="worse")
        return [scheduler.on_trial_result(None, trial, {EPOCH: epoch, OBJECTIVE: 9.0}) for epoch in range(1, 91)]

    def test_one_objective_stops_trials_early(self, tmp_path: Path) -> None:
        assert self.decisions(plan_of(tmp_path, "bmre", epochs=90)).index("STOP") == 9  # after a ninth of the epochs

    def test_several_stop_none(self, tmp_path: Path) -> None:
        assert self.decisions(plan_of(tmp_path, "bmre,generation_time", epochs=90)) == ["CONTINUE"] * 89 + ["STOP"]


CONFIG = {**SPACES["atlas-gan"].default, "learning_rate": 1e-3, "training_ratio": 3}


class TestTrial:
    @pytest.fixture
    def setup(self, tmp_path: Path) -> TrialSetup:
        return TrialSetup(
            model="atlas-gan",
            data=DatasetFiles("atlas-photons-geant4"),
            scorecard=CARD.name,
            epochs=5,
            evaluate_every=1,
            trials_folder=tmp_path / "trials",
        )

    def test_the_pruner_and_the_ledger_see_the_objective(self, setup: TrialSetup) -> None:
        for_bmre = replace(setup, objectives=Objectives(("bmre",)))
        actor = TrialTrainable.__new__(TrialTrainable)
        actor.setup({"number": 0, "seed": 1, "hyperparameters": CONFIG}, for_bmre)
        seen = [actor.step() for _ in range(5)]
        history = read_history(for_bmre.folder(0))
        expected = running_medians(history, "bmre")
        assert [result[OBJECTIVE] for result in seen] == list(accumulate(expected, min))
        assert expected != running_medians(history, "score")
        end = trial_end(for_bmre.folder(0), 0, "completed", 1.0, "", for_bmre.objectives)
        assert end.objective == seen[-1]["objective"] == min(expected)
        assert end.history == [(evaluation.epoch, value) for evaluation, value in zip(history, expected, strict=True)]
        assert end.score == min(evaluation.score for evaluation in history)

    def test_what_is_minimised_changes_no_training(self, setup: TrialSetup) -> None:
        scores = []
        for number, objectives in enumerate((SCORE_ALONE, TWO)):
            run = TrialRun(replace(setup, objectives=objectives), number, CONFIG, seed=1)
            scores.append([(run.advance().score, run.history[-1].components) for _ in range(2)])
        assert scores[0] == scores[1]

    def test_the_time_of_a_shower_is_recorded(self, setup: TrialSetup) -> None:
        run = TrialRun(setup, 0, CONFIG, seed=1)
        milliseconds = run.advance().generation_time
        assert milliseconds is not None
        assert 0 < milliseconds < 1000 * run.history[0].seconds / len(run.reference)

    def test_it_is_timed_more_often_where_it_is_minimised(self, setup: TrialSetup) -> None:
        assert (setup.timings, replace(setup, objectives=TWO).timings) == (1, 5)
        naps = iter([0.06, 0.02, 0.04])
        calls = []

        class Sleeper:
            def generate(self, _: Any, seed: int) -> Any:
                calls.append(seed)
                time.sleep(next(naps))
                return np.zeros((10, 2), dtype=np.float32)

        sleeper: Any = Sleeper()
        _, milliseconds = timed_showers(sleeper, {}, 7, timings=3)
        assert calls == [7, 7, 7]
        assert 2.0 <= milliseconds < 4.0  # the shortest, 20 ms, over 10 showers

    def test_mlflow_gets_it(self, setup: TrialSetup) -> None:
        run = TrialRun(setup, 0, CONFIG, seed=1)
        metrics = tracked_metrics(vars(run.advance()) | {"reported": run.reported()})
        assert metrics["generation_time"] == run.history[0].generation_time
        assert 0 < (metrics["reported.p_value"] or 0) <= 1

    def test_histories_from_before_it_was_measured_are_read(self, setup: TrialSetup) -> None:
        run = TrialRun(setup, 0, CONFIG, seed=1)
        run.advance()
        path = setup.folder(0) / "history.jsonl"
        line = json.loads(path.read_text())
        del line["generation_time"]
        path.write_text(json.dumps(line) + "\n")
        (old,) = read_history(setup.folder(0))
        assert old.generation_time is None
        assert reached([old], SCORE_ALONE) == {"score": old.score}


def run_script(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "atlas_gan.py", *arguments],
        cwd=home, env={**os.environ, "COLUMNS": "160"}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(search.atlas_gan.__file__, folder / "atlas_gan.py")
    return folder


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    return run_script(home, "--objective", "generation_time,bmre", "--trials", "3", "--epochs", "3", "--seeds", "1")


def pareto_file(home: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((home / "runs/atlas-gan/001/pareto.json").read_text())
    return record


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
class TestWholeSearch:
    def test_the_set_is_printed_and_written(self, printed: str, home: Path) -> None:
        assert "Minimised: bmre, generation_time, as a Pareto set; no trial is stopped early" in printed
        ledger, record = Ledger(home / "runs/atlas-gan/001/ledger.jsonl"), pareto_file(home)
        assert record == pareto_record(ledger, TWO)
        assert record["trials_compared"] == 3
        assert {end.status for _, end in ledger.ended} == {"completed"}
        assert f"Pareto set: {len(record['pareto_set'])} of 3 trials" in printed

    def test_its_lowest_score_is_the_champion(self, printed: str, home: Path) -> None:
        judged_again = json.loads((home / "runs/atlas-gan/001/shortlist.json").read_text())
        assert {trial["number"] for trial in judged_again} == {
            member["trial"] for member in pareto_file(home)["pareto_set"]
        }
        assert judged_again == sorted(judged_again, key=lambda trial: trial["value"])
        assert f"Champion: trial {judged_again[0]['number']}, score" in printed

    def test_the_command_can_be_given_again(self, printed: str, home: Path) -> None:
        assert "--objective bmre,generation_time --hours 1" in printed
        (study,), _ = read_studies(home / "runs" / "leaderboard")
        assert study["command"] == (
            "python search/atlas_gan.py --trials 3 --epochs 3 --seeds 1 --objective bmre,generation_time"
        )

    def test_mlflow_knows_the_set(self, printed: str, home: Path) -> None:  # noqa: ARG002
        client = MlflowClient(f"sqlite:///{home / 'runs' / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("atlas-gan")
        assert experiment is not None
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        parent = runs["atlas-gan/001"]
        members = {member["trial"] for member in pareto_file(home)["pareto_set"]}
        assert parent.data.params["objective"] == "bmre,generation_time"
        assert parent.data.metrics["pareto_set"] == len(members)
        assert "pareto.json" in {file.path for file in client.list_artifacts(parent.info.run_id)}
        trials = [run for run in runs.values() if "trial" in run.data.tags]
        assert {int(run.data.tags["trial"]) for run in trials if run.data.metrics["pareto"] == 1} == members
        assert all({"objective.bmre", "objective.generation_time"} <= run.data.metrics.keys() for run in trials)

    @pytest.mark.slow
    def test_it_is_extended(self, printed: str, home: Path) -> None:  # noqa: ARG002
        ledger = home / "runs/atlas-gan/001/ledger.jsonl"
        before = ledger.read_text()
        extended = run_script(home, "--resume", "--trials", "4")
        assert ledger.read_text().startswith(before)
        assert pareto_file(home)["trials_compared"] == 4
        assert f"Pareto set: {len(pareto_file(home)['pareto_set'])} of 4 trials" in extended
