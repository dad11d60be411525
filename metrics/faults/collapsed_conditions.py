"""Events do not fluctuate, or fluctuate less: what a generator gives that predicts the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_like_conditions, incident_energy
from metrics.faults.helix_points import from_helix
from metrics.observables.helix_residual import is_alice_track


def _collapsed_conditions(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    if is_alice_track(events.detector):
        return from_helix(events, 1 - strength)
    response = events.response.astype(np.float64)
    energy = incident_energy(events)[:, None]
    for rows in at_like_conditions(events):
        mean = (response[rows] / energy[rows]).mean(axis=0)
        response[rows] += strength * (mean * energy[rows] - response[rows])
    return response


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
    sets_scales=False,  # else one kind of fault would count twice
)
