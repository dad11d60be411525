"""Trials in several processes: the first is the trial's own, the others are Ray actors in the same placement group.

All of them train the same model (``models.data_parallel``); only the first one evaluates and writes checkpoints, and
all go on from those. A process that is lost ends the others: the trial is tried again from its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import ray
import torch
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from models.base import GenerativeModel, TrainingDiverged
from models.data_parallel import LOOPBACK, TIMEOUT, MeetingPoint, Processes, join, leave, meeting_point, met_at
from search.engine.resources import Request

Build = Callable[[Processes], GenerativeModel]
Result = TypeVar("Result")

ENDS = (TrainingDiverged, MemoryError, torch.OutOfMemoryError, OSError)  # of a trial, whichever process meets them
GRACE_SECONDS = 30.0  # in which Ray notices that another process is gone


class ProcessLost(RuntimeError):
    """One of the processes of a training is gone."""


class OtherProcess:
    """What runs in an actor: a process beside the trial's own.

    Args:
        threads: Of its networks.
    """

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)

    def address(self) -> str:
        return _own_address()

    def build(self, host: str, port: int, rank: int, size: int, device: str, build: Build) -> float:
        """Build the model together with the others; like all that it does, says how much CPU time counts [s]."""
        self._model = _built(build, met_at(host, port, size), rank, size, device)
        return 0.0

    def restore(self, folder: Path) -> float:
        self._model.restore(folder)
        return 0.0

    def train_epoch(self) -> float:
        """Returns: The CPU time that it took [s]."""
        began = time.process_time()
        self._model.train_epoch()
        return time.process_time() - began


class TrainedTogether(GenerativeModel):
    """A model that this process trains with others, one for each further bundle of its placement group.

    ``close`` ends them.

    Args:
        build: Builds the model; called by every process.
        size: Number of processes, this one included.
    Raises: ProcessLost if the others do not start; whatever ``build`` raises.
    """

    def __init__(self, build: Build, size: int, device: str) -> None:
        self._seconds = 0.0
        self._others = _other_processes(size)
        try:
            store = meeting_point(self._host(), size)
            given = [(store.host, store.port, rank, size, device, build) for rank in range(1, size)]
            self.model = self._together("build", lambda: _built(build, store, 0, size, device), given)
        except BaseException:
            self.close()
            raise
        self.generator, self.epoch = self.model.generator, self.model.epoch

    @property
    def cpu_seconds_elsewhere(self) -> float:
        return self._seconds

    def train_epoch(self) -> dict[str, float]:
        """Raises: as a model that is trained by one process; ProcessLost."""
        losses = self._together("train_epoch", self.model.train_epoch)
        self.epoch = self.model.epoch
        return losses

    def parameter_counts(self) -> dict[str, int]:
        return self.model.parameter_counts()

    def save(self, folder: Path) -> None:
        self.model.save(folder)

    def restore(self, folder: Path) -> None:
        self._together("restore", lambda: self.model.restore(folder), [(folder,)] * len(self._others))
        self.epoch = self.model.epoch

    def close(self) -> None:
        self._kill()
        leave()

    def _host(self) -> str:
        """Where the processes meet: on the loopback device where all are on one machine."""
        here = _own_address()
        try:
            addresses = ray.get([other.address.remote() for other in self._others], timeout=TIMEOUT.total_seconds())
        except (GetTimeoutError, RayActorError) as error:
            raise ProcessLost(f"{len(self._others)} further processes of the trial did not start: {error}") from error
        return LOOPBACK if set(addresses) == {here} else here

    def _together(
        self, method: str, own: Callable[[], Result], arguments: list[tuple[Any, ...]] | None = None
    ) -> Result:
        """Do something here while the others do the same.

        Args:
            arguments: Of each of the others.
        """
        given = arguments or [()] * len(self._others)
        pending = [getattr(other, method).remote(*each) for other, each in zip(self._others, given, strict=True)]
        with ThreadPoolExecutor(1) as watcher:
            others = watcher.submit(self._wait_for, pending)
            try:
                result = own()
                self._seconds += others.result()
            except BaseException as error:
                cause = self._cause(others, error)
                self._kill()
                if cause is error:
                    raise
                raise cause from error
        return result

    def _wait_for(self, pending: list[ray.ObjectRef[float]]) -> float:
        """Sum of what the others return. If one fails, all are ended, so that none waits for it.

        Raises: ProcessLost; what it failed with.
        """
        total = 0.0
        try:
            while pending:
                ready, pending = ray.wait(pending)
                total += sum(ray.get(ready))
        except RayTaskError as error:
            self._kill()
            raise error.cause from error
        except RayActorError as error:
            self._kill()
            raise ProcessLost(f"a process of the trial was lost: {str(error).splitlines()[0]}") from error
        return total

    def _cause(self, others: Future[float], error: BaseException) -> BaseException:
        """Why this process failed: torch says only that it could not reach another one, which has some time to tell."""
        if not isinstance(error, RuntimeError) or isinstance(error, ENDS):
            return error
        with suppress(TimeoutError):
            return others.exception(timeout=GRACE_SECONDS) or error
        return error

    def _kill(self) -> None:
        for other in self._others:
            ray.kill(other)


def _built(build: Build, store: MeetingPoint, rank: int, size: int, device: str) -> GenerativeModel:
    address = LOOPBACK if store.host == LOOPBACK else _own_address()
    return build(join(store, rank, size, device=device, address=address))


def _own_address() -> str:
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


def _other_processes(size: int) -> list[Any]:
    """Actors in all bundles but the first, which is this process's."""
    group = ray.util.get_current_placement_group()
    assert group is not None, "Ray Tune and TrialTasks give one"
    assert group.bundle_count == size, "a bundle for each process"
    actor = ray.remote(OtherProcess)
    return [
        actor.options(
            num_cpus=bundle["CPU"],
            num_gpus=bundle.get("GPU", 0),
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, number),
        ).remote(threads=int(bundle["CPU"]))
        for number, bundle in enumerate(group.bundle_specs)
        if number > 0
    ]


class TrialTasks:
    """Runs functions with the CPUs and GPUs of a trial, beside or after each other, as the cluster has room."""

    def __init__(self) -> None:
        self._groups: dict[ray.ObjectRef[Any], PlacementGroup] = {}

    def submit(
        self, request: Request, retries: int, function: Callable[..., Result], *arguments: Any
    ) -> ray.ObjectRef[Result]:
        """Begin when there is room; tried again, so many times, if a process is lost."""
        options: dict[str, Any] = {"num_cpus": request.cpus, "num_gpus": request.gpus, "max_retries": retries}
        group = None
        if request.processes > 1:
            group = ray.util.placement_group(request.bundles, strategy="PACK")
            strategy = PlacementGroupSchedulingStrategy(group, 0)
            options |= {"scheduling_strategy": strategy, "retry_exceptions": [ProcessLost]}
        reference: ray.ObjectRef[Result] = ray.remote(function).options(**options).remote(*arguments)
        if group is not None:
            self._groups[reference] = group
        return reference

    def release(self, reference: ray.ObjectRef[Any]) -> None:
        """Give back the place of a function that has ended, or end it."""
        group = self._groups.pop(reference, None)
        if group is not None:
            ray.util.remove_placement_group(group)
