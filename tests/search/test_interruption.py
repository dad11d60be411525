"""SIGTERM and SIGHUP end a process in order, or in time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from search.engine.interruption import INTERRUPTED

PROGRAM = """
import ctypes, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would this
{first}
from search.engine.interruption import Interruption
interruption = Interruption(patience=2.0)
with interruption:
    interruption.last_words.append(lambda: print("last words", flush=True))
    try:
        print("ready", flush=True)
        {body}
    except KeyboardInterrupt:
        print("in order", flush=True)
        {after}
"""
SLEEP, HANG = "time.sleep(60)", "ctypes.PyDLL(None).sleep(60)"  # the second one keeps Python from running handlers


def run(body: str, after: str, *signals: signal.Signals, prefix: tuple[str, ...] = ()) -> tuple[int, str, float]:
    """Exit status, what was printed after "ready", and seconds until the end."""
    # Tests that are run under nohup ignore SIGHUP, and so would the process.
    first = "" if prefix else "signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    command = [*prefix, sys.executable, "-c", PROGRAM.format(body=body, after=after, first=first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.3)
        text = process.communicate(timeout=50)[0]
    return process.returncode, text, time.monotonic() - began


@pytest.mark.parametrize("repeated", [1, 3])
def test_sigterm_is_ctrl_c_once(repeated: int) -> None:
    status, text, _ = run(SLEEP, "time.sleep(1); print('done', flush=True)", *[signal.SIGTERM] * repeated)
    assert (status, text) == (0, "in order\ndone\n")


def test_a_terminal_that_is_gone_is_not_written_to() -> None:
    status, text, _ = run(SLEEP, "print('nobody reads this')", signal.SIGHUP)
    assert (status, text) == (0, "")


def test_nohup_stays_nohup() -> None:
    status, text, _ = run("time.sleep(2)", "pass", signal.SIGHUP, prefix=("nohup",))
    assert (status, text) == (0, "")


def test_an_end_that_hangs_is_cut_short() -> None:
    status, text, seconds = run(SLEEP, "time.sleep(60)", signal.SIGTERM)
    assert (status, text) == (INTERRUPTED, "in order\nlast words\n")
    assert seconds < 10


def test_so_is_a_library_that_never_returns() -> None:
    body = "ctypes.CDLL(None).select(0, None, None, None, None)"  # without the interpreter's lock, restarted by nobody
    status, text, seconds = run(f"[{body} for _ in range(1000)]", "time.sleep(60)", signal.SIGTERM)
    assert status == INTERRUPTED
    assert text.endswith("last words\n")
    assert seconds < 10
