"""Members of a group wait for each other, and for nobody who is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.base import GenerativeModel, TrainingDiverged
from search.engine.group_worker import GroupWorker, NoMember


class Counter(GenerativeModel):
    """A model that counts its epochs."""

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch

    def train_epoch(self) -> dict[str, float]:
        self.epoch += 1
        return {"alone": 1.0}

    def parameter_counts(self) -> dict[str, int]:
        return {}

    def restore(self, folder: Path) -> None:
        self.epoch = int(folder.name)

    def save(self, folder: Path) -> None:
        folder.write_text(str(self.epoch))

    def generate(self, conditions: Any, seed: int, batch_size: int | None = None) -> Any:
        del batch_size
        return np.full(len(conditions["x"]), self.epoch + seed)


class Group:
    """Trains counters, and notes how many at a time."""

    sizes: list[int]
    bad: Any

    def __init__(self, models: list[Any]) -> None:
        self.models, self.sizes, self.bad = list(models), [], None

    def train_epoch(self) -> list[Any]:
        self.sizes.append(len(self.models))
        for model in self.models:
            model.epoch += 1
        return [
            TrainingDiverged("too much") if model is self.bad else {"together": float(len(self.models))}
            for model in self.models
        ]

    def write_back(self) -> None:
        pass

    def drop(self, members: Sequence[int]) -> None:
        self.models = [model for index, model in enumerate(self.models) if index not in members]


def worker(size: int, forming_seconds: float = 5.0) -> GroupWorker:
    return GroupWorker(size, Group, forming_seconds)


async def trained(of: GroupWorker, number: int, epochs: int) -> list[dict[str, float]]:
    losses = [await of.train_epoch(number) for _ in range(epochs)]
    await of.leave(number)
    return losses


def test_all_are_trained_at_once_and_those_that_end_are_not_waited_for():
    async def scenario() -> tuple[list[int], list[int]]:
        group = worker(3)
        for number in range(3):
            await group.join(number, Counter)
        ends = await asyncio.gather(*(trained(group, number, epochs) for number, epochs in enumerate((2, 5, 3))))
        assert isinstance(group.group, Group)
        return [len(losses) for losses in ends], group.group.sizes

    assert asyncio.run(scenario()) == ([2, 5, 3], [3, 3, 2, 1, 1])


def test_a_group_that_does_not_fill_begins_all_the_same():
    async def scenario() -> list[int]:
        group = worker(4, forming_seconds=0.2)
        for number in range(2):
            await group.join(number, Counter)
        await asyncio.gather(*(trained(group, number, 2) for number in range(2)))
        assert isinstance(group.group, Group)
        return group.group.sizes

    assert asyncio.run(scenario()) == [2, 2]


def test_who_comes_late_or_from_another_epoch_is_trained_alone():
    async def scenario() -> list[list[dict[str, float]]]:
        group = worker(3)
        for number, state in enumerate((Path("4"), Path("4"), Path("2"))):
            await group.join(number, Counter)
            await group.restore(number, state)
        first = [trained(group, number, 2) for number in range(3)]
        found = await asyncio.gather(*first)
        await group.join(3, Counter)
        return [*found, await trained(group, 3, 1)]

    together, alone = {"together": 2.0}, {"alone": 1.0}
    assert asyncio.run(scenario()) == [[together] * 2, [together] * 2, [alone] * 2, [alone]]


def test_one_that_diverges_hears_of_it_and_the_others_go_on():
    async def scenario() -> tuple[str, list[dict[str, float]]]:
        group = worker(2)
        for number in range(2):
            await group.join(number, Counter)
        await asyncio.gather(*(group.train_epoch(number) for number in range(2)))
        assert isinstance(group.group, Group)
        group.group.bad = group.members[0].model
        other = asyncio.ensure_future(trained(group, 1, 2))
        with pytest.raises(TrainingDiverged) as said:
            await group.train_epoch(0)
        await group.leave(0)
        return str(said.value), await other

    assert asyncio.run(scenario()) == ("too much", [{"together": 2.0}, {"together": 1.0}])


def test_an_error_reaches_everybody(monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> list[str]:
        group = worker(2)
        for number in range(2):
            await group.join(number, Counter)
        await asyncio.gather(*(group.train_epoch(number) for number in range(2)))
        assert isinstance(group.group, Group)
        monkeypatch.setattr(group.group, "train_epoch", lambda: 1 / 0)
        ends = await asyncio.gather(*(group.train_epoch(number) for number in range(2)), return_exceptions=True)
        return [type(end).__name__ for end in ends]

    assert asyncio.run(scenario()) == ["ZeroDivisionError"] * 2


def test_a_member_is_saved_and_generates_as_it_is(tmp_path):
    async def scenario() -> list[int]:
        group = worker(1)
        assert await group.join(7, Counter) == 0
        assert await group.restore(7, Path("3")) == 3
        await group.train_epoch(7)
        await group.save(7, tmp_path / "state")
        generated: list[int] = (await group.generate(7, {"x": np.zeros(2)}, 1)).tolist()
        return generated

    assert asyncio.run(scenario()) == [5, 5]
    assert (tmp_path / "state").read_text() == "4"


def test_one_whose_process_was_lost_goes_on_alone_and_the_others_do_not_wait():
    async def scenario() -> tuple[list[int], list[list[dict[str, float]]]]:
        group = worker(3)
        for number in range(3):
            await group.join(number, Counter)
        await asyncio.gather(*(group.train_epoch(number) for number in range(3)))
        others = [asyncio.ensure_future(trained(group, number, 2)) for number in (0, 1)]
        await asyncio.sleep(0.05)  # they wait for the third, which is gone
        await group.join(2, Counter)
        assert await group.restore(2, Path("1")) == 1
        ends = [*await asyncio.gather(*others), await trained(group, 2, 2)]
        assert isinstance(group.group, Group)
        return group.group.sizes, ends

    sizes, ends = asyncio.run(scenario())
    assert sizes == [3, 2, 2]
    assert ends == [[{"together": 2.0}] * 2, [{"together": 2.0}] * 2, [{"alone": 1.0}] * 2]


def test_a_worker_that_began_anew_says_that_it_does_not_know_a_trial(tmp_path):
    group = worker(2)
    for asked in (group.train_epoch(1), group.save(1, tmp_path), group.generate(1, {}, 1), group.restore(1, tmp_path)):
        with pytest.raises(NoMember, match="trial 1 is none of"):
            asyncio.run(asked)
    asyncio.run(group.leave(1))


def test_what_was_trained_is_given_back_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def scenario() -> int:
        group = worker(2)
        for number in range(2):
            await group.join(number, Counter)
        await asyncio.gather(*(group.train_epoch(number) for number in range(2)))
        given: list[int] = []
        monkeypatch.setattr(group.group, "write_back", lambda: given.append(1))
        for number in range(2):
            await group.generate(number, {"x": np.zeros(1)}, 1)
            await group.save(number, tmp_path / f"{number}")
        await asyncio.gather(*(group.train_epoch(number) for number in range(2)))
        await group.save(0, tmp_path / "0")
        return len(given)

    assert asyncio.run(scenario()) == 2


def test_nobody_is_trained_before_its_checkpoint_is_there():
    """Members that come back after the loss of their actor join first, and are restored then."""

    async def scenario() -> tuple[list[list[dict[str, float]]], list[int]]:
        group = worker(2)
        await group.join(0, Counter)
        await group.restore(0, Path("4"))
        first = asyncio.ensure_future(trained(group, 0, 2))
        await group.join(1, Counter)
        await asyncio.sleep(0.2)  # all are there, but one is not what it will be
        assert group.group is None
        await group.restore(1, Path("4"))
        second = group.members[1].model
        ends = [await trained(group, 1, 2), await first]
        return ends, [second.epoch]

    together = [{"together": 2.0}] * 2
    assert asyncio.run(scenario()) == ([together, together], [6])


def test_what_is_in_training_is_not_restored():
    async def scenario() -> None:
        group = worker(1)
        await group.join(0, Counter)
        await group.train_epoch(0)
        with pytest.raises(RuntimeError, match="trial 0 is in training; let it join anew"):
            await group.restore(0, Path("9"))

    asyncio.run(scenario())
