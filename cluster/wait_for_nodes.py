"""Wait until the nodes of a Ray cluster have joined, so that a search begins, and estimates its time, with all of them.

python cluster/wait_for_nodes.py 4
python cluster/wait_for_nodes.py ~/ray_bootstrap_config.yaml    # head and workers that `ray up` is asked to start
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import ray
import yaml

LOOK_EVERY = 2.0


def wanted(nodes: str) -> int:
    """The number itself, or that of the nodes in a configuration of the cluster launcher: head and least workers."""
    if nodes.isdigit():
        return int(nodes)
    types: dict[str, dict[str, int]] = yaml.safe_load(Path(nodes).read_text(encoding="utf-8"))["available_node_types"]
    return 1 + sum(kind.get("min_workers", 0) for kind in types.values())


def standing() -> int:
    """Nodes that have joined and are alive."""
    return sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]


def main() -> int:
    """Returns: 0 when all stand, 1 when time was up."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("nodes", help="how many, the head included, or the configuration that says it")
    flags.add_argument("--minutes", type=float, default=15, help="how long to wait (default: 15)")
    given = flags.parse_args()
    target = wanted(given.nodes)
    ray.init(address="auto", log_to_driver=False)
    deadline = time.monotonic() + 60 * given.minutes
    while standing() < target:
        if time.monotonic() > deadline:
            print(
                f"{standing()} of {target} nodes have joined after {given.minutes:g} minutes. `ray status` says which. "
                "Start the search on these, or wait again with this command",
                file=sys.stderr,
            )
            return 1
        time.sleep(LOOK_EVERY)
    print(f"{standing()} nodes have joined")
    return 0


if __name__ == "__main__":
    sys.exit(main())
