"""The total energy fluctuates more."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_one_energy, incident_energy, is_positive
from metrics.faults.helix_points import from_helix
from metrics.observables.helix_residual import is_alice_track


def _wider_resolution(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    if is_alice_track(events.detector):
        return from_helix(events, strength)
    response = events.response.astype(np.float64)
    ratio = response.sum(axis=1) / incident_energy(events)
    for rows in at_one_energy(events):
        mean = ratio[rows].mean()
        wider = np.maximum(mean + strength * (ratio[rows] - mean), 0)
        response[rows] *= (wider / np.maximum(ratio[rows], np.finfo(float).tiny))[:, None]
    return response


WIDER_RESOLUTION = Fault(
    name="wider_resolution",
    title="Wider resolution (tracks: of the points about the helix)",
    strength=1.5,
    harmless=1.0,
    strength_unit="× distance of E / E_inc from its mean",
    noticed_by=("wasserstein",),
    function=_wider_resolution,
    applies=lambda detector: is_positive(detector) or is_alice_track(detector),
)
