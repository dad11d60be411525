"""What every observable states about itself."""

# Axes: N events, P positions along an axis.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.cost import Cost
from metrics.observables.sample import Sample

FOR_DISTRIBUTION = 50  # events: five bins of a histogram with ten entries each
FOR_PROFILE = 10  # events: every one of them contributes to every position


@dataclass(frozen=True)
class Observable:
    """A physical quantity computed from each shower.

    Attributes:
        name: Registered name.
        title: Axis title.
        unit: Unit of the values; "1" for ratios.
        source: Paper and equation or figure.
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
    function: Callable[[Sample], NDArray[np.float64]]
    edges: tuple[float, ...] = ()
    edges_unit: str = ""
    x_label: str = "distance from the centre of the window"
    y_label: str = "Mean energy / incident energy"

    @property
    def kind(self) -> Literal["distribution", "profile"]:
        """``distribution`` (one number per event, its histogram is compared) or ``profile`` (values along an axis,
        their mean over events is compared)."""
        return "profile" if self.edges else "distribution"


@dataclass(frozen=True)
class Family:
    """Observables of one definition: one for each layer, axis or threshold of a detector.

    Attributes:
        definition: Formula in words and symbols.
        unit: Of the values; several, if the observables differ in it.
        detectors: What a detector must have, in words; ``of`` decides.
        smallest_sample: Smallest sensible number of events in a condition bin.
        cost: From which stage of a search its observables are computed.
        source: Paper, section, or our own choice with its reason.
        of: The observables of a detector; none where the definition does not apply to it.
    """

    name: str
    title: str
    definition: str
    unit: str
    detectors: str
    smallest_sample: int
    cost: Cost
    source: str
    of: Callable[[Detector], tuple[Observable, ...]]


def has_energies(detector: Detector) -> bool:
    """Whether the response is never negative, and an energy is known by which it can be divided."""
    return not detector.signed and detector.energy_condition is not None
