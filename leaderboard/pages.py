"""The leaderboard as static pages, made from records alone.

No torch, no metric, no model: pages can be made again on any machine that holds the records. They
work from a file, without a network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from leaderboard.board_page import render_index
from leaderboard.downloads import write_downloads
from leaderboard.model_page import model_context, render_model
from leaderboard.published import read_published
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
from leaderboard.resamples import read_all
from leaderboard.self_test_page import render_self_test
from leaderboard.self_test_records import read_calibration, read_records
from leaderboard.studies import StudyRecord, read_studies
from leaderboard.study_page import write_study_pages

LOCK = ".pages.lock"
STAMP = "<!-- made from {} -->\n"


def build_pages(board: Path) -> Path:
    """Write ``index.html``, ``metrics.html``, ``models/<entry id>.html`` and downloads; returns the first.

    Pages whose records have not changed are left as they are. Records that cannot be read are listed
    with the reason. Two searches that end at the same time wait for each other: otherwise pages made from the records
    of before could replace newer ones.
    """
    with alone(board / LOCK):
        return _build_pages(board)


def _build_pages(board: Path) -> Path:
    content = read_board(board)
    studies, damaged_studies = read_studies(board)
    resamples, damaged_resamples = read_all(board, content.entries)
    damaged = [*content.damaged, *damaged_studies, *damaged_resamples]
    grouped = tables(content.entries, resamples)
    for table in grouped:
        for row in table.rows:
            try:
                _write_model_page(board, row, study_of(row.entry, studies))
            except InvalidEntry as error:
                damaged.append(DamagedEntry(row.entry["id"], str(error)))
                _write(_model_page(board, row.entry["id"]), render("model.html", **model_context(row, {})))
    metrics_page = render_self_test(read_records(), read_calibration(), on_board=True, tables=grouped)
    _write(board / "metrics.html", metrics_page)
    write_study_pages(board, studies)
    write_downloads(board, grouped)
    index = board / "index.html"
    shown = Board(content.entries, damaged, content.test_openings)
    _write(index, render_index(shown, grouped, studies, read_published(), board))
    return index


def study_of(entry: JsonObject, studies: Sequence[StudyRecord]) -> StudyRecord | None:
    """Record of the search that led to an entry; None where it does not lie on the board."""
    name = entry["study"]["name"], entry["study"].get("directory")
    return next((study for study in studies if (study["name"], study["directory"]) == name), None)


def _write_model_page(board: Path, row: Row, study: StudyRecord | None) -> None:
    observables = read_observables(board, row.entry["id"])
    page = _model_page(board, row.entry["id"])
    stamp = STAMP.format(_stamp(row, observables, study))
    if page.is_file() and page.read_text(encoding="utf-8").endswith(stamp):
        return
    _write(page, render_model(row, observables, study) + stamp)


def _model_page(board: Path, name: str) -> Path:
    return board / "models" / f"{name}.html"


def _write(path: Path, html: str) -> None:
    write_atomically(path, html)


def _stamp(row: Row, observables: JsonObject, study: StudyRecord | None) -> str:
    made_from = f"{row!r} {observables!r} {study!r} {code_digest()}"
    return hashlib.sha256(made_from.encode()).hexdigest()
