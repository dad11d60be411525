"""The tutorial "Your own detector": its lines are run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters import datasets
from data_adapters.datasets import Dataset, DatasetFiles
from data_adapters.streaming import EventStream
from leaderboard.pages import build_pages
from leaderboard.records import read_board
from search import atlas_gan, atlas_vae
from search.engine.arena import main as arena
from search.engine.plan import Options, make_plan
from search.engine.study import Study
from search.engine.trial import TrialRun

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
STUDIES = [atlas_gan.STUDY, atlas_vae.STUDY]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's file and the description that the tutorial's command drafts."""
    folder = tmp_path_factory.mktemp("own")
    (code,) = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    with pytest.raises(SystemExit) as ended:
        arena(["data", "describe", str(folder / "my_showers.h5")])
    assert ended.value.code == 0
    return folder


def test_the_file_has_no_layout_that_code_knows(home: Path) -> None:
    with h5py.File(home / "my_showers.h5") as file:
        assert file["showers"].shape == (4000, 12, 12, 12)
        assert set(file) == {"showers", "energy", "theta"}


def test_the_draft_has_the_units_that_the_tutorial_promises(home: Path) -> None:
    draft = tomllib.loads((home / "my_showers.toml").read_text(encoding="utf-8"))
    assert draft["response"]["unit"] == "MeV"
    energies = [condition for condition in draft["conditions"].values() if condition.get("energy")]
    assert [condition["unit"] for condition in energies] == ["GeV"]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_trial_learns_from_it(study: Study, home: Path, tmp_path: Path) -> None:
    options = Options(data=str(home / "my_showers.h5"), epochs=4)
    plan = make_plan(study, options, tmp_path, tmp_path / study.name / "001", None)
    assert plan.scorecard.name.startswith("generic-v1.")
    assert "my_showers" in plan.title
    run = TrialRun(replace(plan.setup, evaluate_every=1), 0, {**plan.space.default, "learning_rate": 1e-3}, seed=1)
    history = [run.advance() for _ in range(4)]
    assert history[-1].score < history[0].score
    assert set(history[0].components) == {"bmre", "response", "wasserstein", "correlation"}


def test_a_streamed_trial_learns_too(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 2**20)
    options = Options(data=str(home / "my_showers.h5"), epochs=2, cache=str(tmp_path / "cache"))
    plan = make_plan(atlas_vae.STUDY, options, tmp_path, tmp_path / "atlas-vae" / "001", None)
    assert isinstance(plan.dataset.training_sample(1, plan.data.cache), EventStream)
    run = TrialRun(replace(plan.setup, evaluate_every=1), 0, {**plan.space.default, "learning_rate": 1e-3}, seed=1)
    assert run.advance().score > run.advance().score
    assert list((tmp_path / "cache").iterdir())


def test_a_model_that_cannot_stream_says_so(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 2**20)
    plan = make_plan(atlas_gan.STUDY, Options(data=str(home / "my_showers.h5")), tmp_path, tmp_path / "g" / "1", None)
    with pytest.raises(ValueError, match="atlas-gan needs its training sample in memory"):
        TrialRun(plan.setup, 0, plan.space.default, seed=1)


def test_judged_events_fit_into_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "EVALUATION_BYTES", 100 * 1728 * 4)
    dataset = DatasetFiles("atlas-photons-geant4", home / "my_showers.h5").open()
    assert len(dataset.split("validation")) == len(dataset.rows("test")) == 100
    assert len(dataset.rows("train")) > 2000


def test_a_twin_of_some_events_serves_the_splits_that_it_covers(home: Path, tmp_path: Path) -> None:
    dataset = DatasetFiles("atlas-photons-geant4", home / "my_showers.h5").open()
    rows = np.sort(np.concatenate([dataset.rows("validation"), dataset.rows("test")]))
    twin = tmp_path / "again.h5"
    with h5py.File(home / "my_showers.h5") as file, h5py.File(twin, "w") as again:
        for key, values in file.items():
            again[key] = values[()][rows]
        again["showers"][...] *= 1.01
    (tmp_path / "again.toml").write_text(
        (home / "my_showers.toml").read_text(encoding="utf-8").replace("my_showers.h5", "again.h5", 1), encoding="utf-8"
    )
    own: Dataset = DatasetFiles("atlas-photons-geant4", home / "my_showers.h5", twin).open()
    assert own.twin_split("train") is None
    events, twins = own.split("validation"), own.twin_split("validation")
    assert twins is not None
    np.testing.assert_array_equal(events.identity, twins.identity)
    np.testing.assert_allclose(twins.response, events.response * 1.01, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_search_of_the_tutorial(home: Path) -> None:
    (command,) = re.findall(r"^    python (search/atlas_vae.py --data my_showers.h5 .*)$", TUTORIAL, flags=re.MULTILINE)
    script, *flags = command.split()
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *flags],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    board = read_board(home / "runs" / "leaderboard")
    assert not board.damaged
    assert {entry["detector"] for entry in board.entries} == {"my_showers"}
    champion, paper = (
        next(entry for entry in board.entries if entry["title"].endswith(title))
        for title in ("champion", "paper's configuration")
    )
    assert champion["score"]["value"] < paper["score"]["value"]
    assert build_pages(home / "runs" / "leaderboard").is_file()
