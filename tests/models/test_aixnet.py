"""AixNet: its shapes, its numbers of parameters, that it learns the energy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from data_adapters.datasets import AIRSHOWER_DATA_PATTERNS
from models.aixnet import AixNet, AixNetSizes
from models.layers import building
from models.optimizers import build_optimizer

SMALL = AixNetSizes(maps=(6, 12), dropout=0.0)
STATIONS, TIME_BINS = (9, 9), 80


def separable(given: int, maps: int) -> int:
    return 9 * given + (given + 1) * maps


def test_parameters_of_the_published_network() -> None:
    encoder = (7 + 1) * 64 + (7 * 64 + 1) * 32 + (4 * 32 + 1) * 10
    array = separable(10, 12) + separable(22, 24) + separable(46, 48) + separable(94, 96)
    network = AixNet(STATIONS, TIME_BINS)
    assert sum(p.numel() for p in network.parameters()) == encoder + array + 190 * 81 + 1


def test_integrated_signals_need_no_trace_encoder() -> None:
    array = separable(1, 12) + separable(13, 24) + separable(37, 48) + separable(85, 96)
    network = AixNet(STATIONS)
    assert sum(p.numel() for p in network.parameters()) == array + 181 * 81 + 1
    assert isinstance(network.encoder, nn.Identity)


def test_a_trace_becomes_ten_numbers() -> None:
    network = AixNet(STATIONS, TIME_BINS)
    lengths, values = [], torch.randn(5, 1, TIME_BINS)
    assert isinstance(network.encoder, nn.Sequential)
    for layer in network.encoder:
        values = layer(values)
        lengths.append(tuple(values.shape[1:]))
    assert lengths[::2] == [(64, 19), (32, 4), (10, 1)]


@pytest.mark.parametrize("time_bins", [1, 5, 40, 80, 96])
def test_traces_of_any_length(time_bins: int) -> None:
    network = AixNet((4, 3), time_bins, SMALL)
    assert network(torch.randn(6, 4 * 3 * time_bins)).shape == (6,)


def test_stations_keep_their_place() -> None:
    """The first convolution over the array sees what the encoder made of each station, where the station is."""
    network = AixNet((3, 2), 1, SMALL)
    seen: list[torch.Tensor] = []
    network.array.register_forward_pre_hook(lambda _module, values: seen.append(values[0]))
    signals = torch.arange(12.0).reshape(2, 6)
    network(signals)
    torch.testing.assert_close(seen[0], signals.reshape(2, 1, 3, 2))


def test_every_layer_keeps_what_it_was_given() -> None:
    network = AixNet(STATIONS, 1, SMALL)
    image = torch.randn(2, 1, *STATIONS)
    made = network.array(image)
    assert made.shape == (2, 1 + 6 + 12, *STATIONS)
    torch.testing.assert_close(made[:, :1], image)


def test_events_do_not_see_each_other() -> None:
    network = AixNet(STATIONS, TIME_BINS, SMALL).eval()
    signals = torch.rand(4, 81 * TIME_BINS)
    torch.testing.assert_close(network(signals)[1:2], network(signals[1:2]))


def test_a_critic_has_no_bias_that_would_cancel() -> None:
    network = AixNet(STATIONS, 1, SMALL, bias=False)
    last: Any = network.regression[-1]
    assert last.bias is None
    assert network(torch.zeros(2, 81)).shape == (2,)


def test_learns_the_energy_of_air_showers() -> None:
    events = AIRSHOWER_DATA_PATTERNS.split("train")
    signals, energy = torch.log10(1 + torch.from_numpy(events.response)), torch.from_numpy(events.incident_energy)
    with building(1, "test"):
        network = AixNet(STATIONS, 1, SMALL)
    optimizer = build_optimizer("adam", network.parameters(), 5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = ((network(signals) - energy / 100) ** 2).mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        correlation = torch.corrcoef(torch.stack((network(signals), energy)))[0, 1]
    assert correlation > 0.9
