"""The whole protocol on the sample that ships with the project: trainings, judgement, records, pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_adapters.datasets import DATASETS, DatasetFiles
from data_adapters.registry import Registry
from leaderboard import records
from leaderboard.benchmark import Benchmark, EntryPlan, StudyFacts
from leaderboard.combine import combine_seeds
from leaderboard.pages import build_pages
from leaderboard.records import EntryExists
from leaderboard.resamples import read_resamples
from leaderboard.training import SeedJob, failed_seed, read_seed, train_seed
from metrics.estimate import Estimate
from metrics.whole_sample.frechet import FRECHET
from metrics.whole_sample.optimisation_3dgan import OPTIMISATION_3DGAN
from models.checkpoint import load_generator

FILES = DatasetFiles("atlas-photons-geant4")
STUDY = StudyFacts("test", sampler="none", trials_compared=5, directory="test-1")
SMALL = {"hidden_layers": 1, "units": 16, "latent_dim": 4, "batch_size": 1024, "learning_rate": 1e-3}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def quick_metrics():
    """One metric of whole samples, and one that does not apply; the networks take long."""
    chosen = Registry("whole-sample metric", FRECHET, OPTIMISATION_3DGAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metrics.whole_sample_report.WHOLE_SAMPLE_METRICS", chosen)
        yield


def gan_plan(**changes) -> EntryPlan:
    plan = EntryPlan(
        title="Tiny GAN",
        study=STUDY,
        preset="test",
        model_name="atlas-gan",
        config=SMALL,
        seeds=(0, 1),
        epochs=4,
        evaluate_every=2,
        epochs_label="4 of the paper's 50 000 epochs",
        dataset=FILES,
        scorecard="atlas-photons-v1",
        replay="python search/test.py",
    )
    return replace(plan, **changes)


def job(folder: Path, **changes) -> SeedJob:
    (first, *_) = gan_plan().jobs(folder)
    return replace(first, folder=folder, **changes)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def trainings(work):
    return [train_seed(each) for each in gan_plan().jobs(work)]


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """What the benchmark told that it does."""
    return []


@pytest.fixture(scope="module")
def benchmark(board, steps) -> Benchmark:
    def on_step(title: str, step: str) -> None:
        steps.append((title, step))

    return Benchmark(board, FILES, "atlas-photons-v1", "test of the benchmark", on_step)


@pytest.fixture(scope="module")
def judged(benchmark, trainings):
    return benchmark.judge_entry(gan_plan(), trainings)


@pytest.fixture(scope="module")
def mean_shower(benchmark, work):
    return benchmark.mean_shower("test", STUDY, work)


def test_a_training_is_stored_and_not_run_again(trainings, work):
    (first, _) = gan_plan().jobs(work)
    called = []
    again = train_seed(first, on_progress=lambda *progress: called.append(progress))
    assert again == trainings[0]
    assert called == []
    assert trainings[0].status == "completed"
    assert [record["epoch"] for record in trainings[0].history] == [1, 2, 3, 4]
    assert trainings[0].showers == len(DATASETS[FILES.name].split("train"))
    assert str(work) not in (first.folder / "seed.json").read_text()  # no absolute path


def test_the_best_epoch_is_the_one_in_the_checkpoint(trainings):
    scores = {record["epoch"]: record["score"] for record in trainings[0].history if record["score"] is not None}
    assert trainings[0].best_epoch == min(scores, key=scores.__getitem__)
    assert trainings[0].validation_score == min(scores.values())


@pytest.mark.parametrize(
    ("rule", "repeated"),
    # The last evaluation, and so the last state kept, was in epoch 2, but where each of the last ten is evaluated.
    [("best_validation", [3, 4]), ("last", [3, 4]), ("best_sampling_fraction_of_last_ten", [4])],
)
def test_an_interrupted_training_ends_like_an_uninterrupted_one(tmp_path, rule, repeated):
    def interrupt(epoch: int, *_: object) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    whole = train_seed(job(tmp_path / "whole", checkpoint_rule=rule))
    interrupted = job(tmp_path / "interrupted", checkpoint_rule=rule)
    with pytest.raises(KeyboardInterrupt):
        train_seed(interrupted, on_progress=interrupt)
    assert read_seed(interrupted.folder) is None
    epochs: list[int] = []
    resumed = train_seed(interrupted, on_progress=lambda epoch, *_: epochs.append(epoch))
    assert epochs == repeated
    assert resumed.history == whole.history
    assert (resumed.best_epoch, resumed.validation_score) == (whole.best_epoch, whole.validation_score)
    conditions = DATASETS[FILES.name].split("validation").conditions
    found, expected = (load_generator(each.checkpoint_folder).generate(conditions, seed=5) for each in (resumed, whole))
    np.testing.assert_array_equal(found, expected)
    assert not list(interrupted.folder.glob("state-*"))


@pytest.mark.usefixtures("trainings")
def test_a_folder_with_another_training_is_refused(work):
    (first, _) = gan_plan().jobs(work)
    with pytest.raises(ValueError, match="holds another training: epochs differ"):
        train_seed(replace(first, epochs=5))


def test_a_training_that_diverges_is_a_result(tmp_path):
    training = train_seed(job(tmp_path, config=SMALL | {"learning_rate": 1e6}))
    assert training.status == "diverged"
    assert training.detail
    assert read_seed(tmp_path) == training
    with pytest.raises(ValueError, match="no checkpoint"):
        _ = training.checkpoint_folder


def test_the_entry_combines_its_seeds(judged):
    entry = judged.entry
    assert entry["status"] == "complete"
    expected = combine_seeds([Estimate(seed["score"], seed["error"]) for seed in entry["seeds"]])
    assert (entry["score"]["value"], entry["score"]["error"]) == pytest.approx((expected.value, expected.error))
    assert entry["excess"]["value"] == pytest.approx(entry["score"]["value"] - entry["floor"]["value"])
    assert set(entry["components"]) == set(entry["scorecard"]["weights"])
    assert entry["model"]["config"]["units"] == 16
    assert entry["model"]["paper_config"]["units"] == 128
    records.check_entry(entry)


def test_the_plots_are_of_the_seed_with_the_median_score(judged):
    scores = {seed["seed"]: seed["score"] for seed in judged.entry["seeds"]}
    assert judged.observables["seed"] == min(scores, key=scores.__getitem__)  # of two, the better one
    assert judged.observables["judgement"]["score"]["value"] == scores[judged.observables["seed"]]


def test_score_and_components_have_excess_p_value_and_worth(judged):
    entry = judged.entry
    seeds = entry["seeds"]
    assert entry["p_value"] == max(seed["p_values"]["score"] for seed in seeds)
    assert entry["worth"]["events"] == pytest.approx(515 * (entry["floor"]["value"] / entry["excess"]["value"]) ** 2)
    for name, component in entry["components"].items():
        assert component["excess"]["value"] == pytest.approx(component["value"] - component["floor"])
        assert component["p_value"] == max(seed["p_values"][name] for seed in seeds)
        assert component["worth"]["at_least"] <= component["worth"]["events"]


def test_whole_sample_and_memorisation_are_of_the_shown_seed(judged, benchmark):
    entry, shown = judged.entry, judged.observables["seed"]
    assert entry["whole_sample"]["seed"] == entry["memorisation"]["seed"] == shown
    again = benchmark.reports.whole_sample(judged.responses[shown])
    assert entry["whole_sample"]["metrics"] == again.record["metrics"]
    assert judged.observables["whole_sample"] == again.details
    assert entry["memorisation"]["found"]["training_events"] == len(DATASETS[FILES.name].split("train"))
    assert entry["memorisation"]["found"]["control"] is not None


def test_rows_to_read_scores_by_get_what_makes_sense(benchmark, mean_shower):
    assert not {"whole_sample", "memorisation"} & mean_shower.entry.keys()
    assert mean_shower.entry["p_value"] < 0.05
    floor = benchmark.full_simulation("test", STUDY)
    assert floor is not None
    assert all(row["outcome"] == row["floor"] for row in floor.entry["whole_sample"]["metrics"])
    assert "p_value" not in floor.entry
    assert "p_value" not in floor.entry["components"]["bmre"]
    records.check_entry(floor.entry)


@pytest.mark.usefixtures("judged")
def test_every_step_is_told(steps):
    told = [step for title, step in steps if title == "Tiny GAN"]
    assert told[:4] == ["score", "metrics of whole samples", "memorisation", "time of generating"]


def test_the_cost_is_measured(judged):
    cost = judged.entry["cost"]
    timings = cost["generation_ms_per_shower"]
    assert 0 < timings["batch_10000"]["median"] < timings["batch_1"]["median"] < 1000
    assert 10 < cost["peak_memory_mb"] < 4000
    assert cost["train_cpu_s"] > 0


def test_the_test_split_was_opened_once(judged, mean_shower, board):
    assert records.count_test_openings(board) == {DATASETS[FILES.name].sha256: 1}
    opening = json.loads((board / records.TEST_OPENINGS).read_text())
    assert opening["reason"] == "test of the benchmark"
    assert judged.entry["test_openings"] == mean_shower.entry["test_openings"] == 1


def test_the_floor_is_below_the_mean_shower_and_this_below_the_untrained(benchmark, mean_shower, work):
    floor = benchmark.full_simulation("test", STUDY)
    untrained = benchmark.untrained(gan_plan(), work)
    assert floor is not None
    scores = [judged.entry["score"]["value"] for judged in (floor, mean_shower, untrained)]
    assert scores == sorted(scores)
    assert floor.entry["score"] == floor.entry["floor"]
    assert untrained.entry["kind"] == "untrained"
    assert [seed["best_epoch"] for seed in untrained.entry["seeds"]] == [0, 0]
    longer = benchmark.untrained(gan_plan(epochs=8, evaluate_every=4), work)
    assert longer.entry["id"] == untrained.entry["id"], "a board has one row of it"


def test_comparisons_are_antisymmetric_and_of_the_right_sign(benchmark, judged, mean_shower):
    there, seeds = benchmark.difference(judged.responses, mean_shower.responses)
    assert seeds == 2
    scores = judged.entry["score"]["value"], mean_shower.entry["score"]["value"]
    assert there.value == pytest.approx(scores[0] - scores[1])
    doubled = dict.fromkeys(judged.responses, mean_shower.responses[0])
    back, _ = benchmark.difference(doubled, judged.responses)
    assert (back.value, back.error) == pytest.approx((-there.value, there.error))
    (comparison,) = benchmark.compare(judged, [mean_shower]).entry["comparisons"]
    assert comparison["standard_errors"] == pytest.approx(there.value / there.error)


def test_a_difference_needs_seeds_in_common(benchmark, judged):
    shifted = {seed + 10: response for seed, response in judged.responses.items()}
    with pytest.raises(ValueError, match="no seed in common"):
        benchmark.difference(judged.responses, shifted)


def test_a_missing_seed_makes_the_entry_incomplete_and_a_diverged_one_diverged(benchmark, trainings, work, tmp_path):
    plan = gan_plan()
    lost = failed_seed(plan.jobs(work)[1], "the worker was lost")
    incomplete = benchmark.judge_entry(plan, [trainings[0], lost])
    assert incomplete.entry["status"] == "incomplete"
    assert incomplete.entry["seeds"][1]["detail"] == "the worker was lost"
    diverged = replace(trainings[1], status="diverged", checkpoint=None, detail="loss was nan")
    assert benchmark.judge_entry(plan, [trainings[0], diverged]).entry["status"] == "diverged"
    nothing = benchmark.judge_entry(plan, [replace(trainings[0], status="diverged", checkpoint=None), diverged])
    assert nothing.entry["score"] is None
    records.write_entry(tmp_path, nothing.entry, nothing.observables)
    assert "diverged" in build_pages(tmp_path).read_text(encoding="utf-8")


def test_trainings_of_another_plan_are_refused(benchmark, trainings):
    with pytest.raises(ValueError, match="not of this plan"):
        benchmark.judge_entry(gan_plan(epochs=8), trainings)
    with pytest.raises(ValueError, match="Open one for it"):
        benchmark.judge_entry(gan_plan(dataset=DatasetFiles("other")), trainings)


def test_ids_follow_from_what_was_planned_and_not_from_the_title():
    assert gan_plan(title="Another title").id == gan_plan().id
    assert gan_plan(epochs=5).id != gan_plan().id
    assert gan_plan(config=SMALL | {"units": 17}).id != gan_plan().id
    assert gan_plan().id.startswith("atlas-gan.test.")


def test_records_are_written_and_shown(benchmark, judged, trainings, mean_shower, board):
    compared = benchmark.compare(judged, [mean_shower])
    benchmark.write(compared)
    resamples = read_resamples(board, compared.entry)
    assert resamples is not None
    assert resamples.scores == pytest.approx([seed["score"] for seed in compared.entry["seeds"]])
    errors = [seed["error"] for seed in compared.entry["seeds"]]
    assert resamples.replicas.std(axis=1, ddof=1) == pytest.approx(errors, rel=1e-4)
    benchmark.write(mean_shower)
    assert read_resamples(board, mean_shower.entry) is None
    benchmark.write(mean_shower)  # a reference row that stands is kept
    with pytest.raises(EntryExists):
        benchmark.write(compared)
    again = benchmark.judge_entry(gan_plan(), trainings)  # its record is kept, so that nothing is added to it
    assert "whole_sample" not in again.entry
    assert again.entry["score"] == judged.entry["score"]
    index = build_pages(board)
    assert "opened once" in index.read_text(encoding="utf-8")
    page = (board / "models" / f"{judged.entry['id']}.html").read_text(encoding="utf-8")
    assert "than Mean shower of each energy" in page
    drawings = {
        "and their ratio": 9 * 14,
        "against the incident energy": 2,
        "Mean shower at": 9 * 4,
        "of an event at": 4 * 4,
    }
    drawings |= {
        "Correlations of the observables": 9,
        "Validation score against epoch": 1,
        "Distances to the nearest": 1,
    }
    labels = re.findall('<svg[^>]* aria-label="([^"]*)"', page)
    assert {words: sum(words in label for label in labels) for words in drawings} == drawings
    assert len(page) < 1_000_000


def test_the_mean_of_events_without_an_energy_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    benchmark = Benchmark(tmp_path, DatasetFiles("alice-tracks-geant4"), "alice-tracks-v1", "test of the title")
    monkeypatch.setattr(benchmark, "_train_and_judge", lambda plan, _work: plan)
    plan: Any = benchmark.mean_shower("test", STUDY, tmp_path)
    assert plan.title == "Mean event"
