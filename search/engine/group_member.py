"""A trial whose model is trained by the actor of its group, and the actors of all groups of a search.

To the trial it is a model like any other: it trains an epoch, generates, saves and restores. The search's own process
owns the actors, so that they end with it. Ray starts a lost one anew, without its members: their trials are tried
again, from their last checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError

from models.base import GenerativeModel
from models.groups import GROUPINGS
from search.engine.data_parallel import ProcessLost
from search.engine.group_worker import GroupWorker, NoMember
from search.engine.resources import Request

Build = Callable[[], GenerativeModel]
CALLS_AT_A_TIME = 256  # every member may wait for its next epoch while others are saved and generate
WITHOUT_END = -1


class GroupActor:
    """What runs in the actor; see ``GroupWorker``.

    Args:
        size: Members that it waits for.
        model: Name of their model.
        threads: Of its networks.
    """

    def __init__(self, size: int, model: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._worker = GroupWorker(size, GROUPINGS[model].unite)

    async def join(self, number: int, build: Build) -> tuple[int, dict[str, int]]:
        """Returns: Epoch and counts of parameters."""
        epoch = await self._worker.join(number, build)
        return epoch, self._worker.members[number].model.parameter_counts()

    async def restore(self, number: int, folder: Path) -> int:
        """Returns: Its epoch now."""
        return await self._worker.restore(number, folder)

    async def train_epoch(self, number: int) -> dict[str, float]:
        return await self._worker.train_epoch(number)

    async def save(self, number: int, folder: Path) -> None:
        await self._worker.save(number, folder)

    async def generate(
        self, number: int, conditions: Mapping[str, NDArray[np.float64]], seed: int
    ) -> NDArray[np.float32]:
        return await self._worker.generate(number, conditions, seed)

    async def leave(self, number: int) -> None:
        await self._worker.leave(number)


def actor_name(session: str, group: int) -> str:
    """Of the actor of a group: no other search has it, nor another start of this one."""
    return f"group-{session}-{group}"


class GroupMember(GenerativeModel):
    """The model of one trial of a group.

    Args:
        name: Of the group's actor.
        number: Of the trial.
        build: Builds the model; called in the actor.
    Raises: ProcessLost if the actor is gone; whatever ``build`` raises.
    """

    def __init__(self, name: str, number: int, build: Build) -> None:
        self.number = number
        try:
            self._actor = ray.get_actor(name)
        except ValueError as error:
            raise ProcessLost(f"the actor of the trial's group is not there: {error}") from error
        counts: dict[str, int]
        self.epoch, counts = self._ask("join", build)
        self._counts = counts

    def train_epoch(self) -> dict[str, float]:
        """Raises: TrainingDiverged; ProcessLost."""
        losses: dict[str, float] = self._ask("train_epoch")
        self.epoch += 1
        return losses

    def generate(
        self, conditions: Mapping[str, NDArray[np.float64]], seed: int, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """As the model would by itself; ``batch_size`` is the actor's."""
        del batch_size
        response: NDArray[np.float32] = self._ask("generate", dict(conditions), seed)
        return response

    def parameter_counts(self) -> dict[str, int]:
        return self._counts

    def save(self, folder: Path) -> None:
        self._ask("save", folder.resolve())

    def restore(self, folder: Path) -> None:
        self.epoch = self._ask("restore", folder.resolve())

    def close(self) -> None:
        """The others need not wait for it."""
        try:
            self._ask("leave")
        except ProcessLost:
            return  # then nobody waits

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return ray.get(getattr(self._actor, method).remote(self.number, *arguments))
        except RayTaskError as error:
            if isinstance(error.cause, NoMember):
                raise ProcessLost("the actor of the trial's group was lost and began anew") from error
            raise error.cause from error
        except RayActorError as error:
            raise ProcessLost(f"the actor of the trial's group was lost: {str(error).splitlines()[0]}") from error


class Groups:
    """The actors of the groups of a search.

    Args:
        request: CPUs, GPUs and size of a group.
        last: Number of the last trial, where their number is limited.
        ended: Numbers of the trials that have ended.
    """

    def __init__(
        self, request: Request, model: str, session: str, last: int | None, ended: Callable[[], Iterable[int]]
    ) -> None:
        self._request, self._session, self._last, self._ended = request, session, last, ended
        self._start = partial(
            ray.remote(GroupActor).options,
            num_cpus=0,  # its members have them
            num_gpus=request.gpus,
            max_restarts=WITHOUT_END,
            max_concurrency=CALLS_AT_A_TIME,
        )
        self._model = model
        self._actors: dict[int, Any] = {}

    def begin(self, number: int) -> None:
        """Start the actor of a trial's group, if none of its other trials has."""
        group = number // self._request.together
        if group not in self._actors:
            actor = self._start(name=actor_name(self._session, group))
            self._actors[group] = actor.remote(len(self._left(group)), self._model, self._request.cpus)

    def end(self, number: int) -> None:
        """A trial ended, whatever became of its process; the last one ends the actor."""
        group = number // self._request.together
        if group not in self._actors:
            return
        self._actors[group].leave.remote(number)
        if not set(self._left(group)) - {number}:
            ray.kill(self._actors.pop(group))

    def close(self) -> None:
        """End all actors."""
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()

    def _left(self, group: int) -> list[int]:
        """Trials of a group that have not ended."""
        size, ended = self._request.together, set(self._ended())
        numbers = range(group * size, (group + 1) * size)
        return [n for n in numbers if n not in ended and (self._last is None or n <= self._last)]
