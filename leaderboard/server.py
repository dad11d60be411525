"""The pages over HTTP, for a browser on this machine: read-only, one folder, nothing listed.

The pages work from files alone; a server is for what a browser refuses to files, and for machines that one reaches
through an SSH tunnel.
"""

from __future__ import annotations

import errno
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

LOOPBACK = "127.0.0.1"
SERVED = {".html", ".json", ".csv", ".css", ".js", ".svg", ".png"}
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "style-src 'self' 'unsafe-inline'",
            "script-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # pages are built again while one looks at them
}


class Pages(SimpleHTTPRequestHandler):
    """Files of one folder, without those whose name begins with a dot, and no other kinds than pages have."""

    def end_headers(self) -> None:
        """Every answer has the same headers."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def send_head(self) -> BytesIO | BinaryIO | None:
        """The file, if it is one that may be seen."""
        if not self._may_be_seen(Path(self.translate_path(self.path))):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: object) -> None:
        """Folders are not listed."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a page has hundreds of requests."""

    def _may_be_seen(self, path: Path) -> bool:
        if "\0" in str(path):
            return False
        root = Path(self.directory).resolve()
        file = (path / "index.html" if path.is_dir() else path).resolve()  # wherever a link leads
        if not file.is_relative_to(root) or file.suffix not in SERVED or not file.is_file():
            return False
        return not any(part.startswith(".") for part in file.relative_to(root).parts)


def make_server(folder: Path, host: str = LOOPBACK, port: int = 0) -> ThreadingHTTPServer:
    """A server that is not yet running; ``server_address`` tells its port.

    Args:
        folder: What is served, with ``index.html``.
        host: Loopback, unless others are to see the pages.
        port: 0 for any that is free.
    Raises: FileNotFoundError if there are no pages; OSError if the port is taken, or not ours to take.
    """
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(errno.ENOENT, "there are no pages yet; arena leaderboard build makes them", str(folder))
    try:
        return ThreadingHTTPServer((host, port), partial(Pages, directory=str(folder.resolve())))
    except OSError as error:
        raise OSError(
            error.errno, f"{host}:{port} cannot be listened to ({error.strerror}); --port 0 takes a free one"
        ) from error
