"""The scripts that the sites share: they parse, and a signal ends a search in order."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
SCRIPTS = sorted([*CLUSTER.rglob("*.sh"), *CLUSTER.rglob("*.sbatch")])
# A search as the scripts see one: SIGTERM ends it in order, with 130.
SEARCH = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path(sys.argv[1], "stopped").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1], "began").touch()
time.sleep(float(sys.argv[2]))
"""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
class TestEveryScript:
    def test_bash_parses_it(self, script: Path) -> None:
        done = run("bash", "-n", script)
        assert done.returncode == 0, done.stderr

    def test_shellcheck_finds_nothing(self, script: Path) -> None:
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        shellcheck = shutil.which("shellcheck", path=places)
        assert shellcheck is not None, "it comes with the extra `dev`: make .venv/installed"
        done = run(shellcheck, "--shell=bash", "--external-sources", script, cwd=ROOT)
        assert done.returncode == 0, done.stdout


class TestStartOrResume:
    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        path = tmp_path / "script.py"
        path.write_text("import os, sys; print(os.getpid(), *sys.argv[1:])", encoding="utf-8")
        return path

    def start(self, script: Path, output: Path) -> list[str]:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = run("bash", CLUSTER / "start_or_resume.sh", output, script, "--trials", "4", env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def test_the_search_has_the_name_of_its_job_and_leaves_its_process(self, script: Path, tmp_path: Path) -> None:
        process, *flags = self.start(script, tmp_path / "runs" / "slurm-7")
        assert flags == ["--output", str(tmp_path / "runs"), "--name", "slurm-7", "--trials", "4"]
        assert (tmp_path / "runs" / "slurm-7" / "search.pid").read_text(encoding="utf-8").strip() == process


class TestInterruptible:
    def start(self, folder: Path, command: str) -> subprocess.Popen[str]:
        (folder / "search.py").write_text(SEARCH, encoding="utf-8")
        batch = (
            f"source {CLUSTER / 'interruptible.sh'}; JOB_FOLDER={folder}; status=0; "
            f"run_interruptible {command} || status=$?; echo $interrupted $status"
        )
        return subprocess.Popen(["/bin/bash", "-c", batch], stdout=subprocess.PIPE, text=True)

    def interrupt(self, batch: subprocess.Popen[str], folder: Path, number: signal.Signals) -> str:
        while not (folder / "began").exists():
            assert batch.poll() is None
        batch.send_signal(number)
        return batch.communicate(timeout=30)[0].strip()

    def test_a_search_that_ends_by_itself(self, tmp_path: Path) -> None:
        batch = self.start(tmp_path, f"{sys.executable} {tmp_path}/search.py {tmp_path} 0")
        assert batch.communicate(timeout=30)[0].strip() == "no 0"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
    def test_the_signal_reaches_the_command(self, tmp_path: Path, number: signal.Signals) -> None:
        batch = self.start(tmp_path, f"{sys.executable} {tmp_path}/search.py {tmp_path} 60")
        assert self.interrupt(batch, tmp_path, number) == f"{number.name.removeprefix('SIG')} 130"
        assert (tmp_path / "stopped").exists()

    def test_the_signal_reaches_a_search_that_another_command_started(self, tmp_path: Path) -> None:
        """As under `ray symmetric-run`, which must live on until the search has stopped."""
        child = f"{sys.executable} {tmp_path}/search.py {tmp_path} 60 & echo $! >{tmp_path}/search.pid; wait $!"
        batch = self.start(tmp_path, f"bash -c '{child}'")
        assert self.interrupt(batch, tmp_path, signal.SIGUSR1) == "USR1 130"
        assert (tmp_path / "stopped").exists()


class TestWaitForNodes:
    @pytest.fixture
    def module(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("wait_for_nodes", CLUSTER / "wait_for_nodes.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_a_number(self, module: ModuleType) -> None:
        assert module.wanted("4") == 4

    @pytest.mark.parametrize(("site", "nodes"), [("local", 3), ("aws", 5), ("gcp", 5)])
    def test_head_and_workers_of_a_configuration(
        self, module: ModuleType, tmp_path: Path, site: str, nodes: int
    ) -> None:
        import yaml
        from ray.autoscaler._private.util import prepare_config

        written = yaml.safe_load((CLUSTER / "ray" / f"{site}.yaml").read_text(encoding="utf-8"))
        path = tmp_path / "ray_bootstrap_config.yaml"
        path.write_text(yaml.safe_dump(prepare_config(written)), encoding="utf-8")
        assert module.wanted(str(path)) == nodes
