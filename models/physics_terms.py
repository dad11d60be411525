"""Physics constraints in losses. Each takes two tensors of one shape: nothing is broadcast from event to event."""

# Axes: B events.
from __future__ import annotations

from torch import Tensor

SMALLEST_TRUTH = 1e-7  # as Keras has it; keeps an event without truth finite


def percentage_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean of 100·|predicted − truth| / |truth| over events (B,): the truth is the denominator.

    Raises: ValueError for different shapes.
    """
    _check(predicted, truth)
    return 100.0 * ((predicted - truth).abs() / truth.abs().clamp(min=SMALLEST_TRUTH)).mean()


def absolute_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean of |predicted − truth| over events (B,). Raises: ValueError for different shapes."""
    _check(predicted, truth)
    return (predicted - truth).abs().mean()


def _check(predicted: Tensor, truth: Tensor) -> None:
    if predicted.shape != truth.shape:
        raise ValueError(
            f"shapes {tuple(predicted.shape)} and {tuple(truth.shape)} differ, and would be broadcast; give one number "
            "an event in both"
        )
