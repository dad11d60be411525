"""Whatever is killed, and however often: every trial ends exactly once, and nothing is lost.

For CHAOS_MINUTES (20) something dies every few seconds: a worker, the search itself, all of Ray, the MLflow server, the
room on the disk. Then the search is left in peace to its end, and its records must prove that nothing happened.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.tracking import MlflowClient

import search.atlas_gan
from leaderboard.records import read_board
from tests.search.servers import MlflowServer

MINUTES = float(os.environ.get("CHAOS_MINUTES", "20"))
ENOUGH_MINUTES = 10  # for everything to happen
EPOCHS = 60
STOP_WITHIN = 30.0  # seconds from SIGTERM to the end
FREE_AGAIN_AFTER = 5.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(60 * MINUTES + 3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own, where the search writes."""
    disk = tmp_path / "runs"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)], check=True)  # noqa: S607
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607


class Chaos:
    """A search under a name, and what befalls it."""

    def __init__(self, home: Path, disk: Path, server: MlflowServer) -> None:
        self.home, self.disk, self.server = home, disk, server
        self.folder = disk / "atlas-gan" / "chaos"
        self.random = random.Random(20)  # noqa: S311 -- no secret
        self.events: Counter[str] = Counter()
        self.snapshots: list[bytes] = []
        self.exits: Counter[int] = Counter()
        self.slowest_stop = 0.0
        self.search = self.start(1000)

    def start(self, trials: int) -> subprocess.Popen[bytes]:
        """Start the search, or go on with it: the same command."""
        command = [
            sys.executable, "atlas_gan.py", "--name", "chaos", "--trials", str(trials), "--epochs", str(EPOCHS),
            "--seeds", "1", "--tracking-uri", self.server.uri,
        ]  # fmt: skip
        with (self.home / "search.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.home, stdout=log, stderr=log)

    @property
    def happenings(self) -> list[Callable[[], bool]]:
        """The first of them happens more often."""
        others = [
            self.kill_the_search, self.terminate_the_search, self.kill_ray, self.restart_the_server, self.fill_the_disk,
        ]  # fmt: skip
        return [self.kill_a_worker] * 6 + others

    def rage(self, seconds: float) -> None:
        """Let something happen every few seconds; first what has not happened yet."""
        happenings = self.happenings
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(self.random.uniform(2, 15))
            if self.search.poll() is not None:
                self.note_the_end()
                self.search = self.start(1000)
            new = [happening for happening in happenings if happening.__name__ not in self.events]
            happening = self.random.choice(new or happenings)
            if happening():
                self.events[happening.__name__] += 1

    def kill_a_worker(self) -> bool:
        workers = self.processes("ResourceTrainable")
        return bool(workers) and kill(self.random.choice(workers))

    def kill_ray(self) -> bool:
        """The scheduler of the only node: everything that runs on it goes with it."""
        return any(kill(process) for process in self.processes("raylet/raylet"))

    def kill_the_search(self) -> bool:
        self.search.kill()
        self.search.wait()
        return True

    def terminate_the_search(self) -> bool:
        """As a batch system does before it kills."""
        if not (self.folder / "ledger.jsonl").exists():
            return False
        began = time.monotonic()
        self.search.terminate()
        self.search.wait(timeout=120)
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - began)
        return True

    def restart_the_server(self) -> bool:
        """Killed, away for a while, and back."""
        self.server.kill()
        time.sleep(self.random.uniform(1, 20))
        self.server.start()
        return True

    def fill_the_disk(self) -> bool:
        ballast = self.disk / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(2**16))
        time.sleep(FREE_AGAIN_AFTER)
        ballast.unlink()
        return True

    def note_the_end(self) -> None:
        self.exits[self.search.returncode] += 1
        ledger = self.folder / "ledger.jsonl"
        if ledger.exists():
            whole_lines = ledger.read_bytes()
            self.snapshots.append(whole_lines[: whole_lines.rfind(b"\n") + 1])

    def finish(self) -> None:
        """In peace to the end, with two trials more than there are."""
        if self.search.poll() is None:
            self.search.kill()
            self.search.wait()
        self.note_the_end()
        time.sleep(5)
        trials = len(self.lines("start")) + 2
        self.search = self.start(trials)
        assert self.search.wait(timeout=3000) == 0, (self.home / "search.log").read_text()[-5000:]

    def processes(self, name: str) -> list[psutil.Process]:
        """Of this search's Ray, by a part of the command."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.search.pid).children(recursive=True)
            return [process for process in children if name in command_of(process)]
        return []

    def lines(self, event: str) -> list[dict[str, Any]]:
        text = (self.folder / "ledger.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, text) if line["event"] == event]


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def kill(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
        return True
    return False


def test_every_trial_ends_exactly_once(tmp_path: Path, disk: Path, mlflow_server: MlflowServer) -> None:
    shutil.copy(search.atlas_gan.__file__, tmp_path / "atlas_gan.py")
    mlflow_server.start()
    chaos = Chaos(tmp_path, disk, mlflow_server)
    chaos.rage(60 * MINUTES)
    chaos.finish()
    runs = runs_of(mlflow_server)
    ends = chaos.lines("end")
    report = {
        "minutes": MINUTES,
        "happened": dict(chaos.events),
        "starts of the search": sum(chaos.exits.values()) + 1,
        "exit statuses": {str(status): count for status, count in chaos.exits.items()},
        "slowest stop after SIGTERM [s]": round(chaos.slowest_stop, 1),
        "trials": len(chaos.lines("start")),
        "ends": dict(Counter(end["status"] for end in ends)),
    }
    print(json.dumps(report, indent=1))
    if MINUTES >= ENOUGH_MINUTES:
        assert chaos.events.keys() == {happening.__name__ for happening in chaos.happenings}
    prove_the_ledger(chaos, ends)
    prove_the_histories(chaos, ends)
    prove_the_tracking(ends, runs)
    assert chaos.slowest_stop < STOP_WITHIN
    assert any(entry["kind"] == "model" for entry in read_board(disk / "leaderboard").entries)


def prove_the_ledger(chaos: Chaos, ends: list[dict[str, Any]]) -> None:
    """One start and one end a trial, none missing, none failed; and no line of it was ever taken back."""
    starts = [line["number"] for line in chaos.lines("start")]
    assert starts == list(range(len(starts)))
    final = Counter(end["number"] for end in ends if end["status"] != "preempted")
    assert final == dict.fromkeys(starts, 1)
    assert {end["status"] for end in ends} <= {"completed", "pruned", "diverged", "preempted"}
    ledger = (chaos.folder / "ledger.jsonl").read_bytes()
    assert all(ledger.startswith(snapshot) for snapshot in chaos.snapshots)


def prove_the_histories(chaos: Chaos, ends: list[dict[str, Any]]) -> None:
    """Each evaluation was kept once, in order; whole trials are whole."""
    for end in ends:
        if end["status"] == "preempted":
            continue
        text = (chaos.folder / "trials" / f"{end['number']:04d}" / "history.jsonl").read_text()
        epochs = [json.loads(line)["epoch"] for line in text.splitlines()]
        assert epochs == sorted(set(epochs))
        assert epochs[-1] == end["epochs"]
        assert end["status"] != "completed" or end["epochs"] == EPOCHS
        assert [epoch for epoch, _ in end["history"]] == epochs


def prove_the_tracking(ends: list[dict[str, Any]], runs: dict[str, list[list[int]]]) -> None:
    """One run a trial, with every evaluation once."""
    for end in ends:
        if end["status"] != "preempted":
            (steps,) = runs[str(end["number"])]
            assert steps == [epoch for epoch, _ in end["history"]], f"trial {end['number']}"


def runs_of(server: MlflowServer) -> dict[str, list[list[int]]]:
    """The evaluated epochs of the runs of each trial."""
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name("atlas-gan")
    assert experiment is not None
    found: dict[str, list[list[int]]] = defaultdict(list)
    for run in client.search_runs([experiment.experiment_id], max_results=5000):
        if "trial" in run.data.tags:
            points = client.get_metric_history(run.info.run_id, "score")
            found[run.data.tags["trial"]].append(sorted(point.step for point in points))
    return found
