"""``arena replay``: train one seed of an entry again, and say whether it agrees."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from data_adapters.registry import UnknownName
from leaderboard.leaderboard_command import board_of

if TYPE_CHECKING:
    from data_adapters.datasets import DatasetFiles
    from leaderboard.records import JsonObject
    from leaderboard.replay import Replay
    from leaderboard.training import SeedJob

AGREES, DIFFERS = 0, 1


def add_replay_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its flags."""
    command = commands.add_parser("replay", help="train one seed of an entry again, and say whether it agrees")
    command.add_argument("entry", help="id of an entry, or the path of its entry.json")
    command.add_argument("--output", type=Path, default=Path("runs"), help="where searches are kept (default: runs)")
    command.add_argument("--seed", type=int, help="which one (default: the one with the median score)")
    command.add_argument("--data", type=Path, metavar="FILE", help="the files, if the entry is of a file of one's own")
    command.add_argument("--twin", type=Path, metavar="FILE", help="and the same particles simulated again")
    command.add_argument("--base", type=Path, metavar="FOLDER", help="checkpoint that the model is built on")
    command.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the training there (default: nowhere)")
    command.set_defaults(run=_replay)


def _replay(given: argparse.Namespace) -> int:
    from leaderboard.replay import remarks, replay_job

    entry, board = _entry(given.entry, given.output)
    kept = nullcontext(given.keep) if given.keep is not None else tempfile.TemporaryDirectory()
    with kept as folder:
        job = replay_job(entry, _data(entry, given), given.seed, given.base, Path(folder))
        for remark in remarks(entry):
            print(f"note: {remark}", file=sys.stderr)
        print(f"{entry['title']}: seed {job.seed}, {entry['training']['epochs_label']}", flush=True)
        result = _shown(entry, board, job)
    print(sentence(result))
    return AGREES if result.agrees else DIFFERS


def sentence(result: Replay) -> str:
    """What came out, and by what it is judged."""
    from leaderboard import text

    found, recorded = (
        text.with_error({"value": each.value, "error": each.error}) for each in (result.found, result.recorded)
    )
    if result.is_same:
        return f"agrees: seed {result.seed} scores {found} again, to the last digit"
    verdict = "agrees" if result.agrees else "differs"
    return (
        f"{verdict}: seed {result.seed} scores {found} now and {recorded} then; the recorded seeds have "
        f"{text.significant(result.mean, 4)} on average, from which another seed may lie "
        f"{text.significant(result.allowed)} away (95 %)"
    )


def _shown(entry: JsonObject, board: Path, job: SeedJob) -> Replay:
    """Train and judge under a bar."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from leaderboard.replay import replay

    columns = TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.percentage:3.0f} %")
    with Progress(*columns, TimeRemainingColumn(), transient=True) as bar:
        task = bar.add_task("training", total=max(1, job.epochs))
        return replay(
            entry,
            board,
            job,
            on_progress=lambda epoch, _losses, _evaluated: bar.update(task, completed=epoch),
            on_step=lambda _title, step: bar.update(task, description=step),
        )


def _entry(name: str, output: Path) -> tuple[JsonObject, Path]:
    """The record, and the board that counts the opening of the test split."""
    from leaderboard.records import ENTRY_FILE, check_entry, read_board, read_entry, read_json

    path = Path(name)
    if path.name == ENTRY_FILE or path.is_dir():
        entry = read_json(path / ENTRY_FILE if path.is_dir() else path)
        check_entry(entry)
        return entry, output / "leaderboard"
    board = board_of(output)
    names = {entry["id"]: entry for entry in read_board(board).entries}
    if name not in names:
        raise UnknownName("entry", name, names)
    return read_entry(board, name), board


def _data(entry: JsonObject, given: argparse.Namespace) -> DatasetFiles:
    from data_adapters.datasets import DATASETS, DatasetFiles

    name = entry["dataset"]["name"]
    if given.data is not None:
        return DatasetFiles(next(iter(DATASETS)), given.data, given.twin)  # everything but the files is replaced
    if name not in DATASETS:
        raise ValueError(f"{name} is no dataset of the project: name its file with --data FILE")
    return DatasetFiles(name)
