"""The tables of the board as CSV and JSON: the same numbers as on the page, unrounded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leaderboard import text
from leaderboard.ranking import Row, Table, comparable_key
from leaderboard.records import JsonObject, write_atomically
from leaderboard.rendering import visible

FOLDER = "downloads"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
BATCHES = ("batch_1", "batch_100")


def table_name(table: Table) -> str:
    """A name of files and anchors, the same for the same kind of comparison: ``<detector>-<preset>-<8 hex digits>``."""
    key = comparable_key(table.rows[0].entry)
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:8]
    words = (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:40] for part in (table.detector, table.preset))
    return "-".join([*(word for word in words if word), digest])


def write_downloads(board: Path, tables: Sequence[Table]) -> None:
    """Write ``downloads/<table>.csv`` and ``.json`` of every table."""
    for table in tables:
        rows = [flat_row(row) for row in table.rows]
        stem = board / FOLDER / table_name(table)
        write_atomically(stem.with_suffix(".csv"), as_csv(rows))
        write_atomically(
            stem.with_suffix(".json"), json.dumps(_table(table, rows), indent=1, ensure_ascii=False) + "\n"
        )


def time_a_shower(entry: JsonObject, batch: str = "batch_100") -> JsonObject | None:
    """CPU milliseconds a shower on one thread: ``median`` and ``spread``; None where it was not measured."""
    found: JsonObject | None = (entry["cost"] or {"generation_ms_per_shower": {}})["generation_ms_per_shower"].get(
        batch
    )
    return found


def flat_row(row: Row) -> JsonObject:
    """One entry as a row of a table: numbers, texts and None."""
    entry = row.entry
    flat: JsonObject = {
        "class": row.rank,
        "id": entry["id"],
        "title": entry["title"],
        "model": entry["model"]["name"],
        "kind": entry["kind"],
        "status": entry["status"],
        "remark": row.remark,
        "in_pareto_set": row.in_pareto_set,
        **_estimate("score", entry["score"]),
    }
    difference = row.difference or {}
    flat |= {f"difference_{name}": difference.get(name) for name in ("value", "lower", "upper", "p_value_adjusted")}
    for name, component in entry["components"].items():
        flat |= _estimate(name, component) | {f"{name}_floor": component["floor"]}
    flat |= {**_estimate("floor", entry["floor"]), "z": entry["z"], "p_value": entry.get("p_value")}
    for batch in BATCHES:
        timing = time_a_shower(entry, batch) or {}
        flat |= {f"ms_{batch}": timing.get("median"), f"ms_{batch}_spread": timing.get("spread")}
    return flat | {
        **{f"parameters_{use}": (entry["model"]["num_parameters"] or {}).get(use) for use in ("generate", "train")},
        "hardware": None if entry["cost"] is None else entry["cost"]["hardware"],
        "seeds_completed": text.completed_seeds(entry),
        "seeds_planned": len(entry["training"]["seeds_planned"]),
        "epochs": entry["training"]["epochs"],
        "trials_compared": entry["study"]["trials_compared"],
        "test_openings": entry["test_openings"],
        "origin": entry["provenance"].get("origin", "ours"),
        "time": entry["provenance"]["time"],
    }


def as_csv(rows: Sequence[JsonObject]) -> str:
    """Comma-separated values with a header; a text never begins as a formula of a spreadsheet does."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([[_harmless(row.get(name)) for name in columns] for row in rows])
    return buffer.getvalue()


def _table(table: Table, rows: Sequence[JsonObject]) -> JsonObject:
    return {
        "schema": 1,
        "detector": table.detector,
        "preset": table.preset,
        "dataset": table.dataset,
        "scorecard": table.scorecard,
        "winner": table.winner_sentence,
        "stability": table.stability,
        "rows": list(rows),
    }


def _estimate(name: str, estimate: JsonObject | None) -> JsonObject:
    found = estimate or {"value": None, "error": None}
    return {name: found["value"], f"{name}_error": found["error"]}


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str):
        return "" if cell is None else cell
    return f"'{visible(cell)}" if cell.lstrip(" ").startswith(FORMULA) else visible(cell)
