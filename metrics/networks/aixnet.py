"""AixNet: reconstructs the energy of an air shower from the signals of a 9 × 9 array of stations.

Source: arXiv:1802.03325 (its use), arXiv:1708.00647 (its structure): three convolutions along time, the same for all
stations, make ten numbers of each trace; densely connected separable convolutions over the array follow, each of which
keeps the maps that it was given beside its own. Signals enter as log₁₀(1 + S/VEM). The numbers of maps of the
convolutions over the array (12, 24, 48, 96), the dropout before the last layer, and leaving out arrival times (all
showers are vertical) are our choice. Integrated signals need no trace encoder.
"""

# Axes: N events, S = 9 × 9 stations, T time bins (80, or 1 for integrated signals).
from __future__ import annotations

import torch
from torch import Tensor, nn

from data_adapters.layouts.airshower import STATIONS

ENCODER = ((64, 7, 4), (32, 7, 4), (10, 4, 1))  # maps, kernel, stride: 80 bins become 19, 4 and 1
MAPS = (12, 24, 48, 96)
DROPOUT = 0.2


class DenselyConnected(nn.Module):
    """Separable convolution 3 × 3; its maps are put behind those it was given."""

    def __init__(self, given: int, maps: int) -> None:
        super().__init__()
        self.each_map = nn.Conv2d(given, given, 3, padding="same", groups=given, bias=False)
        self.across_maps = nn.Conv2d(given, maps, 1)

    def forward(self, values: Tensor) -> Tensor:
        """(N, given, 9, 9) to (N, given + maps, 9, 9)."""
        return torch.cat([values, torch.relu(self.across_maps(self.each_map(values)))], dim=1)


class AixNet(nn.Module):
    """Signals of shape (N, S · T), station by station, to one number, shape (N, 1)."""

    def __init__(self, time_bins: int) -> None:
        super().__init__()
        self.time_bins = time_bins
        self.encoder = _encoder() if time_bins > 1 else nn.Identity()
        maps = [ENCODER[-1][0] if time_bins > 1 else 1]
        array: list[nn.Module] = []
        for new in MAPS:
            array.append(DenselyConnected(maps[-1], new))
            maps.append(maps[-1] + new)
        self.array = nn.Sequential(*array)
        self.energy = nn.Sequential(
            nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(maps[-1] * STATIONS[0] * STATIONS[1], 1)
        )

    def forward(self, signals: Tensor) -> Tensor:
        num_events, stations = len(signals), STATIONS[0] * STATIONS[1]
        of_stations = self.encoder(signals.reshape(num_events * stations, 1, self.time_bins))
        images = of_stations.reshape(num_events, stations, -1).transpose(1, 2).reshape(num_events, -1, *STATIONS)
        energy: Tensor = self.energy(self.array(images))
        return energy


def _encoder() -> nn.Sequential:
    layers: list[nn.Module] = []
    given = 1
    for maps, kernel, stride in ENCODER:
        layers += [nn.Conv1d(given, maps, kernel, stride), nn.ReLU()]
        given = maps
    return nn.Sequential(*layers)
