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
LONG_TRIALS = 12
LONG = ("--trials", str(LONG_TRIALS), "--epochs", "200", "--seeds", "1")
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
    },
    "array": {"YOUR_PARTITION": "all", "--array=0-3": "--array=0-1", "--cpus-per-task=8": "--cpus-per-task=1"},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
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
            [*entered, *variables, *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            restore_signals=False,  # SLURM's commands try again after EPIPE; SIGPIPE would end them
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
        """The job's folder; its name is that of the search."""
        return self._slurm.project / "runs" / f"slurm-{self.number}{task}"

    @property
    def log(self) -> str:
        logs = sorted(self._slurm.project.glob(f"fastsim-arena-{self.number}*.log"))
        return "".join(path.read_text(encoding="utf-8") for path in logs)

    def wait(self, arrived: Callable[[], bool]) -> None:
        while not arrived():
            assert {"PENDING", "RUNNING", "COMPLETING"} & set(self.states), self.log
            time.sleep(1)

    def wait_for_end(self, *states: str) -> None:
        ended = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL"}
        while not set(self.states) <= ended:
            time.sleep(1)
        assert self.states == list(states), self.log

    def wait_until_it_trains(self, output: Path, evaluations: int = 0) -> None:
        """Until more than so many evaluations were made, and two trials have a checkpoint to go on from."""
        self.wait(lambda: number_of_evaluations(output) > evaluations and len(first_evaluations(output)) == 2)

    def reach_the_time_limit(self) -> None:
        """Leave less than the 300 s of --signal, until the job is in the queue again."""
        self.set_time_limit(5)
        self.wait(lambda: self.states == ["PENDING"])
        self.set_time_limit(60)

    def set_time_limit(self, minutes: int) -> None:
        self._slurm.run("scontrol", "update", f"JobId={self.number}", f"TimeLimit={minutes}")


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
    return output.parent / study / output.name


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


def number_of_evaluations(output: Path) -> int:
    histories = search_folder(output).glob("trials/*/history.jsonl")
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in histories)


def check_finished(output: Path, study: str = "atlas-gan", trials: int = 4) -> None:
    assert ends(output, study) == dict.fromkeys(range(trials), 1)
    board = output.parent / "leaderboard"
    assert (board / "index.html").exists()
    entries = read_board(board).entries
    assert {"model", "baseline", "untrained"} <= {entry["kind"] for entry in entries}
    assert output.name in {entry["study"]["directory"] for entry in entries if entry["study"]["name"] == study}


def check_none_began_again(output: Path, before: dict[str, str]) -> None:
    """Trials that were interrupted went on: their first evaluation is the one that was made first."""
    assert before
    for name, line in before.items():
        history = search_folder(output) / "trials" / name / "history.jsonl"
        assert history.read_text(encoding="utf-8").splitlines()[0] == line


def check_nothing_is_left(slurm: Slurm) -> None:
    """No process of Ray on any node, and no temporary folder of a job."""
    look = "ps -eo args | grep '[r]aylet '; ls -d /tmp/ray-*; true"
    assert slurm.run("srun", "--partition=all", "--nodes=2", "bash", "-c", f"({look}) 2>/dev/null") == ""


def test_a_search_on_two_whole_nodes_is_cancelled_resumed_and_reaches_its_time_limit(slurm: Slurm) -> None:
    job = slurm.submit("exclusive", "search/atlas_gan.py", *LONG)
    output = job.output()
    job.wait_until_it_trains(output)
    assert "2 run at a time" in job.log  # one CPU a node: both train
    slurm.run("scancel", job.number)
    job.wait_for_end("CANCELLED")
    check_nothing_is_left(slurm)
    cancelled, evaluations = first_evaluations(output), number_of_evaluations(output)

    again = slurm.submit("exclusive", "search/atlas_gan.py", "--name", output.name)
    again.wait_until_it_trains(output, evaluations)
    preempted_before = sum(map(preempted, ledger(output)))
    again.reach_the_time_limit()
    assert sum(map(preempted, ledger(output))) > preempted_before, again.log
    interrupted = first_evaluations(output)

    again.wait_for_end("COMPLETED")
    assert again.restarts == 1
    check_finished(output, trials=LONG_TRIALS)
    check_none_began_again(output, cancelled | interrupted)
    check_nothing_is_left(slurm)


def test_of_two_searches_that_share_nodes_one_reaches_its_time_limit_and_one_is_stopped(slurm: Slurm) -> None:
    limited, stopped = (slurm.submit("shared", "search/atlas_gan.py", *LONG) for _ in range(2))
    for job in (limited, stopped):
        job.wait_until_it_trains(job.output())
        assert "2 nodes have joined" in job.log
        assert "2 run at a time" in job.log
    assert limited.states == stopped.states == ["RUNNING"]

    slurm.run("scancel", "--batch", "--signal=TERM", stopped.number)
    stopped.wait_for_end("FAILED")
    limited.reach_the_time_limit()
    check_nothing_is_left(slurm)
    interrupted = {job: first_evaluations(job.output()) for job in (limited, stopped)}
    for job in interrupted:
        assert sum(map(preempted, ledger(job.output()))) == 2, job.log

    again = slurm.submit("shared", "search/atlas_gan.py", "--name", stopped.output().name)
    for job in (limited, again):
        job.wait_for_end("COMPLETED")
    assert (limited.restarts, stopped.restarts) == (1, 0)
    for job, before in interrupted.items():
        check_finished(job.output(), trials=LONG_TRIALS)
        check_none_began_again(job.output(), before)
    check_nothing_is_left(slurm)


def test_two_studies_side_by_side(slurm: Slurm) -> None:
    job = slurm.submit("array", *SHORT)
    job.wait_for_end("COMPLETED", "COMPLETED")
    check_finished(job.output("-0"))
    check_finished(job.output("-1"), "atlas-vae")
