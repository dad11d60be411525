"""The air-shower WGAN: tables 1 and 2 layer by layer, signs, who learns from what, other images."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from models.airshower_networks import PatternCritic, PatternGenerator, growing_layers
from models.airshower_wgan import AirshowerWgan, AirshowerWganConfig
from models.building import build_model
from models.log_signals import LogSignals
from tests.models.samples import few_events, training_events

DATASET = "airshower-data-patterns"
PAPER = AirshowerWganConfig()
SMALL = AirshowerWganConfig(
    latent_dim=6,
    seed_units=8,
    generator_maps=4,
    critic_maps=4,
    critic_units=8,
    constrainer_maps=2,
    constrainer_layers=2,
    training_ratio=2,
    batch_size=16,
    dropout=0.0,
)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shapes(parts: Any, values: Tensor) -> list[tuple[int, ...]]:
    """Of what each layer makes, without the events."""
    seen = []
    for part in parts:
        values = part(values)
        seen.append(tuple(values.shape[1:]))
    return seen


def convolution(given: int, made: int, bias: bool = True) -> int:
    return 9 * given * made + (made if bias else 0)


def small(events: Events | None = None, seed: int = 1, **changes: Any) -> AirshowerWgan:
    return AirshowerWgan(replace(SMALL, **changes), few_events(DATASET) if events is None else events, seed)


class TestTables:
    """Layer by layer."""

    def generator(self) -> PatternGenerator:
        return PatternGenerator((9, 9), 80 + 1, PAPER.seed_units, PAPER.generator_maps, PAPER.generator_layers)

    def critic(self) -> PatternCritic:
        return PatternCritic((9, 9), PAPER.critic_maps, PAPER.critic_layers, PAPER.critic_units, 0.25, 0.3)

    def test_generator_of_table_1(self) -> None:
        network = self.generator()
        linear, relu = network.linear
        assert isinstance(linear, nn.Linear)
        assert (linear.in_features, linear.out_features) == (81, 80)
        assert isinstance(relu, nn.ReLU)
        grown = shapes(network.growth, torch.randn(2, 80, 1, 1))
        assert grown[::3] == [(64, 3, 3), (128, 5, 5), (128, 7, 7), (256, 9, 9)]
        kinds = [type(layer) for layer in network.growth]
        assert kinds == [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU] * 4
        assert shapes(network.output, torch.randn(2, 256, 9, 9)) == [(1, 9, 9)] * 2
        assert isinstance(network.output[-1], nn.ReLU)
        assert network(torch.randn(2, 81)).shape == (2, 81)

    def test_parameters_of_table_1(self) -> None:
        maps = [80, 64, 128, 128, 256]
        kernels = sum(convolution(given, made, bias=False) for given, made in pairwise(maps))
        normalisations = 2 * sum(maps[1:])
        expected = 81 * 80 + 80 + kernels + normalisations + convolution(256, 1)
        assert count(self.generator()) == expected == 572_193

    def test_critic_of_table_2(self) -> None:
        network = self.critic()
        seen = shapes(network.convolutions, torch.randn(2, 1, 9, 9))
        assert seen[::2] == [(64, 9, 9), (128, 9, 9), (128, 9, 9), (256, 9, 9)]
        assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        assert all(layer.negative_slope == 0.3 for layer in network.modules() if isinstance(layer, nn.LeakyReLU))
        linear = [layer for layer in network.dense if isinstance(layer, nn.Linear)]
        assert [(layer.in_features, layer.out_features) for layer in linear] == [(256, 100), (100, 1)]
        assert [type(layer).__name__ for layer in network.dense] == [
            "Dropout",
            "Linear",
            "LeakyReLU",
            "Dropout",
            "Linear",
        ]
        network.eval()
        assert network(torch.randn(2, 81)).shape == (2,)

    def test_parameters_of_table_2(self) -> None:
        maps = [1, 64, 128, 128, 256]
        convolutions = sum(convolution(given, made) for given, made in pairwise(maps))
        assert count(self.critic()) == convolutions + 256 * 100 + 100 + 100 == 543_048

    def test_the_model_has_these_networks(self) -> None:
        model = build_model("airshower-wgan", {}, few_events(DATASET), 1)
        assert isinstance(model, AirshowerWgan)
        assert model.parameter_counts()["generate"] == 572_193
        assert count(model.networks["critic"]) == 543_048

    def test_global_maximum(self) -> None:
        """The critic takes the largest value of each map, wherever it is."""
        network = self.critic().eval()
        network.convolutions = nn.Sequential(nn.Identity())
        network.dense = nn.Sequential(nn.Identity())
        patterns = torch.randn(3, 81)
        torch.testing.assert_close(network(patterns), patterns.max(dim=1).values)


class TestSteps:
    def test_signs(self) -> None:
        """The critic learns to give full simulation more than generated patterns, the generator to be given more."""
        model = small(learning_rate=1e-3, gradient_penalty_weight=0.0, constrainer_weight=0.0)
        patterns, labels = model._divided(next(iter(model.batches()))[0])
        for _ in range(30):
            distance, _ = model._critic_step(patterns, labels)
        assert distance > 0
        critic = model.networks["critic"]
        before = critic(model.patterns(labels)).mean()
        for _ in range(10):
            model._generator_step(labels)
        assert critic(model.patterns(labels)).mean() > before

    def test_each_step_trains_its_own_network_alone(self) -> None:
        model = small()
        patterns, labels = model._divided(next(iter(model.batches()))[0])
        steps = {
            "critic": lambda: model._critic_step(patterns, labels),
            "constrainer": lambda: model._constrainer_step(patterns, labels),
            "generator": lambda: model._generator_step(labels),
        }
        for trained, step in steps.items():
            before = {name: _copied(network) for name, network in model.networks.items()}
            step()
            for name, network in model.networks.items():
                same = all(torch.equal(a, b) for a, b in zip(before[name], network.parameters(), strict=True))
                assert same == (name != trained)
                assert name == trained or all(p.grad is None for p in network.parameters())
            model.networks[trained].zero_grad(set_to_none=True)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = build_model("airshower-wgan", {"training_ratio": 1, "batch_size": 16}, few_events(DATASET), 1)
        assert isinstance(model, AirshowerWgan)
        model.step(next(iter(model.batches())))
        for network in model.networks.values():
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, name
                assert parameter.grad.abs().max() > 0, name

    def test_the_constraint_is_of_each_event(self) -> None:
        model = small()
        patterns, labels = model._divided(next(iter(model.batches()))[0])
        found = model.networks["constrainer"](patterns).detach()
        assert found.shape == (len(patterns),)
        by_hand = [(100 * float(labels[i, 0] - found[i])) ** 2 for i in range(len(patterns))]
        assert model._squared_error(patterns, labels).item() == pytest.approx(np.mean(by_hand), rel=1e-4)

    def test_energy_is_in_hundredths_of_the_largest(self) -> None:
        events = few_events(DATASET)
        model = small(events)
        _, labels = model._divided(model.rows.encode(events))
        np.testing.assert_allclose(labels[:, 0] * events.incident_energy.max(), events.incident_energy, rtol=1e-6)
        assert model.energy_column == 0

    def test_the_generator_is_constrained_without_dropout(self) -> None:
        model = small(dropout=0.5)
        constrainer = model.networks["constrainer"]
        seen: list[bool] = []
        constrainer.register_forward_pre_hook(lambda module, _values: seen.append(module.training))
        model.step(next(iter(model.batches())))
        assert seen == [True, True, False]
        assert constrainer.training

    def test_learning_rates_fall_with_the_updates_of_each_network(self) -> None:
        model = small(decay=0.1, learning_rate=1e-3, training_ratio=3)
        batch = next(iter(model.batches()))
        for _ in range(2):
            model.step(batch)
        assert model.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(1e-3 / 1.1)
        assert model.optimizers["critic"].param_groups[0]["lr"] == pytest.approx(1e-3 / 1.5)

    def test_an_epoch_is_a_pass_of_the_critic(self) -> None:
        model = small(training_events(DATASET), training_ratio=4, batch_size=32)
        batches = list(model.batches())
        assert [tuple(batch.shape) for batch in batches] == [(4, 32, 82)] * (712 // 128)
        rows = torch.cat([batch.flatten(0, 1) for batch in batches])
        assert len(torch.unique(rows, dim=0)) == len(rows)

    def test_a_small_sample_is_passed_through_repeatedly(self) -> None:
        model = small(few_events(DATASET), training_ratio=8, batch_size=64)
        assert [tuple(batch.shape) for batch in model.batches()] == [(8, 64, 82)]


def test_trains_from_a_stream() -> None:
    stream = DATASETS[DATASET].training_stream(seed=1, most=64)
    model = AirshowerWgan(SMALL, stream, seed=1)
    for _ in range(2):
        losses = model.train_epoch()
    assert all(np.isfinite(value) for value in losses.values())
    assert model.counters["steps"] == 2 * (64 // (2 * 16))
    assert model.generate({"incident_energy": np.array([10.0, 50.0])}, seed=1).shape == (2, 81)


def _copied(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


class TestSignals:
    def test_there_and_back(self) -> None:
        response = training_events(DATASET).response
        signals = LogSignals.of_cells(response)
        there = signals.forward(torch.from_numpy(response))
        assert there.min() == 0
        np.testing.assert_allclose(signals.inverse(there), response, rtol=1e-5)

    def test_stations_that_have_not_triggered_stand_apart(self) -> None:
        response = training_events(DATASET).response
        signals = LogSignals.of_cells(response)
        seen = signals.forward(torch.from_numpy(response))
        assert seen[seen > 0].min() == pytest.approx(np.log10(11), rel=0.01)
        least = float(np.quantile(response[response > 0], 0.01))
        assert (signals.inverse(signals.forward(torch.tensor([0.09, 0.11]) * least)) > 0).tolist() == [False, True]

    def test_stays_finite(self) -> None:
        signals = LogSignals(1.0, 0.5, 1e3)
        assert signals.inverse(torch.tensor([-5.0, 1e9])).tolist() == [0.0, pytest.approx(1e3)]

    def test_generated_signals_return_to_the_unit_of_the_detector(self) -> None:
        model = small()
        model.train_epoch()
        events = few_events(DATASET)
        labels = model.generator.conditioning.encode(events.conditions)
        noise = torch.randn(len(events), 6, generator=torch.Generator().manual_seed(5))
        model.networks["generator"].eval()
        seen = model.networks["generator"](torch.cat((noise, labels), dim=1)).detach()
        generated = model.generate(events.conditions, seed=5)
        kept = generated > 0
        np.testing.assert_allclose(
            model.generator.signals.forward(torch.from_numpy(generated))[kept], seen[kept], rtol=1e-4
        )


def image(height: int, width: int, **changes: Any) -> Events:
    """Images of a detector that no code knows."""
    axes = (Axis.numbered("x", height), Axis.numbered("y", width))
    conditions = (Condition("angle", "rad"), Condition("energy", "GeV", energy=True, bins=True))
    detector = replace(Detector("image", "Image", (Layer("cells", axes),), conditions, unit="GeV"), **changes)
    random = np.random.default_rng(1)
    energy = random.uniform(10, 60, 40)
    response = (energy[:, None] * random.dirichlet(np.full(detector.num_cells, 0.3), 40)).astype(np.float32)
    told = {"angle": random.uniform(-1, 1, 40), "energy": energy}
    return Events(detector, told, response, np.arange(40, dtype=np.uint64))


class TestOtherImages:
    @pytest.mark.parametrize(
        ("size", "seed"), [((9, 9), (1, 1)), ((12, 15), (4, 7)), ((6, 10), (2, 6)), ((1, 4), (1, 4))]
    )
    def test_the_seed_makes_the_size(self, size: tuple[int, int], seed: tuple[int, int]) -> None:
        network = PatternGenerator(size, 5, 8, 4, 4)
        assert network.seed == (8, *seed)
        assert network(torch.randn(3, 5)).shape == (3, size[0] * size[1])

    def test_layers_that_cannot_grow_keep_the_size(self) -> None:
        assert [growing_layers((9, 9), layers) for layers in (2, 4, 6)] == [2, 4, 4]
        assert growing_layers((2, 30), 4) == 0

    @pytest.mark.parametrize("size", [(12, 15), (5, 4)])
    def test_trains(self, size: tuple[int, int]) -> None:
        events = image(*size)
        model = small(events)
        model.train_epoch()
        assert model.energy_column == 1
        assert model.generate(events.conditions, seed=1).shape == events.response.shape

    def test_refuses_what_is_no_image(self) -> None:
        with pytest.raises(InvalidEvents, match="one image of two axes"):
            build_model("airshower-wgan", {}, DATASETS["airshower-data"].split("validation"), 1)
        with pytest.raises(InvalidEvents, match="cells may be negative"):
            build_model("airshower-wgan", {}, image(5, 5, signed=True), 1)
        without = image(5, 5, conditions=(Condition("angle", "rad"), Condition("energy", "GeV")))
        with pytest.raises(InvalidEvents, match="no incident energy"):
            build_model("airshower-wgan", {}, without, 1)
        with pytest.raises(InvalidEvents, match="sum neighbouring"):
            build_model("airshower-wgan", {}, image(200, 100), 1)
