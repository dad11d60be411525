"""Models that are trained together as one batched program, many of one architecture at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from data_adapters.registry import Registry
from models.atlas_gan_group import OWN, AtlasGanGroup
from models.base import TrainingDiverged


class Group(Protocol):
    """Models in training together; they hold their place until ``write_back``."""

    def train_epoch(self) -> list[dict[str, float] | TrainingDiverged]:
        """One epoch of every member: losses, or why it cannot go on; it disturbs no other."""
        ...

    def write_back(self) -> None:
        """Give the models what was trained."""
        ...

    def drop(self, members: Sequence[int]) -> None:
        """Take members out, by their place; the others go on in their order."""
        ...


@dataclass(frozen=True)
class Grouping:
    """How a model is trained in groups.

    Attributes:
        own: Hyperparameters in which members may differ; all others are those of the group.
        unite: Makes a group of models after equally many epochs. Raises: ValueError for what differs.
    """

    name: str
    own: tuple[str, ...]
    unite: Callable[[Sequence[Any]], Group]


GROUPINGS = Registry("model that is trained in groups", Grouping("atlas-gan", OWN, AtlasGanGroup))
