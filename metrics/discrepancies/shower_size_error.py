"""Relative error of the mean size of air showers: their energy response."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.observables.airshower_size import SHOWER_SIZE


def shower_size_error(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """|10^(⟨size⟩_G − ⟨size⟩_R) − 1|, shape (K,)."""
    column = condition_bin.distributions.index(SHOWER_SIZE.name)
    difference = weights @ (generated.values[:, column] - reference.values[:, column]) / weights.sum(axis=1)
    return np.asarray(np.abs(10**difference - 1), dtype=np.float64)


SHOWER_SIZE_ERROR = Metric(
    name="shower_size",
    title="Shower-size error",
    definition="|10^(⟨size⟩_G − ⟨size⟩_R) − 1| with the size log10(1 + S / E) at 750–2250 m from the core",
    unit="1",
    smallest_sample=10,
    cost="every evaluation",
    source=(
        "our choice: the total signal of an array is that of the station that the core happens to hit, and its mean "
        "says little about the response"
    ),
    function=shower_size_error,
    needs=(SHOWER_SIZE.name,),
)
