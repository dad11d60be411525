"""Signals that span many orders of magnitude, as networks see them: log₁₀(1 + S / unit)."""

# Axes: any.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGEST_OVER_SEEN = 10.0  # of a generated signal, over the largest of the training sample: keeps it finite
FEWEST = 0.01  # share of the filled cells that may lie below what counts as the least signal
UNITS_OF_THE_LEAST = 10.0  # so that networks see a gap between no signal (0) and the least one (1.04)


@dataclass(frozen=True)
class LogSignals:
    """log₁₀(1 + S / unit), and back.

    Attributes:
        unit: In the unit of the detector.
        least: The inverse makes what lies below it zero: no signal.
        largest: The inverse gives no larger ones.
    """

    unit: float
    least: float
    largest: float

    @classmethod
    def of_cells(cls, response: NDArray[np.float32]) -> LogSignals:
        """For cells (N, V) that are empty or hold at least a threshold: a tenth of it is the unit, and the least.

        The threshold is what 99 of 100 filled cells exceed.
        """
        seen = response[response > 0]
        unit = float(np.quantile(seen, FEWEST)) / UNITS_OF_THE_LEAST if seen.size else 1.0
        return cls(unit, unit, largest_of(response))

    def forward(self, signals: Tensor) -> Tensor:
        """Signals in the unit of the detector to what networks see, float32."""
        return torch.log10(1.0 + signals.double() / self.unit).float()

    def inverse(self, values: Tensor) -> Tensor:
        """Back to the unit of the detector, float32; never negative."""
        highest = float(np.log10(1.0 + self.largest / self.unit))
        signals = self.unit * (torch.pow(10.0, values.double().clamp(max=highest)) - 1.0)
        return torch.where(signals >= self.least, signals, 0.0).float()

    def to_json(self) -> dict[str, float]:
        """Plain values; ``from_json`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LogSignals:
        return cls(**values)


def largest_of(response: NDArray[np.float32]) -> float:
    """What no generated signal exceeds: ten times the largest of the training sample (N, V)."""
    return LARGEST_OVER_SEEN * (float(response.max()) or 1.0)
