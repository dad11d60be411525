"""One kind of events is never generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_one_energy, carried_within
from metrics.observables import observables_of, observe

# The first that the detector has: deep showers, long tracks, large air showers, large responses.
ORDERED_BY = ("shower_depth", "centre_z", "num_points", "shower_size", "response")


def _dropped_mode(events: Events, strength: float, rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    order = _ordering(events)
    for rows in at_one_energy(events):
        ordered = rows[np.argsort(order[rows])]
        kept, dropped = np.split(ordered, [len(rows) - round(strength * len(rows))])
        response[dropped] = carried_within(events, rng.choice(kept, size=len(dropped)), dropped)
    return response


def _ordering(events: Events) -> NDArray[np.float64]:
    known = observables_of(events.detector)
    name = next((name for name in ORDERED_BY if name in known), None)
    return events.response.sum(axis=1) if name is None else observe(events, [name])[name]


DROPPED_MODE = Fault(
    name="dropped_mode",
    title="Deep showers (long tracks, large responses) missing, others in their place",
    strength=0.3,
    harmless=0.0,
    strength_unit="fraction of events",
    noticed_by=("bmre", "wasserstein", "correlation"),
    function=_dropped_mode,
)
