"""Real servers for tests: MLflow and PostgreSQL on the loopback address, and a connection that is slow."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class MlflowServer:
    """``mlflow server`` with one worker; files and, unless another is given, an SQLite database in a folder."""

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        self.database = folder / "server.db"
        self._backend = backend or f"sqlite:///{self.database}"
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> None:
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self._port), "--workers", "1",
            "--backend-store-uri", self._backend, "--artifacts-destination", str(self._folder / "artifacts"),
        ]  # fmt: skip
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def stop(self) -> None:
        """In order; nothing if it does not run."""
        self._end("-TERM")

    def kill(self) -> None:
        """At once, with its workers."""
        self._end("-KILL")

    def _end(self, signal: str) -> None:
        if self._process is None:
            return
        subprocess.run(["kill", signal, "--", f"-{self._process.pid}"], check=False, capture_output=True)  # noqa: S607
        self._process.wait(timeout=30)
        self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
            time.sleep(0.2)
        raise TimeoutError((self._folder / "server.log").read_text())


class SlowProxy:
    """Passes connections on to a port of this machine, and holds back whatever is answered.

    Attributes:
        delay: Time by which each answer comes later [s]; may be changed at any time.
    """

    def __init__(self, port: int, delay: float) -> None:
        self.delay = delay
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection((HOST, self._target)) as server:
            threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
            self._copy(server, client, True)

    def _copy(self, source: socket.socket, sink: socket.socket, late: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if late:
                    time.sleep(self.delay)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def postgresql_tools() -> Path | None:
    """Folder of PostgreSQL's programs; Debian keeps them outside the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


class PostgreSQL:
    """A PostgreSQL server on the loopback address with data in a folder; root runs it as the user ``postgres``."""

    def __init__(self, tools: Path, folder: Path) -> None:
        self._tools, self._folder, self._port = tools, folder, free_port()
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "--auth=trust", "--username=arena", "-D", str(folder / "data"))
        options = f"-p {self._port} -h {HOST} -k {folder}"
        self._run("pg_ctl", "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", options, "--wait", "start")

    def database(self, name: str) -> str:
        """Make an empty database; returns its URI."""
        self._run("createdb", "-h", HOST, "-p", str(self._port), "-U", "arena", name)
        return f"postgresql://arena@{HOST}:{self._port}/{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "--mode=immediate", "--wait", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._tools / program), *arguments],
            check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
