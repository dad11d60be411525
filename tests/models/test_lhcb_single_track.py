"""The single-track GAN of LHCb: the thesis's networks, what they see, which step trains what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events
from data_adapters.layouts import lhcb_geometry
from models.adversarial import Labels
from models.config import from_dict
from models.image_layers import PlanesConv2d
from models.layers import Dropout
from models.lhcb_single_track import SingleTrack, SingleTrackConfig, SingleTrackGenerator, refuses
from tests.models.samples import few_events
from tests.models.test_any_detector import as_stream

SMALL = {"generator_filters": 16, "critic_filters": 4, "batch_size": 8, "latent_dim": 4, "critic_steps": 2}
CRITIC_BIAS = "head.output.bias"  # it moves no difference of means


@pytest.fixture(scope="module")
def events() -> Events:
    return few_events("lhcb-pions-geant4", 40)


def build(events: Events, seed: int = 1, **changes: Any) -> SingleTrack:
    return SingleTrack(from_dict(SingleTrackConfig, {**SMALL, **changes}), events, seed)


def first_batch(model: SingleTrack) -> Tensor:
    return next(iter(model.batches()))[0]


@pytest.fixture(scope="module")
def thesis(events: Events) -> SingleTrack:
    return SingleTrack(SingleTrackConfig(), events, seed=1)


class TestNetworksOfTheThesis:
    def test_parameter_counts(self, thesis: SingleTrack) -> None:
        assert thesis.parameter_counts() == {"generate": 1_688_449, "train": 1_688_449 + 62_657}

    def test_generator_layer_by_layer(self, thesis: SingleTrack) -> None:
        shapes = shapes_of(thesis.trained, lambda: thesis.trained(torch.zeros(2, 32), torch.zeros(2, 3)))
        assert shapes == [(2, 28672), (2, 256, 14, 16), (2, 128, 28, 32), (2, 1, 56, 64)]
        assert slopes(thesis.trained) == [0.2] * 3

    def test_critic_layer_by_layer(self, thesis: SingleTrack) -> None:
        shapes = shapes_of(thesis.critic, lambda: thesis.critic(torch.zeros(2, 3328), torch.zeros(2, 3)))
        assert shapes == [(2, 64, 28, 32), (2, 128, 14, 16), (2, 1)]

    def test_neither_batch_norm_nor_dropout(self, thesis: SingleTrack) -> None:
        layers = [*thesis.trained.modules(), *thesis.critic.modules()]
        assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | Dropout) for layer in layers)


def shapes_of(network: nn.Module, run: Any) -> list[tuple[int, ...]]:
    """Shapes that the layers with kernels give."""
    shapes: list[tuple[int, ...]] = []
    handles = [
        layer.register_forward_hook(lambda _layer, _inputs, output: shapes.append(tuple(output.shape)))
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | PlanesConv2d)
    ]
    run()
    for handle in handles:
        handle.remove()
    return shapes


def slopes(network: nn.Module) -> list[float]:
    return [layer.negative_slope for layer in network.modules() if isinstance(layer, nn.LeakyReLU)]


def test_conditions_are_standardised_or_in_units_of_the_limit(events: Events) -> None:
    encoded = build(events).generator.conditioning.encode(events.conditions)
    assert encoded.shape == (40, 3)
    torch.testing.assert_close(encoded[:, :2].mean(dim=0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(encoded[:, :2].std(dim=0, unbiased=False), torch.ones(2))
    np.testing.assert_allclose(encoded[:, 2], events.incident_energy / 6120, rtol=1e-6)


def test_rows_are_images_over_the_limit(events: Events) -> None:
    rows = first_batch(build(events, batch_size=40))
    images = np.sort((rows[:, :3328] * 6120).numpy().sum(axis=1))
    np.testing.assert_allclose(images, np.sort(events.response.sum(axis=1)), rtol=1e-5)


def test_the_critic_sees_padded_images_beside_planes(events: Events) -> None:
    model = build(events)
    rows = first_batch(model)
    seen: list[Tensor] = []
    handle = model.critic.first.register_forward_hook(lambda _layer, inputs, _output: seen.extend(inputs))
    model.critic(rows[:, :3328], rows[:, 3328:])
    handle.remove()
    image, planes = seen
    assert image.shape == (8, 1, 56, 64)
    assert (image[:, 0, :2] == 0).all()
    assert (image[:, 0, -2:] == 0).all()
    assert torch.equal(image[:, 0, 2:-2].flatten(1), rows[:, :3328])
    assert torch.equal(planes, rows[:, 3328:])
    assert model.critic.first.convolution.in_channels == 4


def test_generated_images_are_what_the_calorimeter_can_give(events: Events) -> None:
    images = build(events).generate(events.conditions, seed=1).reshape(-1, *lhcb_geometry.SHAPE)
    inner, outer = lhcb_geometry.split_images(images)
    np.testing.assert_allclose(lhcb_geometry.merge_images(inner, outer), images, rtol=1e-5)  # raises for a full hole
    assert (images <= lhcb_geometry.cell_limits()).all()
    assert outer.max() > 0


def test_generated_images_are_the_networks_output_times_the_limit(events: Events) -> None:
    model = build(events)
    noise = torch.randn(40, 4, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        image = model.trained(noise, model.generator.conditioning.encode(events.conditions))
    np.testing.assert_allclose(model.generate(events.conditions, seed=3), image.numpy() * 6120, rtol=1e-5)


def test_every_parameter_gets_a_gradient(events: Events) -> None:
    model = SingleTrack(from_dict(SingleTrackConfig, {"batch_size": 4, "critic_steps": 1}), events, seed=1)
    model.step(first_batch(model)[None])
    for network in (model.trained, model.critic):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert name == CRITIC_BIAS or (parameter.grad != 0).any(), name


def test_each_step_trains_its_own_network(events: Events) -> None:
    model = build(events)
    rows = first_batch(model)
    generator, critic = state(model.trained), state(model.critic)
    model._critic_step(rows)
    assert torch.equal(generator, state(model.trained))
    assert all(parameter.grad is None for parameter in model.trained.parameters())
    assert not torch.equal(critic, state(model.critic))
    critic = state(model.critic)
    for parameter in model.critic.parameters():
        parameter.grad = None
    model._generator_step(rows)
    assert torch.equal(critic, state(model.critic))
    assert all(parameter.grad is None for parameter in model.critic.parameters())
    assert not torch.equal(generator, state(model.trained))


def state(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_losses_are_of_outputs_without_activation(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(events, objective="js", label_smoothing=0.9)
    assert model.labels == Labels(0.9, 0.0)
    monkeypatch.setattr(model, "minimise", lambda _name, _loss: None)
    nn.init.zeros_(model.critic.head.output.weight)
    nn.init.constant_(model.critic.head.output.bias, 2.0)  # type: ignore[arg-type]
    true, false = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))  # −log D, −log(1 − D) of the logit 2
    rows = first_batch(model)
    assert model._critic_step(rows).item() == pytest.approx(0.9 * true + 0.1 * false + false, rel=1e-5)
    assert model._generator_step(rows).item() == pytest.approx(true, rel=1e-5)  # no smoothing for the generator


def test_the_penalty_belongs_to_wasserstein(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(objective: str, penalty: float) -> float:
        model = build(events, objective=objective, gradient_penalty_weight=penalty)
        monkeypatch.setattr(model, "minimise", lambda _name, _loss: None)
        return model._critic_step(first_batch(model)).item()

    assert loss("wasserstein", 10.0) > loss("wasserstein", 0.0)
    assert loss("js", 10.0) == loss("js", 0.0)


def test_feature_matching_takes_the_place_of_the_objective(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(events, feature_matching="on")
    monkeypatch.setattr(model.critic.head, "forward", lambda _features: pytest.fail("no output is needed"))
    assert model._generator_step(first_batch(model)) >= 0


@pytest.mark.parametrize("objective", ["js", "wasserstein"])
def test_events_are_compared_only_where_no_penalty_needs_them_apart(objective: str, events: Events) -> None:
    model = build(events, objective=objective, minibatch_kernels=3, critic_batch_norm="on")
    rows = first_batch(model)
    images, encoded = rows[:, :3328], rows[:, 3328:]
    with torch.no_grad():
        nn.init.normal_(model.critic.head.output.weight)
        alone, together = model.critic(images[:4], encoded[:4]), model.critic(images, encoded)[:4]
    assert torch.allclose(alone, together, rtol=1e-4, atol=1e-5) == (objective == "wasserstein")


def test_patches_are_judged_one_by_one(events: Events) -> None:
    model = build(events, patch_critic="on")
    rows = first_batch(model)
    assert model.critic(rows[:, :3328], rows[:, 3328:]).shape == (8, 1, 14, 16)
    model.step(rows[None])


def test_spectral_norm_bounds_the_critic(events: Events) -> None:
    model = build(events, spectral_norm="on")
    for _ in range(30):  # each pass comes nearer to the largest singular value
        model.critic(torch.zeros(2, 3328), torch.zeros(2, 3))
    for layer in model.critic.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
            assert largest.item() == pytest.approx(1.0, abs=0.05)


def test_an_epoch_is_one_pass_of_the_critic(events: Events) -> None:
    model = build(events, batch_size=6, critic_steps=2)
    groups = list(model.batches())
    assert [group.shape for group in groups] == [(2, 6, 3331)] * 3  # 40 events
    assert len(torch.cat(groups).flatten(0, 1).unique(dim=0)) == 36


def test_learning_rates_decay(events: Events) -> None:
    model = build(events, decay=0.1)
    for _ in range(2):
        model.train_epoch()
    updates = model.config.critic_steps * model.counters["steps"]
    assert model.optimizers["critic"].param_groups[0]["lr"] == pytest.approx(1e-4 / (1 + 0.1 * (updates - 1)))


def image_detector(rows: int, columns: int, *conditions: Condition) -> Detector:
    layer = Layer("cells", (Axis.numbered("y", rows), Axis.numbered("x", columns)))
    return Detector("toy", "Toy", (layer,), (Condition("energy", "MeV", energy=True, bins=True), *conditions))


def toy_events(detector: Detector, count: int = 40) -> Events:
    random = np.random.default_rng(1)
    conditions = {
        condition.name: random.integers(0, condition.categories, count).astype(float)
        if condition.categories
        else random.uniform(10, 100, count)
        for condition in detector.conditions
    }
    response = random.uniform(0, 1, (count, detector.num_cells)) * conditions["energy"][:, None]
    return Events(detector, conditions, response.astype(np.float32), np.arange(count, dtype=np.uint64))


def test_another_image_is_padded_to_a_multiple_of_eight() -> None:
    events = toy_events(image_detector(5, 11, Condition("side", "1", categories=2)))
    model = build(events)
    shapes = shapes_of(model.trained, lambda: model.trained(torch.zeros(2, 4), torch.zeros(2, 3)))
    assert shapes[-1] == (2, 1, 8, 16)
    model.train_epoch()
    made = model.generate(events.conditions, seed=1)
    assert made.shape == (40, 55)
    assert made.max() <= events.response.max()
    assert isinstance(model.generator, SingleTrackGenerator)
    assert model.generator.limit == pytest.approx(events.response.max())


def test_more_layers_need_larger_multiples() -> None:
    events = toy_events(image_detector(20, 20))
    model = build(events, generator_layers=4, critic_layers=1)
    assert shapes_of(model.trained, lambda: model.trained(torch.zeros(2, 4), torch.zeros(2, 1)))[-1] == (2, 1, 32, 32)


def test_what_is_no_image_with_an_energy_is_refused() -> None:
    assert refuses(few_events("lhcb-pions-geant4", 4).detector) is None
    assert "(64, 3)" in str(refuses(few_events("lhcb-events-geant4", 4).detector))
    assert "one image of rows and columns" in str(refuses(few_events("atlas-photons-geant4", 4).detector))
    without = Detector("toy", "Toy", image_detector(4, 4).layers, (Condition("angle", "rad"),))
    assert "no incident energy" in str(refuses(without))


def test_trains_from_a_stream() -> None:
    events = toy_events(image_detector(8, 8))
    model = SingleTrack(from_dict(SingleTrackConfig, SMALL), as_stream(events), seed=1)
    losses = model.train_epoch()
    assert np.isfinite(list(losses.values())).all()
