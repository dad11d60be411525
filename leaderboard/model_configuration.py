"""The configuration of an entry: its values, the paper's, and what the search learned about each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboard import text
from leaderboard.records import JsonObject

LEARNED_KEYS = frozenset({"parameter", "best", "top_range", "importance"})


def configuration_rows(entry: JsonObject, study: Mapping[str, Any] | None) -> list[JsonObject]:
    """One row a hyperparameter: ``name``, ``here``, ``paper``, ``differs`` and ``learned``.

    Args:
        study: Record of the search that led to the entry; None where there is none.
    Returns: The values as text. ``paper`` is None for a hyperparameter that the paper does not have; ``learned`` is
        None for one that was not searched, else ``best``, ``top`` and ``importance`` (0 … 1 or None).
    """
    paper = entry["model"]["paper_config"] or {}
    learned = learned_by_parameter(study)
    return [
        {
            "name": name,
            "here": shown(value),
            "paper": shown(paper[name]) if name in paper else None,
            "differs": bool(paper) and paper.get(name) != value,
            "learned": learned.get(name),
        }
        for name, value in entry["model"]["config"].items()
    ]


def learned_by_parameter(study: Mapping[str, Any] | None) -> dict[str, JsonObject]:
    """What a search learned, by hyperparameter; nothing from records of earlier versions, and rows without a key."""
    rows = (study or {}).get("learned") or []
    return {
        str(row["parameter"]): {
            "best": shown(row["best"]),
            "top": top_of(row["top_range"]),
            "importance": row["importance"],
        }
        for row in rows
        if isinstance(row, Mapping) and row.keys() >= LEARNED_KEYS
    }


def top_of(values: Any) -> str:
    """Where the best trials lie: a range ``low … high`` of two numbers that rise, else the choices; a dash for none."""
    if not isinstance(values, list):
        return shown(values)
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) == len(numbers) == 2 and numbers[0] <= numbers[1]:
        low, high = (shown(value) for value in values)
        return low if low == high else f"{low} … {high}"
    return ", ".join(shown(value) for value in values)


def shown(value: Any) -> str:
    """A hyperparameter as people read it; numbers with five digits (``entry.json`` holds all)."""
    if value is None:
        return text.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return ", ".join(shown(part) for part in value) or text.NOTHING
    return str(value)
