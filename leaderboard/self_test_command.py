"""``arena metrics selftest``: which metric notices which fault at which number of events."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from leaderboard.records import JsonObject


def add_self_test_action(actions: Any) -> None:  # argparse has no public type for it
    """Add ``selftest`` to the actions of ``arena metrics``."""
    parser = actions.add_parser("selftest", help="which metric notices which injected fault")
    parser.add_argument("--scorecard", action="append", help="name; may be given again; default: all")
    parser.add_argument(
        "--files",
        nargs=3,
        type=Path,
        metavar=("FIRST", "SECOND", "THIRD"),
        help="the same particles simulated three times; default: the samples that ship",
    )
    parser.add_argument("--sizes", nargs="+", type=_positive, help="numbers of events to draw, with --files")
    parser.add_argument("--whole-sample", action="store_true", help="also the metrics of whole samples (minutes)")
    parser.add_argument(
        "--draws", type=_positive, help="of each size (default: each order of the three simulations twice)"
    )
    parser.add_argument("--out", type=Path, default=Path("self_test"), help="folder of JSON and page")
    parser.set_defaults(run=_self_test)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0 is needed")
    return number


def _self_test(given: argparse.Namespace) -> int:
    from leaderboard.records import write_atomically
    from leaderboard.self_test import missed, text_table
    from leaderboard.self_test_page import render_self_test
    from leaderboard.self_test_records import read_records, whole_sample_table, write_record

    failed = []
    for record in _records(given):
        print(f"{record['title']}\n{record['dataset']}, {record['draws']} draws; noticed in (*: as expected)")
        _print_table(text_table(record))
        if "whole_sample" in record:
            print("\nfarther from perfect than the floor, in standard errors")
            _print_table(whole_sample_table(record))
        print(f"{write_record(record, given.out)}\n")
        failed += missed(record)
    page = given.out / "self_test.html"
    write_atomically(page, render_self_test(read_records(given.out), None, on_board=False))
    print(page)
    for sentence in failed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if failed else 0


def _records(given: argparse.Namespace) -> Iterable[JsonObject]:
    from rich.console import Console

    from data_adapters.adapters import open_events
    from leaderboard.self_test import present_bins, run_self_test, run_self_test_on, with_whole_sample
    from metrics import SCORECARDS
    from metrics.self_test import DRAWS

    console = Console(stderr=True)
    draws = given.draws or DRAWS
    if given.files is None:
        if given.sizes is not None:
            raise ValueError("--sizes needs --files: of the samples that ship, all events and half of them are drawn")
        for card in [SCORECARDS[name] for name in given.scorecard or SCORECARDS]:
            yield run_self_test(card.name, draws, console, whole_sample=given.whole_sample)
        return
    first, second, third = (open_events(path).read() for path in given.files)
    names = given.scorecard or [card.name for card in SCORECARDS.values() if card.detector == first.detector.name]
    for card in [present_bins(SCORECARDS[name], first) for name in names]:
        samples = (first, second, third)
        record = run_self_test_on(card, samples, given.sizes or [len(first)], draws, console)
        yield with_whole_sample(record, card, samples, console) if given.whole_sample else record


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
