"""Generators of tracks in the time projection chamber of ALICE: six methods under one name.

Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, sections 3 and 4.

- ``gan-mlp``: a discriminator of four dense layers, the generator built the other way round.
- ``gan-lstm``: both recurrent, one step a point.
- ``vae``: dense, one hidden layer in encoder and decoder.
- ``cvae``: three convolutions and three deconvolutions.
- ``dcgan``: the same as discriminator and generator, two-dimensional: the image of a track has its points along one
  axis and their coordinates along the other.
- ``progan``: the DCGAN grown in five steps to six layers, from 5 to 160 points (Karras et al., arXiv:1710.10196).

GANs minimise binary cross-entropy, autoencoders the same between points and reconstructed points plus the divergence
of the latent distribution. ``conditioning`` tells all networks the momentum, as the paper's future work asks.

The paper gives no numbers; all sizes and rates are our choice. So are: units halve from layer to layer and channels
double (three times at most) on the way from the track to the latent space; batch norm in front of every hidden
activation but in recurrent networks; dropout in discriminators and encoders; LSTMs are told the latent vector at every
point; one convolution a growth step, stride 2 along the points with kernels of 4 (an odd kernel gives neighbouring
points unequal shares), no normalisation of pixels; tracks are made coarser by means of neighbouring points; ``squared``
errors, objectives other than cross-entropy and averaged weights.
"""

# Axes: B tracks of a mini-batch, R critic steps a generator step, W places of a network, V cells, C encoded conditions.
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from data_adapters.detector import Detector, detector_from_json
from data_adapters.layouts.alice_geometry import COORDINATES, MOST_POINTS
from models.adversarial import OBJECTIVES, Labels
from models.alice_config import AliceTracksConfig
from models.alice_networks import (
    TrackNetwork,
    build_critic,
    build_generator,
    enlarge,
    full_length,
    growing,
    places_of,
    shrink,
)
from models.base import GenerativeModel, ModelSpec, ShowerGenerator
from models.config import from_dict
from models.critic_batches import critic_batches
from models.gaussians import drawn, gaussian_divergence
from models.gradient_penalty import gradient_penalty
from models.layers import building
from models.network_model import Losses, NetworkGenerator, NetworkModel
from models.optimizers import build_optimizer
from models.preprocessing import Affine, Conditioning
from models.progressive import Growth, events_at
from models.rows import TrainingRows, TrainingSample
from models.track_points import MOMENTUM, TOLD, no_track, response_of, told_of, track_rows

NAME = "alice-tracks"


def track_conditioning(config: AliceTracksConfig) -> Conditioning:
    """Transverse momentum, phi, eta and charge as they are (networks see ``told_of`` them), or nothing."""
    return Conditioning(tuple(Affine(name) for name in MOMENTUM) if config.conditioning == "momentum" else ())


class TrackGenerator(NetworkGenerator):
    """Generator or decoder; of an autoencoder tracks are the mean of p(x|z) at z from the prior."""

    network: TrackNetwork
    generation_batch = 1000

    def __init__(self, config: AliceTracksConfig, detector: Detector, device: str) -> None:
        conditioning = track_conditioning(config)
        self.places = places_of(config)
        network = build_generator(config, TOLD if conditioning.parts else 0)
        super().__init__(network, detector, conditioning, config.latent_dim, device)

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        logits = full_length(self.network(noise, told_of(encoded)), self.places)
        return response_of(torch.sigmoid(logits[:, :MOST_POINTS]))

    @property
    def constant_normalisation(self) -> float:
        """The response is a place in the chamber."""
        return 1.0


class _Tracks(NetworkModel):
    """What both kinds of training have in common: rows and optimisers."""

    compilable = ()
    config: AliceTracksConfig
    generator: TrackGenerator

    def __init__(
        self, config: AliceTracksConfig, train: TrainingSample, seed: int, device: str, judging: str, together: bool
    ) -> None:
        with building(seed, "networks"):
            generator = TrackGenerator(config, train.detector, device)
            judge = build_critic(config, TOLD if generator.conditioning.parts else 0).to(device)
        self.trained, self.judge = generator.network, judge
        rows = TrainingRows(train, track_rows(generator.conditioning, generator.places), device)
        trained = {"generator": [*self.trained.parameters()], judging: [*judge.parameters()]}
        rates = {"generator": config.learning_rate, judging: config.critic_learning_rate}
        if together:
            trained = {"generator": [*trained["generator"], *trained[judging]]}
        super().__init__(
            NAME,
            config,
            generator,
            {"generator": self.trained, judging: judge},
            {
                name: build_optimizer("adam", parameters, rates[name], config.beta_1, config.beta_2)
                for name, parameters in trained.items()
            },
            rows,
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )

    def _split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled tracks (B, W, 3) and what networks are told (B, C) of rows."""
        values = self.generator.places * COORDINATES
        return rows[:, :values].reshape(len(rows), -1, COORDINATES), told_of(rows[:, values:])


class TrackGan(_Tracks):
    """Generator and discriminator in training."""

    def __init__(self, config: AliceTracksConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        super().__init__(config, train, seed, device, judging="critic", together=False)
        self.objective = OBJECTIVES[config.objective]
        self.labels = Labels(config.label_smoothing, config.label_switch, config.label_noise)
        self.growth = Growth(config.growth_steps, config.growth_epochs, config.fade_epochs)
        self.steps_an_epoch = max(1, self.rows.num_events // (config.batch_size * config.critic_steps))

    def batches(self) -> Iterable[Tensor]:
        config = self.config
        return critic_batches(self.rows, config.batch_size, config.critic_steps, self.epoch, self.randoms["shuffling"])

    def step(self, batch: Tensor) -> Losses:
        """Critic steps on mini-batches (R, B, 3 W + C), then one of the generator at the conditions of the last."""
        self._grow()
        critic = torch.stack([self._critic_step(rows) for rows in batch]).mean()
        return {"critic": critic, "generator": self._generator_step(batch[-1])}

    def _grow(self) -> None:
        progress = self.growth.progress(self.counters["steps"] / self.steps_an_epoch)
        for network in (self.trained, self.judge):
            part = growing(network)
            if part is not None:
                part.progress = progress

    def _critic_step(self, rows: Tensor) -> Tensor:
        scaled, told = self._split(rows)
        real, random = self._at_present(scaled), self.randoms["labels"]
        with torch.no_grad():
            generated = self._generated(told)
        loss = self.objective.critic(self.judge(real, told), True, self.labels, random)
        loss = loss + self.objective.critic(self.judge(generated, told), False, self.labels, random)
        if self.config.objective == "wasserstein":
            loss = loss + self.config.gradient_penalty_weight * self._penalty(real, generated, told)
        self.minimise("critic", loss)
        return loss.detach()

    def _generator_step(self, rows: Tensor) -> Tensor:
        _, told = self._split(rows)
        loss = self.objective.generator(self.judge(self._generated(told), told))
        self.minimise("generator", loss)
        return loss.detach()

    def _generated(self, told: Tensor) -> Tensor:
        """Scaled tracks on the places of the present stage."""
        return torch.sigmoid(self.trained(self.noise(len(told), self.config.latent_dim), told))

    def _at_present(self, scaled: Tensor) -> Tensor:
        """Full simulation on as many places as the networks have grown to."""
        part = growing(self.judge)
        return scaled if part is None else events_at(scaled[:, None], part, shrink, enlarge)[:, 0]

    def _penalty(self, real: Tensor, generated: Tensor, told: Tensor) -> Tensor:
        # cuDNN differentiates recurrent networks once only.
        with torch.backends.cudnn.flags(enabled=self.config.method != "gan-lstm"):
            return gradient_penalty(
                lambda tracks: self.judge(tracks, told), real, generated, "two_sided", self.randoms["mixing"]
            )


class TrackVae(_Tracks):
    """Encoder and decoder in training."""

    def __init__(self, config: AliceTracksConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        super().__init__(config, train, seed, device, judging="encoder", together=True)

    def step(self, batch: Tensor) -> Losses:
        """One step on rows (B, 3 W + C)."""
        scaled, told = self._split(batch)
        mean, log_variance = self.judge(scaled, told).chunk(2, dim=1)
        latent = drawn(mean, log_variance, self.noise(*mean.shape))
        reconstruction = reconstruction_loss(self.trained(latent, told), scaled, self.config.reconstruction)
        divergence = gaussian_divergence(mean, log_variance)
        total = reconstruction + self.config.kl_weight * divergence
        self.minimise("generator", total)
        return {"total": total.detach(), "reconstruction": reconstruction.detach(), "kl": divergence.detach()}


def reconstruction_loss(logits: Tensor, scaled: Tensor, kind: str) -> Tensor:
    """Of reconstructed tracks against tracks, (B, W, 3) each; summed over a track, averaged over tracks.

    ``cross_entropy`` is less by the entropy of the tracks, so that it is 0 for a perfect reconstruction too.

    Raises: ValueError for different shapes.
    """
    if logits.shape != scaled.shape:
        raise ValueError(f"logits {tuple(logits.shape)}, tracks {tuple(scaled.shape)}; give the same shape")
    if kind == "squared":
        return ((torch.sigmoid(logits) - scaled) ** 2).sum(dim=(1, 2)).mean() / 2
    entropy = -(torch.xlogy(scaled, scaled) + torch.xlogy(1 - scaled, 1 - scaled))
    difference = functional.binary_cross_entropy_with_logits(logits, scaled, reduction="none") - entropy
    return difference.sum(dim=(1, 2)).mean()


def build_alice_tracks(
    config: AliceTracksConfig, train: TrainingSample, seed: int, device: str = "cpu"
) -> GenerativeModel:
    """The model of a method, ready for its first epoch."""
    return (TrackVae if config.autoencoder else TrackGan)(config, train, seed, device)


def load_alice_tracks(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The generator of a checkpoint."""
    config = from_dict(AliceTracksConfig, header["config"])
    with building(0, "replaced by the checkpoint's"):
        generator = TrackGenerator(config, detector_from_json(header["detector"]), device)
    generator.network.load_state_dict(dict(tensors))
    return generator


ALICE_TRACKS = ModelSpec(
    name=NAME,
    title="ALICE track generators",
    config_class=AliceTracksConfig,
    build=build_alice_tracks,
    load=load_alice_tracks,
    source="K. Deja et al. (ALICE), Generative Models for Fast Cluster Simulations in the TPC, section 3",
    refuses=no_track,
)
