"""3DGAN: a convolutional GAN for showers in a volume of cells, with constraints from physics.

Source: Khattak et al., doi:10.1109/ACCESS.2021.3101946, sections IV and V; layer sizes from the public PyTorch
implementation, the share of switched labels (0.05) from the public Keras code (``models.clic_3dgan_networks`` for the
networks). What is seen of an image is its cell energies in GeV to the power p, after a division by the mean sampling
fraction (``models.rows.response_scale``), as in the files of the public code, whose energy sums are 50 times those of
the paper.

A step takes a batch of full simulation and trains the discriminator on it, then on generated showers of the same
conditions, then the generator, ``generator_steps`` times with fresh noise. The loss is
W_G·BCE + W_P·MAPE(E_P) + W_A·MAE(θ) + W_E·MAPE(E_sum): of these the real/fake logit and the energy of the particle are
trained outputs of the discriminator; the angle and the energy sum are computed from the generated image, and so
are of no consequence to the discriminator. The truth is the condition, and for E_sum the simulated shower at that
condition, event by event; it is the denominator of the percentage errors.

Training has two steps: in its first ``first_step_epochs`` epochs it sees the events from ``first_step_low`` to
``first_step_high`` alone. A sample without any such event is taken whole from the beginning.

Our choices: the networks are told the energy in units of 100 GeV and the angle in rad as in the public code, other
conditions scaled to [0, 1]; a detector whose angle cannot be measured has no term for it; β₁ of Adam (0.5). At the end
of each epoch the generator's batch normalisation gets its means and variances anew, from generated batches: the running
ones are of weights that have changed since, or were never averaged, and move the energy sum by several percent.
"""

# Axes: B events of a mini-batch, V cells, C encoded conditions, Z latent dimensions.
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_adapters.detector import ENERGY_UNITS, Detector, detector_from_json
from data_adapters.events import Events
from data_adapters.streaming import Batch
from models.adversarial import OBJECTIVES, Labels
from models.base import ModelSpec, ShowerGenerator
from models.clic_3dgan_networks import Discriminator, Generator, Sizes
from models.config import Config, from_dict, number, whole
from models.data_parallel import Processes
from models.layers import building
from models.network_model import Losses, NetworkGenerator, NetworkModel, autocast
from models.optimizers import OptimizerName, build_optimizer
from models.physics_terms import absolute_error, percentage_error
from models.preprocessing import Affine, Conditioning, Part, needs_energy_and_numbers, required_energy
from models.rows import Encode, TrainingRows, TrainingSample, response_scale
from models.volume import THETA, Volume, energy_sum, measured_angle, needs_volume

NAME = "clic-3dgan"
ENERGY_UNIT_GEV = 100.0
SETTLED_ON = 512  # events
EPSILON = 1e-7  # of the optimiser, as Keras has it
CROSS_ENTROPY = OBJECTIVES["js"]


@dataclass(frozen=True)
class Clic3dganConfig(Config):
    """Hyperparameters; the defaults are the paper's, or else those of its public code."""

    latent_dim: int = whole(254)
    coarse_filters: int = whole(8)
    upsampling: int = whole(6)
    generator_convolutions: int = whole(7, minimum=4)
    generator_first_filters: int = whole(8)
    generator_filters: int = whole(6)
    generator_kernel_change: int = whole(0, minimum=-5)
    discriminator_convolutions: int = whole(4)
    discriminator_first_filters: int = whole(16)
    discriminator_filters: int = whole(8)
    discriminator_kernel_change: int = whole(0, minimum=-5)
    dropout: float = number(0.2)
    leaky_slope: float = number(0.3)
    power: float = number(0.85, positive=True)
    adversarial_weight: float = number(3.0)
    energy_weight: float = number(0.1)
    angle_weight: float = number(25.0)
    sum_weight: float = number(0.1)
    label_switch: float = number(0.05)
    label_noise: float = number(0.0)
    generator_steps: int = whole(2)
    batch_size: int = whole(64)
    optimizer: OptimizerName = "rmsprop"
    generator_learning_rate: float = number(1e-3, positive=True)
    discriminator_learning_rate: float = number(1e-3, positive=True)
    beta_1: float = number(0.5)
    decay: float = number(0.0)
    first_step_epochs: int = whole(130, minimum=0)
    first_step_low: float = number(100.0)
    first_step_high: float = number(200.0)
    average_decay: float = number(0.0)
    precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def sizes(self) -> Sizes:
        """Those of the networks."""
        return Sizes(**{field.name: getattr(self, field.name) for field in fields(Sizes)})


def clic_3dgan_conditioning(train: TrainingSample) -> Conditioning:
    """Energy in units of 100 GeV first, then the angle in rad, and other conditions scaled to [0, 1]."""
    energy = required_energy(train.detector)
    parts: list[Part] = [Affine(energy.name, 0.0, ENERGY_UNIT_GEV / _gev(energy.unit))]
    for condition, part in zip(train.detector.conditions, Conditioning.fitted(train, False).parts, strict=True):
        angle = condition.name == THETA and condition.unit == "rad"
        if not condition.energy:
            parts.append(Affine(THETA) if angle else part)
    return Conditioning(tuple(parts))


def _gev(unit: str) -> float:
    return ENERGY_UNITS[unit] / ENERGY_UNITS["GeV"]


def to_power(cells: NDArray[np.float32], unit: float, power: float) -> Tensor:
    """Cells (B, V), which are multiples of ``unit``, to what the networks see, float32."""
    return (torch.from_numpy(cells) * unit).pow_(power)


def to_energy(images: Tensor, power: float) -> Tensor:
    """The inverse, without the unit; of any shape."""
    return images.float().pow(1 / power)


class Clic3dganGenerator(NetworkGenerator):
    """Generator network, power law and volume."""

    network: Generator
    generation_batch = 32

    def __init__(
        self, config: Clic3dganConfig, detector: Detector, conditioning: Conditioning, scale: float, device: str
    ) -> None:
        self.config, self.volume, self.response_scale = config, Volume(detector), scale
        network = Generator(config.latent_dim + conditioning.width, self.volume.shape, config.sizes)
        super().__init__(network, detector, conditioning, config.latent_dim, device)

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        with autocast(self.device, self.config.precision):
            images = self.network(torch.cat((encoded, noise), dim=1))
        return self.volume.cells(to_energy(images, self.config.power))

    def refuses_export(self) -> str | None:
        if self.config.precision == "float32":
            return None
        return f"it was trained to generate in {self.config.precision}; old runtimes compute in float32"

    @property
    def unit(self) -> float:
        """What a cell that holds 1 is in the GeV of the images, before the power."""
        return self.volume.gev / self.response_scale

    @property
    def constant_normalisation(self) -> float:
        """The networks see energies, not fractions of the incident energy."""
        return 1 / self.unit


def image_rows(conditioning: Conditioning, unit: float, power: float) -> Encode:
    """Encodes events as images to the power p, E_sum and conditions, (B, V + 1 + C)."""

    def encode(events: Events | Batch) -> Tensor:
        total = torch.from_numpy(events.response.sum(axis=1, keepdims=True, dtype=np.float64)) * unit
        images = to_power(events.response, unit, power)
        return torch.cat((images, total.float(), conditioning.encode(events.conditions)), dim=1)

    return encode


class TwoSteps:
    """What is trained on in which epoch: events of few energies first, then all."""

    def __init__(self, config: Clic3dganConfig, train: TrainingSample, encode: Encode, device: str) -> None:
        self.train, self.encode, self.device = train, encode, device
        self.few = _between(train, config.first_step_low, config.first_step_high)
        self.first_epochs = config.first_step_epochs if self.few.any() else 0
        self._kept: tuple[bool, TrainingRows] | None = None

    def rows(self, epoch: int) -> TrainingRows:
        """Those of an epoch; one of the two samples is kept at a time."""
        first = epoch < self.first_epochs and not self.few.all()
        if self._kept is None or self._kept[0] != first:
            self._kept = None
            sample = self.train.select(self.few) if first else self.train
            self._kept = first, TrainingRows(sample, self.encode, self.device)
        return self._kept[1]


def _between(train: TrainingSample, low: float, high: float) -> NDArray[np.bool_]:
    """Which events have an energy between two, in GeV; shape (N,)."""
    energy = required_energy(train.detector)
    gev = train.conditions[energy.name] * _gev(energy.unit)
    return np.asarray((gev >= low) & (gev <= high))


@dataclass(frozen=True)
class Told:
    """What the loss knows of B events.

    Attributes:
        images: Simulated cells to the power p, shape (B, 1, X, Y, Z).
        total: E_sum of the simulated shower, in the GeV of the images, shape (B,).
        conditions: Encoded, shape (B, C); the energy is the first [100 GeV].
        angle: Angle of incidence [rad], shape (B,); None where it is no part of the loss.
    """

    images: Tensor
    total: Tensor
    conditions: Tensor
    angle: Tensor | None

    @property
    def energy(self) -> Tensor:
        """Of the particle, in units of 100 GeV, shape (B,)."""
        return self.conditions[:, 0]


class Clic3dgan(NetworkModel):
    """Generator and discriminator in training."""

    compilable = ("generator", "discriminator")
    config: Clic3dganConfig

    def __init__(self, config: Clic3dganConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        conditioning = clic_3dgan_conditioning(train)
        with building(seed, "networks"):
            generator = Clic3dganGenerator(config, train.detector, conditioning, response_scale(train), device)
            discriminator = Discriminator(generator.volume.shape, config.sizes).to(device)
        networks = {"generator": generator.network, "discriminator": discriminator}
        rates = {
            "generator": config.generator_learning_rate,
            "discriminator": config.discriminator_learning_rate,
        }
        self.volume = generator.volume
        self.places = self.volume.places if self.volume.has_angle else None
        self.angle_column = [part.name for part in conditioning.parts].index(THETA) if self.places else None
        self._seen: list[Tensor] = []  # conditions of the first batches of an epoch
        self.labels = Labels(switched=config.label_switch, noise=config.label_noise)
        self.steps = TwoSteps(config, train, image_rows(conditioning, generator.unit, config.power), device)
        optimizers = {
            name: build_optimizer(config.optimizer, network.parameters(), rates[name], config.beta_1, epsilon=EPSILON)
            for name, network in networks.items()
        }
        super().__init__(
            NAME,
            config,
            generator,
            networks,
            optimizers,
            self.steps.rows(0),
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )

    def share(self, processes: Processes) -> None:
        super().share(processes)
        self.labels = replace(self.labels, processes=processes)

    def batches(self) -> Iterable[Tensor]:
        self.rows = self.steps.rows(self.epoch)
        return super().batches()

    def train_epoch(self) -> dict[str, float]:
        self._seen.clear()
        losses = super().train_epoch()
        self._settle()
        return losses

    def step(self, batch: Tensor) -> Losses:
        told = self.told(batch)
        if len(self._seen) * self.batch_size < SETTLED_ON:
            self._seen.append(told.conditions)
        real = self.discriminator_loss(told, told.images, real=True)
        self.minimise("discriminator", real)
        with torch.no_grad():
            generated = self._generate(told)
        fake = self.discriminator_loss(told, generated, real=False)
        self.minimise("discriminator", fake)
        for _ in range(self.config.generator_steps):
            losses = self.generator_losses(told, self._generate(told))
            self.minimise("generator", self.weighted(losses))
        return {name: value.detach() for name, value in {"discriminator": real + fake, **losses}.items()}

    def told(self, batch: Tensor) -> Told:
        """Rows (B, V + 1 + C) taken apart."""
        cells = self.generator.detector.num_cells
        conditions = batch[:, cells + 1 :]
        angle = None if self.angle_column is None else conditions[:, self.angle_column]
        return Told(self.volume.images(batch[:, :cells]), batch[:, cells], conditions, angle)

    def _generate(self, told: Told) -> Tensor:
        """Generated images to the power p, at the conditions of the simulated ones."""
        return self._images(self.averaging("generator"), told.conditions)

    def _images(self, network: nn.Module, conditions: Tensor) -> Tensor:
        noise = self.noise(len(conditions), self.config.latent_dim)
        with autocast(self.device, self.config.precision):
            images: Tensor = network(torch.cat((conditions, noise), dim=1))
        return images.float()

    def _judge(self, discriminator: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logit of being real and energy of the particle, (B,) each."""
        with autocast(self.device, self.config.precision):
            logit, energy = discriminator(images)
        return logit.float(), energy.float()

    def discriminator_loss(self, told: Told, images: Tensor, *, real: bool) -> Tensor:
        """The terms of the loss that the discriminator can lower, for simulated or for generated images."""
        logit, energy = self._judge(self.averaging("discriminator"), images)
        adversarial = CROSS_ENTROPY.critic(logit, real, self.labels, self.randoms["labels"])
        error = percentage_error(energy, told.energy)
        return self.config.adversarial_weight * adversarial + self.config.energy_weight * error

    def generator_losses(self, told: Told, images: Tensor) -> Losses:
        """The terms of the generator's loss, by name, without their weights."""
        logit, energy = self._judge(self.networks["discriminator"], images)
        physical = to_energy(images, self.config.power)
        losses = {
            "adversarial": CROSS_ENTROPY.generator(logit),
            "energy": percentage_error(energy, told.energy),
            "sum": percentage_error(energy_sum(physical), told.total),
        }
        if self.places is not None and told.angle is not None:
            losses["angle"] = absolute_error(measured_angle(physical, self.places), told.angle)
        return losses

    def weighted(self, losses: Losses) -> Tensor:
        """The generator's loss."""
        weights = {name: getattr(self.config, f"{name}_weight") for name in losses}
        return torch.stack([weights[name] * value for name, value in losses.items()]).sum()

    @torch.no_grad()
    def _settle(self) -> None:
        """Statistics of the batch normalisation anew, of the weights that generate, over conditions of the epoch."""
        network = self.generator.network
        normalisations = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
        momenta = [module.momentum for module in normalisations]
        for module in normalisations:
            module.reset_running_stats()
            module.momentum = None  # the plain mean of all batches
        training = network.training
        network.train()
        for conditions in self._seen:
            self._images(network, conditions)
        network.train(training)
        for module, momentum in zip(normalisations, momenta, strict=True):
            module.momentum = momentum


def load_clic_3dgan(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The generator of a checkpoint."""
    config = from_dict(Clic3dganConfig, header["config"])
    conditioning = Conditioning.from_json(header["conditioning"])
    with building(0, "replaced by the checkpoint's"):
        detector, scale = detector_from_json(header["detector"]), header["response_scale"]
        generator = Clic3dganGenerator(config, detector, conditioning, scale, device)
    generator.network.load_state_dict(dict(tensors))
    return generator


def refuses(detector: Detector) -> str | None:
    """Why a detector cannot be taken; None if it can."""
    return needs_energy_and_numbers(detector) or needs_volume(detector)


CLIC_3DGAN = ModelSpec(
    name=NAME,
    title="3DGAN",
    config_class=Clic3dganConfig,
    build=Clic3dgan,
    load=load_clic_3dgan,
    source="doi:10.1109/ACCESS.2021.3101946, sections IV and V",
    refuses=refuses,
    data_parallel=True,
)
