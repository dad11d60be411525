"""Final trainings: champion and paper's configuration from scratch, judged on the test split."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import ray
from ray.exceptions import RayError
from rich.console import Console

from leaderboard.benchmark import Benchmark, EntryPlan, JudgedEntry, StudyFacts
from leaderboard.pages import build_pages
from leaderboard.pictures import draw_showers
from leaderboard.ranking import tables
from leaderboard.records import EntryExists, JsonObject, read_board, read_entry
from leaderboard.resamples import read_all
from leaderboard.summary import comparison_sentences, summary_table
from leaderboard.training import SeedJob, SeedTraining, failed_seed, seed_model, train_seed
from models import MODELS
from models.base import GenerativeModel
from search.engine.data_parallel import TrainedTogether, TrialTasks
from search.engine.ledger import Ledger
from search.engine.objectives import SCORE_ALONE
from search.engine.plan import Plan
from search.engine.progress import Display, clock
from search.engine.shortlist import Reevaluation
from search.engine.tracking import Tracker

LOOK_EVERY = 2.0
WORKERS_LOST = 5  # by a final training, which goes on at its last checkpoint each time
REFERENCE_ROWS = 3  # full simulation, mean shower, untrained generator
NO_BREAK = "\N{NO-BREAK SPACE}"


def final_plans(plan: Plan, ledger: Ledger, champion: Reevaluation) -> list[EntryPlan]:
    """Champion first, then the paper's configuration, unless they are the same."""
    role_of_best = "champion" if plan.objectives == SCORE_ALONE else f"champion by {', '.join(plan.objectives.names)}"
    role_of_default = default_role(plan)
    configs = {role_of_best: champion.config, role_of_default: plan.space.default}
    if champion.config == plan.space.default:
        configs = {role_of_default: plan.space.default}
    title = MODELS[plan.study.model].title
    return [
        EntryPlan(
            title=f"{title}, {role}",
            study=StudyFacts(
                name=plan.study.name,
                sampler=plan.sampler,
                trials_compared=len(ledger.ended) if config == champion.config else 0,
                space_sha256=plan.space.sha256,
                seed=plan.seed,
                directory=plan.folder.name,
                search_hours=_search_hours(ledger) if config == champion.config else 0.0,
            ),
            preset=plan.preset_name,
            model_name=plan.study.model,
            config=config,
            seeds=tuple(range(1, plan.final_seeds + 1)),
            epochs=plan.epochs,
            evaluate_every=plan.evaluate_every,
            epochs_label=plan.study.budget_label.format(epochs=f"{plan.epochs:,}".replace(",", NO_BREAK)),
            dataset=plan.data,
            scorecard=plan.scorecard_name,
            checkpoint_rule=plan.study.checkpoint_rule,
            base=plan.base,
        )
        for role, config in configs.items()
    ]


def _search_hours(ledger: Ledger) -> float:
    return round(sum(end.seconds for _, end in ledger.ended) / 3600, 4)


def default_role(plan: Plan) -> str:
    """What the configuration of the first trial is called."""
    return f"defaults of the {plan.preset_name} preset" if plan.preset.defaults else "paper's configuration"


def train_and_judge(plan: Plan, entries: list[EntryPlan], tracker: Tracker | None, console: Console) -> list[str]:
    """Train every seed of every entry in parallel, then judge them on the test split and write the records.

    Seeds whose result is on disk are not trained again.

    Args:
        tracker: Told of the scores of a search; None for entries that belong to no running search.
    Returns: The names of the entries.
    Raises: KeyboardInterrupt from the user.
    """
    root = plan.folder.resolve() / "final"
    processes = plan.options.processes_per_trial
    jobs = {entry.id: entry.jobs(root, plan.device, compiled=plan.compiled, processes=processes) for entry in entries}
    trainings = _train(plan, [job for group in jobs.values() for job in group], console)
    with Display(console, "judging on the test split") as display:
        judging = _Judging(display, len(entries) + REFERENCE_ROWS)
        benchmark = Benchmark(
            plan.board,
            plan.data,
            plan.scorecard_name,
            f"{'benchmark' if tracker is None else 'search'} {plan.name}",
            judging.step,
        )
        references = _references(plan, benchmark, entries[0], root)
        judged = [
            benchmark.judge_entry(entry, [t for t in trainings if t.folder in {job.folder for job in jobs[entry.id]}])
            for entry in entries
        ]
        for entry in judged:
            others = [other for other in judged if other is not entry]
            with suppress(EntryExists):  # the same entry, from before this search was resumed
                benchmark.write(benchmark.compare(entry, [*others, *references]))
            if tracker is not None:
                _track(tracker, entry)
        display.update(1.0, f"{len(judged)} entries judged")
    return [entry.id for entry in entries]


class _Judging:
    """Shows what the benchmark does; every row counts alike."""

    def __init__(self, display: Display, rows: int) -> None:
        self.display, self.rows = display, rows
        self.begun: list[str] = []

    def step(self, title: str, what: str) -> None:
        if title not in self.begun:
            self.begun.append(title)
        self.display.update((len(self.begun) - 1) / self.rows, f"{title}: {what}")


def _references(plan: Plan, benchmark: Benchmark, entry: EntryPlan, root: Path) -> list[JudgedEntry]:
    """Full simulation, mean shower and untrained generator; rows that stand already are kept."""
    study = StudyFacts(name=plan.study.name)
    rows = [
        benchmark.full_simulation(plan.preset_name, study),
        benchmark.mean_shower(plan.preset_name, study, root),
        benchmark.untrained(replace(entry, config=plan.space.default), root),
    ]
    present = [row for row in rows if row is not None]
    for row in present:
        with suppress(EntryExists):
            benchmark.write(row)
    return present


def _train(plan: Plan, jobs: list[SeedJob], console: Console) -> list[SeedTraining]:
    tasks = TrialTasks()
    pending = {tasks.submit(plan.request_for(job.config), WORKERS_LOST, train_one_seed, job): job for job in jobs}
    finished: list[SeedTraining] = []
    began = time.monotonic()
    try:
        with Display(console, "final trainings") as display:
            while pending:
                ready, _ = ray.wait(list(pending), timeout=LOOK_EVERY)
                for reference in ready:
                    finished.append(_result(reference, pending.pop(reference)))
                    tasks.release(reference)
                _show(display, finished, list(pending.values()), began)
    except KeyboardInterrupt:
        for reference in pending:
            ray.cancel(reference, force=True)
            tasks.release(reference)
        raise
    return finished


def train_one_seed(job: SeedJob) -> SeedTraining:
    """A final training in as many processes as it says."""
    return train_seed(job, build=seed_model if job.processes == 1 else _together)


def _together(job: SeedJob) -> GenerativeModel:
    return TrainedTogether(partial(seed_model, job), job.processes, job.device)


def _result(reference: ray.ObjectRef[SeedTraining], job: SeedJob) -> SeedTraining:
    try:
        training: SeedTraining = ray.get(reference)
    except RayError as error:
        return failed_seed(job, str(error).strip().splitlines()[-1])
    return training


def _show(display: Display, finished: list[SeedTraining], running: list[SeedJob], began: float) -> None:
    done = len(finished) + sum(job.epochs_done / max(1, job.epochs) for job in running)
    share = done / max(1, len(finished) + len(running))
    passed = time.monotonic() - began
    left = f"about {clock(passed / share - passed)} left" if share > 0.05 else f"{clock(passed)} passed"
    display.update(share, f"{len(finished)}/{len(finished) + len(running)} seeds trained · {left}")


def _track(tracker: Tracker, judged: JudgedEntry) -> None:
    entry = judged.entry
    prefix = "champion" if "champion" in entry["title"] else "paper"
    if entry["score"] is not None:
        tracker.metrics(
            "study",
            0,
            {f"test.{prefix}.score": entry["score"]["value"], f"test.{prefix}.error": entry["score"]["error"]},
        )


def board_pages(plan: Plan, console: Console, judged: bool) -> Path:
    """Build the pages and print the summary of this search's table; returns the first page."""
    plan.board.mkdir(parents=True, exist_ok=True)
    index = build_pages(plan.board)
    if judged:
        entries = [entry for entry in read_board(plan.board).entries if _of_this_search(plan, entry)]
        for table in tables(entries, read_all(plan.board, entries)[0]):
            if not (table.ranked or table.unranked):
                continue  # baselines on the data of other searches
            console.print(summary_table(table))
            console.print(f"Among the models of this search: {table.winner_sentence}", highlight=False, soft_wrap=True)
            for sentence in comparison_sentences(table):
                console.print(sentence, highlight=False, soft_wrap=True)
    return index


def _of_this_search(plan: Plan, entry: JsonObject) -> bool:
    """Entries of this search, and the rows that they are read against."""
    study = entry["study"]
    if entry["kind"] == "model":
        return bool((study["name"], study["directory"]) == (plan.study.name, plan.folder.name))
    return bool(entry["kind"] == "baseline" or entry["model"]["name"] == plan.study.model)


def pictures(plan: Plan, entries: list[str]) -> list[Path]:
    """Page and ratio plots of the first of some entries, and the pages of the others."""
    pages = [plan.board / "models" / f"{name}.html" for name in entries]
    if not entries:
        return []
    champion = read_entry(plan.board, entries[0])
    return [*draw_showers(plan.board, champion, plan.folder / "pictures"), *pages]
