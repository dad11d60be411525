"""MLflow, without ever waiting for it.

The search writes what happens into a spool file. One thread delivers the spool to the tracking
server in order, tries again for as long as the server is slow or gone, and remembers how far it
came. What was not delivered when the search ends is delivered by ``arena tracking STUDY_FOLDER``,
to the same server or to another one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from leaderboard.records import alone, write_atomically
from search.engine.ledger import drop_torn_line

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

KEY_TAG, PARENT_TAG = "arena.key", "mlflow.parentRunId"
LONGEST_VALUE = 500  # MLflow refuses longer parameter values
MOST_METRICS = 1000  # in one request
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
TRIES = 5  # for a record, where the server takes others
SPOOL, TARGET, STATE = "spool.jsonl", "target.json", "delivered.json"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")

Record = dict[str, Any]


class Tracker:
    """Writes the spool and delivers it in the background.

    Args:
        folder: Where the spool lies (inside the study's folder).
        uri: MLflow tracking URI; empty where nothing is delivered before ``arena tracking`` names a server.
        experiment: Name of the experiment; one for each study.
        artifacts: Where pictures and pages are kept, for a database without a server (which would take the
            current folder); None leaves it to the server.
    """

    def __init__(self, folder: Path, uri: str, experiment: str, artifacts: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        _write_target(folder, uri, experiment, artifacts)
        spool = folder / SPOOL
        if spool.exists():
            drop_torn_line(spool)
        self._evaluated = _evaluations(spool)
        self._spool = spool.open("a", encoding="utf-8")
        self._delivery = Delivery(folder)
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="mlflow", daemon=True)
        if uri:
            self._thread.start()

    def start(
        self, key: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str], parent: str | None = None
    ) -> None:
        """A run begins (or goes on, if one of this key is there)."""
        self._put(op="start", key=key, name=name, params=dict(params), tags=dict(tags), parent=parent)

    def metrics(self, key: str, step: int, values: Mapping[str, float | None]) -> None:
        """Numbers at a step; what is not finite is left out.

        A trial that goes on from its last checkpoint may repeat an evaluation: that is there already.
        """
        finite = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
        if not finite or ("score" in finite and (key, step) in self._evaluated):
            return
        if "score" in finite:  # the others are summaries, of which the newest counts
            self._evaluated.add((key, step))
        self._put(op="metrics", key=key, step=step, values=finite)

    def artifact(self, key: str, path: Path) -> None:
        """A file that stays where it is, seen from the search's folder, until it is delivered."""
        self._put(op="artifact", key=key, path=os.path.relpath(path.resolve(), self._delivery.search.resolve()))

    def end(self, key: str, status: str, tags: Mapping[str, str]) -> None:
        """A run ends: FINISHED, FAILED or KILLED in MLflow's words."""
        self._put(op="end", key=key, status=status, tags=dict(tags))

    def close(self, patience: float) -> int:
        """Wait for the delivery, at most ``patience`` seconds; returns how many records are left."""
        self._spool.close()
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=patience)
        self._delivery.stopped = True  # whoever delivers the rest must be alone
        return self._delivery.pending()

    @property
    def trouble(self) -> str:
        """Why the last attempt failed; empty if it did not."""
        return self._delivery.trouble

    @property
    def refused(self) -> Sequence[str]:
        """What the server will never take, with its reasons."""
        return self._delivery.refused

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
                wait = FIRST_WAIT if self._closing.is_set() else min(2 * wait, LONGEST_WAIT)
            if self._delivery.stopped or (self._closing.is_set() and not self._delivery.pending()):
                return
            self._wake.wait(timeout=wait)
            self._wake.clear()


class Forgotten(Exception):
    """The server does not know a run that it had: it was restored from an older database, or is another one."""


class Delivery:
    """Sends the records of a spool to MLflow, in order, and remembers how far it came, for each server.

    Sent again, no run and no number appears twice: runs are found by a tag, MLflow keeps equal numbers once.

    Args:
        folder: Where the spool lies (inside the study's folder).
        uri: Another server than the one that was recorded; it gets everything.
    """

    def __init__(self, folder: Path, uri: str | None = None) -> None:
        self._folder = folder
        target = json.loads((folder / TARGET).read_text(encoding="utf-8"))
        self.uri: str = uri or target["uri"]
        self._name: str = target["experiment"]
        self._id: str = target.get("id", str(self.search))
        recorded: str | None = target["artifacts"]
        self._artifacts = recorded if self.uri == target["uri"] else artifacts_of(self.uri, self.search.parents[1])
        state = _read_state(folder).get(self.uri, {"offset": 0, "runs": {}})
        self._offset: int = state["offset"]
        self._runs: dict[str, str] = state["runs"]
        self._may_exist = self._offset > 0 or self._spool_size() > 0
        self._ended: set[str] = set()
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._tries = 0
        self.delivered = 0
        self.stopped = False
        self.trouble = ""
        self.refused: list[str] = []

    @property
    def search(self) -> Path:
        """The folder of the search."""
        return self._folder.absolute().parent

    def pending(self) -> int:
        """Records that wait."""
        return sum(1 for _ in self._unread())

    def run(self) -> None:
        """Deliver what waits.

        A server that has forgotten runs gets everything again. What it refuses is noted in ``refused``.

        Raises: whatever MLflow raises where the server cannot be reached.
        """
        started_over = False
        while not self.stopped and (lines := self._next()):
            records = [json.loads(line) for line in lines]
            try:
                self._connect()
                self._send(records)
            except Forgotten as error:
                self.trouble = str(error)
                if started_over:
                    raise
                started_over = True
                self._start_over()
                continue
            except Exception as error:
                self._failed(records, error)
            self._offset += sum(len(line) for line in lines)
            self._tries, self.trouble = 0, ""
            self.delivered += len(lines)
            self._remember()

    def _failed(self, records: Sequence[Record], error: Exception) -> None:
        """Give a record up if the server takes others, again and again, but not this one.

        Raises: the error, until then.
        """
        self._may_exist = True
        self._tries += 1
        self.trouble = _brief(error)
        if self._tries < TRIES or not self._takes_others():
            raise error
        for key in {record["key"] for record in records}:
            self._refuse(key, error)

    def _takes_others(self) -> bool:
        try:
            self.client.set_experiment_tag(self._experiment, "arena.last_tried", str(int(time.time())))
        except Exception:  # of MLflow, requests or SQLAlchemy: whichever, it takes nothing
            return False
        return True

    def _start_over(self) -> None:
        self._offset, self._runs, self._client, self._may_exist, self.delivered = 0, {}, None, True, 0
        self._ended = set()

    def _spool_size(self) -> int:
        spool = self._folder / SPOOL
        return spool.stat().st_size if spool.exists() else 0

    def _unread(self) -> Iterator[bytes]:
        spool = self._folder / SPOOL
        if not spool.exists():
            return
        with spool.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if line.endswith(b"\n"):
                    yield line

    def _next(self) -> list[bytes]:
        """The next record; or all numbers before the next record of another kind, which cost one request a run."""
        lines: list[bytes] = []
        for line in self._unread():
            is_metrics = json.loads(line)["op"] == "metrics"
            if lines and not is_metrics:
                break
            lines.append(line)
            if not is_metrics:
                break
        return lines

    def _remember(self) -> None:
        state = {**_read_state(self._folder), self.uri: {"offset": self._offset, "runs": self._runs}}
        write_atomically(self._folder / STATE, json.dumps(state))

    def _connect(self) -> None:
        if self._client is not None:
            return
        client = connect(self.uri)
        self._experiment = self._living_experiment(client)
        self._client = client

    def _living_experiment(self, client: MlflowClient) -> str:
        """The experiment; "atlas-gan-2" where the user deleted "atlas-gan", because MLflow keeps that name."""
        name, number = self._name, 1
        while True:
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                return str(client.create_experiment(name, artifact_location=self._artifacts))
            if experiment.lifecycle_stage == "active":
                return str(experiment.experiment_id)
            number += 1
            name = f"{self._name}-{number}"

    def _send(self, records: Sequence[Record]) -> None:
        if records[0]["op"] != "metrics":
            self._attempt(records[0]["key"], partial(self._operations[records[0]["op"]], self, records[0]))
            return
        by_key: dict[str, list[Metric]] = {}
        for record in records:
            metrics = [_metric(name, value, record) for name, value in record["values"].items()]
            by_key.setdefault(record["key"], []).extend(metrics)
        for key, metrics in by_key.items():
            self._attempt(key, partial(self._metrics, key, metrics))

    def _attempt(self, key: str, send: Callable[[], None]) -> None:
        """Send, or note what is refused for good, such as a number for a run that the user deleted.

        Raises: Forgotten; whatever MLflow raises where it is worth to try again.
        """
        try:
            send()
        except Exception as error:
            code = getattr(error, "error_code", "")
            if code == "RESOURCE_DOES_NOT_EXIST":
                raise Forgotten(_brief(error)) from error
            if code != "INVALID_PARAMETER_VALUE" and not isinstance(error, _Unstarted):
                raise
            self._refuse(key, error)

    def _refuse(self, key: str, error: Exception) -> None:
        text = f"{key}: {_brief(error)}"
        if text not in self.refused:
            self.refused.append(text)

    def _start(self, record: Record) -> None:
        key = record["key"]
        if key in self._runs:
            self.client.update_run(self._runs[key], status="RUNNING")
            return
        tags = {**record["tags"], KEY_TAG: self._unique(key)}
        if record["parent"] in self._runs:
            tags[PARENT_TAG] = self._runs[record["parent"]]
            self.client.get_run(tags[PARENT_TAG])  # raises if the server has forgotten it
        found = self._found(key) if self._may_exist or key in self._ended else []
        self._check_remembered(key, found)
        run = found[0] if found else self._create(record, tags)
        missing = {name: value for name, value in record["params"].items() if name not in run.data.params}
        self.client.log_batch(run.info.run_id, params=_params(missing))
        self._runs[key] = run.info.run_id

    def _check_remembered(self, key: str, found: Sequence[Run]) -> None:
        """Raises: Forgotten if a run that ended here is not there, not even as a deleted one."""
        if key in self._ended and not found:
            raise Forgotten(f"the server does not know the run of {key} any more")

    def _create(self, record: Record, tags: Mapping[str, str]) -> Run:
        what = {"start_time": record["time"], "tags": dict(tags), "run_name": record["name"]}
        try:
            return self.client.create_run(self._experiment, **what)
        except Exception as error:
            if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                raise
            self._client = None  # the experiment was deleted since
            self._connect()
            return self.client.create_run(self._experiment, **what)

    def _found(self, key: str) -> list[Run]:
        """Runs of this key, oldest first: created just before an earlier delivery died, or answered too late.

        Those that were deleted come last: where there is no other, the user wants none.
        """
        from mlflow.entities import ViewType

        found = self.client.search_runs(
            [self._experiment],
            filter_string=f"tags.`{KEY_TAG}` = '{self._unique(key)}'",
            run_view_type=ViewType.ALL,
            order_by=["attributes.start_time ASC"],
        )
        return sorted(found, key=_is_deleted)

    def _unique(self, key: str) -> str:
        """The key is unique in a study, the identifier among the studies."""
        return f"{self._id}:{key}"

    def _metrics(self, key: str, metrics: Sequence[Metric]) -> None:
        run_id = self._run(key)
        for first in range(0, len(metrics), MOST_METRICS):
            self.client.log_batch(run_id, metrics=metrics[first : first + MOST_METRICS])

    def _artifact(self, record: Record) -> None:
        path = self.search / record["path"]
        if path.exists():  # or removed since: nothing to show
            self.client.log_artifact(self._run(record["key"]), str(path))

    def _end(self, record: Record) -> None:
        run_id = self._run(record["key"])
        self.client.log_batch(run_id, tags=_tags(record["tags"]))
        self.client.set_terminated(run_id, status=record["status"], end_time=record["time"])
        for twin in self._found(record["key"]):
            # A server too slow to answer in time has made a run, and then another one when it was asked again.
            if twin.info.run_id != run_id and not _is_deleted(twin):
                self.client.delete_run(twin.info.run_id)
        # What is remembered is written after every record: only what still runs, or it grows with the trials.
        self._ended.add(record["key"])
        del self._runs[record["key"]]

    def _run(self, key: str) -> str:
        if key not in self._runs:
            found = self._found(key)  # it has ended, and something is told of it still
            self._check_remembered(key, found)
            if not found:
                raise _Unstarted("its run was refused")
            self._runs[key] = found[0].info.run_id
        return self._runs[key]

    @property
    def client(self) -> MlflowClient:
        assert self._client is not None
        return self._client

    _operations: Mapping[str, Callable[[Delivery, Record], None]] = {
        "start": _start,
        "artifact": _artifact,
        "end": _end,
    }


class _Unstarted(Exception):
    """A record of a run that the server refused."""


def deliver(folder: Path, uri: str | None = None) -> Delivery:
    """Deliver the whole spool of a search that has ended, with a few tries.

    Args:
        folder, uri: As for ``Delivery``.
    Raises: ConnectionError with what the server said last; ValueError if there is no server.
    """
    delivery = Delivery(folder, uri)
    if not delivery.uri:
        raise ValueError(f"{folder.parent} was searched without a tracking server: name one with --tracking-uri URI")
    for _ in range(TRIES):
        try:
            delivery.run()
        except Exception as error:  # of MLflow, requests or SQLAlchemy: the last one is said in the end
            delivery.trouble = delivery.trouble or _brief(error)
            time.sleep(FIRST_WAIT)
        else:
            return delivery
    raise ConnectionError(
        f"{delivery.uri} does not take the records: {delivery.trouble}. {delivery.pending()} wait in {folder}; "
        "try again later, or give another server with --tracking-uri"
    )


def connect(uri: str) -> MlflowClient:
    """A client that gives up quickly: the spool tries again, and keeps its own patience."""
    # A request that MLflow itself repeats after a late answer makes a run twice.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for every trial
    from mlflow.tracking import MlflowClient  # slow to import, and only the delivery needs it

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    if not uri.startswith("sqlite:///"):
        return MlflowClient(tracking_uri=uri)
    # Two searches that make the tables of one file at the same time would leave half of them.
    database = Path(uri.removeprefix("sqlite:///"))
    with alone(database.with_name(f".{database.name}.lock")):
        return MlflowClient(tracking_uri=uri)


def is_database(uri: str) -> bool:
    """Whether MLflow reaches this without a server of its own."""
    return uri.startswith(DATABASES)


def artifacts_of(uri: str, output: Path) -> str | None:
    """Where files are kept for a database, as a URI; None where the server decides it."""
    return (output / "mlartifacts").resolve().as_uri() if is_database(uri) else None


def _write_target(folder: Path, uri: str, experiment: str, artifacts: Path | None) -> None:
    """Where records go; the identifier of the search stays what it was, in whatever folder it lies."""
    path = folder / TARGET
    former = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"id": uuid4().hex}
    target = {
        "uri": uri,
        "experiment": experiment,
        "artifacts": None if artifacts is None else artifacts.resolve().as_uri(),
        "id": former.get("id", str(folder.absolute().parent)),
    }
    write_atomically(path, json.dumps(target))


def _read_state(folder: Path) -> dict[str, Any]:
    """URI → how far the spool was delivered to it, and key → run there."""
    path = folder / STATE
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return state


def _evaluations(spool: Path) -> set[tuple[str, int]]:
    """Key and step of the evaluations that a spool holds."""
    lines = spool.read_text(encoding="utf-8").splitlines() if spool.exists() else []
    records = [json.loads(line) for line in lines]
    return {(record["key"], record["step"]) for record in records if "score" in record.get("values", ())}


def _is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage != "active")


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _params(params: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:LONGEST_VALUE]) for name, value in params.items()]


def _tags(tags: Mapping[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in tags.items()]


def _metric(name: str, value: float, record: Record) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, value, record["time"], record["step"])
