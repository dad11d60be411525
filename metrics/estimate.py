"""A value with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error in the same unit; an error that was not estimated is NaN."""

    value: float
    error: float

    def to_json(self) -> dict[str, float | None]:
        """``value`` and ``error`` as finite numbers; an error that was not estimated is None."""
        return {"value": self.value, "error": self.error if math.isfinite(self.error) else None}
