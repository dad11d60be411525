"""The scorecard of a detector that has none of its own: it follows from its axes and the reference's conditions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import InvalidEvents
from metrics.binning import bin_index, quantile_edges
from metrics.observables import OBSERVABLES
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1

EVENTS_IN_A_BIN = 80  # of validation; test, which is as large, then has the 50 that a scorecard needs
FEWEST_IN_A_BIN = 70  # where equal values make bins uneven
MOST_BINS = 8
MOST_VALUES = 20
GENERIC_FAMILIES = ("response", "hits", "along_axes", "conditions")


def generic_scorecard(detector: Detector, condition: NDArray[np.float64]) -> Scorecard:
    """Response, hits, centres, widths and profiles along every axis, in bins of the detector's binning condition.

    Scales and weights are those of the ATLAS-like photons, so that a score has the same order of magnitude: they are
    not measured on this detector.

    Args:
        condition: Binning condition of the validation events, shape (N,); the bins are frozen from it.
    Raises: InvalidEvents if the response is signed or no energy is known, or there are too few events.
    """
    if detector.signed or detector.energy_condition is None:
        raise InvalidEvents(
            f"{detector.name} has no scorecard, and none can be derived: that needs a response that is never "
            "negative, and a condition that is its energy (energy = true in the description)"
        )
    observables = [observable for family in GENERIC_FAMILIES for observable in OBSERVABLES[family].of(detector)]
    values, edges = _bins(detector, condition)
    return Scorecard(
        name=f"generic-v1.{detector.name}",
        version=1,
        title=f"{detector.title}: response, hits, centres, widths and profiles along every axis",
        detector=detector.name,
        distributions=tuple(o.name for o in observables if o.kind == "distribution"),
        profiles=tuple(o.name for o in observables if o.kind == "profile"),
        condition_bins=values,
        condition_edges=edges,
        smallest_sample=ATLAS_PHOTONS_V1.smallest_sample,
        quantile_bins=ATLAS_PHOTONS_V1.quantile_bins,
        smallest_count=ATLAS_PHOTONS_V1.smallest_count,
        smallest_profile_fraction=ATLAS_PHOTONS_V1.smallest_profile_fraction,
        weights=ATLAS_PHOTONS_V1.weights,
        scales=ATLAS_PHOTONS_V1.scales,
        reported=ATLAS_PHOTONS_V1.reported,
    )


def _bins(detector: Detector, condition: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values that stand for the bins, and edges; none for a condition with few values."""
    if len(condition) < EVENTS_IN_A_BIN:
        raise InvalidEvents(
            f"{detector.name}: {len(condition)} validation events (a fifth of the file); metrics need at least "
            f"{EVENTS_IN_A_BIN}. Give a file with {5 * EVENTS_IN_A_BIN} events or more"
        )
    values, counts = np.unique(condition, return_counts=True)
    if len(values) <= MOST_VALUES and counts.min() >= FEWEST_IN_A_BIN:
        return tuple(values.tolist()), ()
    wanted = min(MOST_BINS, len(condition) // EVENTS_IN_A_BIN)
    inner = quantile_edges(condition, wanted, FEWEST_IN_A_BIN)
    index = bin_index(condition, inner)
    medians = tuple(float(np.median(condition[index == number])) for number in range(len(inner) + 1))
    return medians, (float(values[0]), *inner.tolist(), float(values[-1]))
