"""Columns of a file compared with what they can hold: all that is wrong, not the first alone."""

# Axes: n values, of as many events or of fewer.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import ENERGY_UNITS, Condition
from data_adapters.problems import Problem

Floats = NDArray[np.float64]
EventOfValue = NDArray[np.intp]


def impossible_values(
    values: Floats, condition: Condition, key: str, mend: str, event: EventOfValue | None = None
) -> list[Problem]:
    """The problem of values (n,) that are not finite or outside the range of a condition, or none.

    Args:
        key: Name of the column in the file.
        mend: What is likely to help.
        event: Number of the event of each value; None where it is the place of the value.
    """
    low = -np.inf if condition.low is None else condition.low
    high = np.inf if condition.high is None else condition.high
    unit = "" if condition.unit == "1" else f" {condition.unit}"
    fine = np.isfinite(values) & (values >= low) & (values <= high)
    return _first(values, fine, f"{low:.6g} … {high:.6g}{unit} is possible", key, mend, event)


def unit_hint(values: Floats, condition: Condition) -> str:
    """What to do where energies (n,) fit the range of a condition in another unit; empty where they do not."""
    if condition.unit not in ENERGY_UNITS or not np.isfinite(values).all():
        return ""
    for unit in ("MeV", "GeV"):
        converted = values * (ENERGY_UNITS[unit] / ENERGY_UNITS[condition.unit])
        if unit != condition.unit and not impossible_values(converted, condition, "", ""):
            return f"They look like {unit}: convert them to {condition.unit} (and the responses, if they are alike)"
    return ""


def not_whole(
    values: Floats, low: int, high: int, key: str, mend: str, event: EventOfValue | None = None
) -> list[Problem]:
    """The problem of values (n,) that are not whole numbers from ``low`` to ``high``, or none; see above."""
    fine = (values >= low) & (values <= high) & (values == np.floor(values))
    return _first(values, fine, f"whole numbers {low} … {high} are possible", key, mend, event)


def _first(
    values: Floats, fine: NDArray[np.bool_], possible: str, key: str, mend: str, event: EventOfValue | None
) -> list[Problem]:
    wrong = np.flatnonzero(~fine)
    if len(wrong) == 0:
        return []
    events = wrong if event is None else np.unique(event[wrong])
    what = f"it is {values[wrong[0]]:.6g}; {possible}; the first of {len(events)} such events"
    return [Problem(what, mend, key, int(events[0]))]
