"""Conditional Wasserstein GAN with gradient penalty for single tracks in a hadronic calorimeter.

Source: T. Neuer, master thesis, University of Zurich, 2020: sections 2.1, 4.1 and 5.2, figure 5.2.1, appendices B and
C.1. A track's place on the face and its transverse energy, beside noise, become an image of the calorimeter.

The thesis leaves open, and we chose: the slope of the leaky units (0.2) and the initialiser (Glorot) as TensorFlow has
them; β₁ = 0, β₂ = 0.9 and a two-sided penalty of weight 10 as in Gulrajani et al., arXiv:1704.00028, which it follows;
that the image is made one that the calorimeter can read out before the critic sees it (``models.calorimeter_image``);
and that the output starts near the mean content of a cell. Appendix B searches more than was chosen: how each of these
is meant is said at its field.

An epoch is one pass of the critic over the training sample (``models.critic_batches``).

Other detectors that are one image are padded to multiples of 8 and have the largest cell of the training sample in the
place of the limit; categories are told as ones and zeros.
"""

# Axes: B events of a mini-batch, R critic steps a generator step, V cells, C encoded conditions, Z latent dimensions.
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_adapters.detector import Condition, Detector, detector_from_json
from data_adapters.events import Events
from data_adapters.streaming import Batch
from models.adversarial import OBJECTIVES, Labels, feature_matching
from models.base import GenerativeModel, ModelSpec, ShowerGenerator
from models.calorimeter_image import (
    SCALES,
    Padding,
    Readout,
    Scale,
    ScaleName,
    cell_limit,
    first_output,
    image_shape,
    no_image,
    padded_shape,
)
from models.config import Config, from_dict, number, whole
from models.critic_batches import critic_batches
from models.critic_head import CriticHead
from models.gradient_penalty import gradient_penalty
from models.image_layers import PlanesConv2d, channels_last, doubling, halving, with_spectral_norm
from models.layers import Dropout, activation, building, initialize
from models.network_model import Losses, NetworkGenerator, NetworkModel
from models.optimizers import build_optimizer
from models.preprocessing import Affine, Categories, Conditioning, Part, needs_energy_and_numbers
from models.rows import TrainingRows, TrainingSample, first_events

NAME = "lhcb-single-track"
PADDED_TO = 8
LEAKY_SLOPE = 0.2
KERNEL_INITIALIZER = "glorot_uniform"
FEWEST_FILTERS = 4


@dataclass(frozen=True)
class SingleTrackConfig(Config):
    """Hyperparameters of appendix B; the defaults are those of figure 5.2.1 and appendix C.1.

    Attributes:
        batch_norm: Of the generator's hidden layers, after the activation.
        critic_batch_norm, minibatch_kernels: They mix events, so that no gradient penalty is defined: without effect
            where the objective is ``wasserstein``. 0 kernels are no minibatch discrimination.
        dropout: Of the critic's hidden layers.
        feature_matching: The generator matches the critic's last features (4.3.6) instead of the objective.
        patch_critic: An output for each place of the last features instead of one for the image.
        hidden_layers, hidden_units: Dense layers before the one that is reshaped.
        generator_layers, generator_filters: Transposed convolutions, and the channels before the first; each halves
            them.
        critic_layers, critic_filters: Convolutions, and the channels after the first; each doubles them.
        cell_scale: In which the networks see cells (``models.calorimeter_image``).
        decay: Of the learning rates, a step, as Keras has it.
        average_decay: Of the exponential average of the weights that generates.
    """

    objective: Literal["js", "kl", "wasserstein"] = "wasserstein"
    critic_steps: int = whole(5)
    batch_size: int = whole(32)
    latent_dim: int = whole(32)
    feature_matching: Literal["off", "on"] = "off"
    critic_learning_rate: float = number(1e-4, positive=True)
    generator_learning_rate: float = number(1e-4, positive=True)
    label_smoothing: float = number(0.9)
    optimizer: Literal["adam", "rmsprop"] = "adam"
    beta_1: float = number(0.0)
    beta_2: float = number(0.9)
    decay: float = number(0.0)
    random_labels: float = number(0.0)
    gradient_penalty: Literal["two_sided", "one_sided"] = "two_sided"
    gradient_penalty_weight: float = number(10.0)
    spectral_norm: Literal["off", "on"] = "off"
    patch_critic: Literal["off", "on"] = "off"
    batch_norm: Literal["off", "on"] = "off"
    critic_batch_norm: Literal["off", "on"] = "off"
    dropout: float = number(0.0)
    minibatch_kernels: int = whole(0, minimum=0)
    activation: Literal["leaky_relu", "relu", "elu", "swish"] = "leaky_relu"
    kernel: int = whole(2, minimum=2)
    hidden_layers: int = whole(0, minimum=0)
    hidden_units: int = whole(128)
    generator_layers: int = whole(3)
    generator_filters: int = whole(512)
    critic_layers: int = whole(2)
    critic_filters: int = whole(64)
    cell_scale: ScaleName = "linear"
    average_decay: float = number(0.0)

    @property
    def critic_mixes_events(self) -> bool:
        """Whether the critic may compare the events of a mini-batch."""
        return self.objective != "wasserstein"


class SingleTrackNetwork(nn.Module):
    """Noise and conditions to an image: dense, reshaped, transposed convolutions of stride 2, sigmoid (C.1)."""

    def __init__(self, config: SingleTrackConfig, conditions: int, detector: Detector) -> None:
        super().__init__()
        shape = image_shape(detector)
        padded = padded_shape(shape, _multiple(config))
        rows, columns = (side // 2**config.generator_layers for side in padded)
        inputs = config.latent_dim + conditions
        layers: list[nn.Module] = []
        for _ in range(config.hidden_layers):
            layers += [nn.Linear(inputs, config.hidden_units), _activation(config)]
            layers += [nn.BatchNorm1d(config.hidden_units)] if config.batch_norm == "on" else []
            inputs = config.hidden_units
        filters = config.generator_filters
        layers += [nn.Linear(inputs, filters * rows * columns), nn.Unflatten(1, (filters, rows, columns))]
        for _ in range(config.generator_layers - 1):
            layers += [_activation(config)]
            layers += [nn.BatchNorm2d(filters)] if config.batch_norm == "on" else []
            fewer = max(FEWEST_FILTERS, filters // 2)
            layers.append(doubling(filters, fewer, config.kernel))
            filters = fewer
        layers += [_activation(config)]
        layers += [nn.BatchNorm2d(filters)] if config.batch_norm == "on" else []
        self.layers = nn.Sequential(*layers)
        self.last = doubling(filters, 1, config.kernel)
        self.padding, self.readout = Padding(shape, padded), Readout(detector, config.cell_scale)

    def forward(self, noise: Tensor, encoded: Tensor) -> Tensor:
        """Flat scaled images (B, V)."""
        image = torch.sigmoid(self.last(self.layers(torch.cat((noise, encoded), dim=1))))
        result: Tensor = self.readout(self.padding.cut(image[:, 0]))
        return result

    def start_at(self, mean: float) -> None:
        """Let the output start near a mean content of a cell, 0 … 1."""
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, math.log(mean / (1 - mean)))


class SingleTrackCritic(nn.Module):
    """Image and conditions, as planes, to a number or one a patch: convolutions of stride 2, dense (C.1)."""

    def __init__(self, config: SingleTrackConfig, conditions: int, detector: Detector) -> None:
        super().__init__()
        shape = image_shape(detector)
        padded = padded_shape(shape, _multiple(config))
        rows, columns = (side // 2**config.critic_layers for side in padded)
        filters = config.critic_filters
        self.first = PlanesConv2d(halving(1 + conditions, filters, config.kernel), image_channels=1)
        layers: list[nn.Module] = _after_convolution(config, filters)
        for _ in range(config.critic_layers - 1):
            layers += [halving(filters, 2 * filters, config.kernel), *_after_convolution(config, 2 * filters)]
            filters *= 2
        self.layers = nn.Sequential(*layers)
        kernels = config.minibatch_kernels if config.critic_mixes_events else 0
        patches = partial(nn.Conv2d, out_channels=1, kernel_size=1) if config.patch_critic == "on" else None
        self.head = CriticHead(filters, rows * columns, kernels, patches)
        self.padding = Padding(shape, padded)

    def features(self, images: Tensor, encoded: Tensor) -> Tensor:
        """Features (B, channels, rows, columns) of flat images (B, V) and conditions (B, C)."""
        features: Tensor = self.layers(self.first(self.padding(images)[:, None], encoded))
        return features

    def forward(self, images: Tensor, encoded: Tensor) -> Tensor:
        """Outputs without activation, (B, 1) or (B, 1, rows, columns)."""
        output: Tensor = self.head(self.features(images, encoded))
        return output


def _after_convolution(config: SingleTrackConfig, filters: int) -> list[nn.Module]:
    layers = [_activation(config)]
    if config.critic_batch_norm == "on" and config.critic_mixes_events:
        layers.append(nn.BatchNorm2d(filters))
    return [*layers, Dropout(config.dropout)] if config.dropout > 0 else layers


def _multiple(config: SingleTrackConfig) -> int:
    return max(PADDED_TO, 1 << max(config.generator_layers, config.critic_layers))


def _activation(config: SingleTrackConfig) -> nn.Module:
    return activation(config.activation, LEAKY_SLOPE)


class SingleTrackGenerator(NetworkGenerator):
    """The network with its conditioning.

    Args:
        limit: What images are divided by [unit of the detector].
    """

    generation_batch = 256

    def __init__(
        self,
        config: SingleTrackConfig,
        network: SingleTrackNetwork,
        detector: Detector,
        conditioning: Conditioning,
        limit: float,
        device: str,
    ) -> None:
        super().__init__(channels_last(network), detector, conditioning, config.latent_dim, device)
        self.config, self.limit = config, limit

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        return SCALES[self.config.cell_scale].inverse(self.network(noise, encoded))

    @property
    def constant_normalisation(self) -> float:
        """The limit of a cell."""
        return self.limit

    def constants(self) -> dict[str, Any]:
        return {"cell_limit": self.limit}


class SingleTrack(NetworkModel):
    """Generator and critic in training."""

    config: SingleTrackConfig

    def __init__(self, config: SingleTrackConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        detector = train.detector
        first = first_events(train).response
        limit = cell_limit(detector, float(first.max()))
        conditioning = track_conditioning(train, limit)
        with building(seed, "generator initialisation"):
            network = SingleTrackNetwork(config, conditioning.width, detector)
            initialize(network, KERNEL_INITIALIZER)
            network.start_at(first_output(first, limit, SCALES[config.cell_scale]))
        with building(seed, "critic initialisation"):
            critic = SingleTrackCritic(config, conditioning.width, detector)
            initialize(critic, KERNEL_INITIALIZER)
            if config.spectral_norm == "on":
                with_spectral_norm(critic)
        networks = {"generator": network.to(device), "critic": channels_last(critic.to(device))}
        rates = {"generator": config.generator_learning_rate, "critic": config.critic_learning_rate}
        super().__init__(
            NAME,
            config,
            SingleTrackGenerator(config, network, detector, conditioning, limit, device),
            networks,
            {
                name: build_optimizer(config.optimizer, network.parameters(), rates[name], config.beta_1, config.beta_2)
                for name, network in networks.items()
            },
            image_rows(train, conditioning, limit, SCALES[config.cell_scale], device),
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )
        self.critic, self.trained = critic, network
        self.num_cells = detector.num_cells
        self.objective = OBJECTIVES[config.objective]
        self.labels = Labels(config.label_smoothing, config.random_labels)

    def batches(self) -> Iterable[Tensor]:
        """For each generator step the mini-batches of its critic steps, (R, B, V + C)."""
        config, shuffling = self.config, self.randoms["shuffling"]
        return critic_batches(self.rows, config.batch_size, config.critic_steps, self.epoch, shuffling)

    def step(self, batch: Tensor) -> Losses:
        """Critic steps on mini-batches (R, B, V + C), then one of the generator at the conditions of the last."""
        critic = torch.stack([self._critic_step(rows) for rows in batch]).mean()
        return {"critic": critic, "generator": self._generator_step(batch[-1])}

    def _critic_step(self, rows: Tensor) -> Tensor:
        """Train the critic on rows (B, V + C); its loss."""
        real, encoded = rows[:, : self.num_cells], rows[:, self.num_cells :]
        with torch.no_grad():
            generated = self.trained(self.noise(len(rows), self.config.latent_dim), encoded)
        random = self.randoms["labels"]
        loss = self.objective.critic(self.critic(real, encoded), True, self.labels, random)
        loss = loss + self.objective.critic(self.critic(generated, encoded), False, self.labels, random)
        if self.config.objective == "wasserstein" and self.config.gradient_penalty_weight > 0:
            penalty = gradient_penalty(
                lambda images: self.critic(images, encoded),
                real,
                generated,
                self.config.gradient_penalty,
                self.randoms["mixing"],
            )
            loss = loss + self.config.gradient_penalty_weight * penalty
        self.minimise("critic", loss)
        return loss.detach()

    def _generator_step(self, rows: Tensor) -> Tensor:
        """Train the generator at the conditions of rows (B, V + C); its loss."""
        real, encoded = rows[:, : self.num_cells], rows[:, self.num_cells :]
        features = self.critic.features(self.trained(self.noise(len(rows), self.config.latent_dim), encoded), encoded)
        if self.config.feature_matching == "on":
            with torch.no_grad():
                wanted = self.critic.features(real, encoded)
            loss = feature_matching(wanted.flatten(1), features.flatten(1))
        else:
            loss = self.objective.generator(self.critic.head(features))
        self.minimise("generator", loss)
        return loss.detach()


def track_conditioning(sample: TrainingSample, limit: float) -> Conditioning:
    """x and y standardised, the energy over the limit of a cell (section 2.1); categories as ones and zeros."""
    return Conditioning(
        tuple(_part(condition, sample.conditions[condition.name], limit) for condition in sample.detector.conditions)
    )


def _part(condition: Condition, values: NDArray[np.float64], limit: float) -> Part:
    if condition.categories is not None:
        return Categories(condition.name, condition.categories)
    if condition.energy:
        return Affine(condition.name, 0.0, limit)
    return Affine.standardised(condition.name, values)


def image_rows(
    train: TrainingSample, conditioning: Conditioning, limit: float, scale: Scale, device: str
) -> TrainingRows:
    """Rows of scaled images and encoded conditions, (B, V + C)."""

    def encode(events: Events | Batch) -> Tensor:
        images = scale.forward(torch.from_numpy(events.response / np.float32(limit)))
        return torch.cat((images, conditioning.encode(events.conditions)), dim=1)

    return TrainingRows(train, encode, device)


def refuses(detector: Detector) -> str | None:
    """Why a detector cannot be taken; None if it can."""
    return no_image(detector) or needs_energy_and_numbers(detector)


def load_single_track(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> SingleTrackGenerator:
    """The generator of a checkpoint."""
    config = from_dict(SingleTrackConfig, header["config"])
    conditioning = Conditioning.from_json(header["conditioning"])
    detector = detector_from_json(header["detector"])
    with building(0, "loading"):
        network = SingleTrackNetwork(config, conditioning.width, detector)
    network.load_state_dict(dict(tensors))
    return SingleTrackGenerator(config, network, detector, conditioning, header["cell_limit"], device)


def _load(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    return load_single_track(header, tensors, device)


def _build(config: SingleTrackConfig, train: TrainingSample, seed: int, device: str) -> GenerativeModel:
    return SingleTrack(config, train, seed, device)


LHCB_SINGLE_TRACK = ModelSpec(
    name=NAME,
    title="LHCb single-track WGAN-GP",
    config_class=SingleTrackConfig,
    build=_build,
    load=_load,
    source="T. Neuer, master thesis, University of Zurich, 2020, sections 4.1 and 5.2, appendix C.1",
    refuses=refuses,
)
