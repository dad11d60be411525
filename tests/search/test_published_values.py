"""Every row of the papers' tables: each value changes what is built or trained."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from models.base import TrainingDiverged
from search.spaces import SPACES, Branch, Parameter, Space, When
from tests.models.samples import SAMPLES, build

Outcome = dict[str, torch.Tensor] | str
Config = tuple[tuple[str, Any], ...]


def cases() -> list[Any]:
    """Each published value; of large spaces, one a branch is enough for a quick run."""
    found = []
    for space in SPACES.values():
        for parameter in space.parameters:
            for branch in parameter.branches:
                found += [_case(space, parameter, branch, value) for value in branch.published]
    return found


def _case(space: Space, parameter: Parameter, branch: Branch, value: Any) -> Any:
    others = [other for other in branch.published if other != parameter.default]
    quick = space.name.startswith("atlas") or value == next(iter(others), branch.published[0])
    if space.name == "lhcb-refinement":  # the networks of lhcb-tracker-image, whose values are tried
        quick = quick and parameter.name not in SPACES["lhcb-tracker-image"].default
    marks = () if quick else (pytest.mark.slow,)
    name = f"{space.name}-{parameter.name}-{value}-{branch.when}"
    return pytest.param(space, parameter, branch, value, id=name, marks=marks)


def needed(when: When | None) -> dict[str, Any]:
    """What makes a branch hold."""
    if when is None:
        return {}
    if when.values:
        return {when.fields[0]: when.values[0]}
    return {when.fields[0]: when.minimum if when.minimum is not None else 10.0}


def base_of(space: Space, branch: Branch) -> dict[str, Any]:
    """The quick configuration of the contract tests, with the condition of a branch and its conditions fulfilled."""
    base = {**space.default, **SAMPLES[space.name].config}
    wanted = needed(branch.when)
    for name in wanted:
        if branch.when is None or branch.when(base):
            return base
        for outer in space[name].branches:
            base |= {} if outer.when is None or outer.when(base) else needed(outer.when)
    return base | wanted


@cache
def outcome(model: str, config: Config) -> Outcome:
    """Learned tensors after one epoch, and what they generate; or how it failed."""
    training = build(model, seed=1, **dict(config))
    try:
        training.train_epoch()
    except TrainingDiverged:
        return "diverged"
    generated = training.generate(SAMPLES[model].events().conditions, seed=1)
    return {name: tensor.clone() for name, tensor in training.generator.tensors().items()} | {
        "generated": torch.from_numpy(generated)
    }


@pytest.mark.parametrize(("space", "parameter", "branch", "value"), cases())
def test_each_published_value_changes_something(space: Space, parameter: Parameter, branch: Branch, value: Any) -> None:
    if parameter.name in SAMPLES[space.name].later:
        pytest.skip("it shows after more than one epoch, in a test of its own")
    base = base_of(space, branch)
    other = value if value != base[parameter.name] else next((v for v in branch.published if v != value), None)
    if other is None:
        other = base[parameter.name] * 2  # a branch with one value: its like must still matter
    a = outcome(space.name, tuple(sorted(base.items())))
    b = outcome(space.name, tuple(sorted({**base, parameter.name: other}.items())))
    assert differ(a, b), f"{parameter.name} = {other} trains the same generator as {base[parameter.name]}"


def differ(a: Outcome, b: Outcome) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a != b
    return a.keys() != b.keys() or any(
        a[name].shape != b[name].shape or not torch.equal(a[name], b[name]) for name in a
    )


@pytest.mark.parametrize("space", SPACES.values(), ids=lambda space: space.name)
def test_the_same_configuration_trains_the_same_generator(space: Space) -> None:
    """Otherwise the test above could not fail."""
    config = tuple(sorted({**space.default, **SAMPLES[space.name].config}.items()))
    assert not differ(outcome(space.name, config), outcome.__wrapped__(space.name, config))
