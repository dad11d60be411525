"""Live progress on the terminal; plain lines where there is none."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

LINE_EVERY = 15.0


class Display:
    """A bar with a line of text behind it.

    On a terminal it is drawn in place. Elsewhere (a log file, a batch system) a line is printed
    whenever the text has changed, at most every 15 seconds, and when the bar ends.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._share, self._text = 0.0, ""
        self._printed, self._printed_at = "", 0.0
        self._lock = threading.Lock()
        self._bar = Progress(
            SpinnerColumn(), TextColumn("[bold]{task.description}"), BarColumn(24), TextColumn("{task.fields[text]}"),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=1.0, text="")

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop() if self._console.is_terminal else None
        self._line()

    def update(self, share: float, text: str) -> None:
        """Show that ``share`` (0 … 1) is done, and a short text."""
        with self._lock:
            self._share, self._text = share, text
            if self._console.is_terminal:
                self._bar.update(self._task, completed=share, text=text)
            elif time.monotonic() - self._printed_at > LINE_EVERY:
                self._line()

    def _line(self) -> None:
        if self._text and self._text != self._printed:
            self._console.print(f"{self._title} {self._share:4.0%}  {self._text}", highlight=False, soft_wrap=True)
            self._printed, self._printed_at = self._text, time.monotonic()


def clock(seconds: float) -> str:
    """A duration as people write it: 0:42, 12:05, 1:02:30."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
