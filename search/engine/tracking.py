"""MLflow, without ever waiting for it.

The search writes what happens into a spool file. One thread delivers the spool to the tracking
server in order, tries again for as long as the server is slow or gone, and remembers how far it
came. What was not delivered when the search ends is delivered by ``arena tracking STUDY_FOLDER``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

KEY_TAG, PARENT_TAG = "arena.key", "mlflow.parentRunId"
LONGEST_VALUE = 500  # MLflow refuses longer parameter values
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0

Record = dict[str, Any]


class Tracker:
    """Writes the spool and delivers it in the background.

    Args:
        folder: Where the spool lies (inside the study's folder).
        uri: MLflow tracking URI.
        experiment: Name of the experiment; one for each study.
        artifacts: Where pictures and pages are kept, for a database without a server (which would take the
            current folder); None leaves it to the server.
    """

    def __init__(self, folder: Path, uri: str, experiment: str, artifacts: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        location = None if artifacts is None else artifacts.resolve().as_uri()
        target = {"uri": uri, "experiment": experiment, "artifacts": location}
        (folder / "target.json").write_text(json.dumps(target), encoding="utf-8")
        self._spool = (folder / "spool.jsonl").open("a", encoding="utf-8")
        self._delivery = Delivery(folder)
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="mlflow", daemon=True)
        self._thread.start()

    def start(
        self, key: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str], parent: str | None = None
    ) -> None:
        """A run begins (or goes on, if one of this key is there)."""
        self._put(op="start", key=key, name=name, params=dict(params), tags=dict(tags), parent=parent)

    def metrics(self, key: str, step: int, values: Mapping[str, float | None]) -> None:
        """Numbers at a step; what is not finite is left out."""
        finite = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
        if finite:
            self._put(op="metrics", key=key, step=step, values=finite)

    def artifact(self, key: str, path: Path) -> None:
        """A file that stays where it is until it is delivered."""
        self._put(op="artifact", key=key, path=str(path.resolve()))

    def end(self, key: str, status: str, tags: Mapping[str, str]) -> None:
        """A run ends: FINISHED, FAILED or KILLED in MLflow's words."""
        self._put(op="end", key=key, status=status, tags=dict(tags))

    def close(self, patience: float) -> int:
        """Wait for the delivery, at most ``patience`` seconds; returns how many records are left."""
        self._spool.close()
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=patience)
        return self._delivery.pending()

    def _put(self, **record: Any) -> None:
        self._spool.write(json.dumps({"time": int(time.time() * 1000), **record}, allow_nan=False) + "\n")
        self._spool.flush()
        self._wake.set()

    def _deliver(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                self._delivery.run()
                wait = FIRST_WAIT
            except Exception as error:
                # Whatever the server does, the search goes on; the record stays in the spool.
                logging.getLogger(__name__).debug("tracking server: %s", error)
                wait = min(2 * wait, LONGEST_WAIT)
            if self._closing.is_set() and not self._delivery.pending():
                return
            self._wake.wait(timeout=wait)
            self._wake.clear()


class Delivery:
    """Sends the records of a spool to MLflow, in order, and remembers how far it came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state_file = folder / "delivered.json"
        state: dict[str, Any] = {"offset": 0, "runs": {}}
        if self._state_file.exists():
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        self._offset: int = state["offset"]
        self._runs: dict[str, str] = state["runs"]
        self._may_exist = self._offset > 0 or self._spool_size() > 0
        self._client: MlflowClient | None = None
        self._experiment = ""

    def pending(self) -> int:
        """Records that wait."""
        return len(self._unread())

    def run(self) -> None:
        """Deliver what waits.

        Raises: whatever MLflow raises where the server cannot be reached.
        """
        for line in self._unread():
            record = json.loads(line)
            self._connect()
            self._operations[record["op"]](self, record)
            self._offset += len(line)
            if record["op"] != "metrics":
                self._remember()
        self._remember()

    def _spool_size(self) -> int:
        spool = self._folder / "spool.jsonl"
        return spool.stat().st_size if spool.exists() else 0

    def _unread(self) -> list[bytes]:
        spool = self._folder / "spool.jsonl"
        if not spool.exists():
            return []
        with spool.open("rb") as file:
            file.seek(self._offset)
            return [line for line in file if line.endswith(b"\n")]

    def _remember(self) -> None:
        temporary = self._state_file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"offset": self._offset, "runs": self._runs}), encoding="utf-8")
        temporary.replace(self._state_file)

    def _connect(self) -> None:
        if self._client is not None:
            return
        target = json.loads((self._folder / "target.json").read_text(encoding="utf-8"))
        client = connect(target["uri"])
        experiment = client.get_experiment_by_name(target["experiment"])
        self._experiment = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(target["experiment"], artifact_location=target["artifacts"])
        )
        self._client = client

    def _start(self, record: Record) -> None:
        key = record["key"]
        if key in self._runs or self._found(key):
            self.client.update_run(self._runs[key], status="RUNNING")
            return
        tags = {**record["tags"], KEY_TAG: self._unique(key)}
        if record["parent"] is not None:
            tags[PARENT_TAG] = self._runs[record["parent"]]
        run = self.client.create_run(self._experiment, start_time=record["time"], tags=tags, run_name=record["name"])
        self._runs[key] = run.info.run_id
        self.client.log_batch(run.info.run_id, params=_params(record["params"]))

    def _found(self, key: str) -> bool:
        """A run that was created just before an earlier delivery died."""
        if not self._may_exist:
            return False
        runs = self.client.search_runs(
            [self._experiment], filter_string=f"tags.`{KEY_TAG}` = '{self._unique(key)}'", max_results=1
        )
        if runs:
            self._runs[key] = runs[0].info.run_id
        return bool(runs)

    def _unique(self, key: str) -> str:
        """The key is unique in a study; its folder is unique among the studies."""
        return f"{self._folder.resolve().parent}:{key}"

    def _metrics(self, record: Record) -> None:
        metrics = [_metric(name, value, record) for name, value in record["values"].items()]
        self.client.log_batch(self._runs[record["key"]], metrics=metrics)

    def _artifact(self, record: Record) -> None:
        with contextlib.suppress(FileNotFoundError):  # removed since: nothing to show
            self.client.log_artifact(self._runs[record["key"]], record["path"])

    def _end(self, record: Record) -> None:
        run_id = self._runs[record["key"]]
        for name, value in record["tags"].items():
            self.client.set_tag(run_id, name, value)
        self.client.set_terminated(run_id, status=record["status"], end_time=record["time"])

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None
        return self._client

    _operations: Mapping[str, Callable[[Delivery, Record], None]] = {
        "start": _start,
        "metrics": _metrics,
        "artifact": _artifact,
        "end": _end,
    }


def connect(uri: str) -> MlflowClient:
    """A client that gives up quickly: the spool tries again, and keeps its own patience."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    from mlflow.tracking import MlflowClient  # slow to import, and only the delivery needs it

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri)


def _params(params: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:LONGEST_VALUE]) for name, value in params.items()]


def _metric(name: str, value: float, record: Record) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, value, record["time"], record["step"])
