"""A group of trials trained as one batched program: what runs in the actor that trains them.

Each member is a trial like any other, in an actor of its own, which evaluates it and decides when it ends. When all
members that are left want their next epoch, the group trains all of them at once. The worker knows nothing of Ray.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import GenerativeModel, TrainingDiverged
from models.groups import Group

FORMING_SECONDS = 60.0  # that a group waits for members that do not come: the search may have no more trials
Conditions = Mapping[str, NDArray[np.float64]]
Losses = dict[str, float]


class NoMember(LookupError):
    """A trial that this worker does not know: it began anew, or the trial has left."""


@dataclass
class Member:
    """A trial of the group.

    Attributes:
        ready: Whether it has asked for its first epoch: until then it may still be restored from a checkpoint.
        waiting: Where its next losses go, while it waits for them.
        alone: Whether it is trained by itself, because it came too late or goes on from another epoch.
    """

    number: int
    model: GenerativeModel
    ready: bool = False
    waiting: asyncio.Future[Losses] | None = None
    alone: bool = False


@dataclass
class GroupWorker:
    """The members of one group.

    Args:
        size: Members that it is for; it begins with fewer when no further one came for ``forming_seconds``.
        unite: Makes a group of models.
    """

    size: int
    unite: Callable[[list[Any]], Group]
    forming_seconds: float = FORMING_SECONDS
    members: dict[int, Member] = field(default_factory=dict)
    group: Group | None = None
    _together: list[int] = field(default_factory=list)  # numbers, in the order of the group's models
    _joined: float = 0.0
    _stale: bool = False  # whether the models do not have yet what was trained

    async def join(self, number: int, build: Callable[[], GenerativeModel]) -> int:
        """Take a trial in, also one whose process was lost. Returns: Its epoch."""
        await self.leave(number)
        model = await asyncio.to_thread(build)
        self.members[number] = Member(number, model, alone=self.group is not None)
        self._joined = asyncio.get_running_loop().time()
        return model.epoch

    async def restore(self, number: int, folder: Path) -> int:
        """Let a member go on from a checkpoint.

        Returns: Its epoch.
        Raises: RuntimeError if it is in training: what the group holds of it would take the checkpoint's place.
        """
        member = self._member(number)
        if member.ready:
            raise RuntimeError(f"trial {number} is in training; let it join anew to go on from a checkpoint")
        await asyncio.to_thread(member.model.restore, folder)
        return member.model.epoch

    async def train_epoch(self, number: int) -> Losses:
        """Wait for the others, and train.

        Raises: TrainingDiverged; NoMember.
        """
        member = self._member(number)
        member.ready = True
        if self.group is None:
            await self._form()
        if member.alone:
            return await asyncio.to_thread(member.model.train_epoch)
        losses: asyncio.Future[Losses] = asyncio.get_running_loop().create_future()
        member.waiting = losses
        self._go_on()
        return await losses

    async def leave(self, number: int) -> None:
        """A trial that ended, or was stopped: the others need not wait for it."""
        member = self.members.pop(number, None)
        if member is not None and not member.alone:
            self._go_on()

    async def save(self, number: int, folder: Path) -> None:
        """A checkpoint as if the trial had been trained alone."""
        self._written_back(number)
        await asyncio.to_thread(self._member(number).model.save, folder)

    async def generate(self, number: int, conditions: Conditions, seed: int) -> NDArray[np.float32]:
        """Events of a member, as it is now."""
        self._written_back(number)
        return await asyncio.to_thread(self._member(number).model.generate, conditions, seed)

    def _member(self, number: int) -> Member:
        if number not in self.members:
            raise NoMember(f"trial {number} is none of {sorted(self.members)}")
        return self.members[number]

    def _written_back(self, number: int) -> None:
        """Once after each epoch, and before anybody looks: one model may be read while another one is asked for."""
        if self.group is not None and not self._member(number).alone and self._stale:
            self.group.write_back()
            self._stale = False

    async def _form(self) -> None:
        """Wait until all members are ready, or no further one comes."""
        loop = asyncio.get_running_loop()
        while self.group is None and sum(member.ready for member in self.members.values()) < self.size:
            left = self._joined + self.forming_seconds - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, 0.05))
        if self.group is None:
            self._unite()

    def _unite(self) -> None:
        """Those that are ready and stand at the same epoch as most; the others are trained by themselves."""
        epochs = [member.model.epoch for member in self.members.values() if member.ready]
        most = max(set(epochs), key=epochs.count)
        for member in self.members.values():
            member.alone = member.alone or not member.ready or member.model.epoch != most
        self._together = [number for number, member in self.members.items() if not member.alone]
        self.group = self.unite([self.members[number].model for number in self._together])

    def _go_on(self) -> None:
        """Train an epoch in the background, if everybody who is left waits for it."""
        inside = [self.members[number] for number in self._together if number in self.members]
        staying = [member for member in inside if not member.alone]  # who came again goes on alone
        if self.group is None or not staying or any(member.waiting is None for member in staying):
            return
        futures = [member.waiting for member in staying if member.waiting is not None]
        for member in staying:
            member.waiting = None
        self._running = asyncio.ensure_future(self._train([member.number for member in staying], futures))

    async def _train(self, staying: list[int], futures: list[asyncio.Future[Losses]]) -> None:
        try:
            results: list[Losses | BaseException] = [*await asyncio.to_thread(self._train_together, staying)]
        except Exception as error:  # whatever it is, every member must hear of it
            results = [error] * len(futures)
        for future, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _train_together(self, staying: list[int]) -> list[Losses | TrainingDiverged]:
        assert self.group is not None
        gone = [index for index, number in enumerate(self._together) if number not in staying]
        if gone:
            self.group.drop(gone)
            self._together = staying
        self._stale = True
        return self.group.train_epoch()
