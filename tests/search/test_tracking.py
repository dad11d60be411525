"""MLflow gets everything, in order, once; and never stops a search."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from search.engine import tracking
from search.engine.tracking import Delivery, Tracker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow keeps files in the current folder where nothing else is said."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def fill(tracker: Tracker) -> None:
    tracker.start("study", "atlas-gan/001", {"seed": 1}, {"study": "atlas-gan"})
    tracker.start("trial-0", "trial 000", {"units": 128, "note": "x" * 900}, {"trial": "0"}, parent="study")
    tracker.metrics("trial-0", 20, {"score": 1.5, "score_error": float("nan"), "loss.critic": float("inf")})
    tracker.metrics("trial-0", 40, {"score": 1.25, "score_error": None})
    tracker.end("trial-0", "FINISHED", {"status": "completed"})


def runs(uri: str) -> dict[str, Any]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("atlas-gan")
    assert experiment is not None
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_parent_and_child_with_parameters_and_metrics(tmp_path: Path, uri: str) -> None:
    tracker = Tracker(tmp_path / "tracking", uri, "atlas-gan", tmp_path / "artifacts")
    fill(tracker)
    figure = tmp_path / "figure.html"
    figure.write_text("<p>best</p>")
    tracker.artifact("study", figure)
    tracker.artifact("study", tmp_path / "gone.html")
    tracker.end("study", "FINISHED", {})
    assert tracker.close(60) == 0
    found = runs(uri)
    parent, child = found["atlas-gan/001"], found["trial 000"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params["units"] == "128"
    assert child.data.tags["status"] == "completed"
    assert child.info.status == "FINISHED"
    assert child.data.metrics == {"score": 1.25}
    client = MlflowClient(uri)
    assert [(m.step, m.value) for m in client.get_metric_history(child.info.run_id, "score")] == [(20, 1.5), (40, 1.25)]
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["figure.html"]
    assert (tmp_path / "artifacts").is_dir()


def test_a_server_that_is_gone_costs_nothing_and_gets_all_of_it_later(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> MlflowClient:
        raise ConnectionError("nobody there")

    with monkeypatch.context() as patched:
        patched.setattr(tracking, "connect", refuse)
        tracker = Tracker(tmp_path / "tracking", uri, "atlas-gan")
        begin = time.monotonic()
        fill(tracker)
        assert time.monotonic() - begin < 1.0
        assert tracker.close(0.5) == 5
    delivery = Delivery(tmp_path / "tracking")
    delivery.run()
    assert delivery.pending() == 0
    assert runs(uri)["trial 000"].data.metrics == {"score": 1.25}


def test_a_delivery_that_died_makes_no_run_twice(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "tracking"
    tracker = Tracker(folder, uri, "atlas-gan")
    fill(tracker)
    assert tracker.close(60) == 0
    # As if it had been killed before it wrote down how far it came.
    (folder / "delivered.json").write_text(json.dumps({"offset": 0, "runs": {}}))
    Delivery(folder).run()
    assert sorted(runs(uri)) == ["atlas-gan/001", "trial 000"]
    client = MlflowClient(uri)
    history = client.get_metric_history(runs(uri)["trial 000"].info.run_id, "score")
    assert [(metric.step, metric.value) for metric in history] == [(20, 1.5), (40, 1.25)]


def test_a_resumed_search_goes_on_in_the_same_runs(tmp_path: Path, uri: str) -> None:
    for step in (20, 40):
        tracker = Tracker(tmp_path / "tracking", uri, "atlas-gan")
        tracker.start("study", "atlas-gan/001", {"seed": 1}, {})
        tracker.metrics("study", step, {"score": 1.0})
        assert tracker.close(60) == 0
    (run,) = runs(uri).values()
    assert len(MlflowClient(uri).get_metric_history(run.info.run_id, "score")) == 2


def test_what_is_remembered_does_not_grow_with_the_ended_trials(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "tracking"
    tracker = Tracker(folder, uri, "atlas-gan")
    fill(tracker)
    assert tracker.close(60) == 0
    assert list(json.loads((folder / "delivered.json").read_text())[uri]["runs"]) == ["study"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_trial_that_had_ended_goes_on_in_its_run(tmp_path: Path, uri: str, restarted: bool) -> None:
    folder = tmp_path / "tracking"
    writer = Tracker(folder, "", "atlas-gan")
    fill(writer)
    delivery = Delivery(folder, uri)
    delivery.run()
    writer.metrics("trial-0", 60, {"loss": 0.5})  # told after its end
    writer.start("trial-0", "trial 000", {}, {}, parent="study")
    writer.metrics("trial-0", 80, {"score": 1.0})
    writer.end("trial-0", "FINISHED", {"status": "completed"})
    assert writer.close(0) == 9  # of the whole spool, as this writer has no server
    delivery = Delivery(folder, uri) if restarted else delivery
    delivery.run()
    assert delivery.refused == []
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("atlas-gan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], filter_string="tags.trial = '0'")
    assert [run.data.metrics for run in found] == [{"score": 1.0, "loss": 0.5}]
