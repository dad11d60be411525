"""`ray up` to `ray down` with the file for one's own machines: two nodes on this one, over SSH."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.environments import pinned_environment

ROOT = Path(__file__).parents[2]
NEEDED = ("/usr/bin/unshare", "ip", "rsync", "ssh", "/usr/sbin/sshd", "pgrep")
MISSING = [tool for tool in NEEDED if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(MISSING) or os.geteuid() != 0, reason=f"needs root and {', '.join(NEEDED)}"),
    pytest.mark.skipif(ROOT.parts[1] == "tmp", reason="the checkout lies in /tmp, which the nodes have anew"),
]


def cluster_file() -> str:
    """cluster/ray/local.yaml with its placeholders filled, and what two nodes on one machine need beside."""
    text = (ROOT / "cluster" / "ray" / "local.yaml").read_text(encoding="utf-8")
    changes = {
        "[YOUR_WORKER_1, YOUR_WORKER_2]": "[127.0.0.2]",
        "YOUR_HEAD": "127.0.0.1",
        "YOUR_USER": "root",
        "YOUR_SHARED_FOLDER": "~/shared",
        "# ssh_private_key: ~/.ssh/id_ed25519 ": "ssh_private_key: ~/.ssh/id_ed25519 ",
        # An address each, one CPU each; and the second node must not stop the first.
        "ray start --head": "ray start --head --node-ip-address=127.0.0.1 --num-cpus=1",
        "ray start --address": "ray start --node-ip-address=127.0.0.2 --num-cpus=1 --address",
        "worker_start_ray_commands:\n  - ray stop\n": "worker_start_ray_commands:\n",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def prepare(home: Path) -> None:
    """A home folder whose environment has all that is pinned, so that install.sh needs no network."""
    pinned_environment(home / "fastsim-arena", "/mnt/fastsim-arena")
    (home / ".config" / "pip").mkdir(parents=True)
    offline = "[global]\nno-index = true\nno-build-isolation = false\n"  # pip reads it as: no isolation
    (home / ".config" / "pip" / "pip.conf").write_text(offline, encoding="utf-8")
    (home / "cluster.yaml").write_text(cluster_file(), encoding="utf-8")


def test_two_nodes_search_together_and_the_results_come_back(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    temporary.mkdir(mode=0o1777)
    prepare(home)
    script = Path(__file__).with_name("launched_cluster.sh")
    apart = shlex.split("/usr/bin/unshare --pid --fork --mount-proc --net --mount bash")
    command: list[str | Path] = [*apart, script, ROOT, sys.executable, home, temporary]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "2 nodes have joined" in output
    assert "2 run at a time" in output  # one CPU a node: both train

    fetched = home / "fetched"
    ledger = [json.loads(line) for line in (fetched / "atlas-gan" / "001" / "ledger.jsonl").read_text().splitlines()]
    assert Counter(line["number"] for line in ledger if line["event"] == "end") == dict.fromkeys(range(5), 1)
    assert (fetched / "leaderboard" / "index.html").exists()
