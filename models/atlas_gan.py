"""Conditional Wasserstein GAN with gradient penalty for calorimeter showers.

Source: ATL-SOFT-PUB-2018-001, "Deep generative models for fast shower simulation in ATLAS", section 4, equation 9
and table 2. The paper leaves open, and we chose: the latent dimension (50), Adam's decay rates (β₁ = 0,
β₂ = 0.9 as in Gulrajani et al., arXiv:1704.00028), and that the showers are generated with an exponential
average of the generator's weights.

An epoch is one pass of the critic over the training sample, rounded down to whole generator steps (at least
one): every critic step takes a fresh mini-batch. Samples smaller than that are passed through repeatedly.
"""

# Axes: B events of a mini-batch, R critic steps a generator step, V cells, C encoded conditions, Z latent dimensions.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from data_adapters.detector import Detector, detector_from_json, detector_to_json
from data_adapters.events import Events
from models.activations import HIDDEN, OUTPUT
from models.averaging import average_weights
from models.base import GenerativeModel, ModelSpec, ShowerGenerator, check_losses, random_stream
from models.config import Config, from_dict, number, to_dict, whole
from models.dense import DenseNetwork
from models.preprocessing import PREPROCESSINGS, Conditioning, fractions, needs_energy_and_numbers
from models.rows import TrainingSample, response_scale
from models.storage import (
    check_same,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    with_prefix,
    without_prefix,
    write_checkpoint,
)
from models.wgan import Critic

NAME = "atlas-gan"
ADAM_BETAS = (0.0, 0.9)


@dataclass(frozen=True)
class AtlasGanConfig(Config):
    """Hyperparameters of table 2; the defaults are the paper's optimum (the latent dimension is ours)."""

    latent_dim: int = whole(50)
    hidden_layers: int = whole(3)
    units: int = whole(128)
    activation: Literal[
        "selu+sigmoid",
        "leaky_relu+sigmoid",
        "leaky_relu+relu",
        "leaky_relu+gauss",
        "leaky_relu+sigmoid+relu",
        "leaky_relu+clipped_relu",
        "leaky_relu+softmax",
        "leaky_relu+softmax+relu",
    ] = "leaky_relu+sigmoid"
    activity_l1_weight: float = number(1e-5)
    kernel_initializer: Literal["glorot_uniform", "lecun_normal"] = "glorot_uniform"
    gradient_penalty: Literal["two_sided", "one_sided"] = "two_sided"
    gradient_penalty_weight: float = number(10.0)
    training_ratio: int = whole(5)
    learning_rate: float = number(5e-5, positive=True)
    batch_size: int = whole(64)
    preprocessing: Literal["fraction", "log10", "log10_1e10"] = "fraction"
    energy_conditioning: Literal["linear", "log10"] = "log10"


class GanGenerator(ShowerGenerator):
    """The generator network with its conditioning, preprocessing and output activation."""

    def __init__(
        self, config: AtlasGanConfig, detector: Detector, conditioning: Conditioning, device: str, scale: float = 1.0
    ) -> None:
        hidden, output = config.activation.split("+", 1)
        self.detector, self.conditioning, self.device = detector, conditioning, device
        self.response_scale = scale
        self.latent_dim = config.latent_dim
        self.preprocessing = PREPROCESSINGS[config.preprocessing]
        self.output = OUTPUT[output]
        inputs = config.latent_dim + conditioning.width
        outputs = detector.num_cells + self.output.further_units
        sizes = [inputs, *[config.units] * config.hidden_layers, outputs]
        self.network = DenseNetwork(sizes, HIDDEN[hidden], device)

    def initialize(self, kernel: str, random: torch.Generator) -> None:
        """Kernels as named, biases zero; a further unit for the common scale starts at one, so that it lives."""
        self.network.initialize(kernel, "zeros", random)
        with torch.no_grad():
            self.network.biases[-1][self.detector.num_cells :] = 1.0

    def showers(self, encoded: Tensor, noise: Tensor) -> Tensor:
        """Preprocessed showers (N, V), as the critic sees them."""
        raw = self.network(torch.cat((noise, encoded), dim=1))
        return self.preprocessing.from_activation(self.output.function(raw))

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        return self.preprocessing.inverse(self.showers(encoded, noise))

    def tensors(self) -> dict[str, Tensor]:
        return {"network": self.network.flat}

    def freeze(self) -> list[nn.Module]:
        self.network.freeze()
        return []


class AtlasGan(GenerativeModel):
    """Generator and critic in training."""

    generator: GanGenerator

    def __init__(self, config: AtlasGanConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        assert isinstance(train, Events), "the specification says that it trains on no streams"
        self.config = config
        conditioning = Conditioning.fitted(train, config.energy_conditioning == "log10")
        scale = response_scale(train)
        self.generator = GanGenerator(config, train.detector, conditioning, device, scale)  # averaged weights
        self.trained = GanGenerator(config, train.detector, conditioning, device, scale)
        showers = self.trained.preprocessing.forward(fractions(train, scale))
        # Shower and conditions in one row, as the critic takes them.
        self.sample = torch.cat((showers, conditioning.encode(train.conditions)), dim=1).to(device)
        self.num_cells = train.detector.num_cells
        self.critic = self._build_critic(device)
        self._initialize(seed)
        self.generator.network.flat.copy_(self.trained.network.flat)
        self.optimizers = {
            "generator": _adam(self.trained.network.flat, config.learning_rate),
            "critic": _adam(self.critic.network.flat, config.learning_rate),
        }
        self.randoms = {name: random_stream(seed, name, device) for name in ("shuffling", "latent", "mixing")}
        self.epoch = 0
        self.generator_steps = 0

    def _build_critic(self, device: str) -> Critic:
        hidden = self.trained.network.activation
        sizes = [self.sample.shape[1], *[self.config.units] * self.config.hidden_layers, 1]
        network = DenseNetwork(sizes, hidden, device, last_bias=False)
        one_sided = self.config.gradient_penalty == "one_sided"
        return Critic(network, self.num_cells, self.config.gradient_penalty_weight, one_sided)

    def _initialize(self, seed: int) -> None:
        self.trained.initialize(self.config.kernel_initializer, random_stream(seed, "generator initialisation"))
        random = random_stream(seed, "critic initialisation")
        self.critic.network.initialize(self.config.kernel_initializer, "zeros", random)

    def train_epoch(self) -> dict[str, float]:
        losses = []
        for indices in self.epoch_indices():
            critic_loss = self._critic_steps(indices)
            losses.append(torch.stack((critic_loss, self._generator_step(indices[-1]))))
            average_weights(self.generator.network.flat, self.trained.network.flat, self.generator_steps)
        self.epoch += 1
        critic, generator = torch.stack(losses).mean(dim=0).tolist()
        result = {"critic": critic, "generator": generator}
        check_losses(result, self.epoch)
        return result

    def epoch_indices(self) -> Tensor:
        """Rows of the sample for each step of an epoch, (generator steps, R, B)."""
        ratio, batch, size = self.config.training_ratio, self.config.batch_size, len(self.sample)
        steps = max(1, size // (batch * ratio))
        passes = -(-steps * ratio * batch // size)
        random, device = self.randoms["shuffling"], self.sample.device
        rows = torch.cat([torch.randperm(size, generator=random, device=device) for _ in range(passes)])
        return rows[: steps * ratio * batch].view(steps, ratio, batch)

    def _critic_steps(self, indices: Tensor) -> Tensor:
        """Train the critic on each mini-batch of (R, B) rows; the mean loss.

        The generator does not change meanwhile: one pass makes the generated showers of all R steps.
        """
        ratio, batch = indices.shape
        real = self.sample[indices.flatten()].view(ratio, batch, -1)
        inputs = real.new_empty(ratio, 3 * batch, real.shape[2])
        inputs[:, :batch, self.num_cells :] = real[:, :, self.num_cells :]
        inputs[:, batch : 2 * batch] = real
        with torch.no_grad():
            generated = self.trained.showers(real[:, :, self.num_cells :].flatten(0, 1), self._noise(ratio * batch))
        inputs[:, :batch, : self.num_cells] = generated.view(ratio, batch, -1)
        mixing = torch.rand(ratio, batch, 1, generator=self.randoms["mixing"], device=real.device)
        total = real.new_zeros(())
        for step in range(ratio):
            total += self.critic.accumulate(inputs[step], mixing[step])
            self.optimizers["critic"].step()
        return total / ratio

    def _generator_step(self, indices: Tensor) -> Tensor:
        """Train the generator once, at the conditions of B rows; its loss without the activity term."""
        conditions = self.sample[indices, self.num_cells :]
        showers = self.trained.showers(conditions, self._noise(len(indices)))
        output, slope = self.critic.input_gradient(torch.cat((showers.detach(), conditions), dim=1))
        # Gradient of −mean D + weight · mean Σ|y|: the critic's own part is known, nothing passes through it.
        gradient = showers.detach().sign().mul_(self.config.activity_l1_weight).sub_(slope).div_(len(indices))
        self.trained.network.zero_gradients()
        showers.backward(gradient)  # type: ignore[no-untyped-call]
        self.optimizers["generator"].step()
        self.generator_steps += 1
        return -output.mean()

    def _noise(self, num_events: int) -> Tensor:
        shape = (num_events, self.config.latent_dim)
        return torch.randn(shape, generator=self.randoms["latent"], device=self.sample.device)

    def parameter_counts(self) -> dict[str, int]:
        generator, critic = self.trained.network.flat.numel(), self.critic.network.flat.numel()
        return {"generate": generator, "train": generator + critic}

    def save(self, folder: Path) -> None:
        tensors = {
            **with_prefix("generator.", self.generator.tensors()),
            "training.generator": self.trained.network.flat,
            "training.critic": self.critic.network.flat,
        }
        for name, optimizer in self.optimizers.items():
            tensors |= with_prefix(f"optimizer.{name}.", optimizer_tensors(optimizer))
        for name, random in self.randoms.items():
            tensors[f"random.{name}"] = random.get_state()
        progress = {"epoch": self.epoch, "generator_steps": self.generator_steps}
        write_checkpoint(folder, {**self._header(), **progress}, tensors)

    def restore(self, folder: Path) -> None:
        header, tensors = read_checkpoint(folder)
        check_same(header, self._header())
        self.generator.network.flat.copy_(tensors["generator.network"])
        self.trained.network.flat.copy_(tensors["training.generator"])
        self.critic.network.flat.copy_(tensors["training.critic"])
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, without_prefix(f"optimizer.{name}.", tensors))
        for name, random in self.randoms.items():
            random.set_state(tensors[f"random.{name}"])
        self.epoch, self.generator_steps = header["epoch"], header["generator_steps"]

    def _header(self) -> dict[str, Any]:
        return {
            "model": NAME,
            "config": to_dict(self.config),
            "detector": detector_to_json(self.generator.detector),
            "conditioning": self.generator.conditioning.to_json(),
            "response_scale": self.generator.response_scale,
        }


def _adam(parameter: Tensor, learning_rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam([parameter], lr=learning_rate, betas=ADAM_BETAS, fused=True)


def load_gan_generator(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The generator of a checkpoint."""
    config = from_dict(AtlasGanConfig, header["config"])
    conditioning = Conditioning.from_json(header["conditioning"])
    detector = detector_from_json(header["detector"])
    generator = GanGenerator(config, detector, conditioning, device, header["response_scale"])
    generator.network.flat.copy_(tensors["network"])
    return generator


ATLAS_GAN = ModelSpec(
    name=NAME,
    title="ATLAS WGAN-GP",
    config_class=AtlasGanConfig,
    build=AtlasGan,
    load=load_gan_generator,
    source="ATL-SOFT-PUB-2018-001, section 4 and table 2",
    refuses=needs_energy_and_numbers,
    streams=False,
)
