"""How fast ways to search find good models: best validation score against CPU time.

    python benchmarks/search_efficiency.py --processes 2    # stop and start it as you like
    python benchmarks/search_efficiency.py --write docs     # the page, from what is there

A piece is one way with one seed and so many CPU minutes on one thread: proposals, training, evaluations, everything but
the start of the process. What a trial has reached is the lowest median of three scores in a row, as in every search.
Pieces are files; those that are there are not run again. At its end a piece judges its best checkpoint on test.

One way learns from an earlier search: of the same model on other showers of the same detector, with half of the CPU
time, once for all seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import optuna
import stopping_rules
import torch
from numpy.typing import NDArray
from optuna.trial import TrialState
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler
from rich.progress import track

from data_adapters.datasets import DATASETS, Dataset
from data_adapters.sealed_test import open_test_split
from leaderboard.provenance import code_state, machine
from leaderboard.text import significant
from metrics.judge import Judge
from metrics.scorecard import Scorecard
from models.base import TrainingDiverged
from models.checkpoint import load_generator
from search.engine.earlier import best_configurations
from search.engine.ledger import Ledger, Status, TrialEnd, TrialStart
from search.engine.plan import Options, Plan, make_plan
from search.engine.runner import trial_end
from search.engine.sampler import Budget, LedgerSearch, grid_order, startup_trials
from search.engine.scheduler import EPOCH, OBJECTIVE, MedianHalving
from search.engine.study import Study, derive_seed
from search.engine.trial import TrialRun
from search.spaces import Space
from search.studies import STUDIES

BEST_OF = "best validation score (running median)"
Config = dict[str, Any]
STOP = TrialScheduler.STOP


class Proposals(Protocol):
    """Chooses configurations."""

    def ask(self, number: int) -> Config:
        """The configuration of the next trial."""
        ...

    def tell(self, end: TrialEnd) -> None:
        """How it ended."""
        ...


class Alone:
    """Optuna's samplers as they are, without anything that is known of the paper."""

    def __init__(self, space: Space, sampler: optuna.samplers.BaseSampler) -> None:
        self.space = space
        self.study = optuna.create_study(sampler=sampler)
        self.trial: optuna.Trial | None = None

    def ask(self, number: int) -> Config:
        del number
        self.trial = self.study.ask()
        return self.space.suggest(self.trial)

    def tell(self, end: TrialEnd) -> None:
        assert self.trial is not None
        for epoch, value in end.history:
            self.trial.report(value, epoch)
        if end.status == "completed":
            self.study.tell(self.trial, end.objective)
        else:
            self.study.tell(self.trial, state=TrialState.PRUNED)


class Grid:
    """The paper's grid, in a random order."""

    def __init__(self, space: Space, seed: int) -> None:
        self.points: Iterator[Config] = grid_order(space, seed)

    def ask(self, number: int) -> Config:
        del number
        return next(self.points)

    def tell(self, end: TrialEnd) -> None:
        """The next point is the next point."""


class OfThePlatform:
    """What a search proposes; its random draws are those of the other ways with this seed, so that luck is the same.

    Args:
        sampler: In place of TPE.
        first_trials: Tried after the paper's optimum.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        folder: Path,
        sampler: optuna.samplers.BaseSampler | None = None,
        first_trials: Sequence[Config] = (),
    ) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.search = LedgerSearch(space, self.ledger, Budget(None), "tpe", seed, first_trials=first_trials)
        self.search.optuna_study.sampler = sampler or _tpe(seed, startup_trials(space))

    def ask(self, number: int) -> Config:
        proposed = self.search.suggest(f"trial-{number}")
        assert proposed is not None
        config: Config = proposed["hyperparameters"]
        return config

    def tell(self, end: TrialEnd) -> None:
        self.ledger.record_end(end)
        self.search.on_trial_complete(f"trial-{end.number}")
        self.search.tell(end)


@dataclass(frozen=True)
class Way:
    """How configurations are chosen, and whether bad trials are stopped."""

    title: str
    proposals: Callable[[Space, int, Path], Proposals]
    pruner: Callable[[Plan], TrialScheduler] | None


def _no_pruner() -> TrialScheduler:
    return FIFOScheduler()  # type: ignore[no-untyped-call]


def _asha(plan: Plan) -> TrialScheduler:
    """Ray Tune's, at the rungs that are usual: a ninth, a third."""
    first = max(plan.evaluate_every, plan.epochs // 9)
    return AsyncHyperBandScheduler(EPOCH, OBJECTIVE, "min", max_t=plan.epochs, grace_period=first, reduction_factor=3)


def _halving(plan: Plan) -> TrialScheduler:
    """That of every search."""
    return MedianHalving(plan.epochs, plan.first_rung, plan.study.reduction_factor, [])


def _late_halving(plan: Plan) -> TrialScheduler:
    return MedianHalving(plan.epochs, round(plan.epochs / 3), plan.study.reduction_factor, [])


def _tpe(seed: int, startup: int = 10) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=startup)


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=6, deterministic_objective=False)


WAYS = {
    "grid": Way("the paper's grid", lambda space, seed, _: Grid(space, seed), None),
    "random": Way("random", lambda space, seed, _: Alone(space, optuna.samplers.RandomSampler(seed)), None),
    "tpe": Way("TPE", lambda space, seed, _: Alone(space, _tpe(seed)), None),
    "tpe-asha": Way("TPE, ASHA", lambda space, seed, _: Alone(space, _tpe(seed)), _asha),
    "whole": Way("default, but every trial to its end", OfThePlatform, None),
    "late": Way("default, but nothing is stopped before a third", OfThePlatform, _late_halving),
    "default": Way("paper's optimum, TPE with random draws, halving (default)", OfThePlatform, _halving),
    "learned": Way("default, after a search on another sample", OfThePlatform, _halving),
    "gp": Way(
        "default, but a GP in place of TPE",
        lambda space, seed, folder: OfThePlatform(space, seed, folder, _gp(seed)),
        _halving,
    ),
}
REFERENCE, DEFAULT, LEARNED = "random", "default", "learned"
COMPARED = ("grid", "random", "tpe", "tpe-asha", "default")  # the others are run when asked for
EARLIER = "earlier"  # the piece that ``LEARNED`` learns from


def main() -> None:
    """Run what is missing, or write the page."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--study", choices=sorted(STUDIES), default="atlas-vae")
    flags.add_argument("--folder", type=Path, default=Path("docs/efficiency"), help="of the pieces")
    flags.add_argument("--minutes", type=float, default=10.0, help="CPU time of a piece")
    flags.add_argument("--epochs", type=int, help="of a whole trial (default: the preset's)")
    flags.add_argument("--seeds", type=int, default=5)
    flags.add_argument("--ways", nargs="+", choices=sorted(WAYS), default=COMPARED)
    flags.add_argument("--processes", type=int, default=1)
    flags.add_argument("--write", type=Path, metavar="DOCS", help="write page and figure, and run nothing")
    flags.add_argument("--piece", nargs=2, metavar=("WAY", "SEED"), help=argparse.SUPPRESS)
    given = flags.parse_args()
    folder = given.folder / given.study
    if given.piece:
        way, seed = given.piece
        run_piece(STUDIES[given.study], way, int(seed), 60 * given.minutes, folder, given.epochs)
        return
    if given.write:
        write_page(given.study, folder, given.write)
        return
    if LEARNED in given.ways and not piece_file(folder, EARLIER, 1).exists():
        _apart(given, EARLIER, 1)
    missing = [
        (way, seed)
        for seed in range(1, given.seeds + 1)  # all ways with a seed before the next one
        for way in given.ways
        if not piece_file(folder, way, seed).exists()
    ]
    with ThreadPoolExecutor(given.processes) as pool:
        pieces = [pool.submit(_apart, given, way, seed) for way, seed in missing]
        for piece in track(pieces, description="pieces"):
            piece.result()


def _apart(given: argparse.Namespace, way: str, seed: int) -> None:
    command = [
        sys.executable, __file__, "--study", given.study, "--folder", str(given.folder),
        "--minutes", str(given.minutes), "--piece", way, str(seed),
    ]  # fmt: skip
    if given.epochs is not None:
        command += ["--epochs", str(given.epochs)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def piece_file(folder: Path, way: str, seed: int) -> Path:
    """Where a piece is kept."""
    return folder / f"{way}-{seed}.json"


def run_piece(study: Study, name: str, seed: int, seconds: float, folder: Path, epochs: int | None = None) -> None:
    """Search for so many CPU seconds, and keep the curve."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = str(DATASETS[study.dataset].independent) if name == EARLIER else None
        options = Options(data=data, epochs=epochs)
        plan = make_plan(study, options, Path(scratch), Path(scratch) / "001", None)
        plan.folder.mkdir()
        seconds = seconds / 2 if name == EARLIER else seconds
        piece = Piece(_way(name, folder), plan, seed, seconds)
        piece.run()
        result = {
            "way": name,
            "seed": seed,
            "seconds": seconds,
            "epochs": plan.epochs,
            "trials": piece.statuses,
            "configurations": piece.configurations,
            "histories": piece.histories,
            "curve": piece.curve,
            "test": piece.test_score(plan.dataset, plan.scorecard, folder / "test_openings.jsonl"),
            "machine": machine(),
            "code_commit": code_state(Path(__file__).parents[1])[0],
        }
    file = piece_file(folder, name, seed)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(result) + "\n", encoding="utf-8")
    partial.rename(file)


def _way(name: str, folder: Path) -> Way:
    if name == EARLIER:
        return WAYS[DEFAULT]
    if name != LEARNED:
        return WAYS[name]
    earlier = json.loads(piece_file(folder, EARLIER, 1).read_text(encoding="utf-8"))

    def proposals(space: Space, seed: int, own: Path) -> Proposals:
        first = best_configurations(ledger_of(earlier, own / "earlier.jsonl"), space)
        return OfThePlatform(space, seed, own, first_trials=first)

    return replace(WAYS[name], proposals=proposals)


def ledger_of(piece: dict[str, Any], path: Path) -> Ledger:
    """The trials of a piece as a search would have recorded them."""
    ledger = Ledger(path)
    trials = zip(piece["configurations"], piece["histories"], piece["trials"], strict=True)
    for number, (config, history, status) in enumerate(trials):
        ledger.record_start(TrialStart(number, config, seed=number))
        reached = stopping_rules.reached([score for _, score in history])
        epochs = history[-1][0] if history else 0
        ledger.record_end(TrialEnd(number, status, epochs, 0.0, objective=reached[-1] if history else None))
    return ledger


class Piece:
    """One way with one seed.

    Attributes:
        curve: (CPU seconds, best value so far), a point for each improvement.
        statuses: How the trials ended; the last one may have been cut short.
        configurations, histories: Of each trial, and its scores: (epoch, value).
    """

    def __init__(self, way: Way, plan: Plan, seed: int, seconds: float) -> None:
        self.way, self.setup, self.seed, self.seconds = way, plan.setup, seed, seconds
        self.pruner: TrialScheduler = _no_pruner() if way.pruner is None else way.pruner(plan)
        self.proposals = way.proposals(plan.space, seed, plan.folder)
        self.curve: list[tuple[float, float]] = []
        self.statuses: list[Status] = []
        self.configurations: list[Config] = []
        self.histories: list[list[tuple[int, float]]] = []
        self.best_folder: Path | None = None
        self._began = time.process_time()

    @property
    def used(self) -> float:
        """CPU time so far [s]."""
        return time.process_time() - self._began

    def run(self) -> None:
        """Trials until the time is over."""
        while self.used < self.seconds:
            number = len(self.statuses)
            config = self.proposals.ask(number)
            self.configurations.append(config)
            self.histories.append([])
            status = self._trial(number, config)
            self.statuses.append(status)
            if status != "preempted":
                end = trial_end(self.setup.folder(number), number, status, 0.0, "")
                self.proposals.tell(end)

    def _trial(self, number: int, config: Config) -> Status:
        trial: Any = SimpleNamespace(trial_id=str(number))
        controller: Any = None  # pruners do not look at it
        self.pruner.on_trial_add(controller, trial)
        try:
            run = TrialRun(self.setup, number, config, derive_seed(self.seed, "trial", number))
            while not run.finished:
                evaluation = run.advance()
                self.histories[-1].append((evaluation.epoch, evaluation.score))
                assert run.objective is not None, "it has just been evaluated"
                self._note(run.objective, run.folder)
                if self.used >= self.seconds:
                    return "preempted"
                result = {EPOCH: run.model.epoch, OBJECTIVE: run.objective}
                if self.pruner.on_trial_result(controller, trial, result) == STOP and not run.finished:
                    return "pruned"
        except TrainingDiverged:
            return "diverged"
        return "completed"

    def _note(self, value: float, folder: Path) -> None:
        if not self.curve or value < self.curve[-1][1]:
            self.curve.append((self.used, value))
            self.best_folder = folder

    def test_score(self, dataset: Dataset, scorecard: Scorecard, log: Path) -> float | None:
        """Of the best trial's best checkpoint."""
        if self.best_folder is None:
            return None
        reference, twin = open_test_split(dataset, log, f"search efficiency, {self.way.title}, seed {self.seed}")
        judge = Judge(scorecard, reference, twin)
        generator = load_generator(self.best_folder / "best", "cpu")
        return float(judge.judge(generator.generate(reference.conditions, seed=1), errors=False).score.value)


# ---------------------------------------------------------------- the page


def read_pieces(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Way → its pieces, in the order of ``WAYS``."""
    found: dict[str, list[dict[str, Any]]] = {}
    for way in WAYS:
        files = sorted(folder.glob(f"{way}-[0-9]*.json"))
        if files:
            found[way] = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return found


def at(curve: list[list[float]], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Best value at some times; infinite before the first."""
    seconds, values = np.array(curve).T if curve else (np.array([]), np.array([]))
    index = np.searchsorted(seconds, times, side="right") - 1
    return np.where(index >= 0, np.append(values, np.inf)[index], np.inf)


def end_of(pieces: list[dict[str, Any]]) -> float:
    """CPU seconds until the last evaluation ended, which began within the time of the piece."""
    latest: float = max(max(piece["seconds"], piece["curve"][-1][0]) for piece in pieces)
    return latest


def time_to(pieces: list[dict[str, Any]], value: float) -> float | None:
    """CPU seconds after which the median over seeds is at most a value; None if it never is."""
    times = np.linspace(0, end_of(pieces), 2001)
    middle = np.median([at(piece["curve"], times) for piece in pieces], axis=0)
    reached = np.flatnonzero(middle <= value)
    return float(times[reached[0]]) if len(reached) else None


def write_page(study: str, folder: Path, docs: Path) -> None:
    """Figure and table."""
    found = read_pieces(folder)
    if REFERENCE not in found:
        raise SystemExit(f"{folder}: no pieces of {REFERENCE}; run them first")
    _draw(found, docs / f"search_efficiency_{study}.svg")
    goal = median(piece["curve"][-1][1] for piece in found[REFERENCE])
    whole = found[REFERENCE][0]["seconds"]
    epochs = found[REFERENCE][0].get("epochs", STUDIES[study].laptop.epochs)
    lines = [
        "<!-- Made by benchmarks/search_efficiency.py; changes belong there. -->",
        "",
        f"# Search efficiency: {study}",
        "",
        f"    python benchmarks/search_efficiency.py --study {study} --epochs {epochs} --minutes {whole / 60:g} "
        f"--seeds {max(map(len, found.values()))} --ways {' '.join(found)}",
        "",
        f"{whole / 60:g} CPU minutes a search on one thread, preset laptop, {epochs} epochs a trial. "
        "Medians over seeds, and in brackets the least and the largest. The last column says after which share of its "
        f"time a way has reached what {REFERENCE} search ends with ({goal:.3f}).",
        "",
        f"![{BEST_OF} against CPU time](search_efficiency_{study}.svg)",
        "",
        "| way | seeds | trials | best on validation | on test | reaches random's end after |",
        "|---|---|---|---|---|---|",
        *(_row(way, pieces, goal) for way, pieces in found.items()),
        "",
        f"{found[REFERENCE][0]['machine']['processor']}. Each search chose its best checkpoint on validation; "
        "test was looked at once for each search of the table.",
        *_notes(found, goal, len(STUDIES[study].space_at(STUDIES[study].laptop).varied)),
        *_stopping(folder, STUDIES[study]),
    ]
    (docs / f"search_efficiency_{study}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _notes(found: dict[str, list[dict[str, Any]]], goal: float, varied: int) -> list[str]:
    """What must be known to read the table."""
    third = found[REFERENCE][0]["seconds"] / 3
    trials = median(len(piece["trials"]) for piece in found[REFERENCE])
    ends = [piece["curve"][-1][1] for piece in found[REFERENCE]]
    reached = {way: time_to(pieces, goal) for way, pieces in found.items()}
    within = [WAYS[way].title for way, seconds in reached.items() if seconds is not None and seconds <= third]
    lines = [
        "",
        f"Within a third of the time, random search's end is reached by {', '.join(within) or 'none of them'}. "
        "Only what is called default begins with the paper's optimum. "
        f"Random search of this length tries {trials:g} configurations of {varied} hyperparameters, and its seeds end "
        f"{max(ends) - min(ends):.2f} apart: differences between ways are to be compared with that.",
    ]
    if LEARNED in found:
        lines.append(
            "The earlier search had other showers of the same detector and half of the time, which is not counted: "
            "its three best configurations are what `--learn-from` takes over."
        )
    return lines


def _stopping(folder: Path, study: Study) -> list[str]:
    tables = stopping_rules.tables(folder)
    if not tables:
        return []
    return [
        "",
        "## What stopping early can gain",
        "",
        f"    python benchmarks/stopping_rules.py docs/efficiency/{folder.name}",
        "",
        "Learning curves cross: the earlier in the training, the less the score says about its end. The first rung of "
        f"this study lies at {Fraction(study.first_rung).limit_denominator(20)} of the epochs. Searches were replayed "
        "with the curves of the trials that random search trained to the end. Proposals do not get better there: what "
        "TPE learns from more trials that were stopped earlier is seen only in the table above.",
        "",
        *tables,
    ]


def _row(way: str, pieces: list[dict[str, Any]], goal: float) -> str:
    best = [piece["curve"][-1][1] for piece in pieces]
    test = [piece["test"] for piece in pieces]
    reached = time_to(pieces, goal)
    share = "not at all" if reached is None else f"{100 * reached / pieces[0]['seconds']:.0f} %"
    trials = median(len(piece["trials"]) for piece in pieces)
    return f"| {WAYS[way].title} | {len(pieces)} | {trials:g} | {_spread(best)} | {_spread(test)} | {share} |"


def _spread(values: list[float]) -> str:
    low, middle, high = (significant(value, 3) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} … {high})"


def _draw(found: dict[str, list[dict[str, Any]]], file: Path) -> None:
    import matplotlib as mpl
    import seaborn as sns

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "search efficiency"  # the same figure again is the same file
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    colours = sns.color_palette("colorblind", len(found))
    for colour, (way, pieces) in zip(colours, found.items(), strict=True):
        times = np.linspace(0, end_of(pieces), 401)
        values = np.array([at(piece["curve"], times) for piece in pieces])
        values[~np.isfinite(values)] = np.nan
        whole = np.isfinite(values).all(axis=0)
        low, middle, high = (np.quantile(values[:, whole], q, axis=0) for q in (0.25, 0.5, 0.75))
        axes.plot(
            times[whole] / 60, middle, color=colour, label=WAYS[way].title, linewidth=2.2 if way == DEFAULT else 1.2
        )
        axes.fill_between(times[whole] / 60, low, high, color=colour, alpha=0.15, linewidth=0)
    ends = [piece["curve"][-1][1] for pieces in found.values() for piece in pieces]
    axes.set(xlabel="CPU time [min]", ylabel=BEST_OF, yscale="log", xlim=(0, None), ylim=(0.9 * min(ends), 6))
    for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatted("{x:g}")
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
