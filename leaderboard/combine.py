"""From the judgements of several seeds to one value with its error.

Seeds are few, so that their spread is itself uncertain: it enters with Student's t.
"""

# Axes: n seeds.
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from metrics.estimate import Estimate

ONE_SIGMA = float(stats.norm.cdf(1.0))


def student_factor(num_seeds: int) -> float:
    """By how much the standard error of a mean of n seeds is to be widened: t(0.84135, n − 1) ≥ 1.

    The interval ± factor · s/√n then covers the mean in 68.27 % of all cases, as ± σ/√n would
    with the spread known: 1.84 for two seeds, 1.32 for three, 1.14 for five.

    Raises: ValueError for fewer than two seeds, which have no spread.
    """
    if num_seeds < 2:
        raise ValueError(f"{num_seeds} seed has no spread; give at least 2")
    return float(stats.t.ppf(ONE_SIGMA, num_seeds - 1))


def combine_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """Mean over n seeds, its error from the spread of the seeds and from the test events.

    ``error² = (t · s/√n)² + ⟨bootstrap error²⟩``. All seeds share the reference events, so their
    bootstrap errors do not shrink with n. Of a single seed only the bootstrap error is known.

    Raises: ValueError without any estimate.
    """
    if not estimates:
        raise ValueError("there are no seeds to combine; an entry without a completed seed has no score")
    values = np.array([estimate.value for estimate in estimates])
    from_events = float(np.mean([estimate.error**2 for estimate in estimates]))
    from_seeds = 0.0
    if len(values) > 1:
        from_seeds = (student_factor(len(values)) * float(values.std(ddof=1))) ** 2 / len(values)
    return Estimate(float(values.mean()), math.sqrt(from_events + from_seeds))


def standard_errors(estimate: Estimate) -> float | None:
    """How many standard errors a value lies from 0; None where the error is 0."""
    return estimate.value / estimate.error if estimate.error > 0 else None
