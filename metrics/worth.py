"""How many events of full simulation a generated sample is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metrics.estimate import Estimate

CONFIDENCE = 1.645  # one-sided 95 %


@dataclass(frozen=True)
class Worth:
    """Size of a reference sample whose own finite-sample error equals the excess of the generated one.

    Attributes:
        events: The estimate; None where the excess is not above 0.
        at_least: What it is at least, at 95 % confidence; None where the error of the excess is unknown.
    """

    events: float | None
    at_least: float | None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def worth(excess: Estimate, floor: float, num_events: int) -> Worth:
    """Worth of a sample with this excess over the floor.

    The floor compares two samples of ``num_events`` events, each with its own fluctuation; distances of samples sink
    with the inverse square root of their sizes, so M events against the truth get floor · √(N / (2 M)), which equals
    the excess at M = N/2 · (floor / excess)².

    Args:
        floor: What the twin gets with as many events.
        num_events: Events of the reference, N.
    """
    upper = excess.value + CONFIDENCE * excess.error
    return Worth(_size(excess.value, floor, num_events), _size(upper, floor, num_events))


def _size(excess: float, floor: float, num_events: int) -> float | None:
    return num_events / 2 * (floor / excess) ** 2 if excess > 0 else None  # NaN is not above 0 either
