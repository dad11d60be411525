"""The test whether a generated sample can be told from full simulation, by exchanging events with their twins."""

# Axes: n events of one condition bin, K exchanges.
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import Measurement


def exchange(
    a: Sequence[Measurement], b: Sequence[Measurement], which: Sequence[NDArray[np.bool_]]
) -> tuple[list[Measurement], list[Measurement]]:
    """Two samples, bin by bin, after some of their events changed places.

    Args:
        which: Events to exchange, shape (n,) for each condition bin.
    """
    first = [_mixed(stays, comes, exchanged) for stays, comes, exchanged in zip(a, b, which, strict=True)]
    second = [_mixed(stays, comes, exchanged) for comes, stays, exchanged in zip(a, b, which, strict=True)]
    return first, second


def exchange_probability(observed: float, exchanged: NDArray[np.float64]) -> float:
    """Fraction of excesses that are at least the observed one, itself among them.

    Args:
        exchanged: Excesses after random exchanges, shape (K,). With all the other events exchanged instead, each
            changes its sign; these count too.
    """
    everything = np.concatenate([exchanged, -exchanged, [observed, -observed]])
    return float(np.mean(everything >= observed))


def _mixed(stays: Measurement, comes: Measurement, exchanged: NDArray[np.bool_]) -> Measurement:
    column = exchanged[:, None]
    return Measurement(
        np.where(column, comes.values, stays.values),
        np.where(column, comes.membership, stays.membership),
        np.where(column, comes.profiles, stays.profiles),
    )
