"""No SQLite on file systems of a network, no passwords in records."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from search.engine.plan import local_tracking_uri
from search.engine.storage_check import network_file_system, refuse_password, refuse_sqlite_on_network
from search.engine.study import StudyError


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the machine's table of mounts calls NFS, with a local one mounted inside."""
    mounts = [("/", "ext4"), (str(tmp_path / "shared"), "nfs4"), (str(tmp_path / "shared" / "local"), "xfs")]
    table = [SimpleNamespace(mountpoint=point, fstype=kind) for point, kind in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: table)  # noqa: ARG005 -- psutil's name
    return tmp_path / "shared"


def test_the_innermost_mount_decides(shared: Path) -> None:
    assert network_file_system(shared / "runs" / "not-yet-there") == "nfs4"
    assert network_file_system(shared / "local" / "runs") is None
    assert network_file_system(shared.parent / "elsewhere") is None


def test_sqlite_there_is_refused_with_advice(shared: Path) -> None:
    with pytest.raises(StudyError, match=r"network file system \(nfs4\).*MLflow server.*PostgreSQL.*journal.*gRPC"):
        refuse_sqlite_on_network(f"sqlite:///{shared / 'mlflow.db'}")
    refuse_sqlite_on_network(f"sqlite:///{shared.parent / 'mlflow.db'}")
    refuse_sqlite_on_network("http://127.0.0.1:5000")
    refuse_sqlite_on_network("postgresql://arena@host/mlflow")


def test_without_a_server_records_wait_there(shared: Path) -> None:
    assert local_tracking_uri(shared / "runs") == ""
    assert local_tracking_uri(shared.parent / "runs") == f"sqlite:///{shared.parent / 'runs' / 'mlflow.db'}"


def test_this_machine_has_a_table_of_mounts(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(StudyError, match=r"PGPASSWORD or ~/\.pgpass") as raised:
        refuse_password("postgresql://arena:s3cret@host/mlflow")
    assert "s3cret" not in str(raised.value)
    refuse_password("postgresql://arena@host:5432/mlflow")
