"""``arena leaderboard``: what it reads, says and returns."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from leaderboard.records import write_entry
from search.engine.arena import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["leaderboard", *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def output(tmp_path: Path, make_entry, make_observables) -> Path:
    for name in ("good.1", "other.2"):
        write_entry(tmp_path / "leaderboard", make_entry(id=name), make_observables())
    return tmp_path


def test_whole_records_are_counted(output, capsys):
    assert run("check", "--output", str(output)) == 0
    assert "2 entries, 0 records with a fault" in capsys.readouterr().out
    assert not (output / "leaderboard" / "index.html").exists()  # only read


@pytest.mark.parametrize("file", ["entry.json", "observables.json", "resamples.json"])
def test_what_is_damaged_is_named(output, capsys, file):
    (output / "leaderboard" / "entries" / "other.2" / file).write_text("{")
    assert run("check", "--output", str(output)) == 1
    captured = capsys.readouterr()
    assert "other.2: " in captured.err
    assert f"{file} could not be read" in captured.err
    assert "good.1" not in captured.err
    assert "1 record with a fault" in captured.out


def test_a_hash_of_other_data_is_named(output, make_entry, make_observables, capsys):
    dataset = make_entry()["dataset"]
    for name, sha256 in (("true.1", ATLAS_PHOTONS_GEANT4.sha256), ("false.1", "0" * 64)):
        entry = make_entry(id=name, dataset=dataset | {"name": "atlas-photons-geant4", "sha256": sha256})
        write_entry(output / "leaderboard", entry, make_observables())
    assert run("check", "--output", str(output)) == 1
    captured = capsys.readouterr()
    assert "false.1: judged on atlas-photons-geant4 with the hash 000000000000…" in captured.err
    assert "true.1" not in captured.err


@pytest.mark.parametrize("action", ["build", "check", "serve"])
def test_without_a_board_it_says_what_makes_one(tmp_path, capsys, action):
    assert run(action, "--output", str(tmp_path)) == 2
    assert "run a search first" in capsys.readouterr().err


def test_without_pages_nothing_is_served(output, capsys):
    assert run("serve", "--output", str(output)) == 2
    assert "arena leaderboard build" in capsys.readouterr().err
