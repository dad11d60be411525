"""For each model a small sample of a detector that it is made for, and how the contract tests train on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from models.base import GenerativeModel
from models.building import build_model

FEW = 100


@dataclass(frozen=True)
class Sample:
    """What the contract tests of a model train on.

    Attributes:
        events: The sample; a tenth of a second's worth of training an epoch, with ``config``.
        config: Hyperparameters that make the tests quick (smaller networks), used by all of them.
        learning: Hyperparameters for the test that the response follows the energy, beside ``config``.
        learning_epochs: How long that test trains; 0 where the detector has no incident energy.
        learning_events: What that test trains on; ``events`` by default.
        base: Gives the checkpoint of the model that this one is built on.
        later: Hyperparameters that change nothing in the first epoch (the length of a step, a decay); each has a test
            of its own.
    """

    events: Callable[[], Events]
    config: Mapping[str, Any] = field(default_factory=dict)
    learning: Mapping[str, Any] = field(default_factory=dict)
    learning_epochs: int = 30
    learning_events: Callable[[], Events] | None = None
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
ATLAS_EVENTS = {"events": partial(few_events, ATLAS, 180), "learning_events": partial(training_events, ATLAS)}
ATLAS_GAN_LEARNING = {
    "activation": "leaky_relu+softmax+relu",
    "learning_rate": 1e-3,
    "units": 64,
    "training_ratio": 2,
}

SAMPLES: dict[str, Sample] = {
    "atlas-gan": Sample(**ATLAS_EVENTS, learning=ATLAS_GAN_LEARNING),
    "atlas-vae": Sample(**ATLAS_EVENTS, learning={"learning_rate": 1e-3}),
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
