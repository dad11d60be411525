"""What every metric states about itself."""

# Axes: n events of one condition bin, K rows of weights.
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.cost import Cost


class MetricFunction(Protocol):
    """Discrepancy in one condition bin.

    ``weights``, shape (K, n), says how often each event counts in reference and generated sample;
    a row of ones gives the value, rows of a bootstrap its replicas. Returns shape (K,).
    """

    def __call__(
        self,
        condition_bin: ConditionBin,
        reference: Measurement,
        generated: Measurement,
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Metric:
    """A discrepancy between reference R and generated sample G, computed in bins of the conditions.

    Attributes:
        definition: Formula in words and symbols.
        direction: Which way is better.
        perfect: Value for identical samples.
        largest_for_identical: How far identical samples may lie from it all the same, where the definition has a bias.
        unit: "1" for ratios.
        smallest_sample: Smallest sensible number of reference events in a condition bin.
        cost: From which stage of a search it is computed; only one of every evaluation can be scored.
        bootstrap_replicas: Most replicas it is given; slow metrics make do with few.
        needs: Observables that must be among the distributions of the scorecard.
        source: Paper, section, or our own choice with its reason.
    """

    name: str
    title: str
    definition: str
    unit: str
    smallest_sample: int
    cost: Cost
    source: str
    function: MetricFunction
    direction: Literal["lower"] = "lower"
    perfect: float = 0.0
    largest_for_identical: float = 0.0
    bootstrap_replicas: int = 1_000_000
    needs: tuple[str, ...] = ()
