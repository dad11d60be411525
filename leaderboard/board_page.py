"""The board: one table for each group of comparable entries, and the searches. Rendered from records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard import plots
from leaderboard.ranking import Row, Table
from leaderboard.records import Board
from leaderboard.rendering import render, svg
from leaderboard.studies import StudyRecord


@dataclass(frozen=True)
class Section:
    """A table with what is written around it."""

    table: Table
    components: list[str]
    trials: int
    openings: int
    plot: Markup | None


def render_index(board: Board, grouped: Sequence[Table], studies: Sequence[StudyRecord]) -> str:
    """The board's page as HTML."""
    return render(
        "index.html",
        sections=[_section(table, board.test_openings) for table in grouped],
        damaged=board.damaged,
        studies=studies,
    )


def _section(table: Table, openings: Mapping[str, int]) -> Section:
    components = list(dict.fromkeys(name for row in table.rows for name in row.entry["components"]))
    scored = sorted((row for row in table.rows if row.entry["score"] is not None), key=_score)
    figure = plots.score_figure([(_label(row), row.entry) for row in scored], table.floor) if scored else None
    return Section(
        table=table,
        components=components,
        trials=sum(_trials_by_study(table).values()),
        openings=openings.get(table.dataset["sha256"], 0),
        plot=None if figure is None else svg(figure, "Scores of all rows"),
    )


def _trials_by_study(table: Table) -> dict[tuple[str, str], int]:
    """Trials of each search; several entries may come from one."""
    trials: dict[tuple[str, str], int] = {}
    for row in table.rows:
        study = row.entry["study"]
        key = (study["name"], study["directory"])
        trials[key] = max(trials.get(key, 0), study["trials_compared"])
    return trials


def _score(row: Row) -> float:
    return float(row.entry["score"]["value"])


def _label(row: Row) -> str:
    title = str(row.entry["title"])
    shortened = title if len(title) <= 46 else title[:45] + "…"
    return shortened if row.entry["status"] == "complete" else f"{shortened} ({row.entry['status']})"
