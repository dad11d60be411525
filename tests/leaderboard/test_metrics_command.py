"""``arena metrics``: two files compared without any study."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.datasets import SAMPLES
from leaderboard.comparison import compare
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS
from search.engine.arena import main

PHOTONS = Path(__file__).parents[1] / "metrics" / "samples"
PIONS = [str(SAMPLES / f"lhcb_pions_geant4{suffix}.root") for suffix in ("", "_fresh", "_twin")]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["metrics", *map(str, arguments)])
    return int(exit_.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("comparison")
    assert run("compare", PIONS[0], PIONS[1], "--twin", PIONS[2], "--out", out) == 0
    return out


def test_full_simulation_is_found_to_be_one(folder: Path) -> None:
    record = json.loads((folder / "comparison.json").read_text())
    rows = {row["name"]: row for row in record["metrics"]}
    assert record["matching"] == {"generated": [], "twin": []}
    assert rows["score"]["p_value"] > 0.01
    assert rows["score"]["value"] < rows["score"]["floor"]["value"] + 3 * rows["score"]["excess"]["error"]
    assert rows["wasserstein"]["worth"]["at_least"] > 5000


def test_page_shows_names_numbers_and_plots(folder: Path) -> None:
    page = (folder / "comparison.html").read_text()
    assert "lhcb_pions_geant4_fresh.root" in page
    assert page.count("<svg") > 20
    assert "W₁" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_without_a_twin_there_is_no_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", *PIONS[:2], "--out", tmp_path) == 0
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert all(row["floor"] is row["excess"] is row["p_value"] is row["worth"] is None for row in record["metrics"])
    assert "score" in capsys.readouterr().out


def test_a_worse_sample_is_noticed_and_other_conditions_are_stated() -> None:
    """Photons in another order and 10 % too bright: paired again, so that what is left is the brightness."""
    samples = {name: open_events(PHOTONS / f"photons_{name}.h5").read() for name in ("reference", "fresh", "twin")}
    few = {name: sample.select(np.arange(1000)) for name, sample in samples.items()}
    brighter = few["fresh"].with_response(few["fresh"].response * np.float32(1.1))
    shuffled = brighter.select(np.random.default_rng(0).permutation(1000))
    card = replace(SCORECARDS["atlas-photons-v1"], condition_bins=(1024.0, 2048.0))
    names = {"reference": "R", "generated": "G", "twin": None}
    record = compare(few["reference"], shuffled, few["twin"], card, names, whole_sample=True).record
    rows = {row["name"]: row for row in record["metrics"]}
    assert rows["response"]["p_value"] < 0.01
    assert rows["response"]["value"] == pytest.approx(0.1, abs=0.03)
    assert 0 < rows["response"]["worth"]["events"] < 1000
    assert {part["condition"] for part in record["matching"]["generated"]} == set(few["reference"].conditions)
    assert record["matching"]["twin"] == []
    whole = {row["name"]: row for row in record["whole_sample"]}
    assert set(whole) == set(WHOLE_SAMPLE_METRICS)
    assert whole["classifier_auc_low"]["outcome"]["value"] > 0.6 > whole["classifier_auc_low"]["floor"]["value"]
    assert whole["optimisation_3dgan"]["outcome"] is None
    assert whole["optimisation_3dgan"]["reason"]


def test_a_sample_too_small_for_its_scorecard_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Photons of two energies, where the scorecard has nine."""
    files = [PHOTONS / f"photons_{name}.h5" for name in ("reference", "fresh")]
    assert run("compare", *files, "--out", tmp_path / "out") == 2
    assert "has 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_samples_of_two_detectors_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", PIONS[0], SAMPLES / "atlas_photons_geant4.h5", "--out", tmp_path / "out") == 2
    assert "compare samples of one detector" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unknown_names_are_errors_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "wassersten") == 2
    assert "Nearest: 'wasserstein'" in capsys.readouterr().err
    assert run("compare", *PIONS[:2], "--detector", "lhcb-trakcs") == 2
    assert "lhcb-tracks" in capsys.readouterr().err


def test_lists_and_definitions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "separation_power" in capsys.readouterr().out
    assert run("show", "bmre") == 0
    assert "|g_b − r_b| / r_b" in capsys.readouterr().out
