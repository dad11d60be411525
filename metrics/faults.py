"""Injected faults: full simulation made worse on purpose, in a known way and at a known strength.

They test the metrics, and they fix the scales of the combined score: a component divided by its mean
over these faults counts as much as any other.
"""

# Axes: N events, V cells, n events of one condition bin.
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from data_adapters.registry import Registry
from metrics.observables.sample import Sample
from metrics.observables.shower_depth import shower_depth

Response = NDArray[np.float64]


@dataclass(frozen=True)
class Fault:
    """A fault that a bad generator might have.

    Attributes:
        strength: Strength at which it is injected; ``strength_unit`` says what the number means.
        harmless: Strength at which nothing changes.
        noticed_by: Scored metrics that are meant to notice it at this strength.
        function: (events, strength, random generator) to response [MeV], shape (N, V).
        seed: Seed of the random generator.
    """

    name: str
    title: str
    strength: float
    harmless: float
    strength_unit: str
    noticed_by: tuple[str, ...]
    function: Callable[[Events, float, np.random.Generator], Response]
    seed: int = 0

    def inject(self, events: Events, strength: float | None = None) -> NDArray[np.float32]:
        """Response with the fault [MeV], shape (N, V), at the conditions of ``events``."""
        chosen = self.strength if strength is None else strength
        return self.function(events, chosen, np.random.default_rng(self.seed)).astype(np.float32)


def _bins(events: Events) -> Iterator[NDArray[np.intp]]:
    """Indices of the events of each condition bin, shape (n,)."""
    condition = events.conditions[events.detector.binning_condition.name]
    for value in np.unique(condition):
        yield np.flatnonzero(condition == value)


def _energy_scale(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    return events.response.astype(np.float64) * strength


def _wider_resolution(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for index in _bins(events):
        total = response[index].sum(axis=1)
        wider = np.maximum(total.mean() + strength * (total - total.mean()), 0)
        response[index] *= (wider / np.maximum(total, np.finfo(float).tiny))[:, None]
    return response


def _outliers(events: Events, strength: float, rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for index in _bins(events):
        chosen = rng.choice(index, size=round(strength * len(index)), replace=False)
        response[chosen] *= 2  # beyond every other shower of this energy
    return response


def _dropped_mode(events: Events, strength: float, rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    depth = shower_depth(Sample(events))
    for index in _bins(events):
        by_depth = index[np.argsort(depth[index])]
        kept, dropped = np.split(by_depth, [len(index) - round(strength * len(index))])
        response[dropped] = response[rng.choice(kept, size=len(dropped))]
    return response


def _collapsed_conditions(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for index in _bins(events):
        response[index] += strength * (response[index].mean(axis=0) - response[index])
    return response


def _permuted_layers(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    slices = list(events.detector.layer_slices.values())
    energy = np.stack([response[:, cells].sum(axis=1) for cells in slices], axis=1)
    first, second = np.argsort(energy.sum(axis=0))[-2:]  # the two with most energy
    for layer, other in ((first, second), (second, first)):
        wanted = energy[:, layer] + strength * (energy[:, other] - energy[:, layer])
        filled = energy[:, layer] > 0
        factor = np.divide(wanted, energy[:, layer], out=np.zeros(len(events)), where=filled)
        response[:, slices[layer]] *= factor[:, None]
    return response


def _duplicated_events(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for index in _bins(events):
        distinct = index[: max(1, round(strength * len(index)))]
        response[index] = response[np.resize(distinct, len(index))]
    return response


def _cell_threshold(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    return np.where(response < strength, 0.0, response)


def _transposed_axes(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for layer, cells in zip(events.detector.layers, events.detector.layer_slices.values(), strict=True):
        images = response[:, cells].reshape(len(events), *layer.shape)
        transposed = images.transpose(0, 2, 1).reshape(len(events), -1)
        response[:, cells] += strength * (transposed - response[:, cells])
    return response


FAULTS: Registry[Fault] = Registry(
    "fault",
    Fault(
        name="energy_scale",
        title="Energy scale shifted",
        strength=1.03,
        harmless=1.0,
        strength_unit="× energy",
        noticed_by=("response", "wasserstein"),
        function=_energy_scale,
    ),
    Fault(
        name="wider_resolution",
        title="Wider resolution",
        strength=1.5,
        harmless=1.0,
        strength_unit="× distance of E from its mean",
        noticed_by=("wasserstein",),
        function=_wider_resolution,
    ),
    Fault(
        name="outliers",
        title="Showers outside the window, with twice their energy",
        strength=0.05,
        harmless=0.0,
        strength_unit="fraction of events",
        noticed_by=("response", "wasserstein", "correlation"),
        function=_outliers,
    ),
    Fault(
        name="dropped_mode",
        title="Deep showers missing, others in their place",
        strength=0.3,
        harmless=0.0,
        strength_unit="fraction of events",
        noticed_by=("bmre", "wasserstein", "correlation"),
        function=_dropped_mode,
    ),
    Fault(
        name="collapsed_conditions",
        title="Every event the mean shower of its energy",
        strength=1.0,
        harmless=0.0,
        strength_unit="part of the fluctuations removed",
        noticed_by=("bmre", "wasserstein", "correlation"),
        function=_collapsed_conditions,
    ),
    Fault(
        name="permuted_layers",
        title="Two layers exchange their energies",
        strength=1.0,
        harmless=0.0,
        strength_unit="part exchanged",
        noticed_by=("bmre", "wasserstein", "correlation"),
        function=_permuted_layers,
    ),
    Fault(
        name="duplicated_events",
        title="Few distinct events, repeated",
        strength=0.1,
        harmless=1.0,
        strength_unit="fraction distinct",
        noticed_by=("bmre", "wasserstein", "correlation"),
        function=_duplicated_events,
    ),
    Fault(
        name="cell_threshold",
        title="Cells below a threshold set to zero",
        strength=5.0,
        harmless=0.0,
        strength_unit="MeV",
        noticed_by=("response", "wasserstein"),
        function=_cell_threshold,
    ),
    Fault(
        name="transposed_axes",
        title="Every layer read as if it were stored (phi, eta)",
        strength=1.0,
        harmless=0.0,
        strength_unit="part transposed",
        noticed_by=("bmre",),
        function=_transposed_axes,
    ),
)
