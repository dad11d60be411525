"""Real MLflow servers beside a delivery and beside whole searches: gone, slow, restored, shared."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

import search.atlas_gan
from leaderboard.records import read_board
from leaderboard.studies import read_studies
from search.engine import tracking
from search.engine.arena import main as arena
from search.engine.tracking import Delivery, Tracker, deliver
from tests.search.servers import MlflowServer, PostgreSQL, SlowProxy

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

SMALL = ("--trials", "3", "--epochs", "6", "--seeds", "1")
LATE = 10.0  # s; a blocked driver is later than that by the whole outage, or by every slow answer
STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "diverged": "FAILED"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow keeps files in the current folder where nothing else is said."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def started(mlflow_server: MlflowServer) -> MlflowServer:
    mlflow_server.start()
    return mlflow_server


def trial(tracker: Tracker, number: int) -> None:
    """A whole trial with two evaluations."""
    key = f"trial-{number}"
    tracker.start(key, f"trial {number:03d}", {"units": 64 + number}, {"trial": str(number)}, parent="study")
    for step in (20, 40):
        tracker.metrics(key, step, {"score": number + 1 / step, "loss.critic": 0.5})
    tracker.end(key, "FINISHED", {"status": "completed"})


def begun(folder: Path, uri: str) -> Tracker:
    tracker = Tracker(folder / "tracking", uri, "atlas-gan", folder / "artifacts" if "sqlite" in uri else None)
    tracker.start("study", "atlas-gan/001", {"seed": 1}, {"study": "atlas-gan"})
    return tracker


def runs(uri: str, experiment: str = "atlas-gan") -> dict[str, Any]:
    """Runs by name; a run that is there twice fails."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    listed = client.search_runs([found.experiment_id])
    names = Counter(run.info.run_name for run in listed)
    assert set(names.values()) <= {1}, names
    return {run.info.run_name: run for run in listed}


def points(uri: str, run: Any, metric: str = "score") -> list[int]:
    """Steps of a metric in the order of time."""
    return [point.step for point in MlflowClient(uri).get_metric_history(run.info.run_id, metric)]


def assert_whole(uri: str, trials: int) -> None:
    found = runs(uri)
    assert sorted(found) == ["atlas-gan/001", *(f"trial {number:03d}" for number in range(trials))]
    for number in range(trials):
        child = found[f"trial {number:03d}"]
        assert child.data.tags["mlflow.parentRunId"] == found["atlas-gan/001"].info.run_id
        assert child.data.params == {"units": str(64 + number)}
        assert child.info.status == "FINISHED"
        assert points(uri, child) == [20, 40]


def wait_until(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
class TestDelivery:
    def test_a_server_restored_from_an_older_database_gets_everything_again(
        self, tmp_path: Path, started: MlflowServer
    ) -> None:
        tracker = begun(tmp_path / "001", started.uri)
        trial(tracker, 0)
        wait_until(lambda: not tracker._delivery.pending())
        started.stop()
        shutil.copy(started.database, tmp_path / "older.db")
        started.start()
        trial(tracker, 1)
        wait_until(lambda: not tracker._delivery.pending())
        started.stop()
        shutil.copy(tmp_path / "older.db", started.database)
        trial(tracker, 2)
        tracker.start("trial-1", "trial 001", {}, {}, parent="study")  # a run that it does not know any more
        tracker.end("trial-1", "FINISHED", {})
        started.start()
        assert tracker.close(60) == 0
        assert tracker.refused == []
        assert_whole(started.uri, 3)

    def test_an_empty_server_in_its_place_gets_everything(self, tmp_path: Path, started: MlflowServer) -> None:
        tracker = begun(tmp_path / "001", started.uri)
        trial(tracker, 0)
        wait_until(lambda: not tracker._delivery.pending())
        started.kill()
        started.database.unlink()
        started.start()
        MlflowClient(started.uri).create_experiment("of someone else")  # takes the number that ours had
        trial(tracker, 1)
        assert tracker.close(60) == 0
        assert_whole(started.uri, 2)

    def test_an_answer_that_comes_too_late_makes_no_run_twice(
        self, tmp_path: Path, started: MlflowServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
        proxy = SlowProxy(started.port, delay=0.0)
        tracker = begun(tmp_path / "001", proxy.uri)
        wait_until(lambda: not tracker._delivery.pending())
        proxy.delay = 3.0
        trial(tracker, 0)
        wait_until(lambda: tracker.trouble != "")
        time.sleep(5.0)
        assert tracker._delivery.pending() > 0
        proxy.delay = 0.0
        assert tracker.close(60) == 0
        proxy.close()
        assert_whole(started.uri, 1)

    def test_a_server_that_forgot_its_database_is_tried_again(self, tmp_path: Path, started: MlflowServer) -> None:
        """Its answers are 500 until the database is back."""
        tracker = begun(tmp_path / "001", started.uri)
        wait_until(lambda: not tracker._delivery.pending())
        started.database.rename(tmp_path / "away.db")
        started.database.write_bytes(b"no database at all, but a file of the same name")
        trial(tracker, 0)
        wait_until(lambda: tracker.trouble != "")
        assert tracker._delivery.pending() > 0
        started.kill()
        (tmp_path / "away.db").replace(started.database)
        started.start()
        assert tracker.close(60) == 0
        assert tracker.refused == []
        assert_whole(started.uri, 1)


class TestDatabaseAlone:
    @pytest.fixture
    def uri(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'mlflow.db'}"

    def test_a_deleted_experiment_of_this_name_is_left_alone(self, tmp_path: Path, uri: str) -> None:
        client = MlflowClient(uri)
        client.delete_experiment(client.create_experiment("atlas-gan", (tmp_path / "files").as_uri()))
        tracker = begun(tmp_path / "001", uri)
        trial(tracker, 0)
        assert tracker.close(60) == 0
        assert sorted(runs(uri, "atlas-gan-2")) == ["atlas-gan/001", "trial 000"]
        experiment = client.get_experiment_by_name("atlas-gan")
        assert experiment is not None
        assert experiment.lifecycle_stage == "deleted"

    def test_an_experiment_deleted_meanwhile_gets_no_more_and_it_is_said(self, tmp_path: Path, uri: str) -> None:
        tracker = begun(tmp_path / "001", uri)
        trial(tracker, 0)
        wait_until(lambda: not tracker._delivery.pending())
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name("atlas-gan")
        assert experiment is not None
        client.delete_experiment(experiment.experiment_id)
        trial(tracker, 1)
        tracker.end("study", "FINISHED", {})
        assert tracker.close(60) == 0
        assert [text.split(":")[0] for text in tracker.refused] == ["study"]
        child = runs(uri, "atlas-gan-2")["trial 001"]
        assert points(uri, child) == [20, 40]

    def test_a_run_that_the_user_deleted_stays_deleted(self, tmp_path: Path, uri: str) -> None:
        tracker = begun(tmp_path / "001", uri)
        trial(tracker, 0)
        wait_until(lambda: not tracker._delivery.pending())
        MlflowClient(uri).delete_run(runs(uri)["trial 000"].info.run_id)
        tracker.metrics("trial-0", 60, {"score": 3.0})
        trial(tracker, 1)
        assert tracker.close(60) == 0
        assert len(tracker.refused) == 1
        assert "deleted" in tracker.refused[0]
        assert sorted(runs(uri)) == ["atlas-gan/001", "trial 001"]

    def test_what_the_server_never_takes_is_said_and_the_rest_is_delivered(
        self, tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tracking, "FIRST_WAIT", 0.05)
        folder = tmp_path / "001"
        begun(folder, uri).close(60)
        (tmp_path / "mlartifacts").write_text("a file where a folder is needed")
        picture = tmp_path / "picture.svg"
        picture.write_text("<svg/>")
        client = MlflowClient(uri)
        client.delete_experiment(client.get_experiment_by_name("atlas-gan").experiment_id)  # type: ignore[union-attr]
        client.create_experiment("atlas-gan-2", (tmp_path / "mlartifacts").as_uri())
        (folder / "tracking" / "delivered.json").unlink()
        tracker = begun(folder, uri)
        tracker.artifact("study", picture)
        trial(tracker, 0)
        assert tracker.close(60) == 0
        assert [text.split(":")[0] for text in tracker.refused] == ["study"]
        assert points(uri, runs(uri, "atlas-gan-2")["trial 000"]) == [20, 40]

    def test_another_server_gets_everything_and_the_first_one_nothing_twice(self, tmp_path: Path, uri: str) -> None:
        folder = tmp_path / "001"
        tracker = begun(folder, uri)
        trial(tracker, 0)
        assert tracker.close(60) == 0
        other = f"sqlite:///{tmp_path / 'other.db'}"
        records = len((folder / "tracking" / "spool.jsonl").read_text().splitlines())
        assert deliver(folder / "tracking", other).delivered == records
        assert deliver(folder / "tracking", other).delivered == 0
        assert deliver(folder / "tracking").delivered == 0
        assert_whole(other, 1)
        assert_whole(uri, 1)

    def test_a_search_fetched_into_another_folder_is_delivered_with_its_files(self, tmp_path: Path, uri: str) -> None:
        folder = tmp_path / "cluster" / "atlas-gan" / "001"
        page = tmp_path / "cluster" / "leaderboard" / "page.html"
        page.parent.mkdir(parents=True)
        page.write_text("<p>best</p>")
        tracker = begun(folder, "")  # without any server
        trial(tracker, 0)
        tracker.artifact("study", page)
        assert tracker.close(60) == 6
        home = tmp_path / "home"
        (tmp_path / "cluster").rename(home)
        with pytest.raises(SystemExit) as ended:
            arena(["tracking", str(home / "atlas-gan" / "001")])
        assert ended.value.code == 2
        with pytest.raises(SystemExit) as ended:
            arena(["tracking", str(home / "atlas-gan" / "001"), "--tracking-uri", uri])
        assert ended.value.code == 0
        assert_whole(uri, 1)
        parent = runs(uri)["atlas-gan/001"]
        assert [file.path for file in MlflowClient(uri).list_artifacts(parent.info.run_id)] == ["page.html"]

    def test_a_line_that_a_killed_search_left_half_written_stops_nothing(self, tmp_path: Path, uri: str) -> None:
        begun(tmp_path / "001", uri).close(60)
        with (tmp_path / "001" / "tracking" / "spool.jsonl").open("a") as spool:
            spool.write('{"time": 1, "op": "metr')
        tracker = Tracker(tmp_path / "001" / "tracking", uri, "atlas-gan", tmp_path / "artifacts")
        trial(tracker, 0)
        assert tracker.close(60) == 0
        assert_whole(uri, 1)

    def test_an_evaluation_repeated_after_an_interruption_is_one_point(self, tmp_path: Path, uri: str) -> None:
        tracker = begun(tmp_path / "001", uri)
        trial(tracker, 0)
        tracker.metrics("trial-0", 40, {"score": 1 / 40, "loss.critic": 0.5})
        tracker.close(60)
        tracker = begun(tmp_path / "001", uri)
        tracker.start("trial-0", "trial 000", {}, {}, parent="study")
        tracker.metrics("trial-0", 40, {"score": 1 / 40, "loss.critic": 0.5})
        tracker.end("trial-0", "FINISHED", {})
        assert tracker.close(60) == 0
        assert_whole(uri, 1)


def command(script: str, *arguments: str) -> list[str]:
    return [sys.executable, str(Path(search.atlas_gan.__file__).with_name(script)), *arguments]


@pytest.fixture
def searches() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(processes: list[subprocess.Popen[str]], home: Path, script: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command(script, *arguments), cwd=home, env={**os.environ, "COLUMNS": "100"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    processes.append(process)
    return process


def finish(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=600)
    assert process.returncode == 0, text
    return text


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ended(folder: Path) -> int:
    return sum(line["event"] == "end" for line in lines(folder / "ledger.jsonl"))


def assert_server_has(uri: str, folder: Path) -> None:
    """A run for the search, one for each trial of its ledger, and every evaluation's numbers once."""
    name = f"{folder.parent.name}/{folder.name}"
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(folder.parent.name)
    assert experiment is not None
    listed = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in listed if run.info.run_name == name]
    assert parent.info.status == "FINISHED"
    assert "test.paper.score" in parent.data.metrics
    assert {"response.svg", "shower_depth.svg"} <= {file.path for file in client.list_artifacts(parent.info.run_id)}
    children = [run for run in listed if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    ends = {line["number"]: line for line in lines(folder / "ledger.jsonl") if line["event"] == "end"}
    assert sorted(int(run.data.tags["trial"]) for run in children) == sorted(ends)
    for run in children:
        end = ends[int(run.data.tags["trial"])]
        assert run.info.status == STATUS[end["status"]]
        assert run.data.tags["status"] == end["status"]
        history = lines(folder / "trials" / f"{end['number']:04d}" / "history.jsonl")
        assert points(uri, run) == [evaluation["epoch"] for evaluation in history]
        assert points(uri, run, "best_score") == [end["epochs"]]


def assert_driver_never_waited(folder: Path) -> None:
    """A trial's end follows its last evaluation, which a worker writes to disk."""
    for record in lines(folder / "tracking" / "spool.jsonl"):
        if record["op"] == "end" and record["key"] != "study":
            number = int(record["key"].rsplit("-", 1)[1])
            evaluated = (folder / "trials" / f"{number:04d}" / "history.jsonl").stat().st_mtime
            assert record["time"] / 1000 - evaluated < LATE


@pytest.mark.slow
def test_a_server_that_restarts_in_mid_search(
    tmp_path: Path, started: MlflowServer, searches: list[subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "runs" / "atlas-gan" / "001"
    process = start(searches, tmp_path, "atlas_gan.py", *SMALL, "--tracking-uri", started.uri)
    wait_until(lambda: len(lines(folder / "ledger.jsonl")) > 0, 300)
    started.kill()
    wait_until(lambda: ended(folder) >= 2, 300)
    started.start()
    text = finish(process)
    assert started.uri in text
    if "records wait" in text:
        deliver(folder / "tracking")
    assert_server_has(started.uri, folder)
    assert_driver_never_waited(folder)


@pytest.mark.slow
def test_a_server_that_answers_slowly(
    tmp_path: Path, started: MlflowServer, searches: list[subprocess.Popen[str]]
) -> None:
    proxy = SlowProxy(started.port, delay=2.0)
    folder = tmp_path / "runs" / "atlas-gan" / "001"
    finish(start(searches, tmp_path, "atlas_gan.py", *SMALL, "--tracking-uri", proxy.uri))
    deliver(folder / "tracking")  # through the same slow connection
    proxy.close()
    assert_server_has(started.uri, folder)
    assert_driver_never_waited(folder)


@pytest.mark.slow
def test_a_server_that_is_never_there(
    tmp_path: Path, mlflow_server: MlflowServer, searches: list[subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "runs" / "atlas-gan" / "001"
    text = finish(start(searches, tmp_path, "atlas_gan.py", *SMALL, "--tracking-uri", mlflow_server.uri))
    assert f"records wait for the tracking server {mlflow_server.uri}" in text
    assert "arena tracking runs/atlas-gan/001" in text
    assert_driver_never_waited(folder)
    mlflow_server.start()
    with pytest.raises(SystemExit) as end:
        arena(["tracking", str(folder)])
    assert end.value.code == 0
    assert Delivery(folder / "tracking").pending() == 0
    assert_server_has(mlflow_server.uri, folder)


@pytest.mark.slow
def test_two_studies_share_a_postgresql_database_and_a_board(
    tmp_path: Path, postgresql: PostgreSQL, searches: list[subprocess.Popen[str]]
) -> None:
    uri = postgresql.database("mlflow_of_two")
    shared = [*SMALL, "--concurrent", "1", "--tracking-uri", uri]
    processes = [start(searches, tmp_path, script, *shared) for script in ("atlas_gan.py", "atlas_vae.py")]
    for process in processes:
        finish(process)
    board = read_board(tmp_path / "runs" / "leaderboard")
    assert board.damaged == []
    assert {entry["study"]["name"] for entry in board.entries if entry["kind"] == "model"} == {"atlas-gan", "atlas-vae"}
    assert sum(board.test_openings.values()) == 2
    studies, damaged = read_studies(tmp_path / "runs" / "leaderboard")
    assert damaged == []
    page = (tmp_path / "runs" / "leaderboard" / "index.html").read_text()
    assert {study["name"] for study in studies} == {"atlas-gan", "atlas-vae"}
    assert all(entry["id"] in page for entry in board.entries)
    for study in studies:
        folder = tmp_path / "runs" / study["name"] / "001"
        deliver(folder / "tracking")
        assert_server_has(uri, folder)


@pytest.mark.slow
def test_two_searches_of_one_study_begin_at_the_same_moment(
    tmp_path: Path, postgresql: PostgreSQL, searches: list[subprocess.Popen[str]]
) -> None:
    """With an MLflow server that keeps its runs in PostgreSQL."""
    server = MlflowServer(tmp_path, postgresql.database("mlflow_of_server"))
    server.start()
    try:
        shared = [*SMALL, "--concurrent", "1", "--tracking-uri", server.uri]
        processes = [start(searches, tmp_path, "atlas_gan.py", *shared, "--seed", seed) for seed in ("1", "2")]
        for process in processes:
            finish(process)
        folders = sorted((tmp_path / "runs" / "atlas-gan").iterdir())
        assert [folder.name for folder in folders] == ["001", "002"]
        for folder in folders:
            assert ended(folder) == 3
            deliver(folder / "tracking")
            assert_server_has(server.uri, folder)
    finally:
        server.kill()
