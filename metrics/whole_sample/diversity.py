"""Diversity: how far generated showers of neighbouring conditions lie apart, over how far real ones do."""

# Axes: N events, F features, P pairs.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.whole_sample.cells import blocks, response_unit
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric
from metrics.whole_sample.features import checked_features
from metrics.whole_sample.neighbouring_conditions import NeighbourPairs, neighbouring_pairs

Floats = NDArray[np.float64]

NEIGHBOURS = 10


def in_common_units(real: Floats, generated: Floats, bins: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Features of shape (N, F) over the root mean square of their two standard deviations in the condition bin.

    In units of the standard deviation of R alone, which is that of few events, equal samples would get more than 1:
    1.04 with a hundred events in a bin.
    """
    units = np.ones_like(real)
    for number in np.unique(bins):
        inside = bins == number
        spread = np.sqrt((real[inside].var(axis=0) + generated[inside].var(axis=0)) / 2)
        units[inside] = np.where(spread > 0, spread, 1.0)
    return real / units, generated / units


def feature_distances(features: Floats, pairs: NeighbourPairs) -> Floats:
    """Euclidean distance of the features, shape (N, F), of each pair, shape (P,)."""
    parts = [
        np.linalg.norm(features[pairs.first[part]] - features[pairs.second[part]], axis=1)
        for part in blocks(len(pairs), features.shape[1])
    ]
    return np.concatenate(parts)


def cell_distances(events: Events, pairs: NeighbourPairs) -> Floats:
    """Euclidean distance of the cells over the incident energy, of each pair, shape (P,)."""
    unit = response_unit(events)[:, None]

    def cells(rows: NDArray[np.intp]) -> Floats:
        return np.asarray(events.response[rows] / unit[rows], dtype=np.float64)

    parts = [
        np.linalg.norm(cells(pairs.first[part]) - cells(pairs.second[part]), axis=1)
        for part in blocks(len(pairs), events.detector.num_cells)
    ]
    return np.concatenate(parts)


def spread_ratio(real: Floats, generated: Floats, pairs: NeighbourPairs) -> dict[str, float]:
    """Mean over the condition bins of the ratio of mean distances, its error, and the smallest ratio of a bin.

    Bins in which the reference does not fluctuate are left out.

    Args:
        real, generated: Distance of each pair, shape (P,).
    Raises: ValueError if the reference fluctuates in none.
    """
    spread, other = pairs.means(np.column_stack([real, generated])).T
    fluctuates = spread > 0
    if not fluctuates.any():
        raise ValueError(
            f"all events of the reference are alike in each of its {len(spread)} condition bins; the diversity is a "
            "ratio to their spread: judge by a sample with fluctuations"
        )
    ratio = np.divide(other, spread, out=np.zeros_like(spread), where=fluctuates)
    # A ratio of means deviates as the mean of generated − ratio · real does, over that of real.
    weights = np.divide(1 / fluctuates.sum(), spread, out=np.zeros_like(spread), where=fluctuates)
    return {
        "ratio": float(ratio[fluctuates].mean()),
        "error": pairs.mean_error(generated - ratio[pairs.bin] * real, weights),
        "smallest_in_a_bin": float(ratio[fluctuates].min()),
    }


def diversity(pair: SamplePair, seed: int) -> Outcome:
    """Spread of generated showers over that of real ones, among the ten events nearest in the conditions.

    The same pairs of events are compared in both samples, so that what their conditions differ by counts alike. The
    spread is the mean distance of the features, in units of their fluctuations in both samples; that of the cells over
    the incident energy is in the details.

    Args:
        pair: Features of shape (N, F) and events of both samples.
        seed: Of the choice between equally near events.
    Returns: Value and error; in the details both spaces with their ratios, errors and the smallest ratio of a bin.
    Raises: ValueError as ``checked_features`` and ``neighbouring_pairs``, and for a reference without fluctuations.
    """
    checked = checked_features(pair.reference_features, pair.generated_features, 2)
    features = in_common_units(*checked, pair.bins)
    pairs = neighbouring_pairs(pair.reference, pair.bins, NEIGHBOURS, seed)
    real, generated = (feature_distances(sample, pairs) for sample in features)
    of_features = spread_ratio(real, generated, pairs)
    of_cells = spread_ratio(cell_distances(pair.reference, pairs), cell_distances(pair.generated, pairs), pairs)
    spaces = {"features": of_features, "cells_over_incident_energy": of_cells}
    details = {"neighbours": NEIGHBOURS, "pairs": len(pairs), "spaces": spaces}
    return Outcome(of_features["ratio"], of_features["error"], details)


DIVERSITY = WholeSampleMetric(
    name="diversity",
    title="Diversity",
    definition=(
        "Mean distance of the features (over the root mean square of their standard deviations in R and G) of a "
        f"generated event to those of the events that are the k = {NEIGHBOURS} nearest in the conditions (in their "
        "standard deviations, the energy by its logarithm, within the condition bin), over the same in R for the same "
        "pairs; mean over the condition bins. Mode collapse lowers it: the mean shower of each condition gets 0, half "
        "the fluctuations 0.5. Beside it, the same for the cells over the incident energy"
    ),
    unit="1",
    direction="to_perfect",
    perfect=1.0,
    smallest_sample=50,
    source="our own; what 3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-F3, asks of SSIM: diversity in a condition bin",
    function=diversity,
)
