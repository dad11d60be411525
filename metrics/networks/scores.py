"""What the scores of a classifier say: AUC with its error, calibrated probabilities, weights."""

# Axes: n events of a part, N events of all parts.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Unrounded outputs of a classifier, large for what looks like reference, event by event, shape (n,) each."""

    reference: Floats
    generated: Floats

    def both(self) -> Floats:
        """Reference, then generated, shape (2n,)."""
        return np.concatenate([self.reference, self.generated])

    def labels(self) -> Floats:
        """1 for reference, 0 for generated, shape (2n,)."""
        return np.repeat([1.0, 0.0], [len(self.reference), len(self.generated)])


def placements(scores: Scores) -> tuple[Floats, Floats]:
    """For each reference event the part of the generated ones below it, for each generated event the part of the
    reference above it; ties count half. Both have the AUC as their mean. Exact, from ranks (DeLong et al. 1988)."""
    from scipy.stats import rankdata

    num_reference, num_generated = len(scores.reference), len(scores.generated)
    ranks = rankdata(scores.both())
    own_reference, own_generated = rankdata(scores.reference), rankdata(scores.generated)
    below = (ranks[:num_reference] - own_reference) / num_generated
    above = 1 - (ranks[num_reference:] - own_generated) / num_reference
    return np.asarray(below, dtype=np.float64), np.asarray(above, dtype=np.float64)


def roc_auc(scores: Scores) -> float:
    """Probability that a reference event has a larger score than a generated one."""
    return float(placements(scores)[0].mean())


def auc_influence(scores: Scores) -> Floats:
    """How much each pair of a reference and a generated event moves the AUC, shape (n,); they sum to 0.

    Their sum of squares is DeLong's variance, with the covariance of the two events of a pair.
    """
    below, above = placements(scores)
    both = below + above
    return np.asarray((both - both.mean()) / len(both), dtype=np.float64)


def clustered_variance(influence: Floats, units: NDArray[np.intp]) -> float:
    """Variance of a sum of influences of which those of one unit are not independent (Obuchowski 1997)."""
    return float((np.bincount(units, weights=influence) ** 2).sum())


def calibrated(validation: Scores, test: Scores) -> Scores:
    """Probabilities to be reference of the test events, by a logistic curve fitted to the validation events.

    Platt's method: with a few hundred events, an isotonic fit has steps of probability 0 and 1.
    """
    from sklearn.linear_model import LogisticRegression

    scale = float(validation.both().std()) or 1.0
    curve = LogisticRegression().fit(validation.both()[:, None] / scale, validation.labels())

    def probability(scores: Floats) -> Floats:
        return np.asarray(curve.predict_proba(scores[:, None] / scale)[:, 1], dtype=np.float64)

    return Scores(probability(test.reference), probability(test.generated))


def jensen_shannon(probability: Scores) -> float:
    """1 + (⟨log₂ p⟩_R + ⟨log₂(1 − p)⟩_G)/2 in bits: 0 where nothing is told apart, 1 where everything is.

    A lower bound of the divergence (Krause and Shih, arXiv:2106.05285); a little below 0 for an overfitted classifier.
    """
    tiny = np.finfo(np.float64).tiny
    likelihood = np.log2(np.maximum(probability.reference, tiny)).mean()
    likelihood += np.log2(np.maximum(1 - probability.generated, tiny)).mean()
    return float(1 + likelihood / 2)


def calibration_error(probability: Scores, bins: int = 10) -> float:
    """Mean distance of probability and fraction of reference events, in bins of the probability."""
    values, labels = probability.both(), probability.labels()
    index = np.minimum((values * bins).astype(np.intp), bins - 1)
    excess = np.bincount(index, weights=values - labels, minlength=bins)
    return float(np.abs(excess).sum() / len(values))


def weights(probability: Floats) -> Floats:
    """p/(1 − p): how often an event occurs in the reference for each time in the generated sample, shape (n,)."""
    return np.asarray(probability / np.maximum(1 - probability, np.finfo(np.float64).eps), dtype=np.float64)
