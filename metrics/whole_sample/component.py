"""What a metric of whole samples is given, and what it returns."""

# Axes: N events, V cells, F features.
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.conditioned_events import ConditionedEvents
from metrics.cost import Cost

T = TypeVar("T")
Observables = Mapping[str, NDArray[np.float64]]


class Kept:
    """Results that several metrics need, computed when the first one asks.

    Args:
        owner: What they follow from, if pairs share them.
    """

    def __init__(self, owner: object = None) -> None:
        self.owner = owner
        self._kept: dict[str, Any] = {}

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What is kept under a name; it should be small, and say the seed where it depends on one."""
        if name not in self._kept:
            self._kept[name] = compute()
        kept: T = self._kept[name]
        return kept


@dataclass(frozen=True)
class FeaturePair:
    """What was observed of reference and generated events at the same conditions, event by event.

    Attributes:
        reference: Conditions and identities of the events; their responses may lie in a file.
        bins: Number of the condition bin of each event, shape (N,).
        reference_features, generated_features: The distributions of the scorecard, each minus the mean and over the
            standard deviation of the reference in its condition bin, shape (N, F). So pooling them over the bins hides
            no generator without fluctuations.
        reference_observables, generated_observables: Those that a metric asked for (``FeatureMetric.observables``), by
            name, each of shape (N,) or (N, P).
        kept: What follows from both samples.
        kept_of_reference: What follows from the reference alone; pairs of one reference may share it.
    """

    reference: ConditionedEvents
    bins: NDArray[np.intp]
    reference_features: NDArray[np.float64]
    generated_features: NDArray[np.float64]
    reference_observables: Observables = field(default_factory=dict, kw_only=True)
    generated_observables: Observables = field(default_factory=dict, kw_only=True)
    kept: Kept = field(default_factory=Kept, init=False, repr=False, compare=False)
    kept_of_reference: Kept = field(default_factory=Kept, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kept_of_reference.owner is not self.reference:  # also after dataclasses.replace
            object.__setattr__(self, "kept_of_reference", Kept(self.reference))


@dataclass(frozen=True)
class SamplePair(FeaturePair):
    """The same with the responses in memory."""

    reference: Events
    generated: Events


@dataclass(frozen=True)
class Outcome:
    """Value with its standard error (NaN if unknown), and what is reported beside it as plain JSON values."""

    value: float
    error: float
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Finite numbers; an unknown error is None, and so is what is not finite in the details."""
        error = self.error if math.isfinite(self.error) else None
        return {"value": self.value, "error": error, "details": _finite(self.details)}


def _finite(value: Any) -> Any:  # JSON values have no common type
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class WholeSampleMetric:
    """A metric that is computed once for a whole sample, at the end, by the benchmark.

    Attributes:
        definition: Formula in words and symbols.
        direction: Which way is better; ``to_perfect`` where values on both sides of the perfect one are worse.
        perfect: Value of a perfect generator with an infinite sample.
        smallest_sample: Smallest sensible number of events in all.
        function: (pair, seed) to the outcome; the same seed gives the same number. A ValueError says why such samples
            have none.
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
    applies: Callable[[ConditionedEvents], str | None] = lambda _events: None
    cost: Cost = "benchmark only"


@dataclass(frozen=True)
class FeatureMetric(WholeSampleMetric):
    """One that looks at no cells, and so can be computed of samples larger than memory.

    Attributes:
        observables: Names of those that it needs beside the features, where it applies.
    """

    function: Callable[[FeaturePair, int], Outcome]
    observables: tuple[str, ...] = ()
