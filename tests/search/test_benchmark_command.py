"""``arena benchmark``: what is refused, and a configuration that comes onto the board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leaderboard.records import read_board
from leaderboard.resamples import read_resamples
from search.engine.arena import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "small.json"
    small = {"hidden_layers": 1, "units": 16, "latent_dim": 4, "batch_size": 1024, "learning_rate": 1e-3}
    file.write_text(json.dumps(small))
    return file


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--study", "atlas-gan", "--seeds", "2"), "3 at least are needed"),
        ((), "--study says on what it is trained"),
        (("--study", "atlas-gun"), "atlas-gan"),
        (("--study", "atlas-gan", "--epochs", "0"), "at least 1"),
    ],
)
def test_what_cannot_be_benchmarked_is_refused_before_anything_starts(config, tmp_path, capsys, flags, message):
    output = tmp_path / "runs"
    assert run(str(config), "--output", str(output), *flags) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"unit": 16}', "units"), ('{"units": "many"}', "units"), ("[1]", "JSON object"), ("{", "could not be read")],
)
def test_a_wrong_file_of_hyperparameters_is_refused(tmp_path, capsys, content, message):
    file = tmp_path / "wrong.json"
    file.write_text(content)
    assert run(str(file), "--study", "atlas-gan", "--output", str(tmp_path / "runs")) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_no_trial_is_refused(tmp_path, capsys):
    assert run(str(tmp_path), "--output", str(tmp_path / "runs")) == 2
    assert "neither a trial, like runs/atlas-gan/001/trials/007" in capsys.readouterr().err


@pytest.mark.slow
def test_a_configuration_comes_onto_the_board_once(config, tmp_path, capsys):
    output = tmp_path / "runs"
    flags = (str(config), "--study", "atlas-gan", "--epochs", "3", "--title", "Small", "--output", str(output))
    assert run(*flags) == 0
    said = capsys.readouterr().out
    (entry,) = [entry for entry in read_board(output / "leaderboard").entries if entry["kind"] == "model"]
    assert entry["title"] == "Small"
    assert entry["status"] == "complete"
    assert entry["model"]["config"]["units"] == 16
    assert entry["study"]["trials_compared"] == 0
    assert len(entry["seeds"]) == 3
    assert {timing["threads"] for timing in entry["cost"]["timings"]} >= {1}
    assert entry["cost"]["cold_ms"]["load"] > 0
    assert read_resamples(output / "leaderboard", entry) is not None
    assert "class 1 of 1" in said
    assert (output / "leaderboard" / "models" / f"{entry['id']}.html").exists()
    assert run(*flags) == 2
    assert "stands on the board already" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["replay", entry["id"], "--output", str(output)])
    assert ended.value.code == 0
