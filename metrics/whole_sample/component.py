"""What a metric of whole samples is given, and what it returns."""

# Axes: N events, V cells, F features.
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events


@dataclass(frozen=True)
class SamplePair:
    """Reference and generated events at the same conditions, event by event.

    Attributes:
        bins: Number of the condition bin of each event, shape (N,).
        reference_features, generated_features: The distributions of the scorecard, each minus the mean and over the
            standard deviation of the reference in its condition bin, shape (N, F). So pooling them over the bins hides
            no generator without fluctuations.
    """

    reference: Events
    generated: Events
    bins: NDArray[np.intp]
    reference_features: NDArray[np.float64]
    generated_features: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """Value with its standard error (NaN if unknown), and what is reported beside it as plain JSON values."""

    value: float
    error: float
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Finite numbers; an unknown error is None."""
        error = self.error if math.isfinite(self.error) else None
        return {"value": self.value, "error": error, "details": self.details}


@dataclass(frozen=True)
class WholeSampleMetric:
    """A metric that is computed once for a whole sample, at the end, by the benchmark.

    Attributes:
        definition: Formula in words and symbols.
        direction: Which way is better; ``to_perfect`` where values on both sides of the perfect one are worse.
        perfect: Value of a perfect generator with an infinite sample.
        smallest_sample: Smallest sensible number of events in all.
        function: (pair, seed) to the outcome; the same seed gives the same number.
        applies: Why it cannot be computed for such events, or None if it can.
    """

    name: str
    title: str
    definition: str
    unit: str
    direction: Literal["lower", "higher", "to_perfect"]
    perfect: float
    smallest_sample: int
    source: str
    function: Callable[[SamplePair, int], Outcome]
    applies: Callable[[Events], str | None] = lambda _events: None
    cost: Literal["benchmark only"] = "benchmark only"
