"""A search's ledger in Optuna's storages, for Optuna's own tools."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState

from search.atlas_gan import STUDY as GAN
from search.engine.arena import main as arena
from search.engine.ledger import Ledger, TrialEnd, TrialStart
from search.engine.optuna_export import export, storage_at
from search.engine.plan import Options, begin, make_plan
from search.engine.study import StudyError
from tests.search.servers import HOST, PostgreSQL, free_port

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of the ATLAS WGAN-GP without a trial."""
    output = tmp_path_factory.mktemp("runs")
    plan = make_plan(GAN, Options(fix={"units": "64"}), output, output / "atlas-gan" / "001", "sqlite:///none.db")
    return begin(plan).folder


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Path:
    copy = tmp_path / "atlas-gan" / "001"
    shutil.copytree(template, copy)
    return copy


def config(folder: Path, **changed: Any) -> dict[str, Any]:
    space = json.loads((folder / "study.json").read_text())["space"]
    return {parameter["name"]: parameter["default"] for parameter in space} | changed


def record(folder: Path, number: int, status: Any, score: float | None = None) -> None:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.record_start(TrialStart(number, config(folder, learning_rate=1e-4 * (number + 1)), 2**62 + number))
    if status is None:
        return
    history = [] if score is None else [(10, score + 1), (20, score)]
    ledger.record_end(TrialEnd(number, status, 20, 3.5, score, 0.1, score, 20, {}, history, "why"))


def some_trials(folder: Path) -> None:
    record(folder, 0, "completed", 2.0)
    record(folder, 1, "pruned", 4.0)
    record(folder, 2, "failed")
    record(folder, 3, "diverged")
    record(folder, 4, "preempted", 3.0)
    record(folder, 5, None)


@contextmanager
def study_in(address: str) -> Iterator[optuna.Study]:
    with storage_at(address) as storage:
        yield optuna.load_study(study_name="atlas-gan/001", storage=storage)


def assert_exported(folder: Path, address: str) -> None:
    """Ended trials once, and what ended since when it is asked again."""
    some_trials(folder)
    assert export(folder, address) == (4, "atlas-gan/001")
    assert export(folder, address) == (0, "atlas-gan/001")
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.record_end(TrialEnd(4, "completed", 30, 4.0, 1.5, 0.1, 1.5, 30, {}, [(10, 3.0), (20, 2.0), (30, 1.5)]))
    record(folder, 6, "completed", 1.0)
    assert export(folder, address) == (2, "atlas-gan/001")
    with study_in(address) as study:
        found, best = study.trials, study.best_trial
    trials = {trial.user_attrs["number"]: trial for trial in found}
    assert sorted(trials) == [0, 1, 2, 3, 4, 6]
    assert len(found) == 6
    assert {number: trial.state for number, trial in trials.items()} == {
        0: TrialState.COMPLETE,
        1: TrialState.PRUNED,
        2: TrialState.FAIL,
        3: TrialState.PRUNED,
        4: TrialState.COMPLETE,
        6: TrialState.COMPLETE,
    }
    assert best.user_attrs["number"] == 6
    assert trials[4].intermediate_values == {10: 3.0, 20: 2.0, 30: 1.5}
    assert trials[6].params["learning_rate [training_ratio = 20, 10, 5]"] == pytest.approx(7e-4)
    assert trials[6].params["units"] == 64
    assert trials[1].user_attrs == {
        "number": 1, "seed": 2**62 + 1, "status": "pruned", "score": 4.0, "score_error": 0.1, "epochs": 20,
        "seconds": 3.5, "detail": "why",
    }  # fmt: skip


def test_journal(tmp_path: Path, folder: Path) -> None:
    assert_exported(folder, str(tmp_path / "optuna.journal"))


def test_sqlite(tmp_path: Path, folder: Path) -> None:
    assert_exported(folder, f"sqlite:///{tmp_path / 'optuna.db'}")


def test_the_command_says_what_it_added(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some_trials(folder)
    journal = str(tmp_path / "optuna.log")
    with pytest.raises(SystemExit) as ended:
        arena(["optuna", str(folder), "--storage", journal])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"4 trials added to the study atlas-gan/001 in {journal}\n"


def test_several_objectives_have_a_pareto_front_there(tmp_path: Path) -> None:
    plan = make_plan(
        GAN, Options(objective="bmre,generation_time"), tmp_path, tmp_path / "atlas-gan" / "001", "sqlite:///none.db"
    )
    folder = begin(plan).folder
    ledger = plan.ledger
    for number, values in enumerate(((1.0, 3.0), (2.0, 2.0), (3.0, 4.0))):
        ledger.record_start(TrialStart(number, plan.space.default, number))
        named = dict(zip(plan.objectives.names, values, strict=True))
        ledger.record_end(TrialEnd(number, "completed", 20, 1.0, 1.0, 0.1, 1.0, 20, {}, [(20, 1.0)], values=named))
    address = str(tmp_path / "optuna.journal")
    assert export(folder, address) == (3, "atlas-gan/001")
    with study_in(address) as study:
        assert [trial.user_attrs["number"] for trial in study.best_trials] == [0, 1]


def test_a_line_that_is_being_written_is_left_to_its_writer(tmp_path: Path, folder: Path) -> None:
    record(folder, 0, "completed", 2.0)
    ledger = folder / "ledger.jsonl"
    with ledger.open("a") as file:
        file.write('{"event": "start", "num')
    written = ledger.read_bytes()
    assert export(folder, str(tmp_path / "optuna.journal"))[0] == 1
    assert ledger.read_bytes() == written


def test_mlflows_database_is_refused_and_left_as_it_is(tmp_path: Path, folder: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    MlflowClient(uri).create_experiment("atlas-gan", (tmp_path / "files").as_uri())
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(StudyError, match="database of its own"):
        export(folder, uri)
    assert (tmp_path / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize("address", ["mlflow.db", "http://127.0.0.1:5000", "grpc://127.0.0.1"])
def test_what_is_no_storage_is_refused(folder: Path, address: str) -> None:
    with pytest.raises(StudyError, match=r"grpc://HOST:PORT"):
        export(folder, address)


def test_a_folder_without_a_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study\.json"):
        export(tmp_path, str(tmp_path / "optuna.journal"))


@pytest.mark.parametrize("scheme", ["grpc://127.0.0.1:{port}", "postgresql://arena@127.0.0.1:{port}/optuna"])
def test_a_server_that_is_not_there_is_said(folder: Path, scheme: str) -> None:
    address = scheme.format(port=free_port())
    with pytest.raises(ConnectionError, match="cannot be used"):
        export(folder, address)


@pytest.mark.slow
def test_postgresql(folder: Path, postgresql: PostgreSQL) -> None:
    assert_exported(folder, postgresql.database("optuna_alone"))


PROXY = """
import sys, optuna
optuna.storages.run_grpc_proxy_server(optuna.storages.RDBStorage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture
def proxy(postgresql: PostgreSQL) -> Iterator[str]:
    """Optuna's gRPC proxy before PostgreSQL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", PROXY, postgresql.database("optuna_behind_proxy"), str(port)])
    try:
        deadline = time.monotonic() + 60
        while True:
            with closing(socket.socket()) as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"grpc://{HOST}:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_grpc_proxy(folder: Path, proxy: str) -> None:
    assert_exported(folder, proxy)
