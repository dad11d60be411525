"""What no other one beats in everything: trials of a search, entries of a board."""

# Axes: T trials or entries, M quantities that are to be low.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_dominated(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows belong to the Pareto set.

    A row is dominated by one that is nowhere worse (higher) and somewhere better; rows with equal values stay together.

    Args:
        values: Shape (T, M).
    Returns: Shape (T,).
    """
    nowhere_worse = (values[:, None] <= values[None]).all(axis=2)
    somewhere_better = (values[:, None] < values[None]).any(axis=2)
    return np.asarray(~(nowhere_worse & somewhere_better).any(axis=0))
