"""Generator and critic of the air-shower WGAN: arXiv:1802.03325, tables 1 and 2.

Widths are given by the maps of the first convolution; those of the tables are 1, 2, 2 and 4 times as many. Further
convolutions have as many as the fourth. Biases that would cancel, before a batch normalisation and at the end of the
critic, are left out.

A *valid* transposed convolution 3 × 3 makes an image larger by two cells along both axes, so that four of them make
9 × 9 of one seed cell. For an image of another size, the seed is what has to be there before: H − 8 by W − 8 cells for
four of them, each with the 80 units of the linear layer. An image that is too small for all of them grows by as many as
it can; those before keep its size (*same*).
"""

# Axes: B events, Z latent dimensions, C encoded conditions, H × W cells, M maps.
from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.layers import Dropout

WIDTHS = (1, 2, 2, 4)  # maps of the convolutions of both networks, over those of the first
KERNEL = 3


def maps_of(first: int, layers: int) -> list[int]:
    """Maps of each convolution."""
    return [first * WIDTHS[min(layer, len(WIDTHS) - 1)] for layer in range(layers)]


def growing_layers(image: tuple[int, int], layers: int) -> int:
    """How many of the transposed convolutions make the image larger."""
    return min(layers, (min(image) - 1) // (KERNEL - 1))


class PatternGenerator(nn.Module):
    """Noise and conditions, (B, Z + C), to a pattern that is never negative, (B, H · W).

    Args:
        inputs: Z + C.
        units: Of the linear layer, for each seed cell.
        first_maps: Of the first transposed convolution.
        layers: Transposed convolutions.
    """

    def __init__(self, image: tuple[int, int], inputs: int, units: int, first_maps: int, layers: int) -> None:
        super().__init__()
        growing = growing_layers(image, layers)
        self.seed = (units, *(cells - growing * (KERNEL - 1) for cells in image))
        self.linear = nn.Sequential(nn.Linear(inputs, units * self.seed[1] * self.seed[2]), nn.ReLU())
        maps = [units, *maps_of(first_maps, layers)]
        parts: list[nn.Module] = []
        for layer, (given, made) in enumerate(pairwise(maps)):
            padding = 0 if layer >= layers - growing else 1
            parts += [
                nn.ConvTranspose2d(given, made, KERNEL, padding=padding, bias=False),
                nn.BatchNorm2d(made),
                nn.ReLU(),
            ]
        self.growth = nn.Sequential(*parts)
        self.output = nn.Sequential(nn.Conv2d(maps[-1], 1, KERNEL, padding=1), nn.ReLU())

    def forward(self, inputs: Tensor) -> Tensor:
        seed = self.linear(inputs).reshape(-1, *self.seed)
        pattern: Tensor = self.output(self.growth(seed))
        return pattern.flatten(1)


class PatternCritic(nn.Module):
    """Patterns (B, H · W) to one number, (B,).

    Args:
        first_maps: Of the first convolution.
        layers: Convolutions.
        units: Of the linear layer before the last.
        slope: Of LeakyReLU below zero.
    """

    def __init__(
        self, image: tuple[int, int], first_maps: int, layers: int, units: int, dropout: float, slope: float
    ) -> None:
        super().__init__()
        self.image = image
        maps = [1, *maps_of(first_maps, layers)]
        parts: list[nn.Module] = []
        for given, made in pairwise(maps):
            parts += [nn.Conv2d(given, made, KERNEL, padding=1), nn.LeakyReLU(slope)]
        self.convolutions = nn.Sequential(*parts)
        self.dense = nn.Sequential(
            Dropout(dropout),
            nn.Linear(maps[-1], units),
            nn.LeakyReLU(slope),
            Dropout(dropout),
            nn.Linear(units, 1, bias=False),
        )

    def forward(self, patterns: Tensor) -> Tensor:
        features = self.convolutions(patterns.reshape(len(patterns), 1, *self.image))
        number: Tensor = self.dense(torch.amax(features, dim=(2, 3)))
        return number[:, 0]
