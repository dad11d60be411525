"""Which code a search ran with: a search that goes on with other code would compare what cannot be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISIVE = ("data_adapters", "metrics", "models", "search/spaces")
DECISIVE_FILES = ("search/engine/sampler.py", "search/engine/scheduler.py", "search/engine/trial.py")
LIBRARIES = ("numpy", "optuna", "scipy", "torch")


def code_identity() -> dict[str, str]:
    """Hashes of the files that decide what a trial is and how it is judged, and versions of the libraries."""
    files = [path for folder in DECISIVE for path in sorted((ROOT / folder).rglob("*.py"))]
    files += [ROOT / name for name in DECISIVE_FILES]
    hashes = {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}
    return {**hashes, **{name: version(name) for name in LIBRARIES}}


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, each in a few words."""
    return [
        *(f"{name} is gone" for name in before if name not in now),
        *(f"{name} is new" for name in now if name not in before),
        *(_change(name, before[name], now[name]) for name in now if before.get(name, now[name]) != now[name]),
    ]


def _change(name: str, before: str, now: str) -> str:
    return f"{name} {before} became {now}" if name in LIBRARIES else f"{name} changed"
