"""What code and which libraries made a record."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil

from leaderboard.records import JsonObject

LIBRARIES = ("fastsim-arena", "torch", "numpy", "scipy", "pot", "optuna", "ray", "mlflow")
CPU_INFO = Path("/proc/cpuinfo")


Origin = Literal["ours", "submitted"]


def provenance(replay: str | None, origin: Origin = "ours") -> JsonObject:
    """Time, commit and library versions, as an entry holds them.

    Args:
        origin: Where the events come from: of a model that was trained here, or generated elsewhere.
        replay: The command that trains and judges the entry again; None where there is none.
    """
    commit, dirty = code_state(Path(__file__).parent)
    return {
        "origin": origin,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_commit": commit,
        "code_dirty": dirty,
        "versions": {"python": platform.python_version(), **_library_versions()},
        "replay": replay,
    }


def code_state(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the code and whether it was changed since; None where git does not know."""
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain")
    return commit or None, None if status is None or not commit else bool(status)


def hardware() -> str:
    """The processor in words."""
    return f"{_processor()}, CPU, one thread"


def machine() -> JsonObject:
    """Processor, cores that this process may use, memory [GB] and GPU."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": _gpu(),
    }


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # whoever measured on a GPU has loaded it; nobody else needs to
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else None


def _processor() -> str:
    name = platform.processor() or platform.machine()
    if CPU_INFO.is_file():
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return name


def _library_versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 — git itself, with arguments of ours
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None
