"""The generator knows few events by heart."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, at_like_conditions, carried_within


def _duplicated_events(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    for rows in at_like_conditions(events):
        distinct = rows[: max(1, round(strength * len(rows)))]
        response[rows] = carried_within(events, np.resize(distinct, len(rows)), rows)
    return response


DUPLICATED_EVENTS = Fault(
    name="duplicated_events",
    title="Few distinct events, repeated",
    strength=0.1,
    harmless=1.0,
    strength_unit="fraction distinct",
    noticed_by=("bmre", "wasserstein", "correlation"),
    function=_duplicated_events,
)
