"""Average of a generator's weights along its training.

Scores jump from evaluation to evaluation; those of the averaged weights jump less.
"""

from __future__ import annotations

from torch import Tensor

LARGEST_DECAY = 0.999


def average_weights(averaged: Tensor, trained: Tensor, steps: int) -> None:
    """Move the exponential average towards the trained weights, in place.

    Its memory is short at first, so that the initial weights are soon forgotten.

    Args:
        averaged, trained: Weights of the same shape.
        steps: Training steps done so far.
    """
    decay = min(LARGEST_DECAY, steps / (steps + 10))
    averaged.lerp_(trained.detach(), 1 - decay)
