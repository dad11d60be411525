"""Numbers of a benchmark for programs to read: one line of JSON each, in the file that BENCHMARK_RECORD names.

Without it nothing is written: a benchmark that is run by hand prints what it prints.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

VARIABLE = "BENCHMARK_RECORD"


def record(name: str, value: float, unit: str, *, better: str = "lower", peer: str = "") -> None:
    """Write down a number.

    Args:
        name: What was measured, in words; the same in every run.
        better: ``lower``, ``higher``, or ``neither`` of what is a share of a whole.
        peer: For a ratio to something that is not ours, what it is; above 1 we are the better.
    """
    path = os.environ.get(VARIABLE)
    if path:
        line = {"name": name, "value": float(value), "unit": unit, "better": better, "peer": peer}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
