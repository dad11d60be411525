"""``arena leaderboard``: build, check and serve the pages; take in what was generated elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.submit_command import add_conditions_action, add_submit_action

if TYPE_CHECKING:
    from leaderboard.records import Board, DamagedEntry


def add_leaderboard_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its actions."""
    command = commands.add_parser("leaderboard", help="the leaderboard's pages")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    add_conditions_action(actions)
    add_submit_action(actions)
    for name, run, words in (
        ("build", _build, "render the pages from the records"),
        ("check", _check, "read every record, and say what is wrong"),
        ("serve", _serve, "show the pages in a browser on this machine"),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument("--output", type=Path, default=Path("runs"), help="where searches are kept (default: runs)")
        action.set_defaults(run=run)
        if name == "serve":
            action.add_argument("--port", type=int, default=0, help="default: any that is free")
            action.add_argument("--host", default="127.0.0.1", help="default: this machine alone can see the pages")


def board_of(output: Path) -> Path:
    """The folder of the leaderboard. Raises: FileNotFoundError where there is none."""
    board = output / "leaderboard"
    if not board.is_dir():
        raise FileNotFoundError(2, "there is no leaderboard yet; run a search first", str(board))
    return board


def _build(given: argparse.Namespace) -> int:
    from leaderboard.pages import build_pages

    board = board_of(given.output)
    content, damaged = _read(board)
    _say(content, damaged)
    print(build_pages(board).resolve().as_uri())
    return 1 if damaged else 0


def _check(given: argparse.Namespace) -> int:
    board = board_of(given.output)
    content, damaged = _read(board)
    damaged += _of_other_data(content)
    _say(content, damaged)
    return 1 if damaged else 0


def _of_other_data(content: Board) -> list[DamagedEntry]:
    """Entries whose dataset is called like one of the project's, and is not the same."""
    from data_adapters.datasets import DATASETS
    from leaderboard.records import DamagedEntry

    datasets = [entry["dataset"] for entry in content.entries]
    here = {name: DATASETS[name].sha256 for name in {dataset["name"] for dataset in datasets} & DATASETS.keys()}
    return [
        DamagedEntry(
            entry["id"],
            f"judged on {entry['dataset']['name']} with the hash {entry['dataset']['sha256'][:12]}…; the files here "
            f"have {here[entry['dataset']['name']][:12]}…: other data, or another hash than its events had",
        )
        for entry in content.entries
        if here.get(entry["dataset"]["name"], entry["dataset"]["sha256"]) != entry["dataset"]["sha256"]
    ]


def _read(board: Path) -> tuple[Board, list[DamagedEntry]]:
    """Everything that lies on a board: entries, their resamples and observables, searches."""
    from leaderboard.records import DamagedEntry, InvalidEntry, read_board, read_observables
    from leaderboard.resamples import read_all
    from leaderboard.studies import read_studies

    content = read_board(board)
    damaged = [*content.damaged, *read_all(board, content.entries)[1], *read_studies(board)[1]]
    for entry in content.entries:
        try:
            read_observables(board, entry["id"])
        except InvalidEntry as error:
            damaged.append(DamagedEntry(entry["id"], str(error)))
    return content, damaged


def _say(content: Board, damaged: list[DamagedEntry]) -> None:
    for each in damaged:
        print(f"{each.name}: {each.reason}", file=sys.stderr)
    records = "record" if len(damaged) == 1 else "records"
    print(f"{len(content.entries)} entries, {len(damaged)} {records} with a fault")


def _serve(given: argparse.Namespace) -> int:
    from leaderboard.server import LOOPBACK, make_server

    with make_server(board_of(given.output), given.host, given.port) as server:
        host, port = server.server_address[:2]
        print(f"http://{host!s}:{port}/  (Ctrl-C ends it)", flush=True)
        if given.host != LOOPBACK:
            print("everybody who reaches this machine can read these pages", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
