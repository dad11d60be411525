"""The leaderboard as static pages, made from records alone.

No torch, no metric, no model: pages can be made again on any machine that holds the records. They
work from a file, without a network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from leaderboard.board_page import render_index
from leaderboard.model_page import model_context, render_model
from leaderboard.ranking import Row, tables
from leaderboard.records import (
    Board,
    DamagedEntry,
    InvalidEntry,
    JsonObject,
    alone,
    read_board,
    read_observables,
    write_atomically,
)
from leaderboard.rendering import code_digest, render
from leaderboard.self_test_page import render_self_test
from leaderboard.self_test_records import read_calibration, read_records
from leaderboard.studies import read_studies
from leaderboard.study_page import write_study_pages

LOCK = ".pages.lock"
STAMP = "<!-- made from {} -->\n"


def build_pages(board: Path) -> Path:
    """Write ``index.html``, ``metrics.html`` and ``models/<entry id>.html`` under the folder; returns the first.

    Pages whose records have not changed are left as they are. Records that cannot be read are listed
    with the reason. Two searches that end at the same time wait for each other: otherwise pages made from the records
    of before could replace newer ones.
    """
    with alone(board / LOCK):
        return _build_pages(board)


def _build_pages(board: Path) -> Path:
    content = read_board(board)
    studies, damaged_studies = read_studies(board)
    damaged = [*content.damaged, *damaged_studies]
    grouped = tables(content.entries)
    for table in grouped:
        for row in table.rows:
            try:
                _write_model_page(board, row)
            except InvalidEntry as error:
                damaged.append(DamagedEntry(row.entry["id"], str(error)))
                _write(_model_page(board, row.entry["id"]), render("model.html", **model_context(row, {})))
    _write(board / "metrics.html", render_self_test(read_records(), read_calibration(), on_board=True))
    write_study_pages(board, studies)
    index = board / "index.html"
    _write(index, render_index(Board(content.entries, damaged, content.test_openings), grouped, studies))
    return index


def _write_model_page(board: Path, row: Row) -> None:
    observables = read_observables(board, row.entry["id"])
    page = _model_page(board, row.entry["id"])
    stamp = STAMP.format(_stamp(row, observables))
    if page.is_file() and page.read_text(encoding="utf-8").endswith(stamp):
        return
    _write(page, render_model(row, observables) + stamp)


def _model_page(board: Path, name: str) -> Path:
    return board / "models" / f"{name}.html"


def _write(path: Path, html: str) -> None:
    write_atomically(path, html)


def _stamp(row: Row, observables: JsonObject) -> str:
    made_from = f"{row.rank} {row.in_pareto_set} {row.entry!r} {observables!r} {code_digest()}"
    return hashlib.sha256(made_from.encode()).hexdigest()
