"""Environments for nodes without a network: a virtual environment that has all that is pinned."""

from __future__ import annotations

import shutil
import sysconfig
import venv
from pathlib import Path


def pinned_environment(project: Path, seen_as: str, *paths: str) -> None:
    """Make the folder ``.venv`` of a project.

    Args:
        seen_as: The project's folder on the nodes.
        paths: Folders there from which Python imports before it looks among the pinned packages.
    """
    environment = project / ".venv"
    venv.create(environment, with_pip=True, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    for old in packages.glob("setuptools*"):  # Python 3.11 brings one that is too old
        shutil.rmtree(old)
    lines = [*paths, sysconfig.get_path("purelib")]
    (packages / "pinned.pth").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    ray = environment / "bin" / "ray"
    start = f"#!{seen_as}/.venv/bin/python\nfrom ray.scripts.scripts import main\nmain()\n"
    ray.write_text(start, encoding="utf-8")
    ray.chmod(0o755)
