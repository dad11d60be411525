"""The GAN: every hyperparameter of table 2 matters, losses, averages, divergence."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from data_adapters.events import Events
from models.atlas_gan import AtlasGan, AtlasGanConfig
from models.base import TrainingDiverged
from models.training import train

BASE = AtlasGanConfig(latent_dim=4, hidden_layers=2, units=8, batch_size=16, training_ratio=2, learning_rate=1e-3)

# Values of ATL-SOFT-PUB-2018-001, table 2, that differ from the default.
CHANGES: list[tuple[str, object]] = [
    ("latent_dim", 5),
    *(("hidden_layers", layers) for layers in (1, 5, 10)),
    *(("units", units) for units in (64, 512, 1024)),
    *(
        ("activation", activation)
        for activation in (
            "selu+sigmoid",
            "leaky_relu+relu",
            "leaky_relu+gauss",
            "leaky_relu+sigmoid+relu",
            "leaky_relu+clipped_relu",
            "leaky_relu+softmax",
            "leaky_relu+softmax+relu",
        )
    ),
    ("activity_l1_weight", 0.0),
    ("activity_l1_weight", 1e-2),
    ("kernel_initializer", "lecun_normal"),
    ("gradient_penalty", "one_sided"),
    ("gradient_penalty_weight", 0.0),
    ("gradient_penalty_weight", 20.0),
    *(("training_ratio", ratio) for ratio in (20, 10, 3, 1)),
    *(("learning_rate", rate) for rate in (5e-6, 1e-5, 1e-6, 1e-7)),
    ("batch_size", 64),
    ("batch_size", 1024),
    ("preprocessing", "log10"),
    ("preprocessing", "log10_1e10"),
    ("energy_conditioning", "linear"),
]


def weights_after(config: AtlasGanConfig, events: Events) -> torch.Tensor:
    model = AtlasGan(config, events, seed=0)
    model.trained.network.flat.mul_(10)  # so that outputs lie on both sides of zero and one
    model.train_epoch()
    return torch.cat((model.trained.network.flat, model.critic.network.flat))


@pytest.mark.parametrize("field", sorted({field for field, _ in CHANGES}))
def test_every_value_changes_what_is_trained(field: str, few_events: Events) -> None:
    values = [getattr(BASE, field), *(value for name, value in CHANGES if name == field)]
    seen = [weights_after(dataclasses.replace(BASE, **{field: value}), few_events) for value in values]
    for (index, first), (other, second) in itertools.combinations(enumerate(seen), 2):
        assert first.shape != second.shape or not torch.equal(first, second), (values[index], values[other])


def test_every_field_is_covered() -> None:
    assert {field for field, _ in CHANGES} == {field.name for field in dataclasses.fields(AtlasGanConfig)}


def test_parameter_counts_of_the_paper_network(few_events: Events) -> None:
    conditions, latent, cells, units = 7, 50, 266, 128
    hidden = 2 * (units * units + units)
    generator = (latent + conditions + 1) * units + hidden + (units + 1) * cells
    critic = (cells + conditions + 1) * units + hidden + units  # its last bias would cancel in the loss
    counts = AtlasGan(AtlasGanConfig(), few_events, seed=0).parameter_counts()
    assert counts == {"generate": generator, "train": generator + critic}


def test_an_epoch_is_one_pass_of_the_critic(events: Events) -> None:
    model = AtlasGan(AtlasGanConfig(), events, seed=0)
    indices = model.epoch_indices()
    assert indices.shape == (len(events) // (64 * 5), 5, 64)
    assert len(set(indices.flatten().tolist())) == indices.numel()


def test_a_small_sample_is_passed_through_repeatedly(few_events: Events) -> None:
    indices = AtlasGan(AtlasGanConfig(), few_events, seed=0).epoch_indices()
    assert indices.shape == (1, 5, 64)
    assert len(set(indices.flatten().tolist())) == len(few_events)


def test_generator_gradient_equals_autograd(few_events: Events) -> None:
    config = dataclasses.replace(BASE, activity_l1_weight=0.3, preprocessing="log10")
    model, twin = AtlasGan(config, few_events, seed=0), AtlasGan(config, few_events, seed=0)
    indices = torch.arange(16)
    conditions = twin.sample[indices, twin.num_cells :]
    showers = twin.trained.showers(conditions, twin._noise(16))
    judged = twin.critic.network(torch.cat((showers, conditions), dim=1))
    network = twin.trained.network
    expected = torch.autograd.grad(
        0.3 * showers.abs().sum(dim=1).mean() - judged.mean(), [*network.weights, *network.biases]
    )
    loss = model._generator_step(indices)
    assert loss.item() == pytest.approx(-judged.mean().item(), rel=1e-4)
    found = [parameter.grad for parameter in (*model.trained.network.weights, *model.trained.network.biases)]
    for gradient, wanted in zip(found, expected, strict=True):
        assert gradient is not None
        torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-5)


def test_critic_steps_leave_the_generator_alone(few_events: Events) -> None:
    model = AtlasGan(BASE, few_events, seed=0)
    generator, critic = model.trained.network.flat.clone(), model.critic.network.flat.clone()
    model._critic_steps(torch.arange(32).view(2, 16))
    assert torch.equal(generator, model.trained.network.flat)
    assert not torch.equal(critic, model.critic.network.flat)
    critic = model.critic.network.flat.clone()
    model._generator_step(torch.arange(16))
    assert torch.equal(critic, model.critic.network.flat)
    assert not torch.equal(generator, model.trained.network.flat)


def test_softmax_fixes_the_total_response(few_events: Events) -> None:
    model = AtlasGan(dataclasses.replace(BASE, activation="leaky_relu+softmax"), few_events, seed=0)
    total = model.generate(few_events.conditions, seed=0).sum(axis=1)
    np.testing.assert_allclose(total, few_events.incident_energy, rtol=1e-4)


def test_exploding_training_is_reported(few_events: Events, tmp_path: Path) -> None:
    model = AtlasGan(dataclasses.replace(BASE, learning_rate=1e6), few_events, seed=0)
    with pytest.raises(TrainingDiverged, match=r"loss was .* in epoch \d+"):
        train(model, epochs=5, checkpoint_folder=tmp_path)
    assert not list(tmp_path.iterdir())
