"""Conditional variational autoencoder for calorimeter showers.

Source: ATL-SOFT-PUB-2018-001, section 4, equations 4–8 and table 1. Minimised is

    w_reco · ½ Σ (x − x̃)²  +  w_KL · ½ Σ (μ² + σ² − log σ² − 1)  +  w_Etot · |Σx − Σx̃|  +  Σ_i w_i · |f_i − f̃_i|

averaged over the mini-batch, where x are the cell energies over the incident energy and f_i the energy fraction of
layer i. The paper prints the first two terms of equation 8 with the other sign, and the divergence (equation 5)
without ½ and square; the first term is −log p(x|z) of a Gaussian of unit variance.

Our reading of what the paper leaves open: the three E_i weights belong to front, middle and back (in a detector without
such layers, to the three parts of its depth, and there the decoder begins at the mean shower); a fifth hidden
layer is as wide as the fourth; a decoder of n layers has the first n widths of the encoder in reverse; the incident
energy enters both networks as a further input, log10 scaled to [0, 1]; the decoder ends in a sigmoid (no negative
energies); optimisers have the defaults of Keras 2. Showers are generated with averaged weights of the decoder, which is
ours.
"""

# Axes: B events of a mini-batch, N events, V cells, C encoded conditions, Z latent dimensions.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from data_adapters.detector import Detector, detector_from_json, detector_to_json
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from models.activations import HIDDEN
from models.averaging import average_weights
from models.base import GenerativeModel, ModelSpec, ShowerGenerator, check_losses, random_stream
from models.config import Config, from_dict, number, to_dict, whole
from models.dense import DenseNetwork
from models.gaussians import drawn, gaussian_divergence
from models.optimizers import OptimizerName, build_optimizer
from models.preprocessing import Conditioning, needs_energy_and_numbers
from models.rows import TrainingSample, fraction_rows, mean_fractions, response_scale
from models.storage import (
    check_same,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    with_prefix,
    without_prefix,
    write_checkpoint,
)

NAME = "atlas-vae"
SMALLEST_MEAN = 1e-6  # of a cell, where the decoder begins
SMALLEST_TOTAL = 1e-12  # of a shower's fractions, so that a shower without energy has layer fractions of zero

PARTS = ("front", "middle", "back")

Cells = slice | Tensor
InitializerName = Literal[
    "zeros", "ones", "random_normal", "random_uniform", "truncated_normal", "variance_scaling", "glorot_normal"
]


@dataclass(frozen=True)
class AtlasVaeConfig(Config):
    """Hyperparameters of table 1; the defaults are the paper's optimum."""

    latent_dim: int = whole(10)
    reconstruction_weight: float = number(1.0)
    kl_weight: float = number(1e-4)
    total_energy_weight: float = number(1e-2)
    front_weight: float = number(8e-2)
    middle_weight: float = number(6e-1)
    back_weight: float = number(2e-1)
    encoder_layers: int = whole(4, maximum=5)
    decoder_layers: int = whole(4, maximum=5)
    units_1: int = whole(200)
    units_2: int = whole(150)
    units_3: int = whole(100)
    units_4: int = whole(50)
    activation: Literal["elu", "relu", "selu", "leaky_relu", "prelu"] = "selu"
    kernel_initializer: InitializerName = "variance_scaling"
    bias_initializer: InitializerName = "ones"
    optimizer: OptimizerName = "rmsprop"
    learning_rate: float = number(1e-4, positive=True)
    batch_size: int = whole(100)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of hidden layers 1 to 5, from the showers towards the latent space."""
        return (self.units_1, self.units_2, self.units_3, self.units_4, self.units_4)


class VaeGenerator(ShowerGenerator):
    """The decoder with its conditioning; showers are the mean of p(x|z) at z from the prior."""

    def __init__(
        self, config: AtlasVaeConfig, detector: Detector, conditioning: Conditioning, device: str, scale: float = 1.0
    ) -> None:
        self.detector, self.conditioning, self.device = detector, conditioning, device
        self.response_scale = scale
        self.latent_dim = config.latent_dim
        hidden = config.widths[: config.decoder_layers][::-1]
        sizes = [config.latent_dim + conditioning.width, *hidden, detector.num_cells]
        self.network = DenseNetwork(sizes, HIDDEN[config.activation], device)

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        return torch.sigmoid(self.network(torch.cat((noise, encoded), dim=1)))

    def tensors(self) -> dict[str, Tensor]:
        return {"network": self.network.flat}

    def freeze(self) -> list[nn.Module]:
        self.network.freeze()
        return []


class AtlasVae(GenerativeModel):
    """Encoder and decoder in training; an epoch is one pass over the sample."""

    generator: VaeGenerator

    def __init__(self, config: AtlasVaeConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        self.config = config
        detector = train.detector
        self.parts = depth_parts(detector, device)
        weights = {"front": config.front_weight, "middle": config.middle_weight, "back": config.back_weight}
        self.part_weights = {name: weights[name] for name in self.parts}
        conditioning = _conditioning(train)
        scale = response_scale(train)
        self.rows = fraction_rows(train, conditioning, scale, device)
        self.generator = VaeGenerator(config, detector, conditioning, device, scale)  # averaged weights
        self.decoder = VaeGenerator(config, detector, conditioning, device, scale)
        hidden = config.widths[: config.encoder_layers]
        sizes = [detector.num_cells + conditioning.width, *hidden, 2 * config.latent_dim]
        self.encoder = DenseNetwork(sizes, HIDDEN[config.activation], device)
        for name, network in (("encoder", self.encoder), ("decoder", self.decoder.network)):
            random = random_stream(seed, f"{name} initialisation")
            network.initialize(config.kernel_initializer, config.bias_initializer, random)
        if detector != ATLAS_PHOTONS:
            self._begin_at_the_mean_shower(mean_fractions(train, scale))
        self.generator.network.flat.copy_(self.decoder.network.flat.detach())
        parameters = [self.encoder.flat, self.decoder.network.flat]
        self.optimizer = build_optimizer(config.optimizer, parameters, config.learning_rate)
        self.randoms = {name: random_stream(seed, name, device) for name in ("shuffling", "latent")}
        self.epoch = 0
        self.steps = 0

    def _begin_at_the_mean_shower(self, mean: Tensor) -> None:
        """Biases of the decoder's last layer, so that training need not first empty thousands of cells."""
        with torch.no_grad():
            self.decoder.network.biases[-1].copy_(torch.logit(mean, eps=SMALLEST_MEAN))

    def train_epoch(self) -> dict[str, float]:
        batches = self.rows.batches(self.config.batch_size, self.epoch, self.randoms["shuffling"])
        totals = torch.stack([self.step(batch) for batch in batches])
        self.epoch += 1
        losses = dict(zip(("total", *self.loss_weights()), totals.mean(dim=0).tolist(), strict=True))
        check_losses(losses, self.epoch)
        return losses

    def loss_weights(self) -> dict[str, float]:
        """Weight of each term of equation 8."""
        return {
            "reconstruction": self.config.reconstruction_weight,
            "kl": self.config.kl_weight,
            "total_energy": self.config.total_energy_weight,
            **self.part_weights,
        }

    def step(self, batch: Tensor) -> Tensor:
        """One optimiser step on B rows, (B, V + C); the total loss and its unweighted terms."""
        cells = self.generator.detector.num_cells
        mean, log_variance = self.encoder(batch).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=self.randoms["latent"], device=mean.device)
        reconstructed = self.decoder.normalised(batch[:, cells:], drawn(mean, log_variance, noise))
        terms = loss_terms(batch[:, :cells], reconstructed, mean, log_variance, self.parts)
        values = torch.stack(list(terms.values()))
        total = torch.dot(values, values.new_tensor(list(self.loss_weights().values())))
        self.encoder.zero_gradients()
        self.decoder.network.zero_gradients()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.steps += 1
        average_weights(self.generator.network.flat, self.decoder.network.flat, self.steps)
        return torch.cat((total[None], values)).detach()

    def parameter_counts(self) -> dict[str, int]:
        decoder = self.generator.num_parameters()
        return {"generate": decoder, "train": decoder + self.encoder.flat.numel()}

    def save(self, folder: Path) -> None:
        tensors = {
            **with_prefix("generator.", self.generator.tensors()),
            "training.encoder": self.encoder.flat,
            "training.decoder": self.decoder.network.flat,
            **with_prefix("optimizer.", optimizer_tensors(self.optimizer)),
            **with_prefix("random.", {name: random.get_state() for name, random in self.randoms.items()}),
        }
        write_checkpoint(folder, {**self._header(), "epoch": self.epoch, "steps": self.steps}, tensors)

    def restore(self, folder: Path) -> None:
        header, tensors = read_checkpoint(folder)
        check_same(header, self._header())
        self.generator.network.flat.copy_(tensors["generator.network"])
        self.encoder.flat.copy_(tensors["training.encoder"])
        self.decoder.network.flat.copy_(tensors["training.decoder"])
        restore_optimizer(self.optimizer, without_prefix("optimizer.", tensors))
        for name, random in self.randoms.items():
            random.set_state(tensors[f"random.{name}"])
        self.epoch, self.steps = header["epoch"], header["steps"]

    def _header(self) -> dict[str, Any]:
        return {
            "model": NAME,
            "config": to_dict(self.config),
            "detector": detector_to_json(self.generator.detector),
            "conditioning": self.generator.conditioning.to_json(),
            "response_scale": self.generator.response_scale,
        }


def loss_terms(
    shower: Tensor, reconstructed: Tensor, mean: Tensor, log_variance: Tensor, parts: Mapping[str, Cells]
) -> dict[str, Tensor]:
    """The terms of equation 8 without their weights, each a mean over the mini-batch.

    Args:
        shower, reconstructed: Cell energies over the incident energy, (B, V).
        mean, log_variance: Of the latent distribution, (B, Z).
        parts: The cells of each part of the depth whose energy fraction is compared.
    """
    total, reconstructed_total = shower.sum(dim=1), reconstructed.sum(dim=1)
    terms = {
        "reconstruction": ((shower - reconstructed) ** 2).sum(dim=1).mean() / 2,
        "kl": gaussian_divergence(mean, log_variance),
        "total_energy": (total - reconstructed_total).abs().mean(),
    }
    for name, cells in parts.items():
        fraction = shower[:, cells].sum(dim=1) / total.clamp(min=SMALLEST_TOTAL)
        reconstructed_fraction = reconstructed[:, cells].sum(dim=1) / reconstructed_total.clamp(min=SMALLEST_TOTAL)
        terms[name] = (fraction - reconstructed_fraction).abs().mean()
    return terms


def depth_parts(detector: Detector, device: str) -> dict[str, Cells]:
    """Cells of the front, middle and back: the layers of these names, or else the three parts of the depth.

    A detector that is one or two cells deep has fewer parts.
    """
    if all(name in detector.layer_slices for name in PARTS):
        return {name: detector.layer_slices[name] for name in PARTS}
    parts = zip(PARTS, detector.depth_parts(len(PARTS)), strict=True)
    return {name: torch.from_numpy(cells).to(device) for name, cells in parts if len(cells)}


def _conditioning(train: TrainingSample) -> Conditioning:
    """The incident energy alone for the detector of the paper, which did not tell more; all conditions for others."""
    conditioning = Conditioning.fitted(train, logarithmic_energy=True)
    if train.detector != ATLAS_PHOTONS:
        return conditioning
    return Conditioning(tuple(part for part in conditioning.parts if part.name == INCIDENT_ENERGY))


def load_vae_generator(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The decoder of a checkpoint."""
    config = from_dict(AtlasVaeConfig, header["config"])
    conditioning = Conditioning.from_json(header["conditioning"])
    detector = detector_from_json(header["detector"])
    generator = VaeGenerator(config, detector, conditioning, device, header["response_scale"])
    generator.network.flat.copy_(tensors["network"])
    return generator


ATLAS_VAE = ModelSpec(
    name=NAME,
    title="ATLAS VAE",
    config_class=AtlasVaeConfig,
    build=AtlasVae,
    load=load_vae_generator,
    source="ATL-SOFT-PUB-2018-001, section 4 and table 1",
    refuses=needs_energy_and_numbers,
)
