"""Events do not fluctuate, or fluctuate less: what a generator gives that predicts the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_adapters.events import Events
from metrics.faults.carrying import carried
from metrics.faults.component import Fault, Response, Rows, at_like_conditions, carried_within
from metrics.faults.helix_points import from_helix
from metrics.observables.helix_residual import is_alice_track


def _collapsed_conditions(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    if is_alice_track(events.detector):
        return from_helix(events, 1 - strength)
    response = events.response.astype(np.float64)
    for rows in at_like_conditions(events):
        response[rows] += strength * (_mean_showers(events, rows) - response[rows])
    return response


def _mean_showers(events: Events, rows: Rows) -> Response:
    """The mean of these events, carried to the conditions of each."""
    middle = np.full(len(rows), rows[len(rows) // 2])
    mean = carried_within(events, rows, middle).mean(axis=0)
    own, wanted = ({name: values[index] for name, values in events.conditions.items()} for index in (middle, rows))
    return carried(events.detector, np.tile(mean, (len(rows), 1)), own, wanted)


COLLAPSED_CONDITIONS = Fault(
    name="collapsed_conditions",
    title="Every event the mean shower of its conditions (tracks: the helix)",
    strength=1.0,
    harmless=0.0,
    strength_unit="part of the fluctuations removed",
    noticed_by=("bmre", "wasserstein", "correlation"),
    function=_collapsed_conditions,
)
HALVED_FLUCTUATIONS = replace(
    COLLAPSED_CONDITIONS,
    name="halved_fluctuations",
    title="Every event half-way to the mean shower of its conditions (tracks: to the helix)",
    strength=0.5,
    noticed_by=("bmre", "wasserstein"),  # correlations do not change when everything shrinks alike
    sets_scales=lambda _detector: False,  # else one kind of fault would count twice
)
