"""``arena metrics``: two files compared without any study."""

import io
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from data_adapters.adapters import ADAPTERS, open_events
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.events import Events
from leaderboard.comparison import Samples, compare
from leaderboard.text import NOTHING, with_interval, worth_in_events
from metrics.paired_sample import in_memory
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS
from search.engine.arena import main

PHOTONS = Path(__file__).parents[1] / "metrics" / "samples"
NAMES = {"reference": "R", "generated": "G", "twin": None}
ROLES = ("reference", "fresh", "twin")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["metrics", *map(str, arguments)])
    return int(exit_.value.code or 0)


def write(events: Events, path: Path) -> Path:
    adapter = ADAPTERS["arena-hdf5"]
    assert adapter.write is not None
    adapter.write(in_memory(events), path)
    return path


@pytest.fixture(scope="module")
def pions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Files of the same events: reference, simulated again, and a third time."""
    dataset = DATASETS["lhcb-pions-geant4"]
    samples = (dataset.split("validation"), dataset.fresh_split("validation"), dataset.twin_split("validation"))
    folder = tmp_path_factory.mktemp("pions")
    reference, fresh, twin = (
        write(sample, folder / f"lhcb_pions_{role}.h5")
        for role, sample in zip(ROLES, samples, strict=True)
        if sample is not None
    )
    return reference, fresh, twin


@pytest.fixture(scope="module")
def photons() -> dict[str, Events]:
    """Of two energies."""
    return {name: open_events(PHOTONS / f"photons_{name}.h5").read() for name in ROLES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pions: tuple[Path, Path, Path]) -> Path:
    out = tmp_path_factory.mktemp("comparison")
    assert run("compare", pions[0], pions[1], "--twin", pions[2], "--out", out) == 0
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
    assert "lhcb_pions_fresh.h5" in page
    assert page.count("<svg") > 20
    assert "W₁" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_without_a_twin_there_is_no_floor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    assert run("compare", *pions[:2], "--out", tmp_path) == 0
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert all(row["floor"] is row["excess"] is row["p_value"] is row["worth"] is None for row in record["metrics"])
    assert "Score" in capsys.readouterr().out


def test_other_particles_are_paired_and_the_mismatch_is_stated(
    tmp_path: Path, pions: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    training = write(DATASETS["lhcb-pions-geant4"].split("train").select(np.arange(1200)), tmp_path / "others.h5")
    assert run("compare", pions[0], training, "--twin", pions[2], "--out", tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert {part["condition"] for part in record["matching"]["generated"]} == {"x", "y", "transverse_energy"}
    assert record["matching"]["twin"] == []
    assert "generated: paired with the nearest conditions; x differs by" in capsys.readouterr().out
    assert "each event was paired with the nearest one" in (tmp_path / "out" / "comparison.html").read_text()


def test_a_worse_sample_is_noticed(photons: dict[str, Events]) -> None:
    """Photons in another order and 10 % too bright: paired again, so that what is left is the brightness."""
    few = {name: sample.select(np.arange(1000)) for name, sample in photons.items()}
    brighter = few["fresh"].with_response(few["fresh"].response * np.float32(1.1))
    shuffled = brighter.select(np.random.default_rng(0).permutation(1000))
    card = replace(SCORECARDS["atlas-photons-v1"], condition_bins=(1024.0, 2048.0))
    samples = Samples(*(in_memory(events) for events in (few["reference"], shuffled, few["twin"])))
    shown = io.StringIO()
    with Progress(console=Console(file=shown, force_terminal=True, width=200)) as progress:
        record = compare(samples, card, NAMES, whole_sample=True, progress=progress).record
    rows = {row["name"]: row for row in record["metrics"]}
    assert rows["response"]["p_value"] < 0.01
    assert rows["response"]["value"] == pytest.approx(0.1, abs=0.03)
    assert 0 < rows["response"]["worth"]["events"] < 1000
    assert record["matching"] == {"generated": [], "twin": []}
    whole = {row["name"]: row for row in record["whole_sample"]}
    assert set(whole) == set(WHOLE_SAMPLE_METRICS)
    assert whole["classifier_auc_low"]["outcome"]["value"] > 0.6 > whole["classifier_auc_low"]["floor"]["value"]
    assert whole["optimisation_3dgan"]["outcome"] is None
    assert whole["optimisation_3dgan"]["reason"]
    assert whole["optimisation_3dgan"]["shown"][-1] == whole["optimisation_3dgan"]["reason"]
    remark = whole["classifier_auc_low"]["remark"]
    assert "fault (all cells times 1.03)" in remark
    assert whole["classifier_auc_low"]["shown"][-1] == remark
    for step in ("reading R", "reading twin", "judging by atlas-photons-v1", "Classifier AUC, cells"):
        assert step in shown.getvalue()


def test_a_sample_too_small_for_its_scorecard_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Photons of two energies, where the scorecard has nine."""
    files = [PHOTONS / f"photons_{name}.h5" for name in ("reference", "fresh")]
    assert run("compare", *files, "--out", tmp_path / "out") == 2
    assert "has 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_samples_of_two_detectors_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    assert run("compare", pions[0], SAMPLES / "atlas_photons_geant4.h5", "--out", tmp_path / "out") == 2
    assert "compare samples of one detector" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unknown_names_are_errors_with_the_nearest(
    capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    assert run("show", "wassersten") == 2
    assert "Nearest: 'wasserstein'" in capsys.readouterr().err
    assert run("compare", *pions[:2], "--detector", "lhcb-trakcs") == 2
    assert "lhcb-tracks" in capsys.readouterr().err


def test_lists_and_definitions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "separation_power" in capsys.readouterr().out
    assert run("show", "bmre") == 0
    assert "|g_b − r_b| / r_b" in capsys.readouterr().out


# ---------------------------------------------------------------- bad input


def test_the_scorecard_of_another_detector_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    assert run("compare", *pions[:2], "--scorecard", "atlas-photons-v1", "--out", tmp_path / "out") == 2
    assert "atlas-photons-v1 judges atlas-photons; the events are of lhcb-tracks" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("place", "number", "message"),
    [(0, 1, "the number of its events is 1"), (0, 49, "at least 50"), (1, 1, "1009 events, the other sample 1")],
)
def test_samples_of_too_few_events_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pions: tuple[Path, Path, Path],
    place: int,
    number: int,
    message: str,
) -> None:
    files = list(pions[:2])
    files[place] = write(open_events(files[place]).read(0, number), tmp_path / "few.h5")
    assert run("compare", *files, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_empty_file_and_a_missing_one_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    (tmp_path / "empty.h5").touch()
    for name in ("empty.h5", "missing.h5"):
        assert run("compare", pions[0], tmp_path / name, "--out", tmp_path / "out") == 2
        assert name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    content = pions[1].read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    assert run("compare", pions[0], tmp_path / "cut.h5", "--out", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert "cut.h5" in message
    assert "error: " in message
    assert not (tmp_path / "out").exists()


def test_an_impossible_value_is_named_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    """What is only met after the conditions have been read and the reference observed."""
    path = tmp_path / "broken.h5"
    path.write_bytes(pions[1].read_bytes())
    with h5py.File(path, "r+") as file:
        response = next(item for item in file.values() if isinstance(item, h5py.Dataset) and item.ndim > 1)
        response[700] = np.nan
    assert run("compare", pions[0], path, "--out", tmp_path / "out") == 2
    assert "event 700" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pions: tuple[Path, Path, Path]
) -> None:
    (tmp_path / "out").write_text("kept")
    assert run("compare", *pions[:2], "--out", tmp_path / "out") == 2
    assert "--out is a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "kept"


# ---------------------------------------------------------------- what people read


@pytest.mark.parametrize(
    ("events", "at_least", "excess", "shown"),
    [
        (200.0, 50.0, 1.7, "200 (≥ 50)"),
        (200.0, 50.0, 1.6, "≥ 50"),
        (None, 1234.0, -1.0, "≥ 1\u202f200"),
        (None, None, -3.0, NOTHING),
    ],
)
def test_worth_is_a_dash_where_even_its_limit_is_unknown(
    events: float | None, at_least: float | None, excess: float, shown: str
) -> None:
    found = {"events": events, "at_least": at_least}
    assert worth_in_events(found, {"value": excess, "error": 1.0}) == shown


def test_worth_of_an_older_record_is_a_dash() -> None:
    assert worth_in_events(None, {"value": 1.0, "error": 1.0}) == NOTHING


def test_interval_has_two_digits_of_its_half_width_and_true_minuses() -> None:
    assert with_interval(0.3128, {"lower": 0.2549, "upper": 0.3801}) == "0.313 (0.255 … 0.380)"
    assert with_interval(-0.0091, {"lower": -0.12, "upper": 0.1}) == "−0.01 (−0.12 … 0.10)"
    assert with_interval(-0.0001, {"lower": -0.12, "upper": 0.1}) == "0.00 (−0.12 … 0.10)"


def test_tracks_are_also_compared_by_the_figures_of_earlier_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [SAMPLES / f"alice_tracks_geant4{suffix}.h5" for suffix in ("_fresh", "")]
    assert run("compare", *files, "--out", tmp_path) == 0
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert set(record["helix"]["samples"]) == {"reference", "generated"}
    found = record["helix"]["samples"]["generated"]
    assert found["tracks"] == record["num_events"]
    assert found["rms_mm"] == pytest.approx(1.24, rel=0.05)  # errors of 0.8 mm and 1 mm, less what the fit takes up
    assert "root mean square [mm]" in capsys.readouterr().out
    page = (tmp_path / "comparison.html").read_text()
    assert "Points and helices" in page
    assert "proGAN 0.00176" in page
