"""Generator and discriminator of 3DGAN for a volume of any size.

At 51 × 51 × 25 cells and the defaults they are the networks of the paper, with the layer sizes of the public PyTorch
implementation (figure 3 of the paper shows them without numbers that can be read), down to the number of parameters:
1 364 983 and 87 354. For another detector the generator upsamples another coarse grid once, to what its convolutions
take away from the size of the detector; what is too much by the whole factor is cut off at the far ends. The
discriminator pads an axis that its convolutions would leave with fewer than four cells.

As in the public Keras code: activation before batch normalisation and dropout; He's uniform initialisation of the
generator's convolutions, Glorot's elsewhere; slope of LeakyReLU 0.3. Our choices: the last kernel of the generator
begins positive and a tenth as large, because an image that is empty everywhere has no gradient; the running means of
the batch normalisation follow with 0.1 a step, so that they keep up with short trainings.
"""

# Axes: B events; X, Y, Z cells of the detector.
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data_parallel import BatchNorm3d
from models.layers import Dropout, activation
from models.paired_convolution import PairedConv3d
from models.polyphase import Shape, UpsampledConv3d

EPSILON = 1e-6
FIRST_KERNEL = (6, 6, 8)
WIDE_KERNEL, WIDE_PADDING = (4, 4, 6), (2, 2, 1)
LATE_KERNELS, LATE_PADDING = ((3, 3, 5), (3, 3, 3)), (1, 1, 0)
LAST_KERNEL = (2, 2, 2)
FIXED_CONVOLUTIONS = 4  # the first, two late ones and the last; all others are wide
WITHOUT_NORMALISATION = 2
DISCRIMINATOR_KERNEL, DISCRIMINATOR_PADDING, INNER_PADDING = (5, 6, 6), (2, 3, 3), (0, 0, 1)
NO_PADDING = (0, 0, 0)
FEWEST_CELLS = 4  # before the pooling by two
POOLING = 2
FIRST_BRIGHTNESS = 0.1


@dataclass(frozen=True)
class Convolution:
    """Filters, kernel, and zeros in front of and behind each axis."""

    filters: int
    kernel: Shape
    before: Shape = (0, 0, 0)
    after: Shape = (0, 0, 0)

    def on(self, cells: Shape) -> Shape:
        """Cells that it makes of so many cells."""
        x, y, z = (n + b + a - k + 1 for n, b, a, k in zip(cells, self.before, self.after, self.kernel, strict=True))
        return x, y, z


@dataclass(frozen=True)
class Sizes:
    """What of the two networks is searched; the defaults are the paper's.

    Attributes:
        kernel_change: Cells by which every side of every kernel is longer than published; no side is below one.
    """

    latent_dim: int = 254
    coarse_filters: int = 8
    upsampling: int = 6
    generator_convolutions: int = 7
    generator_first_filters: int = 8
    generator_filters: int = 6
    generator_kernel_change: int = 0
    discriminator_convolutions: int = 4
    discriminator_first_filters: int = 16
    discriminator_filters: int = 8
    discriminator_kernel_change: int = 0
    dropout: float = 0.2
    leaky_slope: float = 0.3


def _convolution(filters: int, kernel: Shape, padding: Shape, change: int) -> Convolution:
    """The published convolution with longer or shorter sides; shorter ones add no more cells than published."""
    sides = [max(1, side + change) for side in kernel]
    zeros = [
        min(2 * pad, side - 1 + max(0, 2 * pad - published + 1))
        for pad, side, published in zip(padding, sides, kernel, strict=True)
    ]
    (x, y, z), (px, py, pz) = sides, zeros
    return Convolution(filters, (x, y, z), (px - px // 2, py - py // 2, pz - pz // 2), (px // 2, py // 2, pz // 2))


def generator_convolutions(sizes: Sizes) -> list[Convolution]:
    """All convolutions of the generator; the first one follows the upsampling."""
    wide = sizes.generator_convolutions - FIXED_CONVOLUTIONS
    middle = [(WIDE_KERNEL, WIDE_PADDING)] * wide + [(kernel, LATE_PADDING) for kernel in LATE_KERNELS]
    published = [
        (sizes.generator_first_filters, FIRST_KERNEL, NO_PADDING),
        *((sizes.generator_filters, kernel, padding) for kernel, padding in middle),
        (1, LAST_KERNEL, NO_PADDING),
    ]
    return [_convolution(*layer, sizes.generator_kernel_change) for layer in published]


def coarse_grid(cells: Shape, convolutions: Sequence[Convolution], factor: int) -> Shape:
    """Cells before the upsampling, so that at least the detector's cells are left after the convolutions."""
    large = (1000, 1000, 1000)
    left = large
    for convolution in convolutions:
        left = convolution.on(left)
    taken = [before - after for before, after in zip(large, left, strict=True)]
    needed = [max(n + t, k) for n, t, k in zip(cells, taken, convolutions[0].kernel, strict=True)]
    x, y, z = (math.ceil(n / factor) for n in needed)
    return x, y, z


def discriminator_convolutions(cells: Shape, sizes: Sizes) -> list[Convolution]:
    """All convolutions of the discriminator for a detector of so many cells."""
    inner = sizes.discriminator_convolutions - 1
    paddings = [DISCRIMINATOR_PADDING, *[INNER_PADDING] * (inner - 1), *[NO_PADDING] * min(inner, 1)]
    filters = [sizes.discriminator_first_filters, *[sizes.discriminator_filters] * inner]
    layers = [
        _convolution(number, DISCRIMINATOR_KERNEL, padding, sizes.discriminator_kernel_change)
        for number, padding in zip(filters, paddings, strict=True)
    ]
    left = cells
    for layer in layers:
        left = layer.on(left)
    small = [n < FEWEST_CELLS for n in left]
    return [_keeping(layer, small) for layer in layers]


def _keeping(layer: Convolution, small: Sequence[bool]) -> Convolution:
    """The same with as many cells afterwards as before along the axes that are small."""
    bx, by, bz = ((k - 1) // 2 if s else b for s, k, b in zip(small, layer.kernel, layer.before, strict=True))
    ax, ay, az = (k // 2 if s else a for s, k, a in zip(small, layer.kernel, layer.after, strict=True))
    return Convolution(layer.filters, layer.kernel, (bx, by, bz), (ax, ay, az))


class PaddedConv3d(PairedConv3d):
    """A convolution with zeros in front of and behind each axis."""

    def __init__(self, inputs: int, layer: Convolution) -> None:
        x, y, z = (min(b, a) for b, a in zip(layer.before, layer.after, strict=True))
        super().__init__(inputs, layer.filters, layer.kernel, (x, y, z))
        more = [(b - c, a - c) for b, a, c in zip(layer.before, layer.after, (x, y, z), strict=True)]
        self.more = [cells for ends in reversed(more) for cells in ends]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, self.more) if any(self.more) else x)


class Generator(nn.Module):
    """Conditions and noise to images (energies to the power p).

    Args:
        inputs: Latent dimension and encoded conditions together.
        cells: (X, Y, Z).
    """

    def __init__(self, inputs: int, cells: Shape, sizes: Sizes) -> None:
        super().__init__()
        self.cells = cells
        layers = generator_convolutions(sizes)
        coarse = coarse_grid(cells, layers, sizes.upsampling)
        self.grid = (sizes.coarse_filters, *coarse)
        self.dense = nn.Linear(inputs, math.prod(self.grid))
        kernel, factor = layers[0].kernel, sizes.upsampling
        first = UpsampledConv3d(sizes.coarse_filters, layers[0].filters, kernel, factor, coarse)
        blocks: list[nn.Module] = [first, nn.ReLU(), BatchNorm3d(layers[0].filters, eps=EPSILON)]
        for number, (layer, previous) in enumerate(zip(layers[1:], layers, strict=False), start=2):
            blocks += [PaddedConv3d(previous.filters, layer), nn.ReLU()]
            if number <= len(layers) - WITHOUT_NORMALISATION:
                blocks.append(BatchNorm3d(layer.filters, eps=EPSILON))
        self.convolutions = nn.Sequential(*blocks)
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_uniform_(module.weight)
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
            if isinstance(module, nn.Conv3d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        last = [module for module in self.modules() if isinstance(module, nn.Conv3d)][-1]
        with torch.no_grad():
            last.weight.abs_().mul_(FIRST_BRIGHTNESS)

    def forward(self, x: Tensor) -> Tensor:
        """From (B, inputs) to (B, 1, X, Y, Z)."""
        coarse = self.dense(x).reshape(-1, *self.grid)
        whole: Tensor = self.convolutions(coarse)
        return whole[:, :, : self.cells[0], : self.cells[1], : self.cells[2]]


class Discriminator(nn.Module):
    """Images to the two trained outputs.

    Args:
        cells: (X, Y, Z).
    """

    def __init__(self, cells: Shape, sizes: Sizes) -> None:
        super().__init__()
        layers = discriminator_convolutions(cells, sizes)
        blocks: list[nn.Module] = []
        channels, left = 1, cells
        for number, layer in enumerate(layers):
            blocks += [PaddedConv3d(channels, layer), activation("leaky_relu", sizes.leaky_slope)]
            if number > 0:
                blocks.append(BatchNorm3d(layer.filters, eps=EPSILON))
            blocks.append(Dropout(sizes.dropout))
            channels, left = layer.filters, layer.on(left)
        self.convolutions = nn.Sequential(*blocks, nn.AvgPool3d(POOLING), nn.Flatten())
        features = channels * math.prod(n // POOLING for n in left)
        self.reality = nn.Linear(features, 1)
        self.energy = nn.Linear(features, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None, "every layer here has one"
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, X, Y, Z) to the logit of being real (B,) and the energy of the particle (B,)."""
        features = self.convolutions(images)
        return self.reality(features)[:, 0], self.energy(features)[:, 0]
