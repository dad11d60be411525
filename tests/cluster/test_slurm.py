"""The batch scripts under SLURM: a controller and two nodes on this machine, with a network and a /tmp each."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leaderboard.records import read_board
from tests.cluster.environments import pinned_environment

ROOT = Path(__file__).parents[2]
NEEDED = ("/usr/bin/unshare", "nsenter", "ip", "slurmctld", "slurmd", "munged")
MISSING = [tool for tool in NEEDED if shutil.which(tool) is None]
APART = "/usr/bin/unshare --pid --fork --kill-child --mount-proc --net --uts --mount bash"
PROJECT = "/mnt/fastsim-arena"  # on the nodes
SHORT = ("--trials", "4", "--epochs", "4", "--seeds", "1")
LONG = ("--trials", "4", "--epochs", "400", "--seeds", "1")
# What the files ask a site to change, for two nodes without GPUs on this machine.
CHANGES = {
    "exclusive": {
        "YOUR_PARTITION": "all",
        "#SBATCH --gpus-per-node=4\n": "",
        # Ray counts the CPUs of this machine on both nodes.
        "ray symmetric-run ": "ray symmetric-run --num-cpus=1 ",
    },
    "shared": {
        "YOUR_PARTITION": "all",
        "--nodes=4": "--nodes=2",
        "--cpus-per-task=4": "--cpus-per-task=1",
        "#SBATCH --gpus-per-node=1\n": "",
        "--mem=16G": "--mem=3G",
    },
    "array": {"YOUR_PARTITION": "all", "--array=0-3": "--array=0-1", "--cpus-per-task=8": "--cpus-per-task=1"},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING) or os.geteuid() != 0, reason=f"needs root and {', '.join(NEEDED)}"),
]


class Slurm:
    """A SLURM that runs, with the project on a file system that its nodes share."""

    def __init__(self, shared: Path, process: psutil.Popen) -> None:
        self._shared, self._process = shared, process
        self.project = shared / Path(PROJECT).name

    def run(self, *command: str) -> str:
        """Run a command in the repository on the machine of the controller; returns what it printed."""
        (machine,) = self._process.children()
        entered = ("nsenter", "--target", str(machine.pid), "--all", "env", "--ignore-environment", "--chdir", PROJECT)
        variables = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/mnt/home", "SLURM_CONF=/mnt/slurm/slurm.conf")
        done = subprocess.run(
            [*entered, *variables, *command], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, script: str, *arguments: str) -> Job:
        text = self.run("sbatch", f"cluster/slurm/{script}.sbatch", *arguments)
        return Job(self, text.removeprefix("Submitted batch job ").strip())


class Job:
    def __init__(self, slurm: Slurm, number: str) -> None:
        self._slurm, self.number = slurm, number

    @property
    def states(self) -> list[str]:
        """One a task of an array, else one."""
        ask = ("squeue", "--states=all", "--noheader", "--array", "--format=%T", f"--jobs={self.number}")
        return self._slurm.run(*ask).split()

    @property
    def restarts(self) -> int:
        (restarts,) = re.findall(r"\bRestarts=(\d+)", self._slurm.run("scontrol", "show", "job", self.number))
        return int(restarts)

    def output(self, task: str = "") -> Path:
        return self._slurm.project / "runs" / f"slurm-{self.number}{task}"

    @property
    def log(self) -> str:
        logs = sorted(self._slurm.project.glob(f"fastsim-arena-{self.number}*.log"))
        return "".join(path.read_text(encoding="utf-8") for path in logs)

    def wait(self, arrived: Callable[[], bool]) -> None:
        while not arrived():
            assert not {"FAILED", "TIMEOUT", "NODE_FAIL"} & set(self.states), self.log
            time.sleep(1)

    def wait_for_end(self) -> None:
        self.wait(lambda: set(self.states) <= {"COMPLETED", "CANCELLED"})


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    shared = tmp_path_factory.mktemp("shared")
    project = shared / Path(PROJECT).name
    left = shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, project, ignore=left)
    pinned_environment(project, PROJECT, PROJECT)
    for name, changes in CHANGES.items():
        change(project / "cluster" / "slurm" / f"{name}.sbatch", changes)
    script = Path(__file__).with_name("slurm_cluster.sh")
    with (shared / "out").open("wb") as out:
        process = psutil.Popen([*shlex.split(APART), script, shared, "2"], stdout=out, stderr=out)
    try:
        while not (shared / "up").exists():
            assert process.poll() is None, (shared / "out").read_text(encoding="utf-8")
            time.sleep(0.2)
        yield Slurm(shared, process)
    finally:
        process.kill()  # and with it all that it started: APART
        process.wait(60)


def change(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{path}: no {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def search_folder(output: Path, study: str = "atlas-gan") -> Path:
    return output / study / "001"


def ledger(output: Path, study: str = "atlas-gan") -> list[dict[str, Any]]:
    path = search_folder(output, study) / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def ends(output: Path, study: str = "atlas-gan") -> Counter[int]:
    """How often each trial ended, apart from interruptions."""
    return Counter(line["number"] for line in ledger(output, study) if line["event"] == "end" and not preempted(line))


def preempted(line: dict[str, Any]) -> bool:
    return line.get("status") == "preempted"


def first_evaluations(output: Path) -> dict[str, str]:
    """Of each trial that has a checkpoint to go on from. They hold wall times: none is written twice."""
    trials = search_folder(output) / "trials"
    histories = {path.parent.name: path.parent / "history.jsonl" for path in trials.glob("*/last")}
    return {name: path.read_text(encoding="utf-8").splitlines()[0] for name, path in histories.items() if path.exists()}


def check_finished(output: Path, study: str = "atlas-gan") -> None:
    assert ends(output, study) == dict.fromkeys(range(4), 1)
    assert (output / "leaderboard" / "index.html").exists()
    kinds = {entry["kind"] for entry in read_board(output / "leaderboard").entries}
    assert {"model", "baseline", "untrained"} <= kinds


def check_gone_on(output: Path, before: dict[str, str]) -> None:
    """Finished, and none of the trials that were interrupted began again."""
    check_finished(output)
    trials = search_folder(output) / "trials"
    assert before
    for name, line in before.items():
        assert (trials / name / "history.jsonl").read_text(encoding="utf-8").splitlines()[0] == line


def check_nothing_is_left(slurm: Slurm) -> None:
    """No process of Ray on any node, and no temporary folder of a job."""
    left = slurm.run(
        "srun",
        "--partition=all",
        "--nodes=2",
        "bash",
        "-c",
        "ps -eo args | grep '[r]aylet' || true; ls -d /tmp/ray-* || true",
    )
    assert left == ""


def test_one_search_on_two_whole_nodes(slurm: Slurm) -> None:
    job = slurm.submit("exclusive", "search/atlas_gan.py", *SHORT)
    job.wait_for_end()
    assert job.states == ["COMPLETED"], job.log
    assert "2 run at a time" in job.log  # one CPU a node: both train
    check_finished(job.output())
    check_nothing_is_left(slurm)


def test_two_searches_share_the_nodes(slurm: Slurm) -> None:
    jobs = [slurm.submit("shared", "search/atlas_gan.py", *SHORT) for _ in range(2)]
    jobs[0].wait(lambda: bool(ledger(jobs[0].output())))
    assert jobs[1].states == ["RUNNING"]
    for job in jobs:
        job.wait_for_end()
        assert job.states == ["COMPLETED"], job.log
        assert "2 nodes have joined" in job.log
        assert "2 run at a time" in job.log
        check_finished(job.output())
    check_nothing_is_left(slurm)


def test_two_studies_side_by_side(slurm: Slurm) -> None:
    job = slurm.submit("array", *SHORT)
    job.wait_for_end()
    assert job.states == ["COMPLETED"] * 2, job.log
    check_finished(job.output("-0"))
    check_finished(job.output("-1"), "atlas-vae")


@pytest.mark.parametrize("script", ["exclusive", "shared"])
def test_a_search_goes_on_after_the_time_limit(slurm: Slurm, script: str) -> None:
    job = slurm.submit(script, "search/atlas_gan.py", *LONG)
    job.wait(lambda: len(first_evaluations(job.output())) == 2)
    # Less than --signal's 300 s are left now.
    slurm.run("scontrol", "update", f"JobId={job.number}", "TimeLimit=5")
    job.wait(lambda: job.states == ["PENDING"])
    slurm.run("scontrol", "update", f"JobId={job.number}", "TimeLimit=60")
    assert sum(map(preempted, ledger(job.output()))) == 2, job.log
    before = first_evaluations(job.output())

    job.wait_for_end()
    assert job.states == ["COMPLETED"], job.log
    assert job.restarts == 1
    assert "(resumed)" in job.log
    check_gone_on(job.output(), before)
    check_nothing_is_left(slurm)


@pytest.mark.parametrize("script", ["exclusive", "shared"])
def test_a_cancelled_search_goes_on_when_it_is_resumed(slurm: Slurm, script: str) -> None:
    job = slurm.submit(script, "search/atlas_gan.py", *LONG)
    job.wait(lambda: len(first_evaluations(job.output())) == 2)
    slurm.run("scancel", job.number)
    job.wait_for_end()
    assert job.states == ["CANCELLED"], job.log
    assert job.restarts == 0
    check_nothing_is_left(slurm)
    before = first_evaluations(job.output())

    again = slurm.submit(script, "search/atlas_gan.py", "--output", f"runs/slurm-{job.number}", "--resume")
    again.wait_for_end()
    assert again.states == ["COMPLETED"], again.log
    check_gone_on(job.output(), before)
