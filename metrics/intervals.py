"""95 % interval of the excess over the floor."""

# Axes: K bootstrap replicas, X exchanges.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.exchange import ROUNDING

COVERAGE = 0.95
SMALLEST_REPLICAS = 39  # the first of 39 stands for 1/40, which is 2.5 %


@dataclass(frozen=True)
class Interval:
    """Limits between which a value lies at 95 % confidence, in its unit."""

    lower: float
    upper: float

    def to_json(self) -> dict[str, float]:
        return {"lower": self.lower, "upper": self.upper}


def excess_interval(excess: float, replicas: NDArray[np.float64], exchanged: NDArray[np.float64]) -> Interval | None:
    """Where the mean excess over many samples of this size lies: basic bootstrap, with the exchange test near zero.

    A replica of a distance fluctuates twice, with the sample and around it. By that the floor, which is nothing but
    fluctuation, grows more than a distance far above it, and the replicas of the excess lie too low. So only their
    deviations from their own mean are used: excess − q(97.5 %) … excess − q(2.5 %).

    Near zero these are too wide, by a quarter or more: a replica fluctuates around a difference that is itself
    fluctuation, and misses the kink that a distance has at 0. But how far full simulation strays from zero is known
    from the exchanges, and exactly. Let the limit on the side of zero lie b below the excess, and let c be the 95 %
    quantile of |excess| after exchanges. The width that belongs to a true excess goes from c at zero to b at the
    excess, linearly, and the limit is the true excess whose width just reaches: excess (excess − c) / (excess − c + b).
    So the interval leaves out zero if and only if the exchange test does, two-sided at 5 %.

    Args:
        excess: Metric of the generated sample minus that of the twin.
        replicas: Of the excess, shape (K,).
        exchanged: Excesses after random exchanges of events with their twins, shape (X,).
    Returns: None with fewer than 39 replicas or exchanges.
    """
    if min(len(replicas), len(exchanged)) < SMALLEST_REPLICAS:
        return None
    if excess < 0:
        mirrored = excess_interval(-excess, -replicas, exchanged)
        return None if mirrored is None else Interval(-mirrored.upper, -mirrored.lower)
    tail = (1 - COVERAGE) / 2
    low, high = np.quantile(replicas - replicas.mean(), [tail, 1 - tail], method="weibull").tolist()
    null = float(np.quantile(np.abs(exchanged), COVERAGE, method="higher"))
    return Interval(_limit_towards_zero(excess, high, null), excess - low)


def _limit_towards_zero(excess: float, width: float, null: float) -> float:
    """Lower limit of an excess ≥ 0; at most 0 if full simulation strays as far."""
    beyond = excess - null
    if beyond > ROUNDING:
        return excess * beyond / (beyond + width)
    return min(excess - width, 0.0)
