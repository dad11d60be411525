"""Correlation matrices of the observables, for plots."""

# Axes: N events, n events of one condition bin, O distributions of the scorecard.
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.condition_bin import ConditionBin, Measurement, condition_bins
from metrics.condition_cells import condition_cells
from metrics.discrepancies.correlation import correlation_difference, correlation_matrices
from metrics.labels import in_mev
from metrics.observables import observables_of, observe
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1

DECIMALS = 3


def correlations_for_plots(
    reference: Events,
    generated_response: NDArray[np.float32],
    twin_response: NDArray[np.float32] | None = None,
    scorecard: Scorecard = ATLAS_PHOTONS_V1,
) -> list[dict[str, Any]]:
    """Correlation matrices of the distributions of a scorecard in each condition bin, as the score compares them.

    Args:
        generated_response: Cell energies [MeV], shape (N, V), at the conditions of the reference.
        twin_response: The same particles simulated again, or None.
    Returns: One dictionary for each bin: ``energy_mev``, ``label``, ``num_events``, ``observables`` and ``titles`` (O),
        ``reference`` and ``generated`` (O × O, three decimals), and the root mean square of the differences to the
        reference off the diagonal, ``generated_difference`` and ``floor_difference`` (None without a twin). None for
        fewer than two distributions.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    names = scorecard.distributions
    if len(names) < 2:
        return []
    cells = condition_cells(scorecard, reference.detector, reference.conditions)
    samples = {"reference": reference, "generated": reference.with_response(generated_response)}
    if twin_response is not None:
        samples["floor"] = reference.with_response(twin_response)
    observed = {role: observe(events, (*names, *scorecard.profiles)) for role, events in samples.items()}
    titles = [observables_of(reference.detector)[name].title for name in names]
    return [
        {
            "energy_mev": in_mev(condition_bin.condition, reference.detector),
            "label": condition_bin.label,
            "num_events": len(condition_bin.events),
            "observables": list(names),
            "titles": titles,
            **_in_bin(condition_bin, {role: condition_bin.measure(values) for role, values in observed.items()}),
        }
        for condition_bin in condition_bins(scorecard, cells, observed["reference"])
    ]


def _in_bin(condition_bin: ConditionBin, samples: dict[str, Measurement]) -> dict[str, Any]:
    ones = np.ones((1, len(condition_bin.events)))
    r = samples["reference"]
    differences = {
        f"{role}_difference": float(correlation_difference(condition_bin, r, sample, ones)[0])
        for role, sample in samples.items()
        if role != "reference"
    }
    matrices = {
        role: correlation_matrices(samples[role].values, condition_bin.scale, ones)[0].round(DECIMALS).tolist()
        for role in ("reference", "generated")
    }
    return {"floor_difference": None, **matrices, **differences}
