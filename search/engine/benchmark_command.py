"""``arena benchmark``: one configuration from scratch onto the board."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from leaderboard.benchmark import EntryPlan, StudyFacts
    from search.engine.plan import Options, Plan
    from search.engine.study import Study

FOLDER = "benchmarks"


def add_benchmark_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its flags."""
    command = commands.add_parser("benchmark", help="train a configuration from scratch and judge it on the test split")
    add = command.add_argument
    add("what", type=Path, metavar="TRIAL|CONFIG", help="runs/atlas-gan/001/trials/007, or hyperparameters as JSON")
    add("--study", help="of a file of hyperparameters: what they are trained on, and how")
    add("--seeds", type=int, default=3, help="trainings, 3 at least (default: 3; 5 to be claimed the winner)")
    add("--preset", choices=("laptop", "paper"), help="size (default: the trial's; else paper with GPUs, else laptop)")
    add("--epochs", type=int, help="default: the trial's, or the preset's")
    add("--title", help="on the board (default: the model and where the configuration comes from)")
    add("--data", metavar="FILE", help="file of one's own, as for a search")
    add("--twin", metavar="FILE", help="the same particles simulated again")
    add("--base", metavar="FOLDER", help="checkpoint that the model is built on (default: train one first)")
    add("--cpus-per-trial", type=int, default=1, help="CPUs of a training")
    add("--gpus-per-trial", type=float, default=0.0, help="GPUs of a training, also a share of one")
    add("--ray-address", help="Ray cluster to join (default: $RAY_ADDRESS, else this machine)")
    add("--output", type=Path, default=Path("runs"), help="where searches and the leaderboard are kept")
    command.set_defaults(run=_benchmark)


@dataclass(frozen=True)
class Candidate:
    """A configuration, and where it comes from."""

    study: Study
    options: Options
    config: dict[str, Any]
    facts: StudyFacts
    origin: str


def _benchmark(given: argparse.Namespace) -> int:
    from leaderboard.tie_classes import FEWEST_SEEDS
    from search.engine.interruption import INTERRUPTED

    if given.seeds < FEWEST_SEEDS:
        raise ValueError(
            f"--seeds is {given.seeds}; {FEWEST_SEEDS} at least are needed: how much a score changes from training to "
            "training cannot be told from fewer, and such an entry is not ranked"
        )
    candidate = _candidate(given)
    plan = _plan(candidate, given)
    try:
        _run(plan, candidate, given)
    except KeyboardInterrupt:
        print("Interrupted: trained seeds are kept; the same command goes on")
        return INTERRUPTED
    return 0


def _candidate(given: argparse.Namespace) -> Candidate:
    return _of_file(given) if given.what.suffix == ".json" else _of_trial(given)


def _of_trial(given: argparse.Namespace) -> Candidate:
    """The configuration of a recorded trial, with the budget of its search.

    Raises: ValueError if the folder is none of a trial, or its search has no such trial.
    """
    from leaderboard.benchmark import StudyFacts
    from search.engine.ledger import ledger_as_it_is
    from search.engine.plan import Options, recorded_identity, recorded_options
    from search.studies import STUDIES

    search, number = given.what.parent.parent, given.what.name
    if given.what.parent.name != "trials" or not number.isdigit() or not (search / "study.json").exists():
        raise ValueError(
            f"{given.what} is neither a trial, like runs/atlas-gan/001/trials/007, nor a JSON file of hyperparameters"
        )
    if given.study is not None:
        raise ValueError("--study belongs to a file of hyperparameters; a trial knows its study: leave it out")
    ledger = ledger_as_it_is(search / "ledger.jsonl")
    trials = {trial.number: trial for trial in ledger.trials}
    if int(number) not in trials:
        raise ValueError(f"{search} has no trial {int(number)}; its {len(trials)} trials are numbered from 0")
    study = STUDIES[recorded_identity(search)["study"]]
    return Candidate(
        study=study,
        options=recorded_options(search, Options()),
        config=trials[int(number)].start.config,
        facts=StudyFacts(
            name=study.name,
            sampler="",
            trials_compared=len(ledger.ended),
            space_sha256=recorded_identity(search)["space"],
            seed=recorded_identity(search)["seed"],
            directory=search.name,
            search_hours=round(sum(end.seconds for _, end in ledger.ended) / 3600, 4),
        ),
        origin=f"trial {int(number)} of {study.name}/{search.name}",
    )


def _of_file(given: argparse.Namespace) -> Candidate:
    """Hyperparameters in a JSON file; those that it leaves out are the preset's first configuration.

    Raises: ValueError without a study, or for what is no JSON object; UnknownName for a study that is none.
    """
    from leaderboard.benchmark import StudyFacts
    from leaderboard.records import read_json
    from search.engine.plan import Options
    from search.studies import STUDIES

    if given.study is None:
        raise ValueError(f"{given.what}: --study says on what it is trained; arena list studies names them")
    study = STUDIES[given.study]
    return Candidate(study, Options(), read_json(given.what), StudyFacts(name=study.name), given.what.name)


def _plan(candidate: Candidate, given: argparse.Namespace) -> Plan:
    from search.engine.plan import make_plan

    names = ("preset", "epochs", "data", "twin", "base")
    changes = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    options = replace(
        candidate.options,
        learn_from=None,  # one configuration is trained; nothing is searched
        seeds=given.seeds,
        cpus_per_trial=given.cpus_per_trial,
        gpus_per_trial=given.gpus_per_trial,
        **changes,
    )
    folder = given.output / FOLDER / candidate.study.name
    return make_plan(candidate.study, options, given.output, folder, None)


def _entry(plan: Plan, candidate: Candidate, title: str | None) -> EntryPlan:
    """Raises: UnknownName, ValueError for hyperparameters that the model does not have, or values that they cannot."""
    from leaderboard.benchmark import EntryPlan
    from models import MODELS

    model = plan.study.model
    return EntryPlan(
        title=title or f"{MODELS[model].title}, {candidate.origin}",
        study=candidate.facts,
        preset=plan.preset_name,
        model_name=model,
        config={**plan.space.default, **candidate.config},
        seeds=tuple(range(1, plan.final_seeds + 1)),
        epochs=plan.epochs,
        evaluate_every=plan.evaluate_every,
        epochs_label=plan.study.budget_label.format(epochs=f"{plan.epochs:,}".replace(",", "\N{NO-BREAK SPACE}")),
        dataset=plan.data,
        scorecard=plan.scorecard_name,
        checkpoint_rule=plan.study.checkpoint_rule,
        base=plan.base,
    )


def _run(plan: Plan, candidate: Candidate, given: argparse.Namespace) -> None:
    """Raises: ValueError if the entry stands already; KeyboardInterrupt from the user."""
    from rich.console import Console

    from leaderboard.pages import build_pages
    from leaderboard.records import entry_folder, read_entry
    from search.engine.base_training import with_base
    from search.engine.final import train_and_judge
    from search.engine.plan import lock
    from search.engine.resources import check_request, nodes
    from search.engine.runner import ray_session

    console = Console()
    _entry(plan, candidate, given.title).full_config  # noqa: B018 (a misspelt hyperparameter is said before Ray starts)
    plan.folder.mkdir(parents=True, exist_ok=True)
    with lock(plan.folder), ray_session(given.ray_address):
        check_request(plan.request, nodes())
        plan = with_base(plan, console)
        entry = _entry(plan, candidate, given.title)
        folder = entry_folder(plan.board, entry.id)
        if folder.exists() and read_entry(plan.board, entry.id)["status"] != "incomplete":
            raise ValueError(f"{entry.id} stands on the board already: records are not made twice. See {folder}")
        console.print(f"{entry.title}: {len(entry.seeds)} seeds, {entry.epochs_label}", highlight=False)
        train_and_judge(plan, [entry], None, console)
    index = build_pages(plan.board)
    _print_result(plan, entry.id, console)
    console.print(f"Leaderboard {index.resolve().as_uri()}", highlight=False, soft_wrap=True)


def _print_result(plan: Plan, name: str, console: Console) -> None:
    from leaderboard.ranking import tables
    from leaderboard.records import read_board
    from leaderboard.resamples import read_all
    from leaderboard.text import with_error

    entries = read_board(plan.board).entries
    for table in tables(entries, read_all(plan.board, entries)[0]):
        for row in table.rows:
            if row.entry["id"] == name:
                rank = f"class {row.rank} of {len(table.tie_classes)}" if row.rank else f"not ranked ({row.remark})"
                score = with_error(row.entry["score"])
                console.print(f"{name}: score {score}, {rank}", highlight=False, soft_wrap=True)
                console.print(table.winner_sentence, highlight=False, soft_wrap=True)
