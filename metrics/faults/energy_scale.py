"""Everything is larger by one factor."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response


def _energy_scale(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    return events.response.astype(np.float64) * strength


ENERGY_SCALE = Fault(
    name="energy_scale",
    title="Energy scale shifted (tracks: coordinates)",
    strength=1.03,
    harmless=1.0,
    strength_unit="× energy",
    noticed_by=("response", "wasserstein"),
    function=_energy_scale,
)
