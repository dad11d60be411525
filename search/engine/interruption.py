"""How a search is stopped from outside: batch systems send SIGTERM, a closed terminal SIGHUP."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType

PATIENCE = 25.0  # seconds for an orderly stop; batch systems kill after 30
INTERRUPTED = 130  # as a shell reports a process that Ctrl-C ended
STOPPING = (signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While it is entered, SIGTERM and SIGHUP do what Ctrl-C does, and the process ends within ``PATIENCE``.

    What hangs, for instance because Ray was killed at the same moment, is left behind: ``last_words`` are said, and the
    process exits with the status of an interrupted one. Where SIGHUP is ignored (``nohup``), it stays so.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.requested = False
        self.last_words: list[Callable[[], None]] = []
        self._patience = patience
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        self._ours, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        # The bytes come even while the main thread hangs in a library, where no handler would run.
        self._wakeup_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="interruption", daemon=True).start()
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.requested:
            return  # the rest of the process must end in time, too
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        self._waker.close()

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self.requested:
            return  # they are sent to every process of a job, and again: once is enough
        self.requested = True
        if number == signal.SIGHUP:
            _leave_terminal()
        os.kill(os.getpid(), signal.SIGINT)

    def _watch(self) -> None:
        while received := self._ours.recv(1):
            if received[0] in self._before:
                time.sleep(self._patience)
                self._give_up()

    def _give_up(self) -> None:
        for say in self.last_words:
            with suppress(Exception):
                say()
        os._exit(INTERRUPTED)


def _leave_terminal() -> None:
    """What is printed from now on goes nowhere: writing to a terminal that is gone is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
