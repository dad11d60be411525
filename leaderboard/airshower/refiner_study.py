"""Are refined traces more like data, and does a network learn the energy of data from them? Figures 5 to 7."""

# Axes: N events, V cells.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from data_adapters.layouts.airshower import STATIONS, TIME_BINS
from data_adapters.layouts.airshower_refinement import SIMULATED_TRACES
from leaderboard.airshower import samples
from leaderboard.airshower.energy_study import Resolution, divided, energy_study
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS
from models.base import GenerativeModel, ShowerGenerator
from models.building import build_model
from models.checkpoint import load_generator
from models.network_model import NetworkModel

TRAINED_EVENTS, STUDIED_EVENTS, EPOCHS = 3_000, 4_000, 300
STUDIED_SEED = 1_000_000  # added to the seed: showers that no refiner was trained with
SCORECARD = "airshower-array-v1"
PAPER_ENERGY_EEV = 69.0  # of the event in figure 5

Traces = NDArray[np.float32]


@dataclass(frozen=True)
class EventTraces:
    """Traces of one shower in its hottest station and the next hottest, data, simulation, refined, (3, 2, T) [VEM]."""

    energy: float
    traces: Traces


@dataclass(frozen=True)
class RefinerStudy:
    """What figures 5 to 7 show.

    Attributes:
        losses: Mean of each loss in every epoch; empty for a refiner that was trained before.
        steps: Refiner iterations at the end of each epoch.
        event: The shower that has nearly the energy of figure 5.
        scores: Score of the scorecard and its components, of each of the samples named.
        energy: The study of figure 6.
    """

    losses: Mapping[str, list[float]]
    steps: list[int]
    event: EventTraces
    scores: Mapping[str, Mapping[str, float]]
    energy: Mapping[str, Resolution]


def refiner_study(
    config: Mapping[str, Any],
    seed: int,
    *,
    checkpoint: Path | None = None,
    trained_events: int = TRAINED_EVENTS,
    events: int = STUDIED_EVENTS,
    epochs: int = EPOCHS,
    on_step: Callable[[str], None] = lambda _step: None,
) -> RefinerStudy:
    """Train a refiner, or take one, and study it with showers that it has not seen.

    Raises: UnreadableCheckpoint.
    """
    losses: dict[str, list[float]] = {}
    steps: list[int] = []
    if checkpoint is None:
        generator: ShowerGenerator = _trained(config, seed, trained_events, epochs, losses, steps, on_step)
    else:
        generator = load_generator(checkpoint)
    on_step("showers to study")
    sample = samples.data_and_simulation(events, seed + STUDIED_SEED, paired=True)
    simulated = sample.conditions[SIMULATED_TRACES].reshape(len(sample), -1).astype(np.float32)
    refined = generator.generate(sample.conditions, seed)
    return RefinerStudy(
        losses,
        steps,
        _event(sample, simulated, refined),
        _scores(sample, {"unrefined simulation": simulated, "refined simulation": refined}, seed),
        energy_study(sample, simulated, refined, seed, on_step),
    )


def _trained(
    config: Mapping[str, Any],
    seed: int,
    events: int,
    epochs: int,
    losses: dict[str, list[float]],
    steps: list[int],
    on_step: Callable[[str], None],
) -> ShowerGenerator:
    on_step("data and simulation, of other showers")
    model: GenerativeModel = build_model(
        "airshower-refiner", config, samples.data_and_simulation(events, seed, paired=False), seed
    )
    assert isinstance(model, NetworkModel)
    for epoch in range(epochs):
        on_step(f"refiner, epoch {epoch + 1} of {epochs}")
        for name, value in model.train_epoch().items():
            losses.setdefault(name, []).append(value)
        steps.append(model.counters["steps"])
    return model.generator


def _scores(sample: Events, responses: Mapping[str, Traces], seed: int) -> dict[str, dict[str, float]]:
    """Of the tested events, beside the mean event of the others."""
    parts = divided(len(sample), seed)
    tested = sample.select(parts.test)
    judge = Judge(SCORECARDS[SCORECARD], tested, None, replicas=0)
    mean = build_model("mean-shower", {}, sample.select(parts.train), seed)
    mean.train_epoch()
    judged = {"mean event of data": mean.generate(tested.conditions, seed)}
    judged |= {name: response[parts.test] for name, response in responses.items()}
    scores = {}
    for name, response in judged.items():
        judgement = judge.judge(response, errors=False)
        components = {key: estimate.value for key, estimate in judgement.components.items()}
        scores[name] = {"score": judgement.score.value, **components}
    return scores


def _event(sample: Events, simulated: Traces, refined: Traces) -> EventTraces:
    number = int(np.abs(sample.incident_energy - PAPER_ENERGY_EEV).argmin())
    traces = np.stack([response[number].reshape(-1, TIME_BINS) for response in (sample.response, simulated, refined)])
    assert traces.shape == (3, STATIONS[0] * STATIONS[1], TIME_BINS)
    hottest = np.argsort(-traces[0].sum(axis=1))[:2]
    return EventTraces(float(sample.incident_energy[number]), traces[:, hottest])
