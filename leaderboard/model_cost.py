"""What generating costs, as rows of a table."""

from __future__ import annotations

import re
from typing import Any

from leaderboard import text
from leaderboard.records import JsonObject

BATCH = re.compile(r"batch_(\d+)")
ONE_THREAD = "CPU, one thread"


def timing_rows(cost: JsonObject) -> list[JsonObject]:
    """One row a timing, larger batches later: ``on``, ``batch``, ``median`` and ``spread`` [ms a shower],
    ``per_second`` in words, and ``speed_up``.

    ``speed_up`` is over the full simulation of an event on one core; None where nobody timed that.
    """
    simulation_ms = cost.get("simulation_ms")
    if "timings" in cost:
        rows = [_row(_where(each), each["batch"], _estimate(each), simulation_ms) for each in cost["timings"]]
        return sorted(rows, key=lambda row: row["batch"])
    rows = []
    for name, timing in cost["generation_ms_per_shower"].items():
        found = BATCH.fullmatch(name)
        if found is not None:
            rows.append(_row(ONE_THREAD, int(found.group(1)), timing, simulation_ms))
    return sorted(rows, key=lambda row: row["batch"])


def _where(timing: JsonObject) -> str:
    """Device and threads; what is not CPU time says so."""
    if timing["device"] == "gpu":
        return "GPU, wall time"
    threads = timing["threads"]
    return ONE_THREAD if threads == 1 else f"CPU, {threads} threads, wall time"


def _estimate(timing: JsonObject) -> JsonObject:
    return {"median": timing["median_ms"], "spread": timing["spread_ms"]}


def _row(on: str, batch: int, timing: JsonObject, simulation_ms: Any) -> JsonObject:
    median = timing["median"]
    return {
        "on": on,
        "batch": batch,
        "median": median,
        "spread": timing.get("spread"),
        "per_second": _two_digits(1000 / median) if median else None,
        "speed_up": simulation_ms / median if simulation_ms and median else None,
    }


def _two_digits(number: float) -> str:
    return text.count(int(float(f"{number:.1e}"))) if number >= 10 else text.significant(number, 2)
