"""A trial whose model is trained by its group's actor (``group_worker.GroupWorker``).

To the trial it is a model like any other: it trains an epoch, generates, saves and restores. Members of a group find the
same actor by its name; who comes first starts it. An actor that dies takes the running epochs of its members with it:
they are tried again, from their last checkpoints, in a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError

from models.base import GenerativeModel
from search.engine.data_parallel import ProcessLost
from search.engine.group_worker import GroupWorker

Build = Callable[[], GenerativeModel]
CALLS_AT_A_TIME = 256  # every member may wait for its next epoch while others are saved and generate


class GroupActor:
    """What runs in the actor; see ``GroupWorker``."""

    def __init__(self, size: int, unite: Callable[[list[Any]], Any], threads: int) -> None:
        torch.set_num_threads(threads)
        self._worker = GroupWorker(size, unite)

    async def join(self, number: int, build: Build) -> tuple[int, dict[str, int]]:
        """Returns: Epoch and counts of parameters."""
        epoch = await self._worker.join(number, build, None)
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


class GroupMember(GenerativeModel):
    """The model of one trial of a group.

    Args:
        name: Of the group: the same for all of its members, and for no other group of the session.
        build: Builds the model; called in the actor.
        unite: Makes a group of such models.
        gpus, threads: Of the actor.
    Raises: ProcessLost; whatever ``build`` raises.
    """

    def __init__(
        self, name: str, size: int, number: int, build: Build, unite: Callable[[list[Any]], Any], gpus: float, threads: int
    ) -> None:
        actor = ray.remote(GroupActor).options(
            name=name, get_if_exists=True, num_gpus=gpus, num_cpus=0, max_concurrency=CALLS_AT_A_TIME
        )
        self.number = number
        self._actor = actor.remote(size, unite, threads)
        self.epoch, self._counts = self._ask("join", build)

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
            raise error.cause from error
        except RayActorError as error:
            raise ProcessLost(f"the actor of the trial's group was lost: {str(error).splitlines()[0]}") from error
