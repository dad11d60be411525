"""Average of a generator's weights along its training.

Scores jump from evaluation to evaluation; those of the averaged weights jump less.
"""

from __future__ import annotations

from torch import Tensor

LARGEST_DECAY = 0.999
WARM_UP_STEPS = 10  # the initial weights are soon forgotten


def average_decay(steps: int, largest: float = LARGEST_DECAY) -> float:
    """Share of the average that stays in a step, after so many; its memory is short at first."""
    return min(largest, steps / (steps + WARM_UP_STEPS))


def average_weights(averaged: Tensor, trained: Tensor, steps: int) -> None:
    """Move the exponential average towards the trained weights, in place.

    Args:
        averaged, trained: Weights of the same shape.
        steps: Training steps done so far.
    """
    averaged.lerp_(trained.detach(), 1 - average_decay(steps))
