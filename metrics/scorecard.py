"""What a detector's generators are judged by: data, with an identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ConditionAxis:
    """A condition along which condition bins are divided; none is narrower than ``finest``, in its unit."""

    condition: str
    finest: float


@dataclass(frozen=True)
class Scorecard:
    """Declared list of observables, binnings, condition bins, metrics and weights.

    The combined score is Σ_k w_k c_k / s_k over the scored metrics, the weights divided by their sum:
    with equal weights the mean of the components, each in units of its scale. Anything changed here
    makes another scorecard, and scores of two scorecards are not compared.

    Attributes:
        detector: Name of the detector.
        distributions: Observables with one value per event.
        profiles: Observables with a mean profile.
        condition_bins: Values of the binning condition; every metric is computed in each and averaged.
        condition_edges: Edges of bins of the condition, where it is continuous (the first and the last bin are open);
            ``condition_bins`` are then the values that stand for them.
        cells: Conditions of bins that follow from the reference: as many as hold ``smallest_sample`` events each.
            ``condition_bins`` is then empty.
        smallest_sample: Fewest reference events in a condition bin.
        quantile_bins: Bins of a histogram, between quantiles of the reference.
        smallest_count: Fewest reference entries in a bin; adjacent bins are merged.
        smallest_profile_fraction: Smallest part of a profile's energy in one of its bins.
        weights: Weight of each scored metric.
        scales: Constant by which each scored metric is divided: its mean over the injected faults.
        reported: Metrics shown beside the score that do not enter it.
    """

    name: str
    version: int
    title: str
    detector: str
    distributions: tuple[str, ...]
    profiles: tuple[str, ...]
    condition_bins: tuple[float, ...]
    smallest_sample: int
    quantile_bins: int
    smallest_count: int
    smallest_profile_fraction: float
    weights: Mapping[str, float]
    scales: Mapping[str, float]
    reported: tuple[str, ...]
    condition_edges: tuple[float, ...] = ()
    cells: tuple[ConditionAxis, ...] = ()

    def __post_init__(self) -> None:
        if set(self.weights) != set(self.scales):
            raise ValueError(f"{self.name}: weights are given for {set(self.weights)}, scales for {set(self.scales)}")
        if not all(value > 0 for value in (*self.weights.values(), *self.scales.values())):
            raise ValueError(f"{self.name}: weights and scales must be positive; leave out what should not count")
        if self.condition_edges and len(self.condition_edges) != len(self.condition_bins) + 1:
            raise ValueError(f"{self.name}: {len(self.condition_bins)} condition bins need one edge more")
        if bool(self.cells) == bool(self.condition_bins):
            raise ValueError(f"{self.name}: condition bins are either listed or follow from cells; give one of the two")

    def bin_index(self, condition: NDArray[np.float64]) -> NDArray[np.intp]:
        """Number of the condition bin of each event, shape (N,); −1 for a value in none of them."""
        if self.condition_edges:
            return np.searchsorted(self.condition_edges[1:-1], condition, side="right")
        values = np.array(self.condition_bins)
        index = np.searchsorted(values, condition).clip(max=len(values) - 1)
        return np.where(values[index] == condition, index, -1)

    @cached_property
    def coefficients(self) -> dict[str, float]:
        """Factor of each component in the combined score: normalised weight over scale."""
        total = sum(self.weights.values())
        return {name: weight / total / self.scales[name] for name, weight in self.weights.items()}

    @cached_property
    def identity(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON: equal if and only if everything declared is equal."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Everything declared, as plain JSON values."""
        values = asdict(self)
        for name in ("condition_edges", "cells"):
            if not values[name]:
                del values[name]  # so that cards without them keep their identity
        return values
