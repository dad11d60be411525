"""What holds for the files of every site: what is to change stands at the top, no secrets, and commands that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import ray.scripts.scripts
import yaml

import search.atlas_gan
from search.engine.cli import parser
from search.engine.runner import ENVIRONMENT

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
FILES = [path for path in sorted(CLUSTER.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
SITE_FILES = [path for path in FILES if path.suffix in (".yaml", ".sbatch", ".sub")]
PAGES = [ROOT / "docs" / "clusters.md", ROOT / "README.md"]
PLACEHOLDER = re.compile(r"\bYOUR_[A-Z0-9_]+\b")
SECRETS = (
    r"AKIA[0-9A-Z]{16}",
    r"PRIVATE KEY",
    r"\bgh[pousr]_\w{20,}",
    r"RAY_AUTH_TOKEN=",
    r"(?i)\b(password|secret|token|api_?key)\b['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{8,}",
    r"\b[0-9a-f]{32,}\b",
)
NODE_VARIABLES = ("RAY_memory_monitor_refresh_ms", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO")  # read by Ray's node processes


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parts(path: Path) -> tuple[str, str]:
    """The comments at the top of a file, and the rest of it."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if not line.startswith("#") or line.startswith("#SBATCH"))
    return "".join(lines[:end]), "".join(lines[end:])


def to_change(top: str) -> list[str]:
    """The names that the list at the top gives."""
    (listed,) = re.findall(r"^# Change:\n((?:#   .*\n)+)", top, re.MULTILINE)
    names = re.findall(r"^#   (\S.*?)(?:\s{2,}|$)", listed, re.MULTILINE)
    return [name for line in names for name in line.split(", ")]


def code(path: Path) -> list[str]:
    """The commands that a page or the comments of a file show, one a line."""
    text = path.read_text(encoding="utf-8")
    shown = re.findall(r"^ {4,}(\S.*)$" if path.suffix == ".md" else r"^# {5,}(\S.*)$", text, re.MULTILINE)
    joined = "\n".join(shown).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in joined.splitlines()]


class TestEverySiteFile:
    @pytest.mark.parametrize("path", SITE_FILES, ids=short)
    def test_what_is_to_change_is_named_at_the_top_and_occurs(self, path: Path) -> None:
        top, rest = parts(path)
        names = to_change(top)
        assert names
        missing = [name for name in names if name.strip("*") not in rest]
        assert not missing
        assert set(PLACEHOLDER.findall(rest)) == set(PLACEHOLDER.findall(" ".join(names)))

    @pytest.mark.parametrize("path", [*FILES, ROOT / ".dockerignore", *PAGES], ids=short)
    def test_no_secrets(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert not [pattern for pattern in SECRETS if re.search(pattern, text)]

    @pytest.mark.parametrize("path", [*FILES, *PAGES], ids=short)
    def test_files_that_are_named_exist(self, path: Path) -> None:
        named = re.findall(
            r"(?<![\w./$-])((?:cluster|search|docs|tests)/[\w./-]*[\w/])", path.read_text(encoding="utf-8")
        )
        assert not [name for name in named if not (ROOT / name).exists()]


class TestCommands:
    @pytest.mark.parametrize("page", PAGES, ids=short)
    def test_ray_has_the_commands_of_the_pages(self, page: Path) -> None:
        commands = [found for line in code(page) for found in re.findall(r"(?:^|&& |; )(ray [^>]*)", line)]
        assert commands
        for command in commands:
            _, name, *arguments = shlex.split(command)
            ray.scripts.scripts.cli.commands[name].make_context(name, arguments)

    def test_the_search_has_the_flags_that_are_shown(self) -> None:
        shown = [line for path in [*PAGES, *SITE_FILES] for line in code(path)]
        shown += [
            line.removeprefix("search  = ")
            for line in (CLUSTER / "htcondor" / "head.sub").read_text(encoding="utf-8").splitlines()
            if line.startswith("search ")
        ]
        flags = [
            re.split(r"search/atlas_gan\.py(?: --(?= ))?", line)[1] for line in shown if "search/atlas_gan.py" in line
        ]
        assert len(flags) >= 6
        for line in flags:
            parser(search.atlas_gan.STUDY).parse_args(shlex.split(line, comments=True))

    def test_ray_start_has_the_flags_of_the_scripts(self) -> None:
        known = {name for option in ray.scripts.scripts.start.params for name in option.opts}
        for path in [*CLUSTER.glob("htcondor/*.sh"), CLUSTER / "slurm" / "shared.sbatch"]:
            text = re.sub(r"#.*", "", path.read_text(encoding="utf-8")).replace("\\\n", " ")
            starts = re.findall(r"ray start .*", text) + re.findall(
                r"node_flags=\((.*?)^\)", text, re.DOTALL | re.MULTILINE
            )
            flags = {flag for start in starts for flag in re.findall(r"--[a-z-]+", start)}
            assert "--block" in flags
            assert flags <= known, path


def test_nodes_have_the_variables_that_the_search_sets_for_a_ray_of_its_own() -> None:
    shell = f"source {CLUSTER / 'environment.sh'} && env"
    done = subprocess.run(["/bin/bash", "-c", shell], capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    dockerfile = (CLUSTER / "kubernetes" / "Dockerfile").read_text(encoding="utf-8")
    assert variables["RAY_AUTH_MODE"] == "token"
    assert variables["PATH"].startswith(f"{ROOT}/.venv/bin:")
    for name in NODE_VARIABLES:
        assert variables[name] == ENVIRONMENT[name]
        assert f"{name}={ENVIRONMENT[name]}" in dockerfile


def test_the_image_has_what_is_installed() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    needed = [name.rstrip("*") for name in packages["find"]["include"]]
    needed += ["cluster", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"]
    assert "*" in kept
    assert [name for name in needed if f"!{name}" not in kept] == []


class TestLauncherFiles:
    @pytest.fixture(params=["local", "aws", "gcp"])
    def written(self, request: pytest.FixtureRequest) -> dict[str, object]:
        text = (CLUSTER / "ray" / f"{request.param}.yaml").read_text(encoding="utf-8")
        content: dict[str, object] = yaml.safe_load(text)
        return content

    def test_ray_accepts_it(self, written: dict[str, object]) -> None:
        from ray.autoscaler._private.util import prepare_config, validate_config

        prepared = prepare_config(written)
        validate_config(prepared)
        assert sum(kind["min_workers"] for kind in prepared["available_node_types"].values()) >= 2

    def test_the_project_travels_and_nothing_else(self, written: dict[str, object]) -> None:
        mounts = written["file_mounts"]
        assert isinstance(mounts, dict)
        include = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
        packages = [name.rstrip("*") for name in include["find"]["include"]]
        files = ["cluster", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"]
        token = {"~/.ray/auth_token": "~/.ray/auth_token"}
        assert mounts == {f"~/fastsim-arena/{name}": name for name in packages + files} | token
        assert all((ROOT / name).exists() for name in packages + files)

    def test_every_node_installs_the_project(self, written: dict[str, object]) -> None:
        commands = written["setup_commands"]
        assert isinstance(commands, list)
        assert commands[-1].startswith("bash ~/fastsim-arena/cluster/install.sh")

    def test_ray_starts_with_known_flags_and_a_dashboard_on_loopback(self, written: dict[str, object]) -> None:
        for key in ("head_start_ray_commands", "worker_start_ray_commands"):
            commands = written[key]
            assert isinstance(commands, list)
            (start,) = [command.split("ray start ")[1] for command in commands if "ray start " in command]
            context: click.Context = ray.scripts.scripts.start.make_context("start", shlex.split(start))
            if key.startswith("head"):
                assert context.params["dashboard_host"] == "127.0.0.1"
                assert context.params["autoscaling_config"] == "~/ray_bootstrap_config.yaml"

    def test_clouds_have_gpus_on_spot_workers_and_none_on_the_head(self) -> None:
        aws = yaml.safe_load((CLUSTER / "ray" / "aws.yaml").read_text(encoding="utf-8"))["available_node_types"]
        gcp = yaml.safe_load((CLUSTER / "ray" / "gcp.yaml").read_text(encoding="utf-8"))["available_node_types"]
        assert aws["gpu_worker"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert {"preemptible": True} in gcp["gpu_worker"]["node_config"]["scheduling"]
        assert gcp["gpu_worker"]["resources"]["GPU"] == 1
        assert "InstanceMarketOptions" not in aws["head"]["node_config"]
        assert "scheduling" not in gcp["head"]["node_config"]

    @pytest.mark.parametrize("site", ["aws", "gcp"])
    def test_what_was_not_run_says_so(self, site: str) -> None:
        assert "NOT RUN" in parts(CLUSTER / "ray" / f"{site}.yaml")[0]


class TestSlurmFiles:
    @pytest.fixture(params=sorted(CLUSTER.glob("slurm/*.sbatch")), ids=short)
    def script(self, request: pytest.FixtureRequest) -> str:
        return str(request.param.read_text(encoding="utf-8"))

    @pytest.fixture
    def directives(self, script: str) -> dict[str, str]:
        lines = re.findall(r"^#SBATCH (.*)$", script, re.MULTILINE)
        assert all(re.fullmatch(r"--[a-z-]+(=\S+)?", line) for line in lines)
        pairs = [line.removeprefix("--").partition("=") for line in lines]
        assert len({name for name, _, _ in pairs}) == len(pairs)
        return {name: value for name, _, value in pairs}

    def test_the_search_is_told_before_the_time_limit_and_goes_on(
        self, directives: dict[str, str], script: str
    ) -> None:
        signal = re.fullmatch(r"B:USR1@(\d+)", directives["signal"])
        assert signal is not None
        assert int(signal[1]) >= 120
        assert "requeue" in directives
        assert directives["open-mode"] == "append"  # or the log of the first run is lost
        assert re.search(r"^run_and_requeue ", script, re.MULTILINE)
        assert "cluster/start_or_resume.sh" in script

    def test_one_ray_node_on_each_node(self, directives: dict[str, str]) -> None:
        assert directives["ntasks-per-node"] == "1"
        assert int(directives["nodes"]) >= 1
        assert re.fullmatch(r"\d\d:\d\d:\d\d", directives["time"])

    def test_directives_stand_before_the_first_command(self, script: str) -> None:
        assert "#SBATCH" not in script[script.index("set -euo") :]

    def test_nodes_are_exclusive_where_symmetric_run_is_used(self, directives: dict[str, str], script: str) -> None:
        assert ("ray symmetric-run" in script) == ("exclusive" in directives)

    def test_every_study_of_the_array_has_a_task(self) -> None:
        script = (CLUSTER / "slurm" / "array.sbatch").read_text(encoding="utf-8")
        (studies,) = re.findall(r"^studies=\((.*)\)$", script, re.MULTILINE)
        (last,) = re.findall(r"^#SBATCH --array=0-(\d+)$", script, re.MULTILINE)
        assert len(studies.split()) == int(last) + 1
        assert all((ROOT / "search" / f"{study}.py").exists() for study in studies.split())


class TestHTCondorFiles:
    @pytest.mark.parametrize("name", ["head", "workers"])
    def test_variables_are_defined_before_they_are_used(self, name: str) -> None:
        defined = {"ProcId"}
        for line in (CLUSTER / "htcondor" / f"{name}.sub").read_text(encoding="utf-8").splitlines():
            if line.startswith("#") or "=" not in line:
                continue
            assert set(re.findall(r"\$\((\w+)\)", line)) <= defined
            defined.add(line.partition("=")[0].strip())

    def test_both_name_the_same_run(self) -> None:
        runs = {
            re.findall(
                r"^run\s*= (\S+)$", (CLUSTER / "htcondor" / f"{name}.sub").read_text(encoding="utf-8"), re.MULTILINE
            )[0]
            for name in ("head", "workers")
        }
        assert len(runs) == 1

    def test_the_head_goes_on_only_where_it_was_interrupted(self) -> None:
        text = (CLUSTER / "htcondor" / "head.sub").read_text(encoding="utf-8")
        assert "on_exit_remove        = (ExitBySignal == False) && (ExitCode != 130)" in text
        assert "exit 130" in (CLUSTER / "htcondor" / "head.sh").read_text(encoding="utf-8")
