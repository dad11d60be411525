"""Every row of tables 1 and 2: each value changes what is built or trained."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from models import MODELS
from models.base import TrainingDiverged
from models.config import from_dict
from search.spaces import SPACES, Branch, Parameter, Space

# What makes a value's branch hold, where the default does not.
NEEDED = {
    ("atlas-gan", "training_ratio = 3"): {"training_ratio": 3},
    ("atlas-gan", "training_ratio = 1"): {"training_ratio": 1},
}


@cache
def training_events() -> Events:
    train = DATASETS["atlas-photons-geant4"].split("train")
    return train.select(np.arange(180))


def cases() -> list[Any]:
    return [
        pytest.param(space, parameter, branch, value, id=f"{space.name}-{parameter.name}-{value}-{branch.when}")
        for space in SPACES.values()
        for parameter in space.parameters
        for branch in parameter.branches
        for value in branch.published
    ]


def outcome(model: str, config: tuple[tuple[str, Any], ...]) -> dict[str, torch.Tensor] | str:
    """Learned tensors after one epoch, or how it failed."""
    spec = MODELS[model]
    training = spec.build(from_dict(spec.config_class, dict(config)), training_events(), 1, "cpu")
    try:
        training.train_epoch()
    except TrainingDiverged:
        return "diverged"
    return training.generator.tensors() | {"generated": torch.from_numpy(generated(training))}


def generated(training: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    showers: np.ndarray[Any, np.dtype[np.float32]] = training.generate(training_events().conditions, seed=1)
    return showers


@cache
def compared(model: str, config: tuple[tuple[str, Any], ...]) -> dict[str, torch.Tensor] | str:
    return outcome(model, config)


@pytest.mark.parametrize(("space", "parameter", "branch", "value"), cases())
def test_each_published_value_changes_something(space: Space, parameter: Parameter, branch: Branch, value: Any) -> None:
    base = {**space.default, **NEEDED.get((space.name, str(branch.when)), {})}
    other = value if value != base[parameter.name] else next((v for v in branch.published if v != value), None)
    if other is None:
        other = base[parameter.name] * 2  # a branch with one value: its like must still matter
    a = compared(space.name, tuple(sorted(base.items())))
    b = compared(space.name, tuple(sorted({**base, parameter.name: other}.items())))
    assert differ(a, b), f"{parameter.name} = {other} trains the same generator as {base[parameter.name]}"


def differ(a: dict[str, torch.Tensor] | str, b: dict[str, torch.Tensor] | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a != b
    return a.keys() != b.keys() or any(
        a[name].shape != b[name].shape or not torch.equal(a[name], b[name]) for name in a
    )


def test_the_same_configuration_trains_the_same_generator() -> None:
    """Otherwise the test above could not fail."""
    for space in SPACES.values():
        config = tuple(sorted(space.default.items()))
        assert not differ(outcome(space.name, config), outcome(space.name, config))
