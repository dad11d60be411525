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
UNITS_OF_THE_LEAST = 10.0  # so that networks see a gap between no signal (0) and the least one (1.04)


@dataclass(frozen=True)
class LogSignals:
    """log₁₀(1 + S / unit), and back.

    Attributes:
        unit: In the unit of the detector; the inverse makes what lies below it zero: no signal.
        largest: The inverse gives no larger ones.
    """

    unit: float
    largest: float

    @classmethod
    def of_cells(cls, response: NDArray[np.float32]) -> LogSignals:
        """For cells that are empty or hold at least a threshold: the unit is a tenth of the least signal of (N, V)."""
        seen = response[response > 0]
        if not seen.size:
            return cls(1.0, 1.0)
        return cls(float(seen.min()) / UNITS_OF_THE_LEAST, LARGEST_OVER_SEEN * float(seen.max()))

    def forward(self, signals: Tensor) -> Tensor:
        """Signals in the unit of the detector to what networks see, float32."""
        return torch.log10(1.0 + signals.double() / self.unit).float()

    def inverse(self, values: Tensor) -> Tensor:
        """Back to the unit of the detector, float32; never negative."""
        highest = float(np.log10(1.0 + self.largest / self.unit))
        signals = self.unit * (torch.pow(10.0, values.double().clamp(max=highest)) - 1.0)
        return torch.where(signals >= self.unit, signals, 0.0).float()

    def to_json(self) -> dict[str, float]:
        """Plain values; ``from_json`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LogSignals:
        return cls(**values)
