"""A whole search as a user runs it: the script alone, from another folder; interrupted; resumed; extended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.tracking import MlflowClient

import search.atlas_gan
from leaderboard.records import read_board
from leaderboard.studies import read_studies

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the study's script, as a cluster launcher leaves it."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(search.atlas_gan.__file__, folder / "atlas_gan.py")
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "atlas_gan.py", *arguments]


def run(home: Path, *arguments: str) -> str:
    """Run the script to its end; returns what it printed."""
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        command(*arguments), cwd=home, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ledger(home: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "runs" / "atlas-gan" / name / "ledger.jsonl").read_text().splitlines()]


def ends(home: Path, name: str) -> Counter[int]:
    return Counter(line["number"] for line in ledger(home, name) if line["event"] == "end")


def next_name(home: Path) -> str:
    """Of a search that begins now; how many came before depends on the tests that were chosen."""
    return f"{len(list((home / 'runs/atlas-gan').glob('[0-9]*'))) + 1:03d}"


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    return run(home, "--trials", "2", "--epochs", "3", "--seeds", "2")


class TestSmallSearch:
    def test_the_summary_names_everything(self, printed: str) -> None:
        for expected in (
            "Not ATLAS full simulation",
            "2/2 trials done",
            "ATLAS WGAN-GP, paper's configuration",
            "ATLAS WGAN-GP, untrained",
            "Mean shower of each energy",
            "Full simulation, simulated again",
            "3 of the paper's 50\N{NO-BREAK SPACE}000 epochs",
            "leaderboard/index.html",
            "python -m mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///",
            "--hours 1",
        ):
            assert expected in printed

    def test_every_trial_ended_once_and_trial_0_is_the_papers(self, printed: str, home: Path) -> None:  # noqa: ARG002
        assert ends(home, "001") == {0: 1, 1: 1}
        first = ledger(home, "001")[0]
        assert first["config"] == search.atlas_gan.STUDY.space.default

    def test_the_board_has_entries_judged_on_test(self, printed: str, home: Path) -> None:  # noqa: ARG002
        board = read_board(home / "runs" / "leaderboard")
        assert not board.damaged
        kinds = Counter(entry["kind"] for entry in board.entries)
        assert kinds["baseline"] == 2
        assert kinds["untrained"] == 1
        models = [entry for entry in board.entries if entry["kind"] == "model"]
        assert 1 <= len(models) <= 2
        assert all(len(entry["seeds"]) == 2 and entry["dataset"]["split"] == "test" for entry in models)
        assert list(board.test_openings.values()) == [1]
        (study,), damaged = read_studies(home / "runs" / "leaderboard")
        assert not damaged
        assert study["status"] == "finished"

    def test_pages_stand_alone(self, printed: str, home: Path) -> None:  # noqa: ARG002
        pages = [home / "runs/leaderboard/index.html", *(home / "runs/leaderboard/models").glob("*.html")]
        assert len(pages) >= 5
        for page in pages:
            fetched = re.findall(r'<(?:link|img|script|iframe|use)[^>]+(?:src|href)="([^"]+)"', page.read_text())
            assert all(address.startswith(("data:", "#")) for address in fetched)

    def test_mlflow_has_the_parent_and_its_children(self, printed: str, home: Path) -> None:  # noqa: ARG002
        client = MlflowClient(f"sqlite:///{home / 'runs' / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("atlas-gan")
        assert experiment is not None
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        assert sorted(runs) == ["atlas-gan/001", "trial 000 (paper)", "trial 001"]
        parent = runs["atlas-gan/001"]
        assert parent.info.status == "FINISHED"
        assert "test.paper.score" in parent.data.metrics
        assert {"response.svg", "shower_depth.svg"} <= {file.path for file in client.list_artifacts(parent.info.run_id)}
        assert {path.name for path in home.iterdir()} == {"atlas_gan.py", "runs"}
        child = runs["trial 000 (paper)"]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.params["learning_rate"] == "5e-05"
        assert {
            "score",
            "best_score",
            "component.bmre",
            "loss.critic",
            "showers_per_second",
        } <= child.data.metrics.keys()

    def test_best_checkpoints_stay_and_last_ones_go(self, printed: str, home: Path) -> None:  # noqa: ARG002
        for number in ("0000", "0001"):
            folder = home / "runs/atlas-gan/001/trials" / number
            assert (folder / "best" / "checkpoint.safetensors").exists()
            assert not (folder / "last").exists()

    def test_nothing_of_it_is_a_pickle_that_we_read(self, printed: str, home: Path) -> None:  # noqa: ARG002
        ours = [path for path in (home / "runs/atlas-gan/001").rglob("*.pkl") if "ray" not in path.parts]
        assert ours == []


@pytest.mark.slow
def test_a_finished_search_is_extended(printed: str, home: Path) -> None:  # noqa: ARG001
    before = ledger(home, "001")
    text = run(home, "--resume", "runs/atlas-gan/001", "--trials", "3")
    assert "2 trials are recorded as ended" in text
    assert ledger(home, "001")[: len(before)] == before
    assert ends(home, "001") == {0: 1, 1: 1, 2: 1}


@pytest.mark.slow
def test_a_killed_search_loses_nothing_and_repeats_nothing(printed: str, home: Path) -> None:  # noqa: ARG001
    name = next_name(home)
    with subprocess.Popen(
        command("--trials", "4", "--epochs", "30", "--seeds", "1"),
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for_an_end(home / "runs/atlas-gan" / name / "ledger.jsonl", process)
        process.send_signal(signal.SIGKILL)
    before = ledger(home, name)
    finished = ends(home, name)
    assert finished
    time.sleep(3)  # its workers notice that it is gone
    text = run(home, "--resume")
    assert "go on where they stopped" in text
    assert ledger(home, name)[: len(before)] == before
    assert ends(home, name) == dict.fromkeys(range(4), 1)
    starts = [line["number"] for line in ledger(home, name) if line["event"] == "start"]
    assert sorted(starts) == list(range(4))
    assert (home / "runs/atlas-gan/001/ledger.jsonl").exists()


def test_ctrl_c_leaves_a_board_of_what_is_done(printed: str, home: Path) -> None:  # noqa: ARG001
    name = next_name(home)
    with subprocess.Popen(
        command("--trials", "9", "--epochs", "30", "--seeds", "1"),
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        wait_for_an_end(home / "runs/atlas-gan" / name / "ledger.jsonl", process)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=300)
    assert process.returncode == 130, text
    assert "Interrupted: the board shows what is done." in text
    assert f"--resume runs/atlas-gan/{name}" in text
    studies, _ = read_studies(home / "runs" / "leaderboard")
    assert [study["status"] for study in studies if study["directory"] == name] == ["interrupted"]
    assert name in (home / "runs/leaderboard/index.html").read_text()


def test_ctrl_c_during_the_final_trainings_keeps_the_trials(printed: str, home: Path) -> None:  # noqa: ARG001
    with subprocess.Popen(
        command("--resume", "runs/atlas-gan/001", "--trials", "3", "--seeds", "9"),
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        wait_for(home / "runs/atlas-gan/001/shortlist.json", process)
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=300)
    assert process.returncode == 130, text
    assert "trained seeds are kept" in text


@pytest.mark.slow
def test_a_lost_worker_costs_no_trial(printed: str, home: Path) -> None:  # noqa: ARG001
    name = next_name(home)
    with subprocess.Popen(
        command("--trials", "3", "--epochs", "120", "--seeds", "1"),
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for_an_end(home / "runs/atlas-gan" / name / "ledger.jsonl", process)
        children = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in children if "ResourceTrainable" in " ".join(child.cmdline())]
        assert workers
        for worker in workers:
            worker.kill()
        assert process.wait(timeout=600) == 0
    assert ends(home, name) == dict.fromkeys(range(3), 1)
    assert {line["status"] for line in ledger(home, name) if line["event"] == "end"} <= {
        "completed",
        "pruned",
        "diverged",
    }


def full(folder: Path) -> None:
    """Fill the file system of a folder."""
    with suppress(OSError), (folder / "ballast").open("wb") as file:
        while True:
            file.write(bytes(2**20))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_stops_the_search_and_loses_nothing(tmp_path: Path) -> None:
    shutil.copy(search.atlas_gan.__file__, tmp_path / "atlas_gan.py")
    disk = tmp_path / "runs"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", str(disk)], check=True)  # noqa: S607
    try:
        with subprocess.Popen(
            command("--trials", "6", "--epochs", "60", "--seeds", "1"),
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            wait_for_an_end(disk / "atlas-gan/001/ledger.jsonl", process)
            full(disk)
            _, errors = process.communicate(timeout=300)
        assert process.returncode == 2
        assert "No space left" in errors
        assert "--resume" in errors
        done = ends(tmp_path, "001")
        assert done
        (disk / "ballast").unlink()
        run(tmp_path, "--resume")
        assert ends(tmp_path, "001") == dict.fromkeys(range(6), 1)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607


def wait_for(path: Path, process: subprocess.Popen[Any]) -> None:
    """Wait until a file is written anew."""
    written = path.stat().st_mtime_ns
    deadline = time.monotonic() + 300
    while path.stat().st_mtime_ns == written:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_an_end(path: Path, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, "the search ended before it could be killed"
        if path.exists() and '"event": "end"' in path.read_text():
            return
        time.sleep(0.2)
    raise AssertionError("no trial ended in 300 s")
