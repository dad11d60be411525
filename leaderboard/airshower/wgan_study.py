"""Does the energy that the WGAN was asked for come back from its patterns? arXiv:1802.03325, figures 2 to 4."""

# Axes: N events, V stations.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data_adapters.events import INCIDENT_ENERGY, Events
from leaderboard.airshower import samples
from metrics.networks.parts import Parts
from models.airshower_wgan import AirshowerWgan
from models.building import build_model

EVENTS, GENERATED, EPOCHS = 10_000, 5_000, 20
JUDGE_EVENTS = 6_000  # that the independent network is trained and stopped with
PATTERN_ENERGIES_EEV = (10.0, 30.0, 70.0, 100.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WganStudy:
    """What figures 2 to 4 show.

    Attributes:
        losses: Mean of each loss in every epoch.
        steps: Generator steps at the end of each epoch.
        energy: That the generator was told [EeV], (N,).
        by_constrainer, by_judge: That the constrainer, and a network trained on data alone, reconstruct from generated
            patterns [EeV], (N,).
        data_by_judge: That the same network reconstructs from data of these energies [EeV], (N,).
        early, late: Patterns at four energies after the first epoch and after the last, (4, V) [VEM].
    """

    losses: Mapping[str, list[float]]
    steps: list[int]
    energy: Floats
    by_constrainer: Floats
    by_judge: Floats
    data_by_judge: Floats
    early: NDArray[np.float32]
    late: NDArray[np.float32]


def wgan_study(
    config: Mapping[str, Any],
    seed: int,
    *,
    events: int = EVENTS,
    epochs: int = EPOCHS,
    generated: int = GENERATED,
    on_step: Callable[[str], None] = lambda _step: None,
) -> WganStudy:
    """Train on ``events`` patterns of data, generate, reconstruct."""
    on_step("patterns of data")
    # One sequence: what is trained with is never tested.
    sample = samples.patterns(events + generated, seed)
    train, tested = (sample.select(rows) for rows in np.split(np.arange(events + generated), [events]))
    model = build_model("airshower-wgan", config, train, seed)
    assert isinstance(model, AirshowerWgan)
    shown = {INCIDENT_ENERGY: np.array(PATTERN_ENERGIES_EEV)}
    losses: dict[str, list[float]] = {}
    steps: list[int] = []
    for epoch in range(epochs):
        on_step(f"WGAN, epoch {epoch + 1} of {epochs}")
        for name, value in model.train_epoch().items():
            losses.setdefault(name, []).append(value)
        steps.append(model.counters["steps"])
        if epoch == 0:
            early = model.generate(shown, seed)
    patterns = model.generate(tested.conditions, seed)
    on_step("AixNet on data")
    judge = _judge(train.select(np.arange(min(events, JUDGE_EVENTS))), seed)
    return WganStudy(
        losses,
        steps,
        tested.incident_energy,
        constrained_energy(model, patterns),
        judge(tested.with_response(patterns)),
        judge(tested),
        early,
        model.generate(shown, seed),
    )


def constrained_energy(model: AirshowerWgan, patterns: NDArray[np.float32]) -> Floats:
    """What the constrainer reconstructs from patterns (N, V) [VEM], in the unit of the energy condition, (N,)."""
    constrainer = model.networks["constrainer"].eval()
    with torch.no_grad():
        found = constrainer(model.generator.signals.forward(torch.from_numpy(patterns)))
    constrainer.train()
    return model.energy_scale * np.asarray(found.numpy(), dtype=np.float64)


def _judge(training: Events, seed: int) -> Callable[[Events], Floats]:
    """AixNet, trained on data alone: events to reconstructed energies [EeV]."""
    from metrics.networks.regression import EnergyReconstruction

    rows = np.random.default_rng(seed).permutation(len(training))
    first = round(0.9 * len(rows))

    def reconstruct(tested: Events) -> Floats:
        everything = Parts(rows[:first], rows[first:], np.arange(len(tested)), seed)
        return np.exp(EnergyReconstruction(training, [everything], trained).logarithms(tested))

    trained = EnergyReconstruction.train(training, [Parts(rows[:first], rows[first:], rows[:0], seed)]).trained
    return reconstruct
