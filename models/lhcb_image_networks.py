"""Networks that turn an image of a calorimeter into another: generator, critic, encoder.

Source: T. Neuer, master thesis, University of Zurich, 2020, appendices C.2 and C.3, layer by layer. The numbers of
layers and channels there are the defaults of ``ImageConfig``; other numbers continue their pattern. The critic of the
table has 672 929 parameters: its printed total counts four layers twice. The encoder of the table has one head; the
standard deviation of a variational kind needs a second one beside it.

Noise enters as planes that each hold one number. They pass through the convolutions at the price of a few cells
(``models.image_layers.PlanesConv2d``).
"""

# Axes: B events, C channels, P × Q cells of the padded image, V = H·W cells of the detector, Z latent dimensions.
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from data_adapters.detector import Detector
from models.calorimeter_image import Padding, Readout, ScaleName, image_shape, padded_shape
from models.config import Config, number, whole
from models.critic_head import CriticHead
from models.image_layers import PlanesConv2d, doubling, halving, keeping
from models.layers import Dropout, activation

PADDED_TO = 32
LEAKY_SLOPE = 0.2
SPREAD_KERNEL = 5  # of the encoder, the residual blocks and the last convolution
CRITIC_KERNEL = 3
LAST_FILTERS = 4  # the last transposed convolution has so many times fewer channels than the first convolution
RESIDUAL_MAPS = 32

Kind = Literal["pix2pix", "vae_gan", "clr_gan", "bicycle_gan"]


@dataclass(frozen=True)
class ImageConfig(Config):
    """Hyperparameters of appendix B; the defaults are those of section 5.3 and appendix C.2.

    Attributes:
        feature_matching: The generator matches the critic's last features (4.3.6) instead of the objective.
        lambda_x, lambda_z, lambda_vae: Weights of the cycles of image and latent space and of the divergence (4.2.6),
            where the kind has them.
        critic_batch_norm, minibatch_kernels: They mix events, so that no gradient penalty is defined: without effect
            where the objective is ``wasserstein``. 0 kernels are no minibatch discrimination.
        dropout: Of the critic's blocks.
        activation: Of encoder, critic and the contracting half of the generator; the other half has
            ``expanding_activation``.
        generator_layers, generator_filters: Halvings, and channels of the first two; the others have twice as many.
        residual_blocks: Convolutions to 32 maps that are put beside their input, at so many of the last resolutions.
        encoder_layers, encoder_filters, encoder_units: Convolutions, channels of the first (each doubles them), units
            of the first dense layer; the second has half of them.
        critic_layers, critic_filters: Blocks of convolutions and pooling, and channels of the first; each doubles them.
        cell_scale: In which the networks see cells (``models.calorimeter_image``).
        decay: Of the learning rates, a step, as Keras has it.
        average_decay: Of the exponential average of the weights that generates.
    """

    kind: Kind = "bicycle_gan"
    objective: Literal["js", "kl", "wasserstein"] = "js"
    critic_steps: int = whole(1)
    batch_size: int = whole(16)
    latent_dim: int = whole(64)
    feature_matching: Literal["off", "on"] = "off"
    critic_learning_rate: float = number(1e-6, positive=True)
    generator_learning_rate: float = number(1e-5, positive=True)
    label_smoothing: float = number(0.9)
    optimizer: Literal["adam", "rmsprop"] = "adam"
    patch_critic: Literal["off", "on"] = "on"
    random_labels: float = number(0.0)
    lambda_vae: float = number(0.1)
    lambda_x: float = number(0.5)
    lambda_z: float = number(1.0)
    beta_1: float = number(0.5)
    beta_2: float = number(0.999)
    decay: float = number(0.0)
    gradient_penalty: Literal["two_sided", "one_sided"] = "two_sided"
    gradient_penalty_weight: float = number(10.0)
    spectral_norm: Literal["off", "on"] = "off"
    batch_norm: Literal["off", "on"] = "on"
    critic_batch_norm: Literal["off", "on"] = "on"
    dropout: float = number(0.0)
    minibatch_kernels: int = whole(0, minimum=0)
    activation: Literal["leaky_relu", "relu", "elu", "swish"] = "leaky_relu"
    expanding_activation: Literal["leaky_relu", "relu", "elu", "swish"] = "relu"
    kernel: int = whole(4, minimum=2)
    generator_layers: int = whole(5, minimum=2)
    generator_filters: int = whole(64, minimum=LAST_FILTERS)
    residual_blocks: int = whole(0, minimum=0)
    encoder_layers: int = whole(3)
    encoder_filters: int = whole(16)
    encoder_units: int = whole(128, minimum=2)
    critic_layers: int = whole(3)
    critic_filters: int = whole(32)
    cell_scale: ScaleName = "linear"
    average_decay: float = number(0.0)

    @property
    def critic_mixes_events(self) -> bool:
        """Whether the critic may compare the events of a mini-batch."""
        return self.objective != "wasserstein"


class ImageNetwork(nn.Module):
    """The generator: a U-Net from an image and noise to an image (C.2; with residual blocks C.3)."""

    def __init__(self, config: ImageConfig, detector: Detector) -> None:
        super().__init__()
        shape = image_shape(detector)
        self.padding, self.readout = Padding(shape, _padded(config, shape)), Readout(detector, config.cell_scale)
        self.batch_norm = config.batch_norm == "on"
        noise, first, kernel = config.latent_dim, config.generator_filters, config.kernel
        channels = [first if level < 2 else 2 * first for level in range(config.generator_layers - 1)]
        wide = [*channels, 2 * first if config.generator_layers > 2 else first]
        self.first = PlanesConv2d(halving(1 + noise, first, kernel), image_channels=1)
        self.contracting_unit = activation(config.activation, LEAKY_SLOPE)
        self.expanding_unit = activation(config.expanding_activation, LEAKY_SLOPE)
        pairs = list(pairwise(channels))
        self.contracting = nn.ModuleList(halving(inputs, outputs, kernel) for inputs, outputs in pairs)
        self.contracted_norms = nn.ModuleList(self._norm(outputs) for _, outputs in pairs)
        self.bottleneck = nn.ModuleList((keeping(channels[-1], wide[-1], kernel), halving(wide[-1], wide[-1], kernel)))
        self.expanding, self.expanded_norms, self.residual = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        below = wide[-1]
        for level in reversed(range(len(channels))):
            self.expanding.append(doubling(below, channels[level], kernel))
            self.expanded_norms.append(self._norm(channels[level]))
            below = 2 * channels[level]
            if level + 1 < config.residual_blocks:
                self.residual.append(keeping(below, RESIDUAL_MAPS, SPREAD_KERNEL))
                below += RESIDUAL_MAPS
            else:
                self.residual.append(nn.Identity())
        last = first // LAST_FILTERS
        self.last_expanding = doubling(below, last, kernel)
        images = last + 1
        self.last_residual = self._last(images, noise, RESIDUAL_MAPS) if config.residual_blocks > 0 else None
        if self.last_residual is not None:
            images += RESIDUAL_MAPS
        self.output = self._last(images, noise, 1)

    def _norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if self.batch_norm else nn.Identity()

    @staticmethod
    def _last(images: int, noise: int, outputs: int) -> PlanesConv2d:
        return PlanesConv2d(keeping(images + noise, outputs, SPREAD_KERNEL), image_channels=images)

    def forward(self, image: Tensor, noise: Tensor) -> Tensor:
        """Flat scaled images (B, V) from flat scaled images (B, V) and noise (B, Z)."""
        padded = self.padding(image)[:, None]
        levels = [self.contracting_unit(self.first(padded, noise))]
        for convolution, norm in zip(self.contracting, self.contracted_norms, strict=True):
            levels.append(norm(self.contracting_unit(convolution(levels[-1]))))
        x = levels[-1]
        for convolution in self.bottleneck:
            x = self.expanding_unit(convolution(x))
        blocks = zip(self.expanding, self.expanded_norms, self.residual, reversed(levels), strict=True)
        for convolution, norm, residual, level in blocks:
            x = torch.cat((norm(self.expanding_unit(convolution(x))), level), dim=1)
            x = x if isinstance(residual, nn.Identity) else torch.cat((x, functional.relu(residual(x))), dim=1)
        x = torch.cat((self.contracting_unit(self.last_expanding(x)), padded), dim=1)
        if self.last_residual is not None:
            x = torch.cat((x, functional.relu(self.last_residual(x, noise))), dim=1)
        made = torch.sigmoid(self.output(x, noise))
        result: Tensor = self.readout(self.padding.cut(made[:, 0]))
        return result

    def start_at(self, mean: float) -> None:
        """Let the output start near a mean content of a cell, 0 … 1."""
        bias = self.output.convolution.bias
        assert bias is not None
        nn.init.constant_(bias, math.log(mean / (1 - mean)))


class ImageEncoder(nn.Module):
    """An image to a place in the latent space, with the logarithm of its variance where a kind needs that (C.2)."""

    def __init__(self, config: ImageConfig, detector: Detector, *, variance: bool) -> None:
        super().__init__()
        shape = image_shape(detector)
        padded = _padded(config, shape)
        self.padding = Padding(shape, padded)
        layers: list[nn.Module] = []
        inputs = 1
        for layer in range(config.encoder_layers):
            outputs = config.encoder_filters * 2**layer
            layers += [halving(inputs, outputs, SPREAD_KERNEL), activation(config.activation, LEAKY_SLOPE)]
            inputs = outputs
        rows, columns = (side // 2**config.encoder_layers for side in padded)
        layers.append(nn.Flatten())
        for wide, narrow in pairwise((inputs * rows * columns, config.encoder_units, config.encoder_units // 2)):
            layers += [nn.Linear(wide, narrow), activation(config.activation, LEAKY_SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.mean = nn.Linear(config.encoder_units // 2, config.latent_dim)
        self.log_variance = nn.Linear(config.encoder_units // 2, config.latent_dim) if variance else None

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, units) of flat images (B, V); the heads are applied where they are needed."""
        features: Tensor = self.layers(self.padding(images)[:, None])
        return features

    def point(self, images: Tensor) -> Tensor:
        """The place (B, Z) of flat images (B, V)."""
        place: Tensor = self.mean(self(images))
        return place

    def distribution(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (B, Z) each, of flat images (B, V)."""
        assert self.log_variance is not None, "a kind without divergence has no variance"
        features = self(images)
        return self.mean(features), self.log_variance(features)


class ImageCritic(nn.Module):
    """Two images, the one that is given and the one that is judged, to a number or one a patch: like VGG (C.2)."""

    def __init__(self, config: ImageConfig, detector: Detector) -> None:
        super().__init__()
        shape = image_shape(detector)
        padded = _padded(config, shape)
        self.padding = Padding(shape, padded)
        filters = config.critic_filters
        layers: list[nn.Module] = []
        inputs = 2
        for block in range(config.critic_layers):
            outputs = filters * 2**block
            layers += _critic_block(config, inputs, outputs, deepest=block == config.critic_layers - 1)
            inputs = outputs
        layers += [halving(inputs, 2 * filters, SPREAD_KERNEL), activation(config.activation, LEAKY_SLOPE)]
        layers += [keeping(2 * filters, filters, 4), activation(config.activation, LEAKY_SLOPE)]
        self.layers = nn.Sequential(*layers)
        rows, columns = (side // 2 ** (config.critic_layers + 1) for side in padded)
        kernels = config.minibatch_kernels if config.critic_mixes_events else 0
        patches = partial(halving, outputs=1, kernel=4) if config.patch_critic == "on" else None
        self.head = CriticHead(filters, rows * columns, kernels, patches)

    def features(self, given: Tensor, images: Tensor) -> Tensor:
        """Features (B, C, …) of flat images (B, V) beside the ones that they were made from, (B, V)."""
        features: Tensor = self.layers(torch.stack((self.padding(given), self.padding(images)), dim=1))
        return features

    def forward(self, given: Tensor, images: Tensor) -> Tensor:
        """Outputs without activation, (B, 1) or (B, 1, rows, columns)."""
        output: Tensor = self.head(self.features(given, images))
        return output


def _critic_block(config: ImageConfig, inputs: int, outputs: int, *, deepest: bool) -> list[nn.Module]:
    """Two convolutions, in the deepest block three, and pooling."""
    layers: list[nn.Module] = []
    for _ in range(3 if deepest else 2):
        layers += [keeping(inputs, outputs, CRITIC_KERNEL), activation(config.activation, LEAKY_SLOPE)]
        inputs = outputs
    layers.append(nn.MaxPool2d(2))
    if config.critic_batch_norm == "on" and config.critic_mixes_events:
        layers.append(nn.BatchNorm2d(outputs))
    return [*layers, Dropout(config.dropout)] if config.dropout > 0 else layers


def _padded(config: ImageConfig, shape: tuple[int, int]) -> tuple[int, int]:
    halvings = max(config.generator_layers, config.encoder_layers, config.critic_layers + 2)
    return padded_shape(shape, max(PADDED_TO, 1 << halvings))
