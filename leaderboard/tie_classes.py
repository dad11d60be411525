"""Which entries cannot be told apart: paired differences, their intervals, tie classes.

The best entry is the anchor of class 1; those whose difference to it may be 0 share its class. The best of the rest is
the anchor of class 2, and so on. Anchors do not move, so that no chain of small differences joins what differs.
"""

# Axes: M entries, n seeds of one entry, K bootstrap replicas, S half-splits.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from leaderboard.resamples import Resamples

CONFIDENCE = 0.95
FEWEST_SEEDS, WINNER_SEEDS = 3, 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """Scores of M entries minus the score of the anchor.

    Attributes:
        values: Shape (M,); positive where the anchor is better (lower).
        errors: Standard errors, shape (M,).
        degrees: Degrees of freedom of Student's t, shape (M,).
        p_values: Two-sided, adjusted by Holm for the M comparisons, shape (M,).
        lower, upper: Holm-adjusted 95 % intervals, shape (M,): one includes 0 where its p-value is above 0.05.
    """

    values: Array
    errors: Array
    degrees: Array
    p_values: Array
    lower: Array
    upper: Array

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Whose interval includes 0, shape (M,)."""
        return self.p_values > 1 - CONFIDENCE


@dataclass(frozen=True)
class Sample:
    """What is needed of M entries to compare them.

    Attributes:
        means: Mean score of the seeds, shape (M,).
        seed_variances: Variance of that mean by the spread of the seeds, s² / n, shape (M,).
        seeds: n, shape (M,).
        replicas: Mean score of the seeds in each replica of the test events, shape (M, K).
    """

    means: Array
    seed_variances: Array
    seeds: Array
    replicas: Array

    @classmethod
    def of(cls, entries: Sequence[Resamples]) -> Sample:
        """Entries of at least two seeds and with equally many replicas."""
        return cls(
            np.array([entry.scores.mean() for entry in entries]),
            np.array([entry.scores.var(ddof=1) / len(entry.scores) for entry in entries]),
            np.array([len(entry.scores) for entry in entries], dtype=np.float64),
            np.stack([entry.replicas.mean(axis=0) for entry in entries]),
        )

    def rows(self, chosen: Array | NDArray[np.intp]) -> Sample:
        """Some of the entries."""
        return Sample(self.means[chosen], self.seed_variances[chosen], self.seeds[chosen], self.replicas[chosen])


def differences(others: Sample, anchor: Sample) -> Differences:
    """Paired differences of M entries to an anchor (one entry).

    The variance of a difference is that by the seeds, ``s²/n`` of both, and that by the test events, from the
    differences in the replicas, where what the entries have in common cancels. Both are estimated, from few seeds and
    from K replicas: Student's t with the degrees of freedom of Welch and Satterthwaite.
    """
    values = others.means - anchor.means
    from_events = (others.replicas - anchor.replicas).var(axis=1, ddof=1)
    parts = np.stack([others.seed_variances, np.broadcast_to(anchor.seed_variances, values.shape), from_events])
    freedom = np.stack(
        [
            others.seeds - 1,
            np.broadcast_to(anchor.seeds - 1, values.shape),
            np.full(values.shape, others.replicas.shape[1] - 1.0),
        ]
    )
    variances = parts.sum(axis=0)
    squares = (parts**2 / freedom).sum(axis=0)
    degrees = np.divide(variances**2, squares, out=freedom[2].copy(), where=squares > 0)
    errors = np.sqrt(variances)
    single = _two_sided(values, errors, degrees)
    adjusted = holm(single)
    # The factor that Holm's procedure has put on each p-value is the one that its interval is widened by.
    factors = np.divide(adjusted, single, out=np.full(len(single), float(len(single))), where=single > 0)
    half = special.stdtrit(degrees, 1 - (1 - CONFIDENCE) / (2 * factors)) * errors
    return Differences(values, errors, degrees, adjusted, values - half, values + half)


def _two_sided(values: Array, errors: Array, degrees: Array) -> Array:
    """p-values of differences; of one without any error, 1 if it is 0, and 0 otherwise."""
    exact = np.where(values == 0, 0.0, np.inf)
    sizes = np.divide(np.abs(values), errors, out=exact, where=errors > 0)
    return np.asarray(2 * special.stdtr(degrees, -sizes))


def holm(p_values: Array) -> Array:
    """Adjusted p-values, shape (M,): the i-th smallest times (M − i + 1), at least as large as those before it.

    Source: S. Holm, Scand. J. Statist. 6 (1979) 65. Those above 1 are cut at 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def tie_classes(entries: Sequence[Resamples]) -> list[list[int]]:
    """Positions of the entries, class by class, in each by mean score: the anchor first."""
    if not entries:
        return []
    sample = Sample.of(entries)
    left = np.argsort(sample.means, kind="stable")
    classes = []
    while len(left):
        anchor, others = left[:1], left[1:]
        tied = differences(sample.rows(others), sample.rows(anchor)).tied
        classes.append([int(position) for position in (*anchor, *others[tied])])
        left = others[~tied]
    return classes


def leading_share(entries: Sequence[Resamples], leader: int) -> float | None:
    """In which share of the half-splits the leader has the lowest mean score; None without a second entry."""
    if len(entries) < 2:
        return None
    scores = np.stack([entry.half_splits.mean(axis=0) for entry in entries])
    return float(np.mean(scores.argmin(axis=0) == leader))
