"""Division of events into parts for training, validation and test: every event is tested once."""

# Axes: N events.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.bootstrap import independent_units

TRAININGS = 5  # as many parts: three to train with, one to stop and calibrate with, one to test
FEWEST_EVENTS = 10 * TRAININGS

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Parts:
    """Events of one training. No independent unit lies in two parts.

    Attributes:
        train, validation, test: Indices of events.
        seed: Seed of this training.
    """

    train: Indices
    validation: Indices
    test: Indices
    seed: int


def rotated_parts(identity: NDArray[np.uint64], seed: int) -> Iterator[Parts]:
    """One division for each training; the test parts together are all events.

    An index stands for the reference event and its generated counterpart: both are in the same part, and so are all
    events of one identity.

    Args:
        identity: Of the events, shape (N,).
    Raises: ValueError for fewer than 50 events, or fewer than five identities.
    """
    units = independent_units(identity)
    num_units = int(units.max(initial=-1)) + 1
    if len(identity) < FEWEST_EVENTS or num_units < TRAININGS:
        raise ValueError(
            f"{len(identity)} events of {num_units} independent particles came; {TRAININGS} trainings need at least "
            f"{FEWEST_EVENTS} events of {TRAININGS} particles: judge a larger sample"
        )
    part_of_unit = np.random.default_rng(seed).permutation(num_units) % TRAININGS
    part = part_of_unit[units]
    for number in range(TRAININGS):
        test, validation = part == number, part == (number + 1) % TRAININGS
        train, validation, test = (np.flatnonzero(mask) for mask in (~test & ~validation, validation, test))
        yield Parts(train, validation, test, seed=TRAININGS * seed + number)
