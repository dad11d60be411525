"""Showers from elsewhere: the conditions go out, the showers come in, and nothing is believed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from leaderboard.benchmark import Benchmark
from leaderboard.records import read_board, read_json
from search.engine.arena import main

DATASET = ATLAS_PHOTONS_GEANT4


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["leaderboard", *map(str, arguments)])
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(scope="module")
def twin() -> np.ndarray:
    """The test events simulated again: the best that anybody can submit."""
    events = DATASET.twins_of(DATASET.rows("test"))
    assert events is not None
    return events.response


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conditions") / "conditions.h5"
    assert run("conditions", DATASET.name, "--to", path) == 0
    return path


Filled = Callable[..., Path]


@pytest.fixture
def filled(conditions: Path, tmp_path: Path) -> Filled:
    """A copy of the conditions with showers in it."""

    def make(name: str, response: np.ndarray, change: Callable[[h5py.File], None] = lambda _file: None) -> Path:
        path = tmp_path / name
        shutil.copy(conditions, path)
        with h5py.File(path, "a") as file:
            file["response"] = response
            change(file)
        return path

    return make


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Metrics of whole samples take minutes."""
    monkeypatch.setattr(Benchmark, "_reports", lambda *_: ({}, {}))


def submit(output: Path, *arguments: object) -> int:
    return run("submit", *arguments, "--output", output)


def test_what_is_published_holds_no_showers(conditions):
    with h5py.File(conditions) as file:
        names: list[str] = []
        file.visit(names.append)
        energies = file["conditions/incident_energy"][()]
    assert not [name for name in names if "response" in name or "auxiliary" in name]
    assert np.array_equal(energies, DATASET.source.conditions["incident_energy"][DATASET.rows("test")])


def test_conditions_replace_no_file(conditions, capsys):
    before = conditions.read_bytes()
    assert run("conditions", DATASET.name, "--to", conditions) == 2
    assert "exists already" in capsys.readouterr().err
    assert conditions.read_bytes() == before


def test_full_simulation_scores_the_floor(tmp_path, filled, twin, capsys):
    file = filled("twin.h5", twin)
    assert submit(tmp_path, file, "--title", "Twin", "--source", "a second simulation") == 0
    assert "Not ranked: 1 of the 3 trainings" in capsys.readouterr().out
    (entry,) = read_board(tmp_path / "leaderboard").entries
    assert entry["score"]["value"] == entry["floor"]["value"]
    assert entry["cost"] is None
    assert entry["model"]["num_parameters"] is None
    assert entry["provenance"]["origin"] == "submitted"
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert entry["provenance"]["submitted_files"] == [{"name": "twin.h5", "sha256": sha256}]


def test_three_trainings_are_ranked_and_worse_ones_score_worse(tmp_path, filled, twin, capsys):
    files = [filled(f"{number}.h5", twin * np.float32(scale)) for number, scale in enumerate((0.9, 0.91, 0.92))]
    hostile = "<script>alert(1)</script>"
    assert submit(tmp_path, *files, "--title", hostile, "--source", hostile) == 0
    assert "Not ranked" not in capsys.readouterr().out
    board = tmp_path / "leaderboard"
    (entry,) = read_board(board).entries
    assert entry["score"]["value"] > entry["floor"]["value"] + 3 * entry["floor"]["error"]
    (table,) = (read_json(path) for path in (board / "downloads").glob("*.json"))
    assert [row["class"] for row in table["rows"]] == [1]
    for page in board.rglob("*.html"):
        content = page.read_text()
        assert hostile not in content
        if page.name in ("index.html", f"{entry['id']}.html"):
            assert ">submitted</span>" in content

    openings = (board / "test_openings.jsonl").read_text()
    assert submit(tmp_path, *files, "--title", "Another name") == 2
    assert "stands on the board already" in capsys.readouterr().err
    assert (board / "test_openings.jsonl").read_text() == openings


def reorder(file: h5py.File) -> None:
    for column in file["conditions"].values():
        column[...] = column[()][::-1]


def shorten(file: h5py.File) -> None:
    for name in ("identity", "response", *(f"conditions/{name}" for name in file["conditions"])):
        values = file[name][:-1]
        del file[name]
        file[name] = values


def of_another_detector(file: h5py.File) -> None:
    file.attrs["detector"] = file.attrs["detector"].replace("ATLAS-like", "CMS-like")


def of_another_dataset(file: h5py.File) -> None:
    file.attrs["dataset"] = "clic-electrons-coarse"


def not_a_number(file: h5py.File) -> None:
    file["response"][7, 3] = np.nan


def of_other_cells(file: h5py.File) -> None:
    values = file["response"][:, :-1]
    del file["response"]
    file["response"] = values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (reorder, "events are of other conditions"),
        (shorten, "it holds 1029 events; 1030 are needed"),
        (of_another_detector, "CMS-like"),
        (of_another_dataset, "the files were made for clic-electrons-coarse"),
        (not_a_number, "cell 3 holds nan"),
        (of_other_cells, "265"),
    ],
)
def test_what_is_wrong_is_said_before_the_test_split_is_opened(tmp_path, filled, twin, capsys, change, message):
    assert submit(tmp_path, filled("bad.h5", twin, change), "--dataset", DATASET.name) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "leaderboard").exists()


def test_conditions_alone_are_no_submission(tmp_path, conditions, capsys):
    assert submit(tmp_path, conditions) == 2
    assert "float32 of shape (1030, 266)" in capsys.readouterr().err


def test_a_file_counts_once(tmp_path, filled, twin, capsys):
    file = filled("one.h5", twin)
    assert submit(tmp_path, file, shutil.copy(file, tmp_path / "two.h5")) == 2
    assert "Give every file once" in capsys.readouterr().err


def test_float32_conditions_are_the_same_conditions(tmp_path, filled, twin):
    def to_float32(file: h5py.File) -> None:
        for name in list(file["conditions"]):
            values = file[f"conditions/{name}"][()].astype(np.float32)
            del file[f"conditions/{name}"]
            file[f"conditions/{name}"] = values

    assert submit(tmp_path, filled("single.h5", twin, to_float32)) == 0


def test_a_file_that_names_no_dataset_needs_the_flag(tmp_path, capsys):
    rows = tmp_path / "sample.h5"
    shutil.copy(DATASET.file, rows)
    assert submit(tmp_path, rows) == 2
    assert "--dataset: for which test conditions?" in capsys.readouterr().err
    assert submit(tmp_path, rows, "--dataset", "atlas-photon-geant4") == 2
    assert "Nearest: 'atlas-photons-geant4'" in capsys.readouterr().err
    assert submit(tmp_path, tmp_path / "missing.h5") == 2
    assert "there is no such file" in capsys.readouterr().err
