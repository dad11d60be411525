"""Full simulation three times at the same conditions: what metrics are tested with, and scales are measured on."""

from __future__ import annotations

import numpy as np

from data_adapters.datasets import Dataset
from data_adapters.events import Events
from metrics.matching import match


def three_simulations(dataset: Dataset) -> tuple[Events, Events, Events]:
    """The validation events, their twins, and the same particles simulated a third time.

    Where the same particles were not simulated again, training events at the nearest conditions stand for them, none
    used twice; so a metric is never tested with what it judges models by, the test split.

    Raises: InvalidEvents if there are too few of them.
    """
    reference = dataset.split("validation")
    twin, fresh = dataset.twin_split("validation"), dataset.fresh_split("validation")
    if twin is not None and fresh is not None:
        return reference, twin, fresh
    others = dataset.split("train")
    first = match(reference, others)
    rest = others.select(np.setdiff1d(np.arange(len(others)), first.rows))
    second = match(reference, rest)
    return reference, reference.with_response(first.response), reference.with_response(second.response)
