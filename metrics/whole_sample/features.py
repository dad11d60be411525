"""What the metrics on features share: checks, JetNet's normalisation, events in random order."""

# Axes: N events, F features.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# In units of the largest reference value; fourth powers of products stay finite.
LARGEST_FEATURE = 1e30

FeaturePair = tuple[NDArray[np.float64], NDArray[np.float64]]


def checked_features(real: NDArray[np.float64], generated: NDArray[np.float64], smallest: int) -> FeaturePair:
    """Both samples as float64, shape (N, F) each.

    Args:
        smallest: Fewest events with which the metric is defined.
    Raises: ValueError if the shapes are not (N, F) and equal, for fewer events, and for a feature that is not finite.
    """
    real, generated = np.asarray(real, dtype=np.float64), np.asarray(generated, dtype=np.float64)
    if real.ndim != 2 or real.shape != generated.shape or real.shape[1] == 0:
        raise ValueError(
            f"features of shape {real.shape} (reference) and {generated.shape} (generated) came; expected "
            "(events, features) of both, equal, with one feature or more: generate one event for each of the reference"
        )
    if len(real) < smallest:
        raise ValueError(
            f"{len(real)} events came; with {real.shape[1]} features at least {smallest} are needed: "
            "judge a larger sample"
        )
    for name, sample in (("reference", real), ("generated", generated)):
        bad = np.argwhere(~np.isfinite(sample))
        if len(bad):
            event, feature = bad[0]
            raise ValueError(
                f"feature {feature} of {name} event {event} is {sample[event, feature]}; expected finite numbers: "
                "leave out observables that are not defined for every event"
            )
    return real, generated


def over_largest(real: NDArray[np.float64], generated: NDArray[np.float64]) -> FeaturePair:
    """Features over their largest absolute value in the reference, as JetNet does; where that is 0, as they are.

    Raises: ValueError for generated features too large to be raised to powers.
    """
    largest = np.abs(real).max(axis=0)
    largest[largest == 0] = 1.0
    scaled = generated / largest
    ratio = np.abs(scaled).max()
    if ratio > LARGEST_FEATURE:
        raise ValueError(
            f"a generated feature reaches {ratio:.3g} times the largest of the reference; expected at most "
            f"{LARGEST_FEATURE:.0e}: the generator has diverged"
        )
    return real / largest, scaled


def shuffled_subsets(num_events: int, subsets: int, seed: int) -> list[NDArray[np.intp]]:
    """All events, each in one of the subsets of (almost) equal size, at random.

    One division serves both samples: event i of both has the same conditions, and subsets that did not share them would
    be further apart than the whole samples are.
    """
    return np.array_split(np.random.default_rng(seed).permutation(num_events), subsets)
