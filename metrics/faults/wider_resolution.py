"""The total energy fluctuates more."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_one_energy, incident_energy, is_positive
from metrics.faults.helix_points import from_helix
from metrics.observables.airshower_array import is_array
from metrics.observables.airshower_size import shower_size
from metrics.observables.helix_residual import is_alice_track
from metrics.observables.sample import Sample


def _wider_resolution(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    if is_alice_track(events.detector):
        return from_helix(events, strength)
    if is_array(events.detector):
        return _wider_size(events, strength)
    response = events.response.astype(np.float64)
    ratio = response.sum(axis=1) / incident_energy(events)
    for rows in at_one_energy(events):
        mean = ratio[rows].mean()
        wider = np.maximum(mean + strength * (ratio[rows] - mean), 0)
        response[rows] *= (wider / np.maximum(ratio[rows], np.finfo(float).tiny))[:, None]
    return response


def _wider_size(events: Events, strength: float) -> Response:
    """Signals of all stations by one factor, so that the size fluctuates more, not the total: its spread is that of
    the distances from the core to the nearest station."""
    response = events.response.astype(np.float64)
    size = shower_size(Sample(events))
    for rows in at_one_energy(events):
        response[rows] *= 10 ** ((strength - 1) * (size[rows] - size[rows].mean()))[:, None]
    return response


WIDER_RESOLUTION = Fault(
    name="wider_resolution",
    title="Wider resolution (tracks: of the points about the helix; air showers: of the size)",
    strength=1.5,
    harmless=1.0,
    strength_unit="× distance of E / E_inc from its mean",
    noticed_by=("wasserstein",),
    function=_wider_resolution,
    applies=lambda detector: is_positive(detector) or is_alice_track(detector),
)
