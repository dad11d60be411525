"""``arena report``: the page of a search that runs, was killed, or has ended."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

PAGE = "index.html"


def add_report_command(commands: Any) -> None:
    """Add ``report`` to the subcommands of ``arena``."""
    command = commands.add_parser("report", help="the page of a search that runs, was killed, or has ended")
    command.add_argument("search", type=Path, help="folder of a search, like runs/atlas-gan/001; it is only read")
    command.add_argument("--to", type=Path, metavar="FOLDER", help="default: report/STUDY-NUMBER, here")
    command.set_defaults(run=_report)


def _report(given: argparse.Namespace) -> int:
    from leaderboard.records import write_atomically
    from leaderboard.studies import study_file, study_text
    from leaderboard.study_page import render_study
    from search.engine.report import report

    record = report(given.search)
    folder = given.to or Path("report") / study_file(record, "")
    _check_outside(folder, given.search)
    text = study_text(record)
    write_atomically(folder / study_file(record, ".json"), text)
    page = folder / PAGE
    write_atomically(page, render_study(record, on_board=False))
    ended = sum(record["trials"].values())
    print(f"{ended} of {len(record['trial_list'])} trials have ended; the record has {len(text.encode()) / 1e6:.2f} MB")
    print(page.resolve().as_uri())
    return 0


def _check_outside(folder: Path, search: Path) -> None:
    """Raises: ValueError if the page would lie in the folder of the search, of which nothing is to be changed."""
    if folder.resolve().is_relative_to(search.resolve()):
        raise ValueError(f"--to {folder} lies in the folder of the search, which is only read. Give one outside of it")
