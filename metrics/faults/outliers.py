"""Few events lie beyond all others."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_one_energy


def _outliers(events: Events, strength: float, rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for rows in at_one_energy(events):
        chosen = rng.choice(rows, size=round(strength * len(rows)), replace=False)
        response[chosen] *= 2  # beyond every other shower of this energy
    return response


OUTLIERS = Fault(
    name="outliers",
    title="Showers outside the window, with twice their energy",
    strength=0.05,
    harmless=0.0,
    strength_unit="fraction of events",
    noticed_by=("response", "wasserstein", "correlation"),
    function=_outliers,
)
