"""A search that learns from an earlier one."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search.atlas_gan import STUDY as GAN
from search.engine import benchmark_command, cli, session
from search.engine.earlier import TAKEN_OVER, best_configurations
from search.engine.ledger import Ledger, Status, TrialEnd, TrialStart
from search.engine.plan import Options, Plan, begin, check_identity, make_plan, new_folder, recorded_options
from search.engine.sampler import Budget, LedgerSearch
from search.engine.study import StudyError

SPACE = GAN.space_at(GAN.laptop)


def config(**changes: Any) -> dict[str, Any]:
    return SPACE.validate({**SPACE.default, **changes})


TRIED = [
    (config(), 5.0),
    (config(units=64, learning_rate=1e-3), 3.0),
    (config(units=64, learning_rate=2e-4), 1.0),
    (config(learning_rate=3e-4), 2.0),
    (config(learning_rate=4e-4), None),
    (config(learning_rate=5e-4), 4.0),
]
BEST = [TRIED[2][0], TRIED[3][0], TRIED[1][0]]


def record(folder: Path, tried: Sequence[tuple[dict[str, Any], float | None]]) -> Ledger:
    ledger = Ledger(folder / "ledger.jsonl")
    for number, (configuration, objective) in enumerate(tried):
        ledger.record_start(TrialStart(number, configuration, seed=number))
        status: Status = "diverged" if objective is None else "completed"
        ledger.record_end(TrialEnd(number, status, 20, 1.0, objective, 0.1, objective, 20))
    return ledger


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    folder = begin(make_plan(GAN, Options(), tmp_path, new_folder(tmp_path, GAN), None)).folder
    record(folder, TRIED)
    return folder


def plan_of(output: Path, **options: Any) -> Plan:
    return make_plan(GAN, Options(**options), output, new_folder(output, GAN), None)


def suggestions(plan: Plan, number: int) -> list[dict[str, Any]]:
    search = LedgerSearch(
        plan.space, plan.ledger, Budget(None), plan.sampler, plan.seed, first_trials=plan.first_trials
    )
    suggested = [search.suggest(str(index)) for index in range(number)]
    return [each["hyperparameters"] for each in suggested if each is not None]


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_its_best_configurations_follow_the_papers(earlier: Path, tmp_path: Path, sampler: Any) -> None:
    plan = begin(plan_of(tmp_path, learn_from=str(earlier), sampler=sampler))
    assert suggestions(plan, 4) == [SPACE.default, *BEST]


def test_then_it_goes_on_as_any_search(earlier: Path, tmp_path: Path) -> None:
    taught = begin(plan_of(tmp_path, learn_from=str(earlier), sampler="grid"))
    alone = begin(plan_of(tmp_path, sampler="grid"))
    assert suggestions(taught, 8)[4:] == suggestions(alone, 5)[1:]


def test_the_points_of_a_resumed_grid_are_neither_left_out_nor_repeated(earlier: Path, tmp_path: Path) -> None:
    plan = begin(plan_of(tmp_path, learn_from=str(earlier), sampler="grid"))
    whole = suggestions(plan, 8)
    plan.ledger.path.unlink()
    record(plan.folder, [(configuration, 1.0) for configuration in suggestions(plan, 6)])
    assert suggestions(plan, 2) == whole[6:]


def test_it_is_resumed_without_the_earlier_one(earlier: Path, tmp_path: Path) -> None:
    begun = begin(plan_of(tmp_path, learn_from=str(earlier)))
    shutil.rmtree(earlier)
    options = recorded_options(begun.folder, Options())
    again = make_plan(GAN, options, tmp_path, begun.folder, None)
    check_identity(again)
    assert list(again.first_trials) == BEST


def test_another_one_to_learn_from_is_another_search(earlier: Path, tmp_path: Path) -> None:
    begun = begin(plan_of(tmp_path, learn_from=str(earlier)))
    with pytest.raises(StudyError, match="was searched with learn_from"):
        recorded_options(begun.folder, Options(learn_from="elsewhere"))


def test_the_record_of_the_search_says_so(earlier: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, learn_from=str(earlier), trials=9)
    assert plan.command == "python search/atlas_gan.py --trials 9 --learn-from atlas-gan/001"


def test_it_is_said_at_the_start(earlier: Path, tmp_path: Path) -> None:
    plan = begin(plan_of(tmp_path, learn_from=str(earlier)))
    console = Console(record=True, width=200)
    session._announce(plan, plan.ledger, console, resumed=False)
    said = "After the paper's configuration come the 3 best configurations of"
    assert said in console.export_text()


def test_what_this_search_holds_fixed_is_set(earlier: Path, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, learn_from=str(earlier), fix={"units": "64"})
    assert [configuration["units"] for configuration in plan.first_trials] == [64] * TAKEN_OVER


def test_what_lies_outside_is_left_out(tmp_path: Path) -> None:
    narrow = SPACE.limit({"learning_rate": (5e-5, 2.5e-4)})
    assert best_configurations(record(tmp_path, TRIED), narrow) == BEST[:1]


def test_the_same_is_not_tried_twice(tmp_path: Path) -> None:
    tried = [(config(), 1.0), (config(units=64), 2.0), (config(units=64), 3.0), (config(learning_rate=1e-3), 4.0)]
    assert best_configurations(record(tmp_path, tried), SPACE) == [config(units=64)]


def test_nothing_within_this_search_is_an_error(tmp_path: Path) -> None:
    narrow = SPACE.limit({"learning_rate": (5e-5, 1e-4)})
    with pytest.raises(StudyError, match=r"none of its best .*learning_rate = 0.0002 lies outside .* leave --learn"):
        best_configurations(record(tmp_path, TRIED), narrow)


def test_a_search_without_a_score_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no trial of that search was evaluated"):
        best_configurations(record(tmp_path, [(config(), None)]), SPACE)


class TestCommand:
    def message(self, output: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
        before = sorted(output.rglob("*"))
        with pytest.raises(SystemExit) as left:
            cli.main(GAN, [*arguments, "--output", str(output)])
        assert left.value.code == 2
        assert sorted(output.rglob("*")) == before, "a refused command leaves nothing"
        return capsys.readouterr().err

    def test_a_folder_without_a_search(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        said = self.message(tmp_path, ["--learn-from", str(tmp_path)], capsys)
        assert "not the record of a search" in said
        assert "Give the folder of a search" in said

    def test_another_model(self, earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = earlier / "study.json"
        recorded = json.loads(path.read_text())
        recorded["identity"]["model"] = "atlas-vae"
        path.write_text(json.dumps(recorded))
        said = self.message(tmp_path, ["--learn-from", str(earlier)], capsys)
        assert "was a search of atlas-vae; this one searches atlas-gan" in said

    def test_groups(self, earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        said = self.message(tmp_path, ["--learn-from", str(earlier), "--group-size", "4"], capsys)
        assert "architectures of their own" in said


def test_a_trial_of_such_a_search_is_benchmarked_without_the_earlier_one(earlier: Path, tmp_path: Path) -> None:
    begun = begin(plan_of(tmp_path, learn_from=str(earlier)))
    record(begun.folder, [(config(), 1.0)])
    shutil.rmtree(earlier)
    flags = Namespace(
        what=begun.folder / "trials" / "000", study=None, preset=None, epochs=None, data=None, twin=None, base=None,
        seeds=2, cpus_per_trial=1, gpus_per_trial=0.0, output=tmp_path,
    )  # fmt: skip
    plan = benchmark_command._plan(benchmark_command._candidate(flags), flags)
    assert (plan.final_seeds, list(plan.first_trials)) == (2, [])
