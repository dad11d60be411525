"""What generating costs, as rows of a table."""

from __future__ import annotations

import re
from typing import Any

from leaderboard.records import JsonObject

BATCH = re.compile(r"batch_(\d+)")
ONE_THREAD = "CPU, one thread"


def timing_rows(cost: JsonObject) -> list[JsonObject]:
    """One row a timing, larger batches later: ``on``, ``batch``, ``median`` and ``spread`` [ms a shower], ``speed_up``.

    ``speed_up`` is over the full simulation of an event on one core; None where nobody timed that.
    """
    simulation_ms = cost.get("simulation_ms")
    rows = []
    for name, timing in cost["generation_ms_per_shower"].items():
        found = BATCH.fullmatch(name)
        if found is not None:
            rows.append(_row(ONE_THREAD, int(found.group(1)), timing, simulation_ms))
    return sorted(rows, key=lambda row: row["batch"])


def _row(on: str, batch: int, timing: JsonObject, simulation_ms: Any) -> JsonObject:
    median = timing["median"]
    return {
        "on": on,
        "batch": batch,
        "median": median,
        "spread": timing.get("spread"),
        "speed_up": simulation_ms / median if simulation_ms and median else None,
    }


def searched_minutes(study: JsonObject | None) -> float | None:
    """Wall time of the search that led to an entry; None where its record does not lie on the board."""
    return None if study is None else study.get("minutes")
