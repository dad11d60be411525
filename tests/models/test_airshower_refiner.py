"""The refiner: table 3 layer by layer, that it begins near the identity, never pairs, and moves towards data."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from models.airshower_refiner import AirshowerRefiner, AirshowerRefinerConfig, ResidualBlock, TraceRefiner, Traces
from models.aixnet import AixNet
from models.building import build_model
from models.layers import building, initialize
from models.log_signals import LogSignals
from tests.models.samples import few_events, training_events

DATASET, CELLS = "airshower-refinement", 81 * 80
PAPER = AirshowerRefinerConfig()
SMALL = AirshowerRefinerConfig(
    residual_blocks=2,
    refiner_maps=4,
    encoder_maps=4,
    critic_maps=2,
    critic_layers=2,
    training_ratio=2,
    iterations_per_epoch=2,
    batch_size=16,
    dropout=0.0,
    learning_rate=1e-3,
)


@lru_cache
def events() -> Events:
    return few_events(DATASET, 60)


def small(seed: int = 1, sample: Events | None = None, **changes: Any) -> AirshowerRefiner:
    return AirshowerRefiner(replace(SMALL, **changes), sample or events(), seed)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


class TestTable3:
    def refiner(self) -> TraceRefiner:
        return TraceRefiner(PAPER.residual_blocks, PAPER.refiner_maps, PAPER.kernel)

    def test_layer_by_layer(self) -> None:
        network = self.refiner()
        values = torch.randn(5, 1, 80)
        for block in network.blocks:
            assert isinstance(block, ResidualBlock)
            for layer in (block.first, block.second):
                assert (layer.kernel_size, layer.padding, layer.out_channels) == ((7,), "same", 64)
            values = block(values)
            assert values.shape == (5, 64, 80)
        assert len(network.blocks) == 4
        assert (network.output.kernel_size, network.output(values).shape) == ((1,), (5, 1, 80))
        assert network(torch.randn(5, 80)).shape == (5, 80)

    def test_parameters(self) -> None:
        between = 7 * 64 * 64 + 64
        assert count(self.refiner()) == (7 * 64 + 64) + 7 * between + 64 + 1 == 201_729

    def test_the_block_adds_what_it_was_given(self) -> None:
        block = ResidualBlock(1, 4, 3)
        nn.init.zeros_(block.second.weight)
        nn.init.zeros_(block.second.bias)  # type: ignore[arg-type]
        trace = torch.randn(2, 1, 80)
        torch.testing.assert_close(block(trace), trace.expand(2, 4, 80))

    def test_output_is_never_negative(self) -> None:
        assert self.refiner()(torch.randn(50, 80)).min() >= 0

    def test_the_model_has_these_networks(self) -> None:
        model = build_model("airshower-refiner", {}, events(), 1)
        assert isinstance(model, AirshowerRefiner)
        assert model.parameter_counts()["generate"] == 201_729
        critic = model.networks["critic"]
        assert isinstance(critic, AixNet)
        assert count(critic) == count(AixNet((9, 9), 80)) - 1  # the last bias would cancel
        assert not any(isinstance(module, nn.BatchNorm2d) for module in critic.modules())


class TestRefining:
    def test_begins_near_the_identity(self) -> None:
        model = build_model("airshower-refiner", {}, events(), 1)
        simulated = events().conditions["simulated_traces"].reshape(len(events()), -1)
        refined = model.generate(events().conditions, seed=1)
        change = np.log10(1 + refined) - np.log10(1 + simulated)
        assert 0 < np.abs(change).mean() < 0.1 * np.log10(1 + simulated).mean()

    def test_empty_stations_stay_empty(self) -> None:
        model = small()
        model.networks["generator"].get_parameter("output.bias").data.fill_(1.0)
        refined = model.generate(events().conditions, seed=1).reshape(-1, 9, 9, 80)
        empty = ~events().conditions["simulated_traces"].any(axis=3)
        assert empty.any()
        assert (refined[empty] == 0).all()
        assert (refined[~empty] > 0).any(axis=1).all()

    def test_stations_do_not_see_each_other(self) -> None:
        model = small()
        told = {name: values[:2].copy() for name, values in events().conditions.items()}
        whole = model.generate(told, seed=1).reshape(2, 9, 9, 80)
        told["simulated_traces"][0, 4, 4] = 0
        changed = model.generate(told, seed=1).reshape(2, 9, 9, 80)
        assert (changed[0, 4, 4] == 0).all()
        changed[0, 4, 4] = whole[0, 4, 4]
        np.testing.assert_allclose(changed, whole, rtol=1e-5)

    def test_the_energy_is_not_told(self) -> None:
        model, told = small(), dict(events().conditions)
        first = model.generate(told, seed=1)
        told["incident_energy"] = told["incident_energy"][::-1].copy()
        np.testing.assert_array_equal(model.generate(told, seed=1), first)

    def test_nothing_is_drawn(self) -> None:
        model = small()
        assert model.generator.latent_dim == 0
        np.testing.assert_array_equal(
            model.generate(events().conditions, seed=1), model.generate(events().conditions, seed=2)
        )

    def test_signals_return_to_the_unit_of_the_detector(self) -> None:
        signals = small().generator.traces.signals
        told = torch.from_numpy(events().conditions["simulated_traces"][:5].astype(np.float32))
        torch.testing.assert_close(signals.inverse(signals.forward(told)), told, rtol=1e-5, atol=1e-6)

    def test_trigger_of_the_data(self) -> None:
        model = small(trigger="data")
        stations = events().response.reshape(-1, 80).sum(axis=1, dtype=np.float64)
        least = stations[stations > 0].min()
        assert model.generator.traces.least == pytest.approx(least)
        refined = model.generate(events().conditions, seed=1).reshape(-1, 80).sum(axis=1)
        assert refined[refined > 0].min() >= least * (1 - 1e-5)
        assert (refined > 0).sum() < (small().generate(events().conditions, seed=1).reshape(-1, 80).sum(1) > 0).sum()

    def test_gradients_reach_triggered_stations_alone(self) -> None:
        traces = Traces(2, LogSignals(1.0, 0.0, 1e4), least=50.0)
        with building(1, "test"):
            network = TraceRefiner(1, 2, 1)
            initialize(network, "glorot_uniform")
        network.begin_near_identity()
        seen = traces.signals.forward(torch.tensor([[1.0, 1.0, 40.0, 40.0]])).requires_grad_()
        traces.refined(network, seen).sum().backward()
        assert seen.grad is not None
        assert (seen.grad != 0).tolist() == [[False, False, True, True]]


class TestSteps:
    def batch(self, model: AirshowerRefiner) -> tuple[Tensor, Tensor]:
        simulated, data = next(iter(model.batches())).chunk(2, dim=2)
        return simulated[0], data[1]

    def test_an_epoch_is_a_number_of_refiner_iterations(self) -> None:
        batches = list(small(iterations_per_epoch=3, training_ratio=4).batches())
        assert [tuple(batch.shape) for batch in batches] == [(5, 16, 2 * CELLS)] * 3

    def test_data_and_simulation_that_meet_are_of_other_showers(self) -> None:
        """Within a pass over the sample no shower is met by its own simulation."""
        model = small(training_ratio=2)
        batch = next(iter(model.batches()))
        met: list[tuple[Tensor, Tensor]] = []

        def seen(data: Tensor, simulated: Tensor) -> tuple[Tensor, Tensor]:
            met.append((data, simulated))
            return torch.zeros(()), torch.zeros(())

        model._critic_step = seen  # type: ignore[method-assign]
        model.step(batch)
        rows = {row.numpy().tobytes(): number for number, row in enumerate(batch[:, :, CELLS:].reshape(-1, CELLS))}
        pairs = {row.numpy().tobytes(): number for number, row in enumerate(batch[:, :, :CELLS].reshape(-1, CELLS))}
        assert len(met) == 2
        for data, simulated in met:
            showers = {rows[row.contiguous().numpy().tobytes()] for row in data}
            simulations = {pairs[row.contiguous().numpy().tobytes()] for row in simulated}
            assert not showers & simulations

    def test_signs(self) -> None:
        model = small(gradient_penalty_weight=0.0)
        simulated, data = self.batch(model)
        for _ in range(20):
            distance, _ = model._critic_step(data, simulated)
        assert distance > 0
        critic = model.networks["critic"]
        before = critic(model.refined(simulated)).mean()
        for _ in range(10):
            model._refiner_step(simulated)
        assert critic(model.refined(simulated)).mean() > before

    def test_each_step_trains_its_own_network_alone(self) -> None:
        model = small()
        simulated, data = self.batch(model)
        model._critic_step(data, simulated)
        assert all(p.grad is None for p in model.networks["generator"].parameters())
        critic = [p.detach().clone() for p in model.networks["critic"].parameters()]
        model._refiner_step(simulated)
        assert all(torch.equal(a, b) for a, b in zip(critic, model.networks["critic"].parameters(), strict=True))

    def test_every_parameter_gets_a_gradient(self) -> None:
        changes = {"training_ratio": 1, "batch_size": 8}
        model = build_model("airshower-refiner", changes, events(), 1)
        assert isinstance(model, AirshowerRefiner)
        model.step(next(iter(model.batches())))
        for network in model.networks.values():
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, name
                assert parameter.grad.abs().max() > 0, name

    def test_learning_rates_fall_with_the_updates_of_each_network(self) -> None:
        model = small(decay=0.1, training_ratio=2)
        batch = next(iter(model.batches()))
        for _ in range(2):
            model.step(batch)
        assert model.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(1e-3 / 1.1)
        assert model.optimizers["critic"].param_groups[0]["lr"] == pytest.approx(1e-3 / 1.3)


def test_trains_from_a_stream() -> None:
    stream = DATASETS[DATASET].training_stream(seed=1, most=64)
    model = AirshowerRefiner(SMALL, stream, seed=1)
    losses = model.train_epoch()
    assert all(np.isfinite(value) for value in losses.values())
    assert model.counters["steps"] == SMALL.iterations_per_epoch


def test_moves_the_simulation_towards_data() -> None:
    """The signals of stations, in logarithms, are distributed more like data than before."""
    sample = training_events(DATASET)
    model = AirshowerRefiner(replace(SMALL, trigger="data", learning_rate=1e-2, encoder_maps=8), sample, 1)
    for _ in range(28):
        model.train_epoch()
    data, simulated = sample.response, sample.conditions["simulated_traces"]
    refined = model.generate(sample.conditions, seed=1)
    assert _distance(refined, data) < 0.4 * _distance(simulated, data)


def _distance(traces: np.ndarray, data: np.ndarray) -> float:
    """Wasserstein distance of log10(1 + S) of all stations."""
    signals = [np.sort(np.log10(1 + values.reshape(-1, 80).sum(axis=1))) for values in (traces, data)]
    return float(np.abs(signals[0] - signals[1]).mean())


def test_refuses_what_cannot_be_refined() -> None:
    with pytest.raises(InvalidEvents, match="airshower-refinement, with both"):
        build_model("airshower-refiner", {}, DATASETS["airshower-data"].split("validation"), 1)
    with pytest.raises(InvalidEvents, match="axes row, column and time"):
        build_model("airshower-refiner", {}, DATASETS["airshower-data-patterns"].split("validation"), 1)
