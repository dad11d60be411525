"""Networks that grow while they train."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.layers import building
from models.progressive import Growing, GrowingCritic, GrowingGenerator, Growth, events_at

STEPS = 3
CHANNELS = 4
COARSEST = 2


def enlarge(values: Tensor) -> Tensor:
    return functional.interpolate(values, scale_factor=2.0, mode="linear", align_corners=False)


def shrink(values: Tensor) -> Tensor:
    return functional.avg_pool1d(values, 2)


def generator() -> GrowingGenerator:
    with building(1, "generator"):
        base = nn.Sequential(nn.Linear(5, CHANNELS * COARSEST), nn.Unflatten(1, (CHANNELS, COARSEST)), nn.Tanh())
        blocks = [
            nn.Sequential(nn.ConvTranspose1d(CHANNELS, CHANNELS, 4, stride=2, padding=1), nn.Tanh())
            for _ in range(STEPS)
        ]
        return GrowingGenerator(base, blocks, [nn.Conv1d(CHANNELS, 1, 1) for _ in range(STEPS + 1)], enlarge)


def critic() -> GrowingCritic:
    with building(1, "critic"):
        inputs = [nn.Sequential(nn.Conv1d(1, CHANNELS, 1), nn.Tanh()) for _ in range(STEPS + 1)]
        blocks = [nn.Sequential(nn.Conv1d(CHANNELS, CHANNELS, 4, stride=2, padding=1), nn.Tanh()) for _ in range(STEPS)]
        return GrowingCritic(inputs, blocks, nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * COARSEST, 1)), shrink)


NOISE = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
EVENTS = torch.rand(6, 1, COARSEST * 2**STEPS, generator=torch.Generator().manual_seed(1))


def at(network: Growing, progress: float) -> Growing:
    network.progress = progress
    return network


def on_grid(step: int) -> Tensor:
    events = EVENTS
    for _ in range(STEPS - step):
        events = shrink(events)
    return events


@pytest.mark.parametrize("step", [1, 2, 3])
def test_fading_in_begins_with_the_smaller_generator_and_ends_with_the_larger(step: int) -> None:
    network = generator()
    smaller, larger = at(network, step - 1)(NOISE), at(network, step)(NOISE)
    assert smaller.shape[2] == COARSEST * 2 ** (step - 1)
    assert larger.shape[2] == 2 * smaller.shape[2]
    torch.testing.assert_close(at(network, step - 1 + 1e-6)(NOISE), enlarge(smaller), rtol=0, atol=1e-5)
    torch.testing.assert_close(at(network, step - 1e-6)(NOISE), larger, rtol=0, atol=1e-5)
    half = at(network, step - 0.5)(NOISE)
    torch.testing.assert_close(half, (enlarge(smaller) + larger) / 2)
    assert (half - larger).abs().max() > 1e-3


@pytest.mark.parametrize("step", [1, 2, 3])
def test_fading_in_begins_with_the_smaller_critic_and_ends_with_the_larger(step: int) -> None:
    network = critic()
    smaller, larger = at(network, step - 1)(on_grid(step - 1)), at(network, step)(on_grid(step))
    torch.testing.assert_close(at(network, step - 1 + 1e-6)(on_grid(step)), smaller, rtol=0, atol=1e-5)
    torch.testing.assert_close(at(network, step - 1e-6)(on_grid(step)), larger, rtol=0, atol=1e-5)
    assert (smaller - larger).abs().max() > 1e-3


@pytest.mark.parametrize("step", [1, 2, 3])
def test_full_simulation_is_faded_in_as_generated_events_are(step: int) -> None:
    network = critic()
    begin = events_at(EVENTS, at(network, step - 1 + 1e-6), shrink, enlarge)
    torch.testing.assert_close(begin, enlarge(on_grid(step - 1)), rtol=0, atol=1e-5)
    assert torch.equal(events_at(EVENTS, at(network, step), shrink, enlarge), on_grid(step))


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0, 1.5, 3.0])
def test_gradients_reach_what_has_grown_and_nothing_else(progress: float) -> None:
    networks = generator(), critic()
    for growing in networks:
        growing.progress = progress
    networks[1](networks[0](NOISE)).square().sum().backward()
    step, fading = int(-(-progress // 1)), progress % 1 > 0
    ends = {step, step - 1} if fading else {step}
    for network, name in zip(networks, ("outputs", "inputs"), strict=True):
        for number in range(STEPS):
            assert has_gradient(network.get_submodule(f"blocks.{number}")) == (number < step), (name, number)
        for number in range(STEPS + 1):
            assert has_gradient(network.get_submodule(f"{name}.{number}")) == (number in ends), (name, number)
    assert has_gradient(networks[0].base)
    assert has_gradient(networks[1].top)


def has_gradient(module: nn.Module) -> bool:
    """Whether all of its parameters have one; it is an error if only some of them do."""
    found = {parameter.grad is not None and bool(parameter.grad.any()) for parameter in module.parameters()}
    assert len(found) == 1
    return found.pop()


def test_growth_is_part_of_the_state() -> None:
    grown, other = at(generator(), 1.25), generator()
    other.load_state_dict(grown.state_dict())
    assert other.progress == 1.25
    assert not grown.state_dict()["grown"].is_floating_point(), "an average would blend it"


def test_a_schedule_waits_fades_in_and_ends() -> None:
    growth = Growth(2, stable_epochs=3, fade_epochs=2)
    times = [0, 2.9, 3, 4, 5, 7.9, 8, 9, 9.5, 10, 1000]
    expected = [0, 0, 0, 0.5, 1, 1, 1, 1.5, 1.75, 2, 2]
    assert [growth.progress(time) for time in times] == pytest.approx(expected)


def test_schedules_without_waiting_or_fading_in() -> None:
    assert [Growth(2, 0, 2).progress(time) for time in (0, 1, 2, 4)] == [0, 0.5, 1, 2]
    assert [Growth(2, 2, 0).progress(time) for time in (0, 1.9, 2, 4)] == [0, 0, 1, 2]
    assert Growth(2, 0, 0).progress(0) == 2


@pytest.mark.parametrize("progress", [-0.1, STEPS + 0.1])
def test_impossible_growth_is_refused(progress: float) -> None:
    with pytest.raises(ValueError, match="progress is"):
        at(generator(), progress)
