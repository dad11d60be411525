"""The command line of a study script: the same flags for every study."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from search.engine.failure import fail
from search.engine.flags import Flags
from search.engine.interruption import INTERRUPTED
from search.engine.plan import (
    Options,
    Plan,
    begin,
    check_identity,
    latest_folder,
    lock,
    make_plan,
    named_folder,
    new_folder,
    recorded_options,
)
from search.engine.study import SAMPLERS, Study, StudyError

LATEST = "latest"


def parser(study: Study) -> argparse.ArgumentParser:
    """Flags of a study script."""
    flags = Flags(description=study.title)
    add = flags.add_argument
    budget = flags.add_argument_group("budget")
    small, large = study.laptop, study.paper
    trials = f"{small.trials}, with the preset paper {large.trials}; with --hours as many as it allows"
    epochs = f"{small.epochs}, with the preset paper {large.epochs}"
    budget.add_argument("--trials", type=int, help=f"configurations to try (default: {trials})")
    budget.add_argument("--hours", type=float, help="wall time for everything, final trainings included")
    budget.add_argument("--device-hours", type=float, help="the same in hours times devices at work")
    training = f"training of a trial, and of the final trainings (default: {epochs})"
    budget.add_argument("--epochs", type=int, help=training)
    seeds = f"final trainings of the champion and of the paper's configuration (default: {study.final_seeds})"
    budget.add_argument("--seeds", type=int, help=seeds)
    add("--preset", choices=("laptop", "paper"), help="size of the search (default: paper with GPUs, else laptop)")
    add("--sampler", choices=SAMPLERS, help=f"how configurations are chosen (default: {study.sampler})")
    add(
        "--objective",
        metavar="NAME[,NAME...]",
        help="what is minimised: score, one of its components, or generation_time; several for a Pareto set "
        "(default: score)",
    )
    add("--seed", type=int, help=f"of everything random (default: {study.seed})")
    add("--fix", action="append", default=[], metavar="NAME=VALUE", help="hold a hyperparameter (repeatable)")
    add("--data", metavar="FILE", help="own full-simulation file, folder, description (TOML), or a dataset's name")
    add("--twin", metavar="FILE", help="the same particles simulated again, for the floor of the metrics")
    learn = "earlier search of this model, perhaps on other data, whose best configurations are tried first"
    add("--learn-from", metavar="FOLDER", help=learn)
    if study.built_on is not None:
        base = f"trained {study.built_on.model} to build on, a checkpoint's folder (default: train one first)"
        add("--base", metavar="FOLDER", help=base)
    add("--cache", metavar="FOLDER", help="sparse copy of a file larger than memory, made once on each machine")
    resources = flags.add_argument_group("resources")
    resources.add_argument("--cpus-per-trial", type=int, default=1, help="CPUs of a trial (default: %(default)s)")
    resources.add_argument(
        "--gpus-per-trial", type=float, default=0.0, help="GPUs of a trial, also a share of one (default: none)"
    )
    resources.add_argument(
        "--processes-per-trial",
        type=int,
        default=1,
        help="training processes of a trial, each with its CPUs and GPUs; the mini-batch is shared among them "
        "(default: %(default)s)",
    )
    together = (
        "trials of one architecture that are trained as one program; CPUs and GPUs are then the group's "
        "(default: %(default)s)"
    )
    resources.add_argument("--group-size", type=int, default=1, help=together)
    resources.add_argument("--concurrent", type=int, help="trials at the same time (default: as many as fit)")
    wait = "wait so long for nodes that can run a trial (default: an error at once)"
    resources.add_argument("--wait-minutes", type=float, default=0.0, help=wait)
    checkpoints = "disk for checkpoints: the worst trials' go first (default: what is free)"
    resources.add_argument("--checkpoint-gb", type=float, metavar="GB", help=checkpoints)
    resources.add_argument("--no-compile", action="store_true", help="do not compile networks on GPUs")
    resources.add_argument("--ray-address", help="Ray cluster to join (default: $RAY_ADDRESS, else this machine)")
    add(
        "--output",
        type=Path,
        default=Path("runs"),
        help="where searches and the leaderboard are kept (default: %(default)s)",
    )
    add("--tracking-uri", help="MLflow server (default: an SQLite file in the output folder)")
    add("--name", help="of this search, instead of a number: started if it is new, else gone on with")
    add("--accept-changes", action="store_true", help="go on although the code has changed since")
    add("--resume", nargs="?", const=LATEST, metavar="FOLDER", help="go on with a search, or extend it with a budget")
    return flags


def main(study: Study, arguments: Sequence[str] | None = None) -> None:
    """Run a study from the command line.

    Exits with 2 after a message where it cannot be run, with 130 where the user interrupted it.
    """
    given = parser(study).parse_args(arguments)
    plan: Plan | None = None
    try:
        plan, resumed = _plan(study, given)
        from search.engine.session import run_search  # Ray, torch and MLflow: not needed for a wrong flag

        finished = run_search(plan, Console(), resumed=resumed, ray_address=given.ray_address)
    except (ValueError, OSError) as error:
        _discard_unstarted(plan)
        raise SystemExit(fail(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if not finished:
        raise SystemExit(INTERRUPTED)


def _discard_unstarted(plan: Plan | None) -> None:
    """Remove the folder of a search in which no trial began, so that the next one does not resume it."""
    if plan is None or not plan.folder.is_dir():
        return
    with suppress(StudyError, OSError), lock(plan.folder):  # another process may be about to begin its first trial
        if not (plan.folder / "ledger.jsonl").exists():
            shutil.rmtree(plan.folder, ignore_errors=True)


def _plan(study: Study, given: argparse.Namespace) -> tuple[Plan, bool]:
    options = _options(given)
    options.check()
    folder = _folder(study, given)
    if (folder is not None and (folder / "study.json").exists()) or given.resume is not None:
        folder = folder or latest_folder(given.output, study)
        plan = make_plan(study, recorded_options(folder, options), given.output, folder, given.tracking_uri)
        check_identity(plan, accept_changes=given.accept_changes)
        return plan, True
    plan = make_plan(study, options, given.output, folder or new_folder(given.output, study), given.tracking_uri)
    return begin(plan, numbered=folder is None), False


def _folder(study: Study, given: argparse.Namespace) -> Path | None:
    """The folder that the flags name; None for a number."""
    if given.name is not None:
        if given.resume is not None:
            raise StudyError("--name goes on with a search of that name by itself: leave --resume out")
        return named_folder(given.output, study, given.name)
    return None if given.resume in (None, LATEST) else Path(given.resume)


def _options(given: argparse.Namespace) -> Options:
    names = (
        "preset", "trials", "hours", "device_hours", "epochs", "seeds", "seed", "sampler", "objective", "data", "twin",
        "cache", "learn_from", "cpus_per_trial", "gpus_per_trial", "processes_per_trial", "group_size", "concurrent",
        "wait_minutes", "checkpoint_gb", "no_compile",
    )  # fmt: skip
    chosen = {name: getattr(given, name) for name in names}
    return Options(fix=_fixed(given.fix), base=getattr(given, "base", None), **chosen)


def _fixed(pairs: Sequence[str]) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise StudyError(f"--fix {pair!r}: write it as NAME=VALUE, for example --fix learning_rate=5e-5")
        fixed[name.strip()] = value.strip()
    return fixed
