"""AixNet in training: the constrainer of the air-shower WGAN, and the critic of the refiner.

Source: arXiv:1708.00647 (its structure), arXiv:1802.03325 (its use). Convolutions along time, the same for all
stations, make a few numbers of each trace; densely connected separable convolutions over the array follow, each of
which keeps the maps that it was given beside its own; a dense layer makes one number of them. Integrated signals need
no trace encoder.

Our choice: the numbers of maps over the array (12, 24, 48, 96), and no arrival times, because all showers are vertical.
A trace that is too short for a kernel gets a shorter one.
"""

# Axes: B events, H × W stations, T time bins (1 for integrated signals), M maps.
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.layers import Dropout


@dataclass(frozen=True)
class AixNetSizes:
    """How large the network is.

    Attributes:
        encoder: Maps, kernel and stride of each convolution along time; 80 bins become 19, 4 and 1.
        maps: Maps that each convolution over the array adds.
        dropout: Before the dense layer.
        slope: Of the activation below zero; 0 is ReLU.
    """

    encoder: tuple[tuple[int, int, int], ...] = ((64, 7, 4), (32, 7, 4), (10, 4, 1))
    maps: tuple[int, ...] = (12, 24, 48, 96)
    dropout: float = 0.2
    slope: float = 0.0


class DenselyConnected(nn.Module):
    """Separable convolution 3 × 3; its maps are put behind those that it was given."""

    def __init__(self, given: int, maps: int, slope: float) -> None:
        super().__init__()
        self.each_map = nn.Conv2d(given, given, 3, padding=1, groups=given, bias=False)
        self.across_maps = nn.Conv2d(given, maps, 1)
        self.activation = _activation(slope)

    def forward(self, values: Tensor) -> Tensor:
        """(B, given, H, W) to (B, given + maps, H, W)."""
        return torch.cat((values, self.activation(self.across_maps(self.each_map(values)))), dim=1)


class AixNet(nn.Module):
    """Signals (B, H · W · T), station by station, to one number an event, (B,).

    Args:
        stations: H, W.
        time_bins: T; 1 builds no trace encoder.
        bias: Of the last layer; a Wasserstein critic needs none, because it would cancel in its loss.
    """

    def __init__(
        self, stations: tuple[int, int], time_bins: int = 1, sizes: AixNetSizes | None = None, *, bias: bool = True
    ) -> None:
        super().__init__()
        sizes = sizes or AixNetSizes()
        self.stations, self.time_bins = stations, time_bins
        self.encoder, given = _encoder(time_bins, sizes)
        array: list[nn.Module] = []
        for maps in sizes.maps:
            array.append(DenselyConnected(given, maps, sizes.slope))
            given += maps
        self.array = nn.Sequential(*array)
        cells = stations[0] * stations[1]
        self.regression = nn.Sequential(nn.Flatten(), Dropout(sizes.dropout), nn.Linear(given * cells, 1, bias=bias))

    def forward(self, signals: Tensor) -> Tensor:
        encoded = self.encoder(signals.reshape(-1, 1, self.time_bins))
        maps = encoded.reshape(len(signals), self.stations[0] * self.stations[1], -1).transpose(1, 2)
        number: Tensor = self.regression(self.array(maps.reshape(len(signals), -1, *self.stations)))
        return number[:, 0]


def _encoder(time_bins: int, sizes: AixNetSizes) -> tuple[nn.Module, int]:
    """The trace encoder, and how many numbers it makes of a trace."""
    if time_bins == 1:
        return nn.Identity(), 1
    layers: list[nn.Module] = []
    given, length = 1, time_bins
    for maps, kernel, stride in sizes.encoder:
        kernel = min(kernel, length)
        layers += [nn.Conv1d(given, maps, kernel, stride), _activation(sizes.slope)]
        given, length = maps, (length - kernel) // stride + 1
    return nn.Sequential(*layers), given * length


def _activation(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope) if slope > 0 else nn.ReLU()
