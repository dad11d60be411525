"""Precision, recall, density and coverage: generated events within reach of real ones, and the other way round."""

# Axes: N events, M other events, F features.
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metrics.whole_sample.component import FeatureMetric, FeaturePair, Outcome
from metrics.whole_sample.features import checked_features, shuffled_subsets

NEIGHBOURS = 5
SUBSETS = 10  # whose spread gives the errors
ROWS, COLUMNS = 256, 2048  # events whose distances are held at a time
ROUNDING = 1e-12  # of the squares that a squared distance is the difference of


def inside(
    centres: NDArray[np.float64], members: NDArray[np.float64], neighbours: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which members lie in balls around the centres that reach to the k-th nearest other centre.

    Balls are open, but an event always lies in the ball around an equal one: so equal samples have a density of 1, and
    repeated events, whose balls have no size, count where the generator has them too.

    Args:
        centres: Shape (N, F), more than k events.
        members: Shape (M, F).
        neighbours: k.
    Returns: Number of balls that each member lies in, shape (M,); whether a member lies in each ball, shape (N,).
    """
    origin = centres.mean(axis=0)
    centres, members = centres - origin, members - origin
    squares = np.einsum("if,if->i", centres, centres)
    radii = _squared_radii(centres, neighbours)
    tolerance = ROUNDING * (squares + radii)
    reach = np.maximum(radii - tolerance, tolerance)
    counts, filled = np.zeros(len(members), dtype=np.intp), np.zeros(len(centres), dtype=np.bool_)
    left, right = _left(centres, squares - reach), _right(members)  # so that their product is negative inside
    for rows in _slices(len(centres), ROWS):
        for columns in _slices(len(members), COLUMNS):
            within = left[rows] @ right[columns].T < 0
            counts[columns] += within.sum(axis=0)
            filled[rows] |= within.any(axis=1)
    return counts, filled


def _squared_radii(events: NDArray[np.float64], neighbours: int) -> NDArray[np.float64]:
    """Squared distance of each event to its k-th nearest other, shape (N,)."""
    left, right = _left(events, np.einsum("if,if->i", events, events)), _right(events)
    radii = np.empty(len(events))
    for rows in _slices(len(events), ROWS):
        nearest = np.empty((len(left[rows]), 0))
        for columns in _slices(len(events), COLUMNS):
            distances = np.hstack([nearest, left[rows] @ right[columns].T])
            last = min(neighbours, distances.shape[1] - 1)  # the event itself is among them
            nearest = np.partition(distances, last, axis=1)[:, : last + 1]
        radii[rows] = nearest.max(axis=1)
    return np.maximum(radii, 0.0)


def _left(events: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows whose products with ``_right`` are |x − y|² − |x|² + offset."""
    return np.column_stack([-2 * events, offset, np.ones(len(events))])


def _right(events: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([events, np.ones(len(events)), np.einsum("if,if->i", events, events)])


def _slices(num: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, num, size)]


Quantity = Callable[[NDArray[np.float64], NDArray[np.float64], int], float]


def precision(real: NDArray[np.float64], generated: NDArray[np.float64], neighbours: int = NEIGHBOURS) -> float:
    """Fraction of generated events within reach of a real one (Kynkäänniemi et al. 2019, eq. 2)."""
    return float((inside(real, generated, neighbours)[0] > 0).mean())


def recall(real: NDArray[np.float64], generated: NDArray[np.float64], neighbours: int = NEIGHBOURS) -> float:
    """Fraction of real events within reach of a generated one (Kynkäänniemi et al. 2019, eq. 2)."""
    return float((inside(generated, real, neighbours)[0] > 0).mean())


def density(real: NDArray[np.float64], generated: NDArray[np.float64], neighbours: int = NEIGHBOURS) -> float:
    """Real events within whose reach a generated one lies, on average, over k (Naeem et al. 2020, eq. 3)."""
    return float(inside(real, generated, neighbours)[0].mean() / neighbours)


def coverage(real: NDArray[np.float64], generated: NDArray[np.float64], neighbours: int = NEIGHBOURS) -> float:
    """Fraction of real events with a generated one within their reach (Naeem et al. 2020, eq. 4)."""
    return float(inside(real, generated, neighbours)[1].mean())


def all_quantities(
    real: NDArray[np.float64], generated: NDArray[np.float64], neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """The four of them by name, from the distances that they share."""
    balls, covered = inside(real, generated, neighbours)
    recalled = inside(generated, real, neighbours)[0] > 0
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / neighbours),
        "coverage": float(covered.mean()),
    }


def neighbour_outcome(
    quantity: Quantity, real: NDArray[np.float64], generated: NDArray[np.float64], seed: int
) -> Outcome:
    """One of the four of the whole samples; its error from its spread over ten disjoint subsets.

    Args:
        real, generated: Features at the same conditions, event by event, shape (N, F) each.
        seed: Of the division into subsets.
    Raises: ValueError as ``checked_features``, for fewer than ten times k + 1 events.
    """

    def one(r: NDArray[np.float64], g: NDArray[np.float64], neighbours: int) -> dict[str, float]:
        return {"one": quantity(r, g, neighbours)}

    return _outcomes(one, real, generated, seed)["one"]


def neighbour_outcomes(real: NDArray[np.float64], generated: NDArray[np.float64], seed: int) -> dict[str, Outcome]:
    """All four by name, as ``neighbour_outcome`` of each."""
    return _outcomes(all_quantities, real, generated, seed)


def _outcomes(
    quantities: Callable[[NDArray[np.float64], NDArray[np.float64], int], dict[str, float]],
    real: NDArray[np.float64],
    generated: NDArray[np.float64],
    seed: int,
) -> dict[str, Outcome]:
    real, generated = checked_features(real, generated, SUBSETS * (NEIGHBOURS + 1))
    whole = quantities(real, generated, NEIGHBOURS)
    subsets = shuffled_subsets(len(real), SUBSETS, seed)
    parts = [quantities(real[events], generated[events], NEIGHBOURS) for events in subsets]
    details = {"neighbours": NEIGHBOURS, "events": len(real)}
    return {
        name: Outcome(value, float(np.std([part[name] for part in parts], ddof=1)) / math.sqrt(SUBSETS), details)
        for name, value in whole.items()
    }


def _of_pair(name: str) -> Callable[[FeaturePair, int], Outcome]:
    def outcome(pair: FeaturePair, seed: int) -> Outcome:
        return pair.kept.once(
            f"neighbours, seed {seed}",
            lambda: neighbour_outcomes(pair.reference_features, pair.generated_features, seed),
        )[name]

    return outcome


REACH = "The reach of an event is the distance of its features to those of its fifth nearest other (k = 5)"

PRECISION = FeatureMetric(
    name="precision",
    title="Precision",
    definition=(
        f"Fraction of generated events within reach of an event of R. {REACH}. Events that R would not have lower it. "
        "Full simulation stays below 1, the more the more features there are"
    ),
    unit="1",
    direction="higher",
    perfect=1.0,
    smallest_sample=200,
    source="Kynkäänniemi et al. 2019, arXiv:1904.06991; k = 5 as in Naeem et al. 2020",
    function=_of_pair("precision"),
)

RECALL = FeatureMetric(
    name="recall",
    title="Recall",
    definition=(
        f"Fraction of events of R within reach of a generated event. {REACH}. What is not generated lowers it; a few "
        "generated outliers, whose reach is large, raise it. Full simulation stays below 1"
    ),
    unit="1",
    direction="higher",
    perfect=1.0,
    smallest_sample=200,
    source="Kynkäänniemi et al. 2019, arXiv:1904.06991; k = 5 as in Naeem et al. 2020",
    function=_of_pair("recall"),
)

DENSITY = FeatureMetric(
    name="density",
    title="Density",
    definition=(
        f"Number of events of R within whose reach a generated event lies, over k, on average. {REACH}. Below 1 if "
        "generated events lie where R is thin, above 1 if they crowd where it is dense"
    ),
    unit="1",
    direction="to_perfect",
    perfect=1.0,
    smallest_sample=200,
    source="Naeem et al. 2020, arXiv:2002.09797, k = 5",
    function=_of_pair("density"),
)

COVERAGE = FeatureMetric(
    name="coverage",
    title="Coverage",
    definition=(
        f"Fraction of events of R with a generated event within their reach. {REACH}. Regions that are not generated "
        "lower it. Full simulation gets 1 − 2^−k = 0.97"
    ),
    unit="1",
    direction="higher",
    perfect=1.0,
    smallest_sample=200,
    source="Naeem et al. 2020, arXiv:2002.09797, k = 5",
    function=_of_pair("coverage"),
)
