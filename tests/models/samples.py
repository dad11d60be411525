"""For each model a small sample of a detector that it is made for, and how the contract tests train on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from models.base import GenerativeModel
from models.building import build_model
from tests.models.clic_samples import CLIC_3DGAN_CONFIG, CLIC_3DGAN_LEARNING, clic_electrons
from tests.models.lhcb_samples import (
    EVENTS,
    PIONS,
    coarse_events,
    showers_around_the_impact,
    single_track_folder,
)

FEW = 100


def total_response(response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of the cells (N, V), shape (N,)."""
    return np.asarray(response.sum(axis=1))


def log_signals(response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of log₁₀(1 + S), for air showers: one station near the axis has most of the signal of all."""
    return np.asarray(np.log10(1 + response).sum(axis=1))


@dataclass(frozen=True)
class Sample:
    """What the contract tests of a model train on.

    Attributes:
        events: The sample; a tenth of a second's worth of training an epoch, with ``config``.
        config: Hyperparameters that make the tests quick (smaller networks), used by all of them.
        learning: Hyperparameters for the test that the response follows the energy, beside ``config``.
        learning_epochs: How long that test trains; 0 where the detector has no incident energy.
        learning_events: What that test trains on; ``events`` by default.
        follows: Of responses (N, V), what follows the energy, (N,); their total by default.
        base: Gives the checkpoint of the model that this one is built on.
        later: Hyperparameters that change nothing in the first epoch (the length of a step, a decay); each has a test
            of its own.
    """

    events: Callable[[], Events]
    config: Mapping[str, Any] = field(default_factory=dict)
    learning: Mapping[str, Any] = field(default_factory=dict)
    learning_epochs: int = 30
    learning_events: Callable[[], Events] | None = None
    follows: Callable[[NDArray[np.float32]], NDArray[np.float32]] = total_response
    base: Callable[[], Path] | None = None
    later: frozenset[str] = frozenset()


@lru_cache
def training_events(dataset: str) -> Events:
    """The training split of a sample that ships with the project."""
    return DATASETS[dataset].split("train")


@lru_cache
def few_events(dataset: str, count: int = FEW) -> Events:
    """So many of them, evenly spread over the sample."""
    events = training_events(dataset)
    return events.select(np.linspace(0, len(events) - 1, count).astype(np.intp))


ATLAS = "atlas-photons-geant4"
ATLAS_EVENTS: dict[str, Any] = {
    "events": partial(few_events, ATLAS, 180),
    "learning_events": partial(training_events, ATLAS),
}
ATLAS_GAN_LEARNING = {
    "activation": "leaky_relu+softmax+relu",
    "learning_rate": 1e-3,
    "units": 64,
    "training_ratio": 2,
}

AIRSHOWER_WGAN_CONFIG = {
    "latent_dim": 8,
    "seed_units": 16,
    "generator_maps": 8,
    "critic_maps": 8,
    "constrainer_maps": 4,
    "constrainer_layers": 2,
    "training_ratio": 2,
    "batch_size": 16,
    "learning_rate": 3e-3,
}

ALICE_TRACKS_CONFIG = {
    "latent_dim": 8,
    "dense_units": 32,
    "lstm_units": 8,
    "channels": 4,
    "batch_size": 25,
    "growth_epochs": 0.1,
    "fade_epochs": 0.1,
}

# Only labels that are exchanged at random give the critic's last bias a gradient: it moves no difference of means.
SINGLE_TRACK = {
    "generator_filters": 16,
    "critic_filters": 4,
    "batch_size": 8,
    "latent_dim": 4,
    "critic_steps": 2,
    "critic_learning_rate": 1e-3,
    "generator_learning_rate": 1e-3,
    "random_labels": 0.1,
}
SINGLE_TRACK_LEARNING = {
    "generator_filters": 32,
    "critic_filters": 8,
    "generator_layers": 2,
    "batch_size": 16,
    "critic_steps": 1,
    "critic_learning_rate": 2e-3,
    "generator_learning_rate": 2e-3,
    "random_labels": 0.0,
    "average_decay": 0.9,
}

AIRSHOWER_REFINER_CONFIG = {
    "residual_blocks": 2,
    "refiner_maps": 4,
    "encoder_maps": 4,
    "critic_maps": 2,
    "critic_layers": 2,
    "training_ratio": 2,
    "iterations_per_epoch": 2,
    "batch_size": 16,
    "learning_rate": 1e-3,
}

LHCB_IMAGES = {
    "generator_filters": 8,
    "critic_filters": 2,
    "encoder_filters": 2,
    "encoder_units": 8,
    "latent_dim": 4,
    "residual_blocks": 0,
    "batch_size": 4,
    "critic_learning_rate": 1e-3,
    "generator_learning_rate": 1e-3,
}
LHCB_IMAGES_LEARNING = {
    "kind": "pix2pix",
    "objective": "wasserstein",
    "cell_scale": "logarithmic",
    "gradient_penalty_weight": 1.0,
    "lambda_x": 0.1,
    "batch_size": 8,
    "critic_learning_rate": 2e-3,
    "generator_learning_rate": 2e-3,
}

SAMPLES: dict[str, Sample] = {
    "airshower-refiner": Sample(
        events=partial(few_events, "airshower-refinement", 60),
        config=AIRSHOWER_REFINER_CONFIG,
        learning_epochs=2,
        follows=log_signals,
    ),
    "airshower-wgan": Sample(
        events=partial(few_events, "airshower-data-patterns"),
        config=AIRSHOWER_WGAN_CONFIG,
        learning={"batch_size": 32, "constrainer_weight": 0.01},
        learning_epochs=8,
        learning_events=partial(training_events, "airshower-data-patterns"),
        follows=log_signals,
        later=frozenset({"decay"}),
    ),
    "alice-tracks": Sample(
        events=partial(few_events, "alice-tracks-geant4"), config=ALICE_TRACKS_CONFIG, learning_epochs=0
    ),
    "atlas-gan": Sample(**ATLAS_EVENTS, learning=ATLAS_GAN_LEARNING),
    "atlas-vae": Sample(**ATLAS_EVENTS, learning={"learning_rate": 1e-3}),
    "clic-3dgan": Sample(
        events=clic_electrons,
        config=CLIC_3DGAN_CONFIG,
        learning=CLIC_3DGAN_LEARNING,
        learning_epochs=25,
        later=frozenset({"first_step_epochs", "decay"}),
    ),
    # That the response follows the energy has a test of its own, with a base that has learned.
    "lhcb-refinement": Sample(
        events=partial(few_events, EVENTS, 12), config=LHCB_IMAGES, base=single_track_folder, learning_epochs=0
    ),
    "lhcb-single-track": Sample(
        events=partial(few_events, PIONS, 60),
        config=SINGLE_TRACK,
        learning=SINGLE_TRACK_LEARNING,
        learning_events=showers_around_the_impact,
    ),
    "lhcb-tracker-image": Sample(
        events=partial(few_events, EVENTS, 12),
        config=LHCB_IMAGES | {"residual_blocks": 1},
        learning=LHCB_IMAGES_LEARNING,
        learning_epochs=12,
        learning_events=coarse_events,
    ),
    "mean-shower": Sample(**ATLAS_EVENTS, learning_epochs=1),
}


def build(name: str, events: Events | None = None, seed: int = 0, **changes: Any) -> GenerativeModel:
    """The model of that name on its sample (or other events), with the quick configuration and some changes."""
    sample = SAMPLES[name]
    base = None if sample.base is None else sample.base()
    train = sample.events() if events is None else events
    return build_model(name, {**sample.config, **changes}, train, seed, "cpu", base)


def trained(name: str, epochs: int, events: Events | None = None, seed: int = 0, **changes: Any) -> GenerativeModel:
    """The same after some epochs."""
    model = build(name, events, seed, **changes)
    for _ in range(epochs):
        model.train_epoch()
    return model
