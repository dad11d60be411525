"""Networks that generate, judge and encode tracks of the time projection chamber of ALICE.

Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, section 3. What the paper leaves open is listed in
``models.alice_tracks``.

All generators end in logits of coordinates, all critics in a logit: nothing here takes a sigmoid.
"""

# Axes: B tracks, W places of the network, Z latent dimensions, C conditions that it is told, H channels.
from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from data_adapters.layouts.alice_geometry import COORDINATES, MOST_POINTS
from models.alice_config import AliceTracksConfig
from models.layers import Dropout, initialize
from models.progressive import Growing, GrowingCritic, GrowingGenerator

KERNEL_INITIALIZER = "glorot_uniform"
MOST_DOUBLINGS = 3  # of channels on the way from the track to the latent space
LSTM_GATES = 4
MIDDLE, SPREAD = 0.5, 0.15  # of scaled coordinates: mean and standard deviation

Network = TypeVar("Network", bound=nn.Module)


def places_of(config: AliceTracksConfig) -> int:
    """Places for points that the networks of a method work on: at least those of a track."""
    halvings = {"cvae": config.conv_layers, "dcgan": config.conv_layers, "progan": config.growth_steps}
    grain = 1 << halvings.get(config.method, 0)
    return -(-MOST_POINTS // grain) * grain


class TrackNetwork(nn.Module):
    """Noise (B, Z) and conditions (B, C) to logits of coordinates, (B, W, 3)."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, noise: Tensor, told: Tensor) -> Tensor:
        """Logits on as many places as the network has grown to."""
        logits: Tensor = self.layers(torch.cat((noise, told), dim=1))
        return logits.reshape(-1, logits[0].numel() // COORDINATES, COORDINATES)


class JudgingNetwork(nn.Module):
    """Scaled tracks (B, W, 3) and conditions (B, C) to logits (B, 1), or to what an encoder says of the latent space.

    Coordinates come in with mean 0 and deviation 1; convolutions see conditions as further planes of the image.
    """

    def __init__(self, layers: nn.Module, planes: bool) -> None:
        super().__init__()
        self.layers, self.planes = layers, planes

    def forward(self, scaled: Tensor, told: Tensor) -> Tensor:
        """See the class."""
        points = (scaled - MIDDLE) / SPREAD
        if self.planes:
            planes = told[:, :, None, None].expand(-1, -1, *points.shape[1:])
            inputs = torch.cat((points[:, None], planes), dim=1)
        else:
            inputs = torch.cat((points.flatten(1), told), dim=1)
        output: Tensor = self.layers(inputs)
        return output


# ------------------------------------------------------------------ what the methods consist of


def build_generator(config: AliceTracksConfig, conditions: int) -> TrackNetwork:
    """The generator, or decoder, of a method; inside ``building``."""
    inputs = config.latent_dim + conditions
    if config.method in ("gan-mlp", "vae"):
        sizes = [inputs, *dense_widths(config)[::-1], MOST_POINTS * COORDINATES]
        layers: nn.Module = _dense(sizes, config, config.batch_norm != "off", dropout=0.0)
    elif config.method == "gan-lstm":
        layers = _LstmGenerator(inputs, config)
    elif config.method == "progan":
        layers = _growing_generator(inputs, config)
    else:
        layers = _convolutional_generator(inputs, config)
    return _initialized(TrackNetwork(layers))


def build_critic(config: AliceTracksConfig, conditions: int) -> JudgingNetwork:
    """The critic of a method, or its encoder to means and logarithms of variances (B, 2 Z); inside ``building``."""
    outputs = 2 * config.latent_dim if config.autoencoder else 1
    planes = config.method in ("cvae", "dcgan", "progan")
    if config.method in ("gan-mlp", "vae"):
        sizes = [MOST_POINTS * COORDINATES + conditions, *dense_widths(config), outputs]
        layers: nn.Module = _dense(sizes, config, config.norm_before_output, config.dropout)
    elif config.method == "gan-lstm":
        layers = _LstmCritic(conditions, config)
    elif config.method == "progan":
        layers = _growing_critic(1 + conditions, config)
    else:
        layers = _convolutional_critic(1 + conditions, outputs, config)
    return _initialized(JudgingNetwork(layers, planes))


def growing(network: TrackNetwork | JudgingNetwork) -> Growing | None:
    """The part of a network that grows; None if it does not."""
    return network.layers if isinstance(network.layers, Growing) else None


def dense_widths(config: AliceTracksConfig) -> list[int]:
    """Units of the hidden layers, from the track inwards: each half as wide as the one before."""
    hidden = config.vae_layers if config.autoencoder else config.mlp_layers - 1
    return [max(1, config.dense_units // 2**number) for number in range(hidden)]


def channels_of(config: AliceTracksConfig, layers: int) -> list[int]:
    """Channels of the layers of a convolutional network, from the track inwards."""
    return [config.channels * 2 ** min(number, MOST_DOUBLINGS) for number in range(layers)]


# ------------------------------------------------------------------ dense and recurrent


def _dense(sizes: list[int], config: AliceTracksConfig, norm: bool, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers.append(nn.Linear(inputs, outputs))
        layers += [nn.BatchNorm1d(outputs)] if norm else []
        layers += [nn.LeakyReLU(config.leaky_slope)]
        layers += [Dropout(dropout)] if dropout > 0 else []
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class _LstmGenerator(nn.Module):
    """Noise and conditions, told at every place, to coordinates place by place."""

    def __init__(self, inputs: int, config: AliceTracksConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, config.lstm_units, config.lstm_layers, batch_first=True)
        self.head = nn.Linear(config.lstm_units, COORDINATES)

    def forward(self, values: Tensor) -> Tensor:
        states, _ = self.lstm(values[:, None].expand(-1, MOST_POINTS, -1))
        logits: Tensor = self.head(states)
        return logits


class _LstmCritic(nn.Module):
    """Coordinates place by place, with the conditions at each, to a number from the last state."""

    def __init__(self, conditions: int, config: AliceTracksConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(COORDINATES + conditions, config.lstm_units, config.lstm_layers, batch_first=True)
        self.head = nn.Sequential(
            *([Dropout(config.dropout)] if config.dropout > 0 else []), nn.Linear(config.lstm_units, 1)
        )

    def forward(self, values: Tensor) -> Tensor:
        num = MOST_POINTS * COORDINATES
        points, told = values[:, :num], values[:, num:]
        places = points.reshape(len(points), MOST_POINTS, COORDINATES)
        states, _ = self.lstm(torch.cat((places, told[:, None].expand(-1, MOST_POINTS, -1)), dim=2))
        logit: Tensor = self.head(states[:, -1])
        return logit


# ------------------------------------------------------------------ convolutional


def _finer(inputs: int, outputs: int, kernel: int) -> nn.ConvTranspose2d:
    """Deconvolution to twice as many places; the coordinates stay three."""
    return nn.ConvTranspose2d(
        inputs,
        outputs,
        (kernel, COORDINATES),
        stride=(2, 1),
        padding=((kernel - 1) // 2, COORDINATES // 2),
        output_padding=(kernel % 2, 0),
    )


def _coarser(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """Convolution to half as many places; the mirror image of ``_finer``."""
    return nn.Conv2d(
        inputs, outputs, (kernel, COORDINATES), stride=(2, 1), padding=((kernel - 1) // 2, COORDINATES // 2)
    )


def _same(channels: int, kernel: int) -> nn.Conv2d:
    """Convolution on as many places; its kernel is odd, the next larger one of an even kernel."""
    half = kernel // 2
    return nn.Conv2d(channels, channels, (2 * half + 1, COORDINATES), padding=(half, COORDINATES // 2))


def _activated(config: AliceTracksConfig, channels: int, norm: bool, dropout: float = 0.0) -> list[nn.Module]:
    """What follows a convolution."""
    return [
        *([nn.BatchNorm2d(channels)] if norm else []),
        nn.LeakyReLU(config.leaky_slope),
        *([Dropout(dropout)] if dropout > 0 else []),
    ]


def _first_image(inputs: int, channels: int, places: int) -> list[nn.Module]:
    return [nn.Linear(inputs, channels * places * COORDINATES), nn.Unflatten(1, (channels, places, COORDINATES))]


def _convolutional_generator(inputs: int, config: AliceTracksConfig) -> nn.Sequential:
    norm = config.batch_norm != "off"
    channels = channels_of(config, config.conv_layers)[::-1]
    layers = [
        *_first_image(inputs, channels[0], places_of(config) >> config.conv_layers),
        *_activated(config, channels[0], norm),
    ]
    for before, after in pairwise(channels):
        layers += [_finer(before, after, config.kernel), *_activated(config, after, norm)]
    return nn.Sequential(*layers, _finer(channels[-1], 1, config.kernel))


def _convolutional_critic(inputs: int, outputs: int, config: AliceTracksConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in channels_of(config, config.conv_layers):
        layers.append(_coarser(inputs, channels, config.kernel))
        layers += _activated(config, channels, config.norm_before_output, config.dropout)
        inputs = channels
    features = inputs * COORDINATES * (places_of(config) >> config.conv_layers)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))


# ------------------------------------------------------------------ growing


def enlarge(image: Tensor) -> Tensor:
    """Twice as many places, on straight lines between them; (B, H, W, 3)."""
    return functional.interpolate(image, scale_factor=(2.0, 1.0), mode="bilinear", align_corners=False)


def shrink(image: Tensor) -> Tensor:
    """Half as many places, the mean of two each; (B, H, W, 3)."""
    return functional.avg_pool2d(image, (2, 1))


def full_length(logits: Tensor, places: int) -> Tensor:
    """Logits of a network that has not grown to the end, (B, w, 3), on all places, (B, W, 3)."""
    if logits.shape[1] == places:
        return logits
    size = (places, COORDINATES)
    return functional.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _growing_generator(inputs: int, config: AliceTracksConfig) -> GrowingGenerator:
    norm = config.batch_norm != "off"
    channels = channels_of(config, config.growth_steps + 1)[::-1]
    base = nn.Sequential(
        *_first_image(inputs, channels[0], places_of(config) >> config.growth_steps),
        *_activated(config, channels[0], norm),
        _same(channels[0], config.kernel),
        *_activated(config, channels[0], norm),
    )
    blocks = [
        nn.Sequential(_finer(before, after, config.kernel), *_activated(config, after, norm))
        for before, after in pairwise(channels)
    ]
    return GrowingGenerator(base, blocks, [nn.Conv2d(channel, 1, 1) for channel in channels], enlarge)


def _growing_critic(planes: int, config: AliceTracksConfig) -> GrowingCritic:
    norm = config.norm_before_output
    channels = channels_of(config, config.growth_steps + 1)[::-1]
    inputs = [nn.Sequential(nn.Conv2d(planes, channel, 1), nn.LeakyReLU(config.leaky_slope)) for channel in channels]
    blocks = [
        nn.Sequential(_coarser(finer, coarser, config.kernel), *_activated(config, coarser, norm, config.dropout))
        for coarser, finer in pairwise(channels)
    ]
    top = nn.Sequential(
        _same(channels[0], config.kernel),
        *_activated(config, channels[0], norm, config.dropout),
        nn.Flatten(),
        nn.Linear(channels[0] * COORDINATES * (places_of(config) >> config.growth_steps), 1),
    )
    return GrowingCritic(inputs, blocks, top, shrink)


# ------------------------------------------------------------------ initial weights


def _initialized(network: Network) -> Network:
    """Glorot's for kernels; recurrent ones orthogonal and forget gates open, as Keras has them."""
    initialize(network, KERNEL_INITIALIZER)
    for module in network.modules():
        if isinstance(module, nn.LSTM):
            _initialize_lstm(module)
    return network


def _initialize_lstm(lstm: nn.LSTM) -> None:
    for name, parameter in lstm.named_parameters():
        if "weight_ih" in name:
            nn.init.xavier_uniform_(parameter)
        elif "weight_hh" in name:
            for gate in parameter.data.chunk(LSTM_GATES):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
    for layer in range(lstm.num_layers):
        bias = getattr(lstm, f"bias_ih_l{layer}")
        nn.init.ones_(bias.data[lstm.hidden_size : 2 * lstm.hidden_size])
