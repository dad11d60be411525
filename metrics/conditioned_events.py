"""What is known of events beside their response."""

# Axes: N events.
from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector


class ConditionedEvents(Protocol):
    """``Events`` in memory, or an ``EventSource``, whose responses lie in a file."""

    @property
    def detector(self) -> Detector: ...

    @property
    def conditions(self) -> Mapping[str, NDArray[np.float64]]: ...

    @property
    def identity(self) -> NDArray[np.uint64]: ...

    def __len__(self) -> int: ...


def incident_energy(events: ConditionedEvents) -> NDArray[np.float64] | None:
    """As in ``Events``, shape (N,); None where the detector has no energy condition."""
    condition = events.detector.energy_condition
    return None if condition is None else events.conditions[condition.name]
