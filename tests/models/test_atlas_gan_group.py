"""Members of a group are what they would have become alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from data_adapters.events import Events
from models.atlas_gan import AtlasGan, AtlasGanConfig
from models.atlas_gan_group import AtlasGanGroup
from models.base import TrainingDiverged

SHARED: dict[str, Any] = {"hidden_layers": 2, "units": 16, "latent_dim": 4, "batch_size": 20, "training_ratio": 2}
OWN: tuple[dict[str, Any], ...] = (
    {"learning_rate": 1e-3, "gradient_penalty_weight": 10.0},
    {"learning_rate": 3e-4, "gradient_penalty_weight": 1.0, "kernel_initializer": "lecun_normal",
     "gradient_penalty": "one_sided"},
    {"learning_rate": 2e-3, "gradient_penalty_weight": 5.0, "activity_l1_weight": 1e-2},
)  # fmt: skip


def built(events: Events, **changes: Any) -> list[AtlasGan]:
    return [AtlasGan(AtlasGanConfig(**{**SHARED, **own, **changes}), events, seed) for seed, own in enumerate(OWN)]


def assert_alike(model: AtlasGan, other: AtlasGan) -> None:
    """But for rounding, which Adam makes as large as a step where a gradient is nothing but rounding."""
    for one, two in (
        (model.trained.network.flat, other.trained.network.flat),
        (model.generator.network.flat, other.generator.network.flat),
        (model.critic.network.flat, other.critic.network.flat),
    ):
        difference = (one - two).detach()
        assert float(difference.norm() / two.detach().norm()) < 1e-4
        assert float((difference.abs() > 1e-5).float().mean()) < 1e-3


@pytest.mark.parametrize("activation", ["leaky_relu+sigmoid", "selu+sigmoid", "leaky_relu+softmax+relu"])
def test_a_member_is_what_it_would_be_alone(few_events, activation):
    changes = {"activation": activation}
    alone, members = built(few_events, **changes), built(few_events, **changes)
    group = AtlasGanGroup(members)
    for _ in range(3):
        expected = [model.train_epoch() for model in alone]
        for found, wanted in zip(group.train_epoch(), expected, strict=True):
            assert found == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    group.write_back()
    for model, other in zip(members, alone, strict=True):
        assert_alike(model, other)
        showers = model.generate(few_events.conditions, seed=1)
        np.testing.assert_allclose(showers, other.generate(few_events.conditions, seed=1), rtol=1e-2, atol=1.0)


def test_a_member_goes_on_alone_where_the_group_left_it(few_events, tmp_path):
    alone, members = built(few_events)[1], built(few_events)
    group = AtlasGanGroup(members)
    for _ in range(2):
        group.train_epoch()
        alone.train_epoch()
    group.drop([1])
    members[1].save(tmp_path)
    again = built(few_events)[1]
    again.restore(tmp_path)
    assert (again.epoch, again.generator_steps) == (alone.epoch, alone.generator_steps)
    for model in (again, alone):
        model.train_epoch()
    assert_alike(again, alone)


def test_those_that_stay_do_not_notice_who_leaves(few_events):
    alone, members = built(few_events), built(few_events)
    group = AtlasGanGroup(members)
    for epoch in range(3):
        group.train_epoch()
        if epoch == 0:
            group.drop([0])
        alone[2].train_epoch()
    group.write_back()
    assert len(group) == 2
    assert members[0].epoch == 1
    assert_alike(members[2], alone[2])


def test_one_that_diverges_disturbs_none(few_events):
    alone, members = built(few_events), built(few_events)
    with torch.no_grad():
        members[1].trained.network.flat.fill_(float("nan"))
    group = AtlasGanGroup(members)
    first, second, third = group.train_epoch()
    assert isinstance(second, TrainingDiverged)
    assert isinstance(first, dict)
    assert isinstance(third, dict)
    group.write_back()
    for number in (0, 2):
        alone[number].train_epoch()
        assert_alike(members[number], alone[number])


@pytest.mark.parametrize("changes", [{"units": 8}, {"batch_size": 10}, {"activation": "selu+sigmoid"}])
def test_only_equal_architectures_form_a_group(few_events, changes):
    one = AtlasGan(AtlasGanConfig(**SHARED), few_events, 0)
    other = AtlasGan(AtlasGanConfig(**{**SHARED, **changes}), few_events, 1)
    with pytest.raises(ValueError, match=next(iter(changes))):
        AtlasGanGroup([one, other])
    one.train_epoch()
    with pytest.raises(ValueError, match="equally many epochs"):
        AtlasGanGroup([one, AtlasGan(AtlasGanConfig(**SHARED), few_events, 1)])
