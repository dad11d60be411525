"""What a trial asks for, how many fit on the nodes that stand, and what no node can give."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ray

from search.engine.study import MoreGpus, StudyError
from search.spaces import Space

LOOK_EVERY = 5.0  # seconds between two looks at the nodes
RAY_STEPS = 10_000  # the least that Ray counts is a part in so many


@dataclass(frozen=True)
class Request:
    """CPUs and GPUs of each process of a trial; GPUs are a share of one, or a whole number.

    Attributes:
        together: Trials that are trained together as a group; CPUs and GPUs are then those of the group.
    """

    cpus: int
    gpus: float = 0.0
    processes: int = 1
    together: int = 1

    @property
    def bundles(self) -> list[dict[str, float]]:
        """What Ray reserves, a bundle for each process; they may lie on several nodes."""
        if self.together > 1:  # the group's actor has the GPUs
            return [{"CPU": math.floor(self.cpus / self.together * RAY_STEPS) / RAY_STEPS}]
        bundle = {"CPU": float(self.cpus)} | ({"GPU": self.gpus} if self.gpus else {})
        return [dict(bundle) for _ in range(self.processes)]

    def scaled(self, factor: float) -> Request:
        """The same with more GPUs; above one, Ray gives whole ones only."""
        gpus = self.gpus * factor
        return replace(self, gpus=float(math.ceil(gpus - 1e-9)) if gpus > 1 else gpus)

    def places(self, standing: Iterable[Mapping[str, float]]) -> int:
        """How many such trials nodes with these resources run at the same time."""
        return sum(self.processes_on(node) for node in standing) // self.processes * self.together

    def processes_on(self, node: Mapping[str, float]) -> int:
        """How many processes of such trials a node with these resources runs at the same time."""
        by_cpu = int(node.get("CPU", 0) // self.cpus)
        if self.gpus == 0:
            return by_cpu
        gpus = int(node.get("GPU", 0))
        by_gpu = gpus * int(1 / self.gpus + 1e-9) if self.gpus <= 1 else int(gpus // self.gpus)
        return min(by_cpu, by_gpu)

    def __str__(self) -> str:
        each = f", for each of its {self.processes} processes" if self.processes > 1 else ""
        each += f", for a group of {self.together}" if self.together > 1 else ""
        return f"{self.cpus} CPUs and {self.gpus:g} GPUs on one node{each}"


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
    """Raises: StudyError if these nodes can never run such a trial."""
    standing = list(standing)
    if request.places(standing):
        return
    kinds = Counter((node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in standing)
    found = "; ".join(f"{count} with {cpus:g} CPUs and {gpus:g} GPUs" for (cpus, gpus), count in kinds.items())
    raise StudyError(
        f"a trial asks for {request}: the nodes do not have them (nodes: {found or 'none'}). Ask for less with "
        "--cpus-per-trial, --gpus-per-trial or --processes-per-trial, or give --wait-minutes for nodes yet to join"
    )


def wait_for_nodes(request: Request, minutes: float) -> None:
    """Wait until such a trial can run; a cluster that grows on demand is asked for what it takes.

    Raises: StudyError if it did not come in that time.
    """
    deadline = time.monotonic() + 60 * minutes
    while not request.places(nodes()) and time.monotonic() < deadline:
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
            self._count = self._request.places(nodes())
            self._looked = time.monotonic()
        return self._count if self._most is None else min(self._count, self._most)


def _demand(request: Request) -> None:
    from ray.autoscaler.sdk import request_resources

    whole = [{name: math.ceil(amount) for name, amount in bundle.items()} for bundle in request.bundles]
    request_resources(bundles=whole)
