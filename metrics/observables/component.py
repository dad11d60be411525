"""What every observable states about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.sample import Sample


@dataclass(frozen=True)
class Observable:
    """A physical quantity computed from each shower.

    Attributes:
        name: Registered name.
        title: Axis title.
        unit: Unit of the values; "1" for ratios.
        source: Paper and equation or figure.
        kind: ``distribution`` (one number per event, its histogram is compared) or ``profile``
            (energy along an axis, its mean over events is compared).
        function: Sample to values of shape (N,), or (N, P) for a profile with P positions.
        edges: Cell borders along the axis of a profile, P + 1 of them; empty for a distribution.
        edges_unit: Unit of the borders.
        x_label: What the axis of a profile is.
        y_label: What a profile holds.
    """

    name: str
    title: str
    unit: str
    source: str
    kind: Literal["distribution", "profile"]
    function: Callable[[Sample], NDArray[np.float64]]
    edges: tuple[float, ...] = ()
    edges_unit: str = ""
    x_label: str = "distance from the centre of the window"
    y_label: str = "Mean energy / incident energy"


@dataclass(frozen=True)
class Family:
    """Observables of one definition: one for each layer, axis or threshold of a detector.

    Attributes:
        definition: Formula in words and symbols.
        of: The observables of a detector; none where the definition does not apply to it.
    """

    name: str
    title: str
    definition: str
    unit: str
    source: str
    of: Callable[[Detector], tuple[Observable, ...]]
