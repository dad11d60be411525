"""Cells with little in them are empty."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Fault, Response, is_positive


def _cell_threshold(events: Events, strength: float, _rng: np.random.Generator) -> Response:
    response = events.response.astype(np.float64)
    return np.where(response < strength, 0.0, response)


CELL_THRESHOLD = Fault(
    name="cell_threshold",
    title="Cells below a threshold set to zero",
    strength=5.0,
    harmless=0.0,
    strength_unit="unit of a cell",
    noticed_by=("response", "wasserstein"),
    function=_cell_threshold,
    applies=is_positive,
    # About the median of filled cells (CLIC); above what is soft but common (LHCb, stations of the array).
    strengths={
        "clic-electrons": 5e-4,
        "clic-electrons-coarse": 1e-3,
        "lhcb-tracks": 20.0,
        "lhcb-events": 20.0,
        "airshower-array": 3.0,
        "airshower-pattern": 200.0,
    },
)
