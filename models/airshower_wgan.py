"""Wasserstein GAN with gradient penalty and a constrainer, for patterns of signals.

Source: M. Erdmann, L. Geiger, J. Glombitza, D. Schmidt, arXiv:1802.03325, sections 2.1 to 2.3, equations 2 to 8,
tables 1 and 2. Signs: C₁ = E[f(x)] − E[f(x̃)] approaches the Wasserstein distance from below. The critic minimises
−C₁ + C₂ with C₂ = λ E[(|∇f| − 1)²]; the constrainer, AixNet, minimises C₄ = (E − a(x))² on full simulation alone; the
generator minimises C₁ + C₃ with C₃ = κ (E − a(x̃))². (Section 2.2 prints −C₁ for the generator, which would drive it
away.) Only the critic's and the constrainer's own weights follow from C₁, C₂ and C₄. The critic is told no energy:
that a pattern fits its energy is the constrainer's affair alone.

Our choice of what the paper leaves open:
- E in C₃ and C₄, on which κ depends, is in hundredths of the largest energy of the training sample: EeV in the
  paper's sample of 1 to 100 EeV. The generator is told E over that largest energy, and further conditions encoded as
  usual.
- Networks see log₁₀(1 + S/S₀), where S₀ is a tenth of the least signal of the training sample (of 99 % of its filled
  cells), so that stations that have not triggered stand apart; a generated signal below S₀ is zero.
- LeakyReLU has the slope 0.3 (Keras' own), dropout the rate 0.25, in the critic and before AixNet's last layer.
- C₃ is taken without the constrainer's dropout.
- An epoch is one pass of the critic over the training sample, rounded down to whole generator steps (at least one).
- The learning rate falls as lr / (1 + decay · updates), each network counting its own updates, as Keras does.
"""

# Axes: B events of a mini-batch, R critic steps a generator step, V cells, C encoded conditions, Z latent dimensions.
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from data_adapters.detector import Detector, detector_from_json
from data_adapters.events import Events
from data_adapters.streaming import Batch
from models.airshower_networks import PatternCritic, PatternGenerator
from models.aixnet import AixNet, AixNetSizes
from models.base import ModelSpec
from models.config import Config, from_dict, number, whole
from models.critic_batches import critic_batches
from models.gradient_penalty import distance_and_penalty
from models.layers import building, initialize
from models.log_signals import LogSignals
from models.network_model import Losses, NetworkGenerator, NetworkModel
from models.optimizers import build_optimizer
from models.preprocessing import Affine, Conditioning, needs_energy_and_numbers, required_energy
from models.rows import TrainingRows, TrainingSample, first_events

NAME = "airshower-wgan"
ENERGY_STEPS = 100.0  # of which the largest energy of the training sample has as many: the unit of E in C₃ and C₄
MOST_CELLS = 128 * 128


@dataclass(frozen=True)
class AirshowerWganConfig(Config):
    """Hyperparameters of section 2.3 and of tables 1 and 2; what the paper does not give is our choice."""

    latent_dim: int = whole(80)
    seed_units: int = whole(80)
    generator_maps: int = whole(64)
    generator_layers: int = whole(4)
    critic_maps: int = whole(64)
    critic_layers: int = whole(4)
    critic_units: int = whole(100)
    constrainer_maps: int = whole(12)
    constrainer_layers: int = whole(4, maximum=6)
    leaky_slope: float = number(0.3)
    dropout: float = number(0.25)
    kernel_initializer: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"] = "glorot_uniform"
    constrainer_weight: float = number(0.001)
    gradient_penalty: Literal["two_sided", "one_sided"] = "two_sided"
    gradient_penalty_weight: float = number(3.0)
    training_ratio: int = whole(8)
    learning_rate: float = number(5e-4, positive=True)
    beta_1: float = number(0.5)
    beta_2: float = number(0.9)
    decay: float = number(1e-4)
    batch_size: int = whole(64)
    average_decay: float = number(0.0)


class PatternsGenerator(NetworkGenerator):
    """The generator network, and how signals look to it."""

    network: PatternGenerator

    def __init__(
        self,
        network: PatternGenerator,
        detector: Detector,
        conditioning: Conditioning,
        latent_dim: int,
        signals: LogSignals,
        device: str,
    ) -> None:
        super().__init__(network, detector, conditioning, latent_dim, device)
        self.signals = signals

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        return self.signals.inverse(self.network(torch.cat((noise, encoded), dim=1)))

    @property
    def constant_normalisation(self) -> float:
        """The networks see logarithms of signals."""
        return 1.0

    def constants(self) -> dict[str, Any]:
        return {"signals": self.signals.to_json()}


class AirshowerWgan(NetworkModel):
    """Generator, critic and constrainer in training."""

    generator: PatternsGenerator
    config: AirshowerWganConfig

    def __init__(self, config: AirshowerWganConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        detector = train.detector
        conditioning = _conditioning(train)
        signals = LogSignals.of_cells(first_events(train).response)
        with building(seed, "generator initialisation"):
            generator = _generator_network(config, detector, conditioning.width)
        critic, constrainer = _critic_networks(config, detector, seed)
        networks = {"generator": generator, "critic": critic, "constrainer": constrainer}
        optimizers = {
            name: build_optimizer(
                "adam", network.to(device).parameters(), config.learning_rate, config.beta_1, config.beta_2
            )
            for name, network in networks.items()
        }

        def encode(events: Events | Batch) -> Tensor:
            patterns = signals.forward(torch.from_numpy(np.asarray(events.response)))
            return torch.cat((patterns, conditioning.encode(events.conditions)), dim=1)

        super().__init__(
            NAME,
            config,
            PatternsGenerator(generator, detector, conditioning, config.latent_dim, signals, device),
            networks,
            optimizers,
            TrainingRows(train, encode, device),
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )
        self.energy_column = _energy_column(detector, conditioning)
        self.energy_scale = _energy_scale(detector, conditioning)

    def batches(self) -> Iterable[Tensor]:
        """For each generator step the mini-batches of its critic steps, (R, B, V + C)."""
        shuffling = self.randoms["shuffling"]
        return critic_batches(self.rows, self.batch_size, self.config.training_ratio, self.epoch, shuffling)

    def step(self, batch: Tensor) -> Losses:
        """Steps of critic and constrainer on each of (R, B, V + C), then one of the generator, for the last labels."""
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        for rows in batch:
            patterns, labels = self._divided(rows)
            distance, penalty = self._critic_step(patterns, labels)
            seen.append((distance, penalty, self._constrainer_step(patterns, labels)))
        distance, penalty, reconstruction = torch.stack([torch.stack(values) for values in seen]).mean(dim=0)
        constraint = self._generator_step(self._divided(batch[-1])[1])
        return {
            "wasserstein_distance": distance,
            "gradient_penalty": penalty,
            "constrainer": reconstruction,
            "constraint": constraint,
        }

    def patterns(self, labels: Tensor) -> Tensor:
        """Patterns as the networks see them, (B, V), for encoded conditions (B, C) and new noise."""
        noise = self.noise(len(labels), self.config.latent_dim)
        made: Tensor = self.networks["generator"](torch.cat((noise, labels), dim=1))
        return made

    def _critic_step(self, patterns: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Minimise −C₁ + C₂; C₁ and C₂."""
        critic, config = self.networks["critic"], self.config
        with torch.no_grad():
            generated = self.patterns(labels)
        distance, penalty = distance_and_penalty(
            critic,
            patterns,
            generated,
            config.gradient_penalty_weight,
            config.gradient_penalty,
            self.randoms["mixing"],
        )
        self.minimise("critic", penalty - distance)
        return distance.detach(), penalty.detach()

    def _constrainer_step(self, patterns: Tensor, labels: Tensor) -> Tensor:
        """Minimise C₄, which is returned."""
        loss = self._squared_error(patterns, labels)
        self.minimise("constrainer", loss)
        return loss.detach()

    def _generator_step(self, labels: Tensor) -> Tensor:
        """Minimise C₁ + C₃, of which only what depends on the generator; C₃."""
        generated = self.patterns(labels)
        constrainer = self.networks["constrainer"].eval()
        constraint = self.config.constrainer_weight * self._squared_error(generated, labels)
        constrainer.train()
        self.minimise("generator", constraint - self.networks["critic"](generated).mean())
        return constraint.detach()

    def _squared_error(self, patterns: Tensor, labels: Tensor) -> Tensor:
        """Mean of (E − a)², in the unit of E, of patterns (B, V) with encoded conditions (B, C)."""
        found = self.networks["constrainer"](patterns)
        error: Tensor = ENERGY_STEPS * (labels[:, self.energy_column] - found)
        return (error**2).mean()

    def _divided(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Patterns (B, V) and encoded conditions (B, C)."""
        cells = self.generator.detector.num_cells
        return rows[:, :cells], rows[:, cells:]


def refused(detector: Detector) -> str | None:
    """Why a detector cannot be taken; None if it can."""
    if len(detector.layers) != 1 or len(detector.layers[0].axes) != 2:
        shapes = ", ".join(str(layer.shape) for layer in detector.layers)
        return f"its layers have the shapes {shapes}; this model makes one image of two axes. Choose another model"
    if detector.num_cells > MOST_CELLS:
        return f"its image has {detector.num_cells} cells, more than {MOST_CELLS}: sum neighbouring ones"
    if detector.signed:
        return "its cells may be negative, and this model's signals are logarithms. Choose another model"
    return needs_energy_and_numbers(detector)


def _conditioning(train: TrainingSample) -> Conditioning:
    """The energy over the largest one; other conditions as usual."""
    energy = required_energy(train.detector).name
    largest = float(np.max(train.conditions[energy]))
    fitted = Conditioning.fitted(train, logarithmic_energy=False)
    return replace(fitted, parts=tuple(Affine(energy, 0.0, largest) if p.name == energy else p for p in fitted.parts))


def _energy_column(detector: Detector, conditioning: Conditioning) -> int:
    """Which of the encoded conditions is the energy."""
    names = [part.name for part in conditioning.parts]
    before = names.index(required_energy(detector).name)
    return Conditioning(conditioning.parts[:before]).width


def _energy_scale(detector: Detector, conditioning: Conditioning) -> float:
    """What the energy is divided by, in its unit."""
    name = required_energy(detector).name
    return next(part.scale for part in conditioning.parts if isinstance(part, Affine) and part.name == name)


def _image(detector: Detector) -> tuple[int, int]:
    height, width = detector.layers[0].shape
    return height, width


def _generator_network(config: AirshowerWganConfig, detector: Detector, conditions: int) -> PatternGenerator:
    inputs = config.latent_dim + conditions
    network = PatternGenerator(
        _image(detector), inputs, config.seed_units, config.generator_maps, config.generator_layers
    )
    initialize(network, config.kernel_initializer)
    return network


def _critic_networks(config: AirshowerWganConfig, detector: Detector, seed: int) -> tuple[PatternCritic, AixNet]:
    image = _image(detector)
    with building(seed, "critic initialisation"):
        critic = PatternCritic(
            image, config.critic_maps, config.critic_layers, config.critic_units, config.dropout, config.leaky_slope
        )
        initialize(critic, config.kernel_initializer)
    maps = tuple(config.constrainer_maps * 2**layer for layer in range(config.constrainer_layers))
    with building(seed, "constrainer initialisation"):
        constrainer = AixNet(image, sizes=AixNetSizes(maps=maps, dropout=config.dropout))
        initialize(constrainer, config.kernel_initializer)
    return critic, constrainer


def load_airshower_wgan(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> PatternsGenerator:
    """The generator of a checkpoint."""
    config = from_dict(AirshowerWganConfig, header["config"])
    detector = detector_from_json(header["detector"])
    conditioning = Conditioning.from_json(header["conditioning"])
    network = _generator_network(config, detector, conditioning.width)
    network.load_state_dict(dict(tensors))
    signals = LogSignals.from_json(header["signals"])
    return PatternsGenerator(network, detector, conditioning, config.latent_dim, signals, device)


AIRSHOWER_WGAN = ModelSpec(
    name=NAME,
    title="WGAN-GP with constrainer",
    config_class=AirshowerWganConfig,
    build=AirshowerWgan,
    load=load_airshower_wgan,
    source="arXiv:1802.03325, sections 2.1 to 2.3, tables 1 and 2",
    refuses=refused,
)
