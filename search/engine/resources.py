"""What a trial asks for, how many fit on the nodes that stand, and what no node can give."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ray

from search.engine.study import MoreGpus, StudyError
from search.spaces import Space

LOOK_EVERY = 5.0  # seconds between two looks at the nodes


@dataclass(frozen=True)
class Request:
    """CPUs and GPUs of a trial; GPUs are a share of one, or a whole number."""

    cpus: int
    gpus: float = 0.0

    def scaled(self, factor: float) -> Request:
        """The same with more GPUs; above one, Ray gives whole ones only."""
        gpus = self.gpus * factor
        return Request(self.cpus, float(math.ceil(gpus - 1e-9)) if gpus > 1 else gpus)

    def places_on(self, node: Mapping[str, float]) -> int:
        """How many such trials a node with these resources runs at the same time."""
        by_cpu = int(node.get("CPU", 0) // self.cpus)
        if self.gpus == 0:
            return by_cpu
        gpus = int(node.get("GPU", 0))
        by_gpu = gpus * int(1 / self.gpus + 1e-9) if self.gpus <= 1 else int(gpus // self.gpus)
        return min(by_cpu, by_gpu)

    def __str__(self) -> str:
        return f"{self.cpus} CPUs and {self.gpus:g} GPUs"


def request_for(base: Request, more: Iterable[MoreGpus], config: Mapping[str, Any]) -> Request:
    """What a configuration asks for: larger networks may take a larger share of the GPUs."""
    return base.scaled(math.prod(rule.factor for rule in more if rule.when(config)))


def largest_request(base: Request, more: Iterable[MoreGpus], space: Space) -> Request:
    """The most that any configuration of a space asks for."""
    return base.scaled(math.prod(rule.factor for rule in more if space.allows(rule.when)))


def nodes() -> list[dict[str, float]]:
    """Resources of each node of the cluster that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def check_request(request: Request, standing: Iterable[Mapping[str, float]]) -> None:
    """Raises: StudyError if no node can run such a trial, however long one waits."""
    standing = list(standing)
    if any(request.places_on(node) for node in standing):
        return
    kinds = Counter((node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in standing)
    found = "; ".join(f"{count} with {cpus:g} CPUs and {gpus:g} GPUs" for (cpus, gpus), count in kinds.items())
    raise StudyError(
        f"a trial asks for {request} on one node, and no node has them (nodes: {found or 'none'}). Ask for less with "
        "--cpus-per-trial and --gpus-per-trial, or give --wait-minutes for nodes that are yet to join"
    )


def wait_for_node(request: Request, minutes: float) -> None:
    """Wait until a node can run such a trial; a cluster that grows on demand is asked for one.

    Raises: StudyError if none has come in that time.
    """
    deadline = time.monotonic() + 60 * minutes
    while not any(request.places_on(node) for node in nodes()) and time.monotonic() < deadline:
        _demand(request)
        time.sleep(min(LOOK_EVERY, max(0.0, deadline - time.monotonic())))
    check_request(request, nodes())


class Places:
    """How many trials may run now; nodes that join or leave change it.

    Args:
        most: Never more than so many.
        beyond: Ask for ``most`` even if they do not fit now, so that a cluster that grows on demand grows.
    """

    def __init__(self, request: Request, most: int | None, *, beyond: bool = False) -> None:
        self._request, self._most = request, most
        self._beyond = beyond and most is not None
        self._looked, self._count = -math.inf, 0

    def __call__(self) -> int:
        if self._beyond and self._most is not None:
            return self._most
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._count = sum(self._request.places_on(node) for node in nodes())
            self._looked = time.monotonic()
        return self._count if self._most is None else min(self._count, self._most)


def _demand(request: Request) -> None:
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=[{"CPU": request.cpus, **({"GPU": math.ceil(request.gpus)} if request.gpus else {})}])
