"""What code and which libraries made a record."""

from __future__ import annotations

import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from leaderboard.records import JsonObject

LIBRARIES = ("fastsim-arena", "torch", "numpy", "scipy", "pot", "optuna", "ray", "mlflow")
CPU_INFO = Path("/proc/cpuinfo")


def provenance(replay: str | None) -> JsonObject:
    """Time, commit and library versions, as an entry holds them.

    Args:
        replay: The command that trains and judges the entry again; None where there is none.
    """
    commit, dirty = code_state(Path(__file__).parent)
    return {
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
    """The processor in words, with the number of its cores."""
    name = platform.processor() or platform.machine()
    if CPU_INFO.is_file():
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, CPU, one thread"


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
