"""``arena leaderboard conditions`` and ``submit``: models that are trained elsewhere come onto the board."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_adapters.datasets import DatasetFiles
    from leaderboard.benchmark import JudgedEntry
    from leaderboard.submission import Submission

OWN_DATA = "the reference, if it is a file of one's own"
OWN_TWIN = "and the same particles simulated again"


def add_conditions_action(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``conditions``, which needs no board."""
    action = actions.add_parser("conditions", help="write the test conditions, to generate showers for elsewhere")
    action.add_argument("dataset", help="arena data list names them")
    action.add_argument("--to", type=Path, metavar="FILE.h5", help="default: DATASET_test_conditions.h5")
    action.add_argument("--data", type=Path, metavar="FILE", help=OWN_DATA)
    action.set_defaults(run=_conditions)


def add_submit_action(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``submit``."""
    action = actions.add_parser("submit", help="judge showers that were generated elsewhere, and enter them")
    add = action.add_argument
    add("showers", type=Path, nargs="+", metavar="SHOWERS.h5", help="one file for each training; 3 are needed to rank")
    add("--dataset", help="default: what the files say")
    add("--title", help="of the model (default: the name of the first file)")
    add("--source", help="where the model is described: a paper, a link")
    add("--preset", help="budget in a word; entries of one preset are ranked together (default: submitted)")
    add("--scorecard", help="default: the newest of the detector")
    add("--layout", help="of the files (default: recognised)")
    add("--data", type=Path, metavar="FILE", help=OWN_DATA)
    add("--twin", type=Path, metavar="FILE", help=OWN_TWIN)
    add("--output", type=Path, default=Path("runs"), help="where searches and the leaderboard are kept")
    action.set_defaults(run=_submit)


def _conditions(given: argparse.Namespace) -> int:
    from data_adapters.condition_file import write_conditions
    from data_adapters.sealed_test import conditions_of_test_split

    files = _files(given.dataset, given.data, None)
    dataset = files.open()
    path = given.to or Path(f"{dataset.name}_test_conditions.h5")
    table = conditions_of_test_split(dataset)
    about = f"Conditions of the {table.num_events} test events of {dataset.name} ({dataset.sha256}), without showers."
    write_conditions(path, table, given.dataset, about)
    names = ", ".join(f"conditions/{condition.name}" for condition in table.detector.conditions)
    print(f"{path}: {table.num_events} events of {table.detector.title}; {names or 'it has no conditions'}")
    print(
        f'Add the showers as "response", float32 of shape ({table.num_events}, {table.detector.num_cells}), in '
        f"{table.detector.unit}, row by row; then: arena leaderboard submit {path}"
    )
    return 0


def _submit(given: argparse.Namespace) -> int:
    """Raises: ValueError if the entry stands already, before the test split is opened."""
    from leaderboard.pages import build_pages
    from leaderboard.records import entry_folder

    submission = _submission(given)
    board = given.output / "leaderboard"
    submission.check()
    folder = entry_folder(board, submission.id)
    if folder.exists():
        raise ValueError(f"{submission.id} stands on the board already: records are not made twice. See {folder}")
    judged = _judged(submission, board)
    index = build_pages(board)
    _print_result(judged)
    print(f"Leaderboard {index.resolve().as_uri()}")
    return 0


def _submission(given: argparse.Namespace) -> Submission:
    from data_adapters.adapters import ADAPTERS
    from data_adapters.problems import Problem, UnreadableFile
    from leaderboard.submission import SAYS_NOTHING, Submission, dataset_for
    from metrics.scorecards import SCORECARDS

    for file in given.showers:
        if not file.is_file():
            raise UnreadableFile(file, Problem("there is no such file", "Check the path"))
    return Submission(
        files=tuple(given.showers),
        dataset=_files(dataset_for(given.showers, given.dataset), given.data, given.twin),
        title=given.title or given.showers[0].stem,
        source=given.source or SAYS_NOTHING,
        preset=given.preset or "submitted",
        layout=given.layout and ADAPTERS[given.layout].name,
        scorecard=given.scorecard and SCORECARDS[given.scorecard].name,
    )


def _files(name: str, data: Path | None, twin: Path | None) -> DatasetFiles:
    from data_adapters.datasets import DATASETS, DatasetFiles

    return DatasetFiles(DATASETS[name].name, data, twin)


def _judged(submission: Submission, board: Path) -> JudgedEntry:
    """Judge and write, with a word on what is being done."""
    from rich.console import Console

    from leaderboard.benchmark import Benchmark

    console = Console(stderr=True)
    with console.status("opening the test split") as status:
        benchmark = Benchmark(
            board,
            submission.dataset,
            submission.scorecard_name,
            reason=f"submission of {submission.title}",
            on_step=lambda _title, step: status.update(step),
        )
        judged = benchmark.judge_submission(submission)
        benchmark.write(judged)
    return judged


def _print_result(judged: JudgedEntry) -> None:
    from leaderboard import text
    from leaderboard.tie_classes import FEWEST_SEEDS

    entry = judged.entry
    print(f"{entry['id']}: score {text.with_error(entry['score'])}, floor {text.with_error(entry['floor'])}")
    for name, component in entry["components"].items():
        print(f"  {text.component_title(name):28} {text.with_error(component)}")
    if len(entry["seeds"]) < FEWEST_SEEDS:
        print(f"Not ranked: {len(entry['seeds'])} of the {FEWEST_SEEDS} trainings that a rank takes")
