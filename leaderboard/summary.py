"""A board as a table for the terminal, at the end of a search. Works on records alone."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table as RichTable

from leaderboard import text
from leaderboard.ranking import Row, Table
from leaderboard.records import JsonObject


def summary_table(table: Table) -> RichTable:
    """Best model, the paper's configuration, what it was compared with, and the rows no model is to be read without."""
    rows = summary_rows(table)
    components = list(table.rows[0].entry["components"])
    budgets = sorted({row.entry["training"]["epochs_label"] for row in (*table.ranked, *table.unranked)})
    rich_table = RichTable(
        title=f"{table.dataset['title']} · test split · preset {table.preset}",
        title_justify="left",
        caption=f"Lower is better. Models trained for {' or '.join(budgets)}." if budgets else None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    rich_table.add_column("", overflow="fold")
    rich_table.add_column("score ± error", justify="right", no_wrap=True)
    for name in components:
        rich_table.add_column(text.component_title(name), justify="right", overflow="fold")
    for label, entry in rows:
        rich_table.add_row(*_cells(label, entry, components))
    return rich_table


def summary_rows(table: Table) -> list[tuple[str, JsonObject]]:
    """Label and entry of each line, in the order of reading."""
    champion = None if table.best is None else table.best.entry
    labelled = [] if champion is None else [("best: " + champion["title"], champion)]
    labelled += [
        ("paper: " + row.entry["title"], row.entry)
        for row in (*table.ranked, *table.unranked)
        if row.entry is not champion and is_paper_configuration(row.entry)
    ]
    compared = {comparison["with"] for comparison in (champion or {"comparisons": []})["comparisons"]}
    shown = {entry["id"] for _, entry in labelled}
    labelled += [
        (row.entry["title"], row.entry)
        for row in (*table.ranked, *table.unranked)
        if row.entry["id"] in compared - shown
    ]
    return labelled + [(row.entry["title"], row.entry) for row in _by_score(table.references)]


def is_paper_configuration(entry: JsonObject) -> bool:
    """Whether an entry has the very hyperparameters that its paper found best."""
    model = entry["model"]
    return bool(model["paper_config"]) and model["config"] == model["paper_config"]


def comparison_sentences(table: Table) -> list[str]:
    """How the best model stands against what it was compared with; empty without a complete model."""
    if table.best is None:
        return []
    return text.comparison_sentences(table.best.entry, table.best.against)


def _by_score(rows: Sequence[Row]) -> list[Row]:
    """Worst first, so that the table ends with the full-simulation floor."""
    return sorted(rows, key=lambda row: -(row.entry["score"] or {"value": float("inf")})["value"])


def _cells(label: str, entry: JsonObject, components: Sequence[str]) -> list[str]:
    mark = "" if entry["status"] == "complete" else f" ({entry['status']})"
    values = [text.significant((entry["components"].get(name) or {"value": None})["value"]) for name in components]
    return [escape(label + mark), text.with_error(entry["score"]), *values]
