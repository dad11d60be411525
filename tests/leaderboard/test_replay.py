"""An entry can be had again from its record, or it is said why not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4, DatasetFiles
from leaderboard.benchmark import Benchmark, EntryPlan, StudyFacts
from leaderboard.records import count_test_openings, read_entry
from leaderboard.replay import CannotReplay, Replay, allowed_difference, replay, replay_job
from leaderboard.replay_command import sentence
from leaderboard.training import train_seed
from metrics.estimate import Estimate
from search.engine.arena import main

SMALL = {"hidden_layers": 1, "units": 16, "latent_dim": 4, "batch_size": 1024, "learning_rate": 1e-3}
PLAN = EntryPlan(
    title="Tiny GAN",
    study=StudyFacts("test", directory="test-1"),
    preset="test",
    model_name="atlas-gan",
    config=SMALL,
    seeds=(0, 1),
    epochs=2,
    evaluate_every=1,
    epochs_label="2 epochs",
    dataset=DatasetFiles("atlas-photons-geant4"),
    scorecard="atlas-photons-v1",
)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with one entry, judged without what takes long and is not compared."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Benchmark, "_reports", lambda *_: ({}, {}))
        patch.setattr(Benchmark, "_cost", lambda *_: None)
        benchmark = Benchmark(folder / "leaderboard", PLAN.dataset, PLAN.scorecard, "test")
        judged = benchmark.judge_entry(PLAN, [train_seed(job) for job in PLAN.jobs(folder)])
    benchmark.write(judged)
    return folder


@pytest.fixture
def entry(output):
    return read_entry(output / "leaderboard", PLAN.id)


def test_the_record_says_how_to_replay_it(entry):
    assert entry["schema"] == 2
    assert entry["provenance"]["replay"] == f"arena replay {PLAN.id}"
    assert entry["provenance"]["origin"] == "ours"
    assert entry["units"]["score"] == {"unit": "1", "direction": "lower"}


@pytest.mark.parametrize("by", ["id", "path"])
def test_the_command_agrees(output, entry, capsys, by):
    name = entry["id"] if by == "id" else str(output / "leaderboard" / "entries" / entry["id"] / "entry.json")
    before = count_test_openings(output / "leaderboard")
    with pytest.raises(SystemExit) as ended:
        main(["replay", name, "--output", str(output), "--seed", "1"])
    assert ended.value.code == 0
    assert "agrees: seed 1 scores" in capsys.readouterr().out
    (opened,) = count_test_openings(output / "leaderboard").values()
    assert opened == sum(before.values()) + 1
    assert read_entry(output / "leaderboard", entry["id"]) == entry


def test_a_changed_byte_of_the_sample_is_noticed(output, entry, tmp_path, capsys):
    sample = tmp_path / "photons.h5"
    twin = tmp_path / "twin.h5"
    shutil.copy(ATLAS_PHOTONS_GEANT4.file, sample)
    assert ATLAS_PHOTONS_GEANT4.twin is not None
    shutil.copy(ATLAS_PHOTONS_GEANT4.twin, twin)
    files = ["--data", str(sample), "--twin", str(twin)]
    assert replay_job(entry, DatasetFiles("atlas-photons-geant4", sample, twin), None, None, tmp_path)
    content = bytearray(sample.read_bytes())
    content[-1] ^= 1
    sample.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["replay", entry["id"], "--output", str(output), *files])
    assert ended.value.code == 2
    assert "the entry was made with" in capsys.readouterr().err


def changed(entry, **changes):
    return json.loads(json.dumps(entry)) | changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: changed(entry, kind="baseline"), "models are replayed"),
        (lambda entry: changed(entry, seeds=[]), "no completed seed"),
        (lambda entry: changed(entry, provenance=entry["provenance"] | {"origin": "submitted"}), "was submitted"),
        (lambda entry: changed(entry, training=entry["training"] | {"base_sha256": "0" * 64}), "--base FOLDER"),
        (lambda entry: changed(entry, training=entry["training"] | {"processes": 2}), "2 processes"),
        (lambda entry: changed(entry, scorecard=entry["scorecard"] | {"identity": "0" * 64}), "was judged by"),
        (lambda entry: changed(entry, model=entry["model"] | {"name": "atlas-gun"}), "atlas-gan"),
        (
            lambda entry: changed(
                entry, training={k: v for k, v in entry["training"].items() if k != "evaluate_every"}
            ),
            "arena benchmark",
        ),
    ],
)
def test_what_cannot_be_replayed_says_why(entry, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        replay_job(change(entry), PLAN.dataset, None, None, tmp_path)


def test_an_unknown_seed_or_entry_names_those_that_are_there(output, entry, tmp_path, capsys):
    with pytest.raises(CannotReplay, match="no completed seed 7; it has 0, 1"):
        replay_job(entry, PLAN.dataset, 7, None, tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["replay", entry["id"][:-1] + "x", "--output", str(output)])
    assert ended.value.code == 2
    assert entry["id"] in capsys.readouterr().err


def test_the_seed_with_the_median_score_is_the_default(entry, tmp_path):
    better = min(entry["seeds"], key=lambda seed: seed["score"])
    assert replay_job(entry, PLAN.dataset, None, None, tmp_path).seed == better["seed"]


def test_another_result_differs(entry, output, tmp_path):
    """An entry whose recorded scores are far from what its configuration gives."""
    seeds = [seed | {"score": seed["score"] + 10_000 + seed["seed"]} for seed in entry["seeds"]]
    job = replay_job(entry, PLAN.dataset, 0, None, output / PLAN.id / "seed-0")  # trained already
    result = replay(changed(entry, seeds=seeds), tmp_path, replace(job, folder=output / PLAN.id / "seed-0"))
    assert not result.agrees
    assert sentence(result).startswith("differs: seed 0 scores")


def test_another_seed_of_the_same_kind_agrees():
    scores = [1.0, 1.1, 0.9]
    allowed = allowed_difference(scores, 0.01)
    assert allowed == pytest.approx(4.303 * 0.1 * (4 / 3) ** 0.5, rel=1e-3)
    assert Replay(1, Estimate(1.0, 0.01), 1.0, Estimate(1.3, 0.01), allowed).agrees
    assert not Replay(1, Estimate(1.0, 0.01), 1.0, Estimate(1.6, 0.01), allowed).agrees
    assert allowed_difference([1.0], 0.1) == pytest.approx(1.96 * 0.1 * 2**0.5, rel=1e-3)
