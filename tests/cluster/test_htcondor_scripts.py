"""The scripts of HTCondor's jobs as plain processes of one machine: workers come and go, and so does the head."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEARCH = ("search/atlas_gan.py", "--trials", "8", "--epochs", "100", "--seeds", "1")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Jobs:
    """The jobs of one run, in a checkout of their own."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        shutil.copytree(ROOT / "cluster", self.checkout / "cluster")
        (self.checkout / "search").symlink_to(ROOT / "search")
        (folder / "home").mkdir()
        self.environment = {
            **os.environ,
            "HOME": str(folder / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self.folder = self.checkout / "runs" / "one"

    def start(self, script: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = ["bash", str(self.checkout / "cluster" / "htcondor" / script), "one", *arguments]
        with (self.checkout / f"{script}-{len(self.running)}.log").open("wb") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        (path,) = self.checkout.glob(f"*-{self.running.index(process)}.log")
        return path.read_text(encoding="utf-8")

    def ledger(self) -> list[dict[str, object]]:
        path = self.checkout / "runs" / "atlas-gan" / "one" / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def wait_for_ends(self, number: int, head: subprocess.Popen[bytes]) -> None:
        while sum(line["event"] == "end" for line in self.ledger()) < number:
            assert head.poll() is None, self.log(head)
            time.sleep(0.5)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    for process in made.running:
        process.terminate()
    for process in made.running:
        process.wait(60)


def test_a_search_outlives_its_workers_and_its_head(jobs: Jobs) -> None:
    lost, kept = jobs.start("worker.sh", "1", "0"), jobs.start("worker.sh", "1", "0")
    head = jobs.start("head.sh", "2", *SEARCH)

    jobs.wait_for_ends(1, head)
    lost.send_signal(signal.SIGTERM)
    jobs.start("worker.sh", "1", "0")
    jobs.wait_for_ends(2, head)

    head.send_signal(signal.SIGTERM)
    assert head.wait(120) == 130, jobs.log(head)
    assert not (jobs.folder / "ended").exists()
    assert any(line.get("status") == "preempted" for line in jobs.ledger())
    assert lost.wait(60) == 143
    assert kept.poll() is None

    again = jobs.start("head.sh", "2", *SEARCH)
    assert again.wait(400) == 0, jobs.log(again)
    assert "(resumed)" in jobs.log(again)
    assert kept.wait(120) == 0
    ends = Counter(line["number"] for line in jobs.ledger() if line["event"] == "end" and line["status"] != "preempted")
    assert ends == dict.fromkeys(range(8), 1)
    assert (jobs.checkout / "runs" / "leaderboard" / "index.html").exists()
