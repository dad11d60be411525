"""Relative error of the mean energy response."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import InvalidEvents
from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.observables.energy_response import ENERGY_RESPONSE


def response_error(
    condition_bin: ConditionBin, reference: Measurement, generated: Measurement, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """|⟨E/E_inc⟩_G − ⟨E/E_inc⟩_R| / ⟨E/E_inc⟩_R, shape (K,).

    Raises: InvalidEvents if the reference holds no energy in the bin.
    """
    column = condition_bin.distributions.index(ENERGY_RESPONSE.name)
    r, g = weights @ reference.values[:, column], weights @ generated.values[:, column]
    if (r <= 0).any():
        raise InvalidEvents(
            f"the reference events at {condition_bin.label} hold no energy, and what is relative to it is not defined: "
            "check the file, or leave these events out"
        )
    return np.asarray(np.abs(g - r) / r, dtype=np.float64)


RESPONSE_ERROR = Metric(
    name="response",
    title="Response error (sampling-fraction error)",
    definition="|⟨E/E_inc⟩_G − ⟨E/E_inc⟩_R| / ⟨E/E_inc⟩_R",
    unit="1",
    smallest_sample=10,
    cost="every evaluation",
    source="3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-B; ATL-SOFT-PUB-2018-001, figure 4b, for the response",
    function=response_error,
    needs=(ENERGY_RESPONSE.name,),
)
