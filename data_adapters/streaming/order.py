"""In which order the events of an epoch come."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def epoch_order(
    units: NDArray[np.intp], pool_rows: int, seed: int, epoch: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A random order of N events, and where its pools end.

    Units (chunks of all files) come in random order. Consecutive ones fill a pool of about ``pool_rows`` events, within
    which the events come in random order: any two events of a pool are neighbours with equal probability, two events of
    one unit lie at most one pool apart. Where every unit is a single event, or all events fit into one pool, all
    orders are equally probable. The order follows from the arguments alone.

    Args:
        units: The unit in which each event lies, shape (N,).
    Returns: The order, shape (N,), indices of events; the ends of the pools in it, increasing, the last one N.
    """
    random = np.random.default_rng([seed, epoch])
    _, unit, count = np.unique(units, return_inverse=True, return_counts=True)
    shuffled = random.permutation(len(count))
    begin = np.empty(len(count), dtype=np.intp)
    begin[shuffled] = np.cumsum(count[shuffled]) - count[shuffled]
    pool = begin[unit] // pool_rows
    order = np.lexsort((random.random(len(units)), pool))
    return order, np.append(np.flatnonzero(np.diff(pool[order])) + 1, len(units))
