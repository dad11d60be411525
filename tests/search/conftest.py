"""Servers that tests start and stop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.servers import MlflowServer, PostgreSQL, postgresql_tools


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[MlflowServer]:
    """An MLflow server that is not yet started."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = MlflowServer(folder)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL server."""
    tools = postgresql_tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's folders are closed to other users
    server = PostgreSQL(tools, folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
