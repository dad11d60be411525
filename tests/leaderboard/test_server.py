"""The pages over HTTP: read-only, one folder, nothing listed."""

from __future__ import annotations

import http.client
import socket
import threading
from pathlib import Path

import pytest

from leaderboard.server import make_server


@pytest.fixture
def board(tmp_path: Path) -> Path:
    board = tmp_path / "leaderboard"
    (board / "models").mkdir(parents=True)
    (board / "index.html").write_text("<h1>board</h1>")
    (board / "models" / "a.html").write_text("<h1>model</h1>")
    (board / ".pages.lock").write_text("")
    (board / "secret.txt").write_text("of another kind")
    (board / ".hidden").mkdir()
    (board / ".hidden" / "x.html").write_text("hidden")
    (tmp_path / "outside.html").write_text("outside")
    (board / "link.html").symlink_to(tmp_path / "outside.html")
    return board


@pytest.fixture
def address(board: Path):
    with make_server(board) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()


def get(address, path: str, method: str = "GET"):
    host, port = address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


@pytest.mark.parametrize(("path", "expected"), [("/", "board"), ("/index.html", "board"), ("/models/a.html", "model")])
def test_pages_are_served(address, path, expected):
    answer, body = get(address, path)
    assert (answer.status, expected in body) == (200, True)
    assert answer.getheader("Content-Security-Policy").startswith("default-src 'none'")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/models/",
        "/models",
        "/.pages.lock",
        "/.hidden/x.html",
        "/secret.txt",
        "/link.html",
        "/none.html",
        "/../outside.html",
        "/%2e%2e/outside.html",
        "/models/../../outside.html",
        "//etc/passwd",
        "/%00",
    ],
)
def test_nothing_else_is(address, path):
    answer, body = get(address, path)
    assert answer.status == 404
    assert "outside" not in body.replace(path, "")
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(address, board, method):
    answer, _ = get(address, "/index.html", method)
    assert answer.status == 501
    assert (board / "index.html").read_text() == "<h1>board</h1>"


def test_it_listens_to_this_machine_alone(address):
    assert address[0] == "127.0.0.1"


def test_a_taken_port_is_said(board):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="--port 0 takes a free one"):
            make_server(board, port=other.getsockname()[1])


def test_without_pages_there_is_nothing_to_serve(tmp_path):
    with pytest.raises(FileNotFoundError, match="arena leaderboard build"):
        make_server(tmp_path)
