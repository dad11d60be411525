"""``arena report``: the page of a search, from a folder that is only read."""

from __future__ import annotations

import fcntl
import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from leaderboard.studies import StudyRecord, study_text, write_study
from search.atlas_gan import STUDY as GAN
from search.engine.arena import main as arena
from search.engine.importance import LEAST_TRIALS, importance
from search.engine.ledger import Ledger, TrialEnd, TrialStart
from search.engine.plan import Options, Plan, begin, make_plan
from search.engine.report import report
from search.engine.study import StudyError
from search.engine.tied import Candidate, cheapest_tied
from search.engine.trial import Evaluation


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A search of the ATLAS WGAN-GP in which no trial has begun."""
    output = tmp_path_factory.mktemp("runs")
    options = Options(cpus_per_trial=2, trials=40)
    return begin(make_plan(GAN, options, output, output / "atlas-gan" / "001", "sqlite:///none.db"))


@pytest.fixture
def folder(tmp_path: Path, template: Plan) -> Path:
    copy = tmp_path / "runs" / "atlas-gan" / "001"
    shutil.copytree(template.folder, copy)
    return copy


def record(folder: Path, template: Plan, number: int, status: Any, score: float | None = None, **changed: Any) -> None:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.record_start(TrialStart(number, template.space.default | changed, number))
    if status is None:
        return
    history = [] if score is None else [(25, score + 1), (50, score)]
    detail = "RuntimeError: no (/home/somebody/error.txt)" if status == "failed" else ""
    ledger.record_end(TrialEnd(number, status, 50, 36.0, score, 0.1, score, 50, {}, history, detail))


def some_trials(folder: Path, template: Plan) -> None:
    record(folder, template, 0, "completed", 2.0)
    record(folder, template, 1, "pruned", 4.0, gradient_penalty_weight=0.0)
    record(folder, template, 2, "failed")
    record(folder, template, 3, "diverged")
    record(folder, template, 4, "out_of_memory")
    record(folder, template, 5, "preempted", 3.0)
    record(folder, template, 6, "completed", 1.0, learning_rate=1e-3, units=64)
    record(folder, template, 7, None)


def many_trials(folder: Path, template: Plan, number: int) -> None:
    """A search in which the learning rate decides nearly everything."""
    choose = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    noise = np.random.default_rng(2)
    lines = []
    for index in range(number):
        config = template.space.suggest(choose.ask())
        score = float(1 + abs(math.log10(config["learning_rate"]) + 3) + 0.1 * noise.random())  # type: ignore[arg-type]
        lines.append({"event": "start", **asdict(TrialStart(index, config, index))})
        end = TrialEnd(index, "completed", 50, 3.0, score, 0.05, score, 50, {}, [(25, score + 1), (50, score)])
        lines.append({"event": "end", **asdict(end)})
    (folder / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        arena(["report", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def page_of(folder: Path, to: Path) -> str:
    """The page; the folder of the search is as it was."""
    before = files(folder)
    assert run(str(folder), "--to", str(to)) == 0
    assert files(folder) == before
    return (to / "index.html").read_text(encoding="utf-8")


def test_every_status_is_kept_apart(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    found = report(folder)
    statuses = ["completed", "pruned", "failed", "diverged", "out_of_memory", "preempted", "completed", "running"]
    assert [trial["status"] for trial in found["trial_list"]] == statuses
    assert [part["status"] for part in found["budget"]] == [
        "completed", "pruned", "diverged", "out_of_memory", "failed", "preempted", "running",
    ]  # fmt: skip
    completed = found["budget"][0]
    assert (completed["trials"], completed["wall_hours"], completed["cpu_hours"]) == (2, 0.02, 0.04)
    assert (found["best_trial"], found["best_validation"], found["status"]) == (6, 1.0, "unfinished")
    assert [trial["value"] for trial in found["trial_list"]] == [2.0, 4.0, None, None, None, 3.0, 1.0, None]


def test_only_what_had_an_effect_and_was_varied_is_there(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    trials = report(folder)["trial_list"]
    assert "gradient_penalty" in trials[0]["parameters"]
    assert "gradient_penalty" not in trials[1]["parameters"]  # its weight is 0
    assert "batch_size" not in trials[0]["parameters"]  # held by the preset
    assert trials[2]["detail"] == "RuntimeError: no"  # without the machine's path


def test_what_was_learned_of_a_parameter(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    learned = {row["parameter"]: row for row in report(folder)["learned"]}
    assert learned["learning_rate"]["default"] == 5e-5
    assert learned["learning_rate"]["best"] == 1e-3
    assert learned["learning_rate"]["top_range"] == [5e-5, 1e-3]
    assert learned["units"]["top_range"] == [64, 128]
    assert learned["units"]["importance"] is None  # of four trials nothing is said


def test_a_search_that_runs_is_read_without_its_lock(tmp_path: Path, folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    trial = folder / "trials" / "0007"
    trial.mkdir(parents=True)
    evaluations = [
        Evaluation(25, 1.5, 1.5, 0.1, {}, {}, 4.0, 9.0, 0.2),
        Evaluation(50, 1.2, 1.35, 0.1, {}, {}, 5.0, 9.0, 0.2),
    ]
    lines = "".join(json.dumps(asdict(evaluation)) + "\n" for evaluation in evaluations)
    (trial / "history.jsonl").write_text(lines + '{"epoch": 75, "sc')  # being written
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        page = page_of(folder, tmp_path / "out")
    assert "last sign of life" in page.lower()
    running = report(folder)["trial_list"][7]
    assert (running["score"], running["epochs"], running["seconds"], running["cpu_seconds"]) == (1.2, 50, 9.0, 18.0)
    assert report(folder)["best_trial"] == 6  # not one that may yet change


def test_a_torn_last_line_stays_as_it_is(tmp_path: Path, folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    with (folder / "ledger.jsonl").open("a") as file:
        file.write('{"event": "end", "number": 7, "sta')
    assert "trial 6" in page_of(folder, tmp_path / "out")


def test_a_search_without_an_ended_trial_has_a_page(tmp_path: Path, folder: Path, template: Plan) -> None:
    assert "No trial has begun" in page_of(folder, tmp_path / "none")
    record(folder, template, 0, None)
    page = page_of(folder, tmp_path / "one")
    assert "none has ended" in page
    assert "none yet" in page


def test_where_nothing_is_said_the_page_lies_here(
    tmp_path: Path, folder: Path, template: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some_trials(folder, template)
    monkeypatch.chdir(tmp_path)
    assert run(str(folder)) == 0
    written = tmp_path / "report" / "atlas-gan-001"
    assert sorted(path.name for path in written.iterdir()) == ["atlas-gan-001.json", "index.html"]
    said = capsys.readouterr().out
    assert "7 of 8 trials have ended" in said
    assert (written / "index.html").as_uri() in said


def test_a_folder_without_a_search_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path), "--to", str(tmp_path / "out")) == 2
    assert "like runs/atlas-gan/001" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_searchs_own_folder_is_not_written_to(
    folder: Path, template: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    some_trials(folder, template)
    before = files(folder)
    assert run(str(folder), "--to", str(folder / "report")) == 2
    assert "outside" in capsys.readouterr().err
    assert files(folder) == before


def test_a_study_that_is_not_known_is_said(folder: Path) -> None:
    content = json.loads((folder / "study.json").read_text())
    content["identity"]["study"] = "atlas-gann"
    (folder / "study.json").write_text(json.dumps(content))
    with pytest.raises(StudyError, match="'atlas-gann' is not known here"):
        report(folder)


def test_the_record_of_an_ended_search_says_how_it_ended(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    record(folder, template, 7, "completed", 1.5)
    board = folder.parents[1] / "leaderboard"
    ended: StudyRecord = report(folder) | {"status": "finished", "minutes": 12.5}
    ended["floor"] = {"value": 0.5, "error": 0.01}
    write_study(board, ended)
    found = report(folder)
    assert (found["status"], found["minutes"], found["floor"]) == ("finished", 12.5, {"value": 0.5, "error": 0.01})
    record(folder, template, 8, None)  # resumed since
    assert report(folder)["status"] == "unfinished"


def test_the_importance_finds_what_decides(folder: Path, template: Plan) -> None:
    many_trials(folder, template, 80)
    found = report(folder)["importance"]
    assert found["parameters"][0]["name"] == "learning_rate"
    assert found["parameters"][0]["share"] > 0.5
    assert sum(parameter["share"] for parameter in found["parameters"]) == pytest.approx(1, abs=1e-3)
    assert found["trials"] == 80
    assert found["best_trials"] == 8
    assert found["resamples"] == 50
    assert all(parameter["low"] <= parameter["high"] for parameter in found["parameters"])


def test_of_few_trials_nothing_is_said(folder: Path, template: Plan) -> None:
    many_trials(folder, template, LEAST_TRIALS - 1)
    found = importance(template.space, Ledger(folder / "ledger.jsonl"))
    assert found["parameters"] == []
    assert f"at least {LEAST_TRIALS}" in found["reason"]


def test_the_cheapest_of_the_tied_generates_fastest() -> None:
    leader, near, far = Candidate(3, 1.0, 0.1), Candidate(5, 1.2, 0.1), Candidate(7, 1.4, 0.1)
    times = {3: 2.0, 5: 0.5, 7: 0.1}
    found = cheapest_tied(leader, [far, near, leader], 10, times.get, lambda number: number)
    assert (found.leader.number, found.cheapest.number, found.numbers, found.cost) == (3, 5, [3, 5], "generation time")
    found = cheapest_tied(leader, [far, near, leader], 10, {3: 2.0}.get, lambda number: float(number))
    assert (found.cheapest.number, found.cost) == (3, "training time")  # the time of trial 5 is not known


def test_what_was_judged_again_counts_with_its_fresh_value(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    fresh = [{"number": 6, "value": 1.9, "spread": 0.05}, {"number": 0, "value": 1.95, "spread": 0.05}]
    (folder / "shortlist.json").write_text(json.dumps(fresh))
    tied = report(folder)["tied"]
    assert tied is not None
    assert (tied["fresh_samples"], tied["leader"]["number"], tied["leader"]["value"]) == (True, 6, 1.9)
    assert tied["trials"] == [0, 6]
    record(folder, template, 8, "completed", 0.5)  # better than all that were judged again
    tied = report(folder)["tied"]
    assert tied is not None
    assert (tied["fresh_samples"], tied["leader"]["number"]) == (False, 8)


def test_the_best_of_a_budget_that_ran_out_leads_although_it_was_cut_short(folder: Path, template: Plan) -> None:
    some_trials(folder, template)
    fresh = [{"number": 5, "value": 0.9, "spread": 0.05}, {"number": 6, "value": 1.9, "spread": 0.05}]
    (folder / "shortlist.json").write_text(json.dumps(fresh))
    tied = report(folder)["tied"]
    assert tied is not None
    assert (tied["leader"]["number"], tied["trials"]) == (5, [5])


@pytest.mark.slow
def test_a_search_of_ten_thousand_trials_has_a_page_of_bounded_size(
    tmp_path: Path, folder: Path, template: Plan
) -> None:
    many_trials(folder, template, 10_000)
    page = page_of(folder, tmp_path / "out")
    assert len(page.encode()) < 4e6
    assert "1\u202f000 of 10\u202f000 trials are listed" in page
    assert len(study_text(report(folder)).encode()) < 10e6
