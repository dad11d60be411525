"""Wrong input to a study script: a clear message, a non-zero exit, nothing overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from search.engine import arena, cli, plan
from search.engine.code_identity import code_identity
from search.engine.plan import Options, begin, check_identity, make_plan, new_folder
from search.engine.study import StudyError
from search.studies import STUDIES

GAN = STUDIES["atlas-gan"]


def message(output: Path, arguments: Sequence[str], capsys: pytest.CaptureFixture[str], study: Any = GAN) -> str:
    """What a run with wrong input prints; it must end with status 2 and leave the folder as it was."""
    before = snapshot(output)
    with pytest.raises(SystemExit) as ended:
        cli.main(study, [*arguments, "--output", str(output)])
    assert ended.value.code == 2
    assert snapshot(output) == before
    return capsys.readouterr().err


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--trials", "0"], "--trials is 0; at least 1 is needed"),
        (["--hours", "-1"], r"--hours is -1\.0; it must be above 0"),
        (["--hours", "nan"], "--hours is nan; it must be above 0"),
        (["--hours", "1", "--device-hours", "2"], "exclude each other"),
        (["--gpus-per-trial", "1.5"], r"a share of one GPU \(0\.25\) or a whole number"),
        (["--fix", "learnin_rate=1e-3"], "no hyperparameter 'learnin_rate'. Nearest: 'learning_rate'"),
        (["--fix", "units=100"], "units = 100 lies outside the space; it takes 64, 128"),
        (["--fix", "units=many"], "units = 'many' is no number"),
        (["--fix", "units"], "write it as NAME=VALUE"),
        (["--fix", "activation=tanh"], "activation = 'tanh' lies outside the space"),
        (["--data", "nowhere.h5"], r"nowhere\.h5: there is no such file"),
        (["--twin", "some.h5"], "give that with --data"),
        (["--data", "clic-electrons", "--twin", "some.h5"], "clic-electrons: there is no such file"),
        (["--resume"], "there is no search of atlas-gan to resume"),
        (["--resume", "nowhere"], "not the record of a search"),
        (["--name", "../elsewhere"], "a name has up to 64 letters"),
        (["--name", "/elsewhere"], "a name has up to 64 letters"),
        (["--name", ".."], "a name has up to 64 letters"),
        (["--name", "007"], "is no number"),
        (["--name", "a", "--resume"], "leave --resume out"),
        (["--wait-minutes", "-1"], "must not be negative"),
        (["--checkpoint-gb", "0"], "must be above 0"),
        (["--tracking-uri", "postgresql://me:secret@host/mlflow"], "holds a password"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input(arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(expected, message(tmp_path, arguments, capsys))


def test_a_damaged_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(ATLAS_PHOTONS_GEANT4.file.read_bytes()[:50_000])
    assert "not readable as HDF5" in message(tmp_path, ["--data", str(damaged)], capsys)


def test_what_would_spoil_a_search_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.h5"
    shutil.copy(ATLAS_PHOTONS_GEANT4.file, own)
    with h5py.File(own, "r+") as file:
        for key in ("incident_energies", "showers", "alignment_eta", "alignment_phi"):
            file[key][20] = file[key][11]
        file["showers"][7, 5] = -1
    text = message(tmp_path, ["--data", str(own)], capsys)
    assert "2 problems" in text
    assert "key 'showers', event 20: it is the same as event 11, in conditions and response" in text
    assert "key 'showers', event 7: cell 5 is negative" in text


def test_a_search_of_another_study_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = begun(tmp_path)
    text = message(tmp_path, ["--resume", str(folder)], capsys, STUDIES["atlas-vae"])
    assert "holds another search (study: atlas-gan there, atlas-vae now" in text


def test_what_cannot_change_in_a_search_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun(tmp_path)
    assert "was searched with seed = None; 7 would be another search" in message(
        tmp_path, ["--resume", "--seed", "7"], capsys
    )


def test_a_search_with_changed_data_is_not_resumed(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    record = json.loads((folder / "study.json").read_text())
    record["identity"]["dataset"] = "0" * 64
    (folder / "study.json").write_text(json.dumps(record))
    with pytest.raises(StudyError, match=r"dataset: 000000000000… there"):
        check_identity(a_plan(tmp_path, folder))


def test_a_search_with_a_changed_space_shows_the_hyperparameters(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    other = replace(GAN, space=GAN.space.limit({"units": (128, 512)}))
    with pytest.raises(StudyError, match=r"space: .*; units: default 128 and 64, 128 there, 128 and 128 now"):
        check_identity(make_plan(other, Options(), tmp_path, folder, None))


@pytest.fixture
def other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a model and a library had changed after a search began."""
    monkeypatch.setattr(plan, "code_identity", lambda: code_identity() | {"models/wgan.py": "0", "torch": "9.9"})


def test_a_search_with_changed_code_is_not_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    folder = begun(tmp_path)
    request.getfixturevalue("other_code")
    text = message(tmp_path, ["--resume", str(folder)], capsys)
    assert "models/wgan.py changed, torch 2." in text
    assert "became 9.9" in text
    assert "go on with --accept-changes" in text


def test_accepted_changes_are_written_down(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = begun(tmp_path)
    request.getfixturevalue("other_code")
    check_identity(a_plan(tmp_path, folder), accept_changes=True)
    (accepted,) = json.loads((folder / "study.json").read_text())["accepted_changes"]
    assert "models/wgan.py changed" in accepted["changes"]
    check_identity(a_plan(tmp_path, folder))


def test_a_search_that_never_began_a_trial_is_left_to_its_process(tmp_path: Path) -> None:
    """A second process under the same name must not remove the folder of the first."""
    folder = begun(tmp_path)
    with plan.lock(folder):
        cli._discard_unstarted(a_plan(tmp_path, folder))
        assert (folder / "study.json").exists()
    cli._discard_unstarted(a_plan(tmp_path, folder))
    assert not folder.exists()


def test_a_number_that_another_process_took_is_not_taken_again(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, GAN)
    plans = [begin(a_plan(tmp_path, folder)) for _ in range(3)]
    assert [one.folder.name for one in plans] == ["001", "002", "003"]


def test_a_named_search_that_died_at_once_can_be_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "atlas-gan" / "slurm-7"
    folder.mkdir(parents=True)
    begin(a_plan(tmp_path, folder), numbered=False)
    assert (folder / "study.json").exists()


def test_a_search_goes_on_in_the_mlflow_that_it_began_with(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    (folder / "tracking").mkdir()
    (folder / "tracking" / "target.json").write_text(json.dumps({"uri": "http://127.0.0.1:5000"}))
    assert a_plan(tmp_path, folder).tracking_uri == "http://127.0.0.1:5000"
    assert make_plan(GAN, Options(), tmp_path, folder, "http://other:1").tracking_uri == "http://other:1"


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "atlas-gan").write_text("a file where the folder should be")
    assert "Not a directory" in message(tmp_path, [], capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "Permission denied" in message(tmp_path, [], capsys)
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_noticed_before_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=3 * 2**20)
    monkeypatch.setattr("search.engine.plan.shutil.disk_usage", lambda _: usage)
    assert "the disk has 3 MB left; 200 MB are needed" in message(tmp_path, [], capsys)


def test_each_search_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert begun(tmp_path).name == "001"
    assert begun(tmp_path).name == "002"


def test_two_processes_do_not_share_a_search(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    with plan.lock(folder), pytest.raises(StudyError, match="another process"):
        plan.lock(folder)
    plan.lock(folder).close()


def test_resuming_takes_the_recorded_options(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, GAN)
    first = make_plan(GAN, Options(trials=3, epochs=40, fix={"units": "64"}), tmp_path, folder, None)
    begin(first)
    again = make_plan(GAN, plan.recorded_options(folder, Options(trials=9)), tmp_path, folder, None)
    check_identity(again)
    assert (again.trials, again.epochs, again.space.default["units"]) == (9, 40, 64)


def begun(output: Path) -> Path:
    folder = new_folder(output, GAN)
    begin(a_plan(output, folder))
    return folder


def a_plan(output: Path, folder: Path) -> plan.Plan:
    return make_plan(GAN, Options(), output, folder, None)


def test_what_is_registered_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in arena.REGISTRIES:
        with pytest.raises(SystemExit) as ended:
            arena.main(["list", kind])
        assert ended.value.code == 0
        assert capsys.readouterr().out.strip()


def test_an_unknown_kind_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arena.main(["list", "metric"])
    assert ended.value.code == 2
    assert "Nearest: 'metrics'" in capsys.readouterr().err


def test_a_leaderboard_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arena.main(["leaderboard", "build", "--output", str(tmp_path)])
    assert ended.value.code == 2
    assert "there is no leaderboard" in capsys.readouterr().err


def test_arena_starts_without_ray_and_torch() -> None:
    """They take seconds and hundreds of megabytes, and comparing two files needs neither."""
    heavy = "('torch', 'ray', 'optuna', 'mlflow')"
    code = f"import search.engine.arena, sys; print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"
