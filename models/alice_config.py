"""Hyperparameters of the generators of tracks in the time projection chamber of ALICE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from models.config import Config, number, whole

Method = Literal["gan-mlp", "gan-lstm", "vae", "cvae", "dcgan", "progan"]
METHODS: tuple[Method, ...] = get_args(Method)
AUTOENCODERS: tuple[Method, ...] = ("vae", "cvae")


@dataclass(frozen=True)
class AliceTracksConfig(Config):
    """Hyperparameters; the defaults are the paper's where it says them, else ours (``models.alice_tracks``)."""

    method: Method = "progan"
    conditioning: Literal["none", "momentum"] = "none"
    latent_dim: int = whole(100)
    mlp_layers: int = whole(4, minimum=2)
    vae_layers: int = whole(1)
    dense_units: int = whole(512)
    lstm_layers: int = whole(1)
    lstm_units: int = whole(64)
    conv_layers: int = whole(3, maximum=5)
    channels: int = whole(32)
    kernel: int = whole(4, minimum=3)
    growth_steps: int = whole(5, minimum=0, maximum=5)
    growth_epochs: float = number(40.0)
    fade_epochs: float = number(40.0)
    dropout: float = number(0.25)
    leaky_slope: float = number(0.2)
    batch_norm: Literal["off", "generator", "both"] = "both"
    reconstruction: Literal["cross_entropy", "squared"] = "cross_entropy"
    kl_weight: float = number(1.0)
    objective: Literal["js", "kl", "wasserstein"] = "js"
    gradient_penalty_weight: float = number(10.0)
    critic_steps: int = whole(1)
    label_smoothing: float = number(1.0)
    label_noise: float = number(0.0)
    label_switch: float = number(0.0)
    learning_rate: float = number(2e-4, positive=True)
    critic_learning_rate: float = number(2e-4, positive=True)
    beta_1: float = number(0.5)
    beta_2: float = number(0.999)
    decay: float = number(0.0)
    batch_size: int = whole(64)
    average_decay: float = number(0.0)

    @property
    def autoencoder(self) -> bool:
        """Whether encoder and decoder are trained, rather than generator and critic."""
        return self.method in AUTOENCODERS

    @property
    def norm_before_output(self) -> bool:
        """Whether the network that judges or encodes has batch norm: not where its gradient is penalised."""
        return self.batch_norm == "both" and (self.autoencoder or self.objective != "wasserstein")
