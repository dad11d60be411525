"""A search on several nodes that join, that are lost, and whose head is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

import search.atlas_gan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that runs no trials, as on a batch system."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copy(search.atlas_gan.__file__, tmp_path / "atlas_gan.py")
    return tmp_path


def start(home: Path, cluster: Cluster, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "atlas_gan.py", "--ray-address", cluster.address, "--name", "moving", *flags]
    return subprocess.Popen(
        command,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "99"},
    )


def output(process: subprocess.Popen[str], status: int) -> str:
    text, _ = process.communicate(timeout=900)
    assert process.returncode == status, text
    return text


def ledger(home: Path, event: str) -> list[dict[str, Any]]:
    path = home / "runs" / "atlas-gan" / "moving" / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line for line in lines if line["event"] == event]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def running(home: Path) -> int:
    return len(ledger(home, "start")) - len(ledger(home, "end"))


def test_nodes_that_join_get_trials_and_trials_of_lost_nodes_move(home: Path, cluster: Cluster) -> None:
    first = cluster.add_node(num_cpus=1)
    process = start(home, cluster, "--trials", "7", "--epochs", "150", "--seeds", "1")
    wait_until(lambda: len(ledger(home, "end")) >= 1, process)
    assert running(home) <= 1
    cluster.add_node(num_cpus=2)
    wait_until(lambda: running(home) >= 2, process)
    cluster.remove_node(first, allow_graceful=False)
    text = output(process, 0)
    assert "1 run at a time" in text
    attempts = (home / "runs" / "atlas-gan" / "moving" / "trials").glob("*/attempts.jsonl")
    assert max(len(path.read_text().splitlines()) for path in attempts) > 1  # one of them has moved
    assert Counter(end["number"] for end in ledger(home, "end")) == dict.fromkeys(range(7), 1)
    assert {end["status"] for end in ledger(home, "end")} <= {"completed", "pruned", "diverged"}


def test_a_lost_head_ends_the_search_and_another_cluster_goes_on(home: Path, cluster: Cluster) -> None:
    cluster.add_node(num_cpus=1)
    flags = ("--trials", "4", "--epochs", "150", "--seeds", "1")
    process = start(home, cluster, *flags)
    wait_until(lambda: len(ledger(home, "end")) >= 1, process)
    cluster.shutdown()
    text, _ = process.communicate(timeout=300)
    assert process.returncode != 0, text
    before = ledger(home, "end")
    other = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        assert "go on where they stopped" in output(start(home, other, *flags), 0)
    finally:
        other.shutdown()
    ends = ledger(home, "end")
    assert ends[: len(before)] == before
    assert Counter(end["number"] for end in ends if end["status"] != "preempted") == dict.fromkeys(range(4), 1)


def test_what_no_node_has_is_an_error_at_once_unless_one_waits(home: Path, cluster: Cluster) -> None:
    cluster.add_node(num_cpus=1)
    began = time.monotonic()
    text = output(start(home, cluster, "--trials", "2", "--cpus-per-trial", "3"), 2)
    assert "3 CPUs and 0 GPUs on one node: the nodes do not have them" in text
    assert time.monotonic() - began < 60
    assert not (home / "runs" / "atlas-gan" / "moving").exists()
    patient = ("--trials", "1", "--epochs", "3", "--seeds", "1", "--cpus-per-trial", "2", "--wait-minutes", "5")
    process = start(home, cluster, *patient)
    time.sleep(30)
    cluster.add_node(num_cpus=2)
    assert "Done after" in output(process, 0)
