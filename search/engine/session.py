"""A whole search: trials, champion, final trainings, leaderboard, summary."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from rich.console import Console

from leaderboard.records import JsonObject
from leaderboard.studies import StudyRecord, read_study, write_study
from search.engine.base_training import with_base
from search.engine.checkpoint_budget import CheckpointBudget, Need, room_for_trials
from search.engine.data_parallel import TrialTasks
from search.engine.final import board_pages, final_plans, pictures, train_and_judge
from search.engine.interruption import Interruption
from search.engine.ledger import Ledger
from search.engine.objectives import SCORE_ALONE
from search.engine.pareto import pareto_table, write_pareto
from search.engine.plan import Plan, lock
from search.engine.progress import clock
from search.engine.report import Heading, search_of, study_record
from search.engine.resources import Places, check_request, nodes, wait_for_nodes
from search.engine.runner import LOCAL, best_trials, cluster_address, ray_session, run_trials
from search.engine.shortlist import Reevaluation, shortlist
from search.engine.study import StudyError
from search.engine.tracking import Tracker, is_database
from search.engine.trial import Measured, measure_trial, validation

TYPICAL_SHARE = 0.55  # of a whole trial; the rest is saved by stopping early
JUDGING_SECONDS = 110.0  # scores, metrics of whole samples and memorisation on the test split, and the pages
DELIVERY_PATIENCE = 20.0
HURRIED_DELIVERY_PATIENCE = 5.0
MEASURED_AT_A_TIME, MEASURING_RETRIES = 16, 2


def run_search(plan: Plan, console: Console, *, resumed: bool, ray_address: str | None) -> bool:
    """Run a plan to its end, or as far as the user lets it.

    Returns: False if the user interrupted it.
    Raises: StudyError where it cannot go on; what was recorded stays and can be resumed.
    """
    try:
        return _run(plan, console, resumed=resumed, ray_address=ray_address)
    except RayError as error:
        raise StudyError(
            f"Ray could not go on: {str(error).strip().splitlines()[-1]}. "
            f"Nothing that was recorded is lost: go on with --resume {plan.folder}"
        ) from error


def _run(plan: Plan, console: Console, *, resumed: bool, ray_address: str | None) -> bool:
    began = time.monotonic()
    with lock(plan.folder), ray_session(ray_address), Interruption() as interruption:
        ledger = plan.ledger
        _announce(plan, ledger, console, resumed)
        places = _places(plan, ray_address)
        plan = with_base(plan, console)
        at_a_time = max(1, places())  # none, where the last node has just been lost
        measured = _measure(plan, min(at_a_time, MEASURED_AT_A_TIME))
        full_trial = measured.seconds
        _print_estimate(plan, ledger, at_a_time, full_trial, console)
        checkpoints = _checkpoint_budget(plan, measured, at_a_time, console)
        tracker = Tracker(plan.folder / "tracking", plan.tracking_uri, plan.study.name, plan.artifacts)
        tracker.start(
            "study", plan.name, _study_parameters(plan), {"dataset": plan.dataset.name, "study": plan.study.name}
        )
        try:
            deadline = _deadline(plan, ledger, at_a_time, full_trial, began)
            whole = run_trials(plan, ledger, tracker, console, places, checkpoints, interruption, deadline)
            if plan.objectives.several:
                record = write_pareto(plan.folder, ledger, plan.objectives, tracker)
                console.print(pareto_table(record, plan.space.default))
            champions = shortlist(plan, ledger) if whole else []
            if not whole:
                console.print("Interrupted: the board shows what is done.")
            entries = _benchmark(plan, ledger, champions, tracker, console) if champions else []
            _close(plan, ledger, tracker, console, entries, time.monotonic() - began)
        finally:
            waiting = tracker.close(HURRIED_DELIVERY_PATIENCE if interruption.requested else DELIVERY_PATIENCE)
        _print_delivery(plan, tracker, waiting, console)
    if whole and not champions:
        raise StudyError("no trial reached a score; see the details in " + str(plan.folder / "ledger.jsonl"))
    console.print(f"{'Done' if entries else 'Stopped'} after {clock(time.monotonic() - began)}.")
    return bool(entries)


def _print_delivery(plan: Plan, tracker: Tracker, waiting: int, console: Console) -> None:
    """What the tracking server has not got, and how it gets it."""
    for refused in tracker.refused:
        console.print(f"MLflow refused {refused}", highlight=False, soft_wrap=True)
    if not waiting:
        return
    later = f"arena tracking {plan.folder}"
    if not plan.tracking_uri:
        text = f"{waiting} records wait for a tracking server; deliver them with {later} --tracking-uri URI"
    else:
        text = f"{waiting} records wait for the tracking server {plan.tracking_uri}; deliver them later with {later}"
    console.print(text + (f" ({tracker.trouble})" if tracker.trouble else ""), highlight=False, soft_wrap=True)


def _compare_trials(uri: str) -> str:
    """Where the MLflow UI is, or the command that starts it."""
    return f"python -m mlflow ui --host 127.0.0.1 --backend-store-uri {uri}" if is_database(uri) else uri


def _benchmark(
    plan: Plan, ledger: Ledger, champions: list[Reevaluation], tracker: Tracker, console: Console
) -> list[str]:
    """Final trainings and judgement; names of the entries, none if the user interrupted them."""
    best = champions[0]
    console.print(
        f"Champion: trial {best.number}, {_fresh(plan, best)} with fresh noise on validation "
        f"(of the best {len(champions)}{' of the Pareto set' if plan.objectives.several else ''})."
    )
    try:
        return train_and_judge(plan, final_plans(plan, ledger, best), tracker, console)
    except KeyboardInterrupt:
        console.print(f"Interrupted: trained seeds are kept; go on with --resume {plan.folder}")
        return []


def _fresh(plan: Plan, best: Reevaluation) -> str:
    """A champion's value; the score of a search for the score goes without saying."""
    if plan.objectives == SCORE_ALONE:
        return f"{best.value:.3f} ± {best.spread:.3f}"
    return f"{best.objective} {best.value:.4g} ± {best.spread:.2g}"


def _announce(plan: Plan, ledger: Ledger, console: Console, resumed: bool) -> None:
    console.rule(f"[bold]{plan.title}", align="left")
    varied = ", ".join(plan.space.varied)
    console.print(f"Search in {plan.folder}{' (resumed)' if resumed else ''}, preset {plan.preset_name}")
    console.print(f"{plan.dataset.title}: {plan.dataset.provenance}", highlight=False, soft_wrap=True)
    console.print(f"Searched: {varied}. Sampler {plan.sampler}, seed {plan.seed}.", highlight=False, soft_wrap=True)
    if plan.first_trials:
        learned = f"the {len(plan.first_trials)} best configurations of {plan.options.learn_from}"
        console.print(f"After the paper's configuration come {learned}.", highlight=False, soft_wrap=True)
    if plan.objectives != SCORE_ALONE:
        console.print(f"Minimised: {_minimised(plan)}.", highlight=False, soft_wrap=True)
    if ledger.trials:
        console.print(
            f"{len(ledger.ended)} trials are recorded as ended, {len(ledger.unfinished)} go on where they stopped."
        )
    earlier = [path for path in sorted(plan.folder.parent.glob("[0-9]*")) if path != plan.folder]
    if earlier and not resumed:
        console.print(f"Earlier searches are left as they are: {', '.join(path.name for path in earlier)}.")


def _minimised(plan: Plan) -> str:
    names = ", ".join(plan.objectives.names)
    return f"{names}, as a Pareto set; no trial is stopped early" if plan.objectives.several else names


def _places(plan: Plan, ray_address: str | None) -> Places:
    """How many trials run at a time, now and as nodes come and go.

    Raises: StudyError if no node can run the largest of them.
    """
    if plan.options.wait_minutes:
        wait_for_nodes(plan.largest_request, plan.options.wait_minutes)
    check_request(plan.largest_request, nodes())
    return Places(plan.request, plan.options.concurrent, beyond=cluster_address(ray_address) != LOCAL)


def _measure(plan: Plan, at_a_time: int) -> Measured:
    """What the first configuration takes, with as many at a time as there will be: trials slow each other down."""
    tasks, request = TrialTasks(), plan.request_for(plan.space.default)
    pending = [
        tasks.submit(request, MEASURING_RETRIES, measure_trial, plan.setup, plan.space.default)
        for _ in range(math.ceil(at_a_time / request.together))
    ]
    measured = ray.get(pending)
    for reference in pending:
        tasks.release(reference)
    return max(measured, key=lambda one: one.seconds)


def _checkpoint_budget(plan: Plan, measured: Measured, places: int, console: Console) -> CheckpointBudget:
    """Room for checkpoints, said before the start.

    Raises: StudyError if there is too little.
    """
    need = Need(measured.checkpoint_bytes, plan.trials, places, 2 * plan.final_seeds)
    of_trials, sentence = room_for_trials(need, plan.folder, plan.checkpoint_bytes)
    console.print(sentence, highlight=False, soft_wrap=True)
    return CheckpointBudget(of_trials, plan.setup.trials_folder, plan.objectives)


def _print_estimate(plan: Plan, ledger: Ledger, places: int, full_trial: float, console: Console) -> None:
    """How long the search will take."""
    final = _final_seconds(plan, places, full_trial)
    text = f"A whole trial ({plan.epochs} epochs) takes about {clock(full_trial)}; {places} run at a time. "
    if plan.trials is None:
        text += (
            f"Time budget {clock(_budget_seconds(plan, places) or 0)}, of which final trainings about {clock(final)}."
        )
    else:
        remaining = max(0, plan.trials - sum(end.status != "preempted" for _, end in ledger.ended))
        share, stopped = (1.0, "none") if plan.objectives.several else (TYPICAL_SHARE, "most")
        search = clock(remaining * share * full_trial / places)
        text += f"{remaining} trials, {stopped} stopped early: about {search}; final trainings about {clock(final)}."
    console.print(text, highlight=False, soft_wrap=True)


def _deadline(plan: Plan, ledger: Ledger, places: int, full_trial: float, began: float) -> Callable[[], float] | None:
    """When the trials must end so that the final trainings fit into the time budget.

    Raises: StudyError if not even one trial fits.
    """
    seconds = _budget_seconds(plan, places)
    if seconds is None:
        return None
    if seconds < full_trial + _final_seconds(plan, places, full_trial):
        needed = full_trial + _final_seconds(plan, places, full_trial)
        raise StudyError(
            f"one trial of {plan.epochs} epochs and the final trainings take about {clock(needed)}; the budget is "
            f"{clock(seconds)}. Give more time, or fewer --epochs or --seeds"
        )

    def deadline() -> float:
        best = best_trials(ledger, 1, plan.objectives)
        per_training = full_trial
        if best and best[0][1].epochs:
            per_training = max(full_trial, best[0][1].seconds * plan.epochs / best[0][1].epochs)
        return began + seconds - _final_seconds(plan, places, per_training)

    return deadline


def _budget_seconds(plan: Plan, places: int) -> float | None:
    if plan.options.hours is not None:
        return plan.options.hours * 3600
    if plan.options.device_hours is not None:
        devices = plan.options.gpus_per_trial or plan.options.cpus_per_trial
        requests = places * plan.options.processes_per_trial / plan.options.group_size
        return plan.options.device_hours * 3600 / (requests * devices)
    return None


def _final_seconds(plan: Plan, places: int, full_trial: float) -> float:
    """Champion and paper's configuration, each with every seed."""
    rounds = math.ceil(2 * plan.final_seeds * plan.options.group_size / places)  # each takes what a group does
    return rounds * full_trial + JUDGING_SECONDS


def _study_parameters(plan: Plan) -> dict[str, Any]:
    return {
        **{name: value for name, value in plan.identity.items() if name not in ("dataset", "space", "scorecard")},
        "objective": plan.objectives.text,
        "scorecard": plan.scorecard_name,
        "scorecard_identity": plan.scorecard.identity[:12],
        "dataset_sha256": plan.dataset.sha256[:12],
        "trials": plan.trials,
        "hours": plan.options.hours,
    }


def _close(plan: Plan, ledger: Ledger, tracker: Tracker, console: Console, entries: list[str], seconds: float) -> None:
    """Study record, pages, summary, and what to do next."""
    record = _study_record(plan, ledger, "finished" if entries else "interrupted", seconds)
    write_study(plan.board, record)
    index = board_pages(plan, console, bool(entries))
    for picture in pictures(plan, entries):
        tracker.artifact("study", picture)
    tracker.metrics("study", 0, {name: record[name] for name in ("best_validation", "best_validation_error")})
    tracker.end("study", "FINISHED" if entries else "KILLED", {"status": record["status"]})
    console.print(f"Leaderboard    {index.resolve().as_uri()}", highlight=False, soft_wrap=True)
    if plan.tracking_uri:
        console.print(f"Compare trials {_compare_trials(plan.tracking_uri)}", highlight=False, soft_wrap=True)
    if entries:
        more = f"--trials {2 * len(ledger.trials)}"
        console.print(f"More trials    {plan.script} --resume {plan.folder} {more}", highlight=False, soft_wrap=True)
        where = "" if plan.board.parent == Path("runs") else f" --output {plan.board.parent}"
        console.print(f"Use the model  arena export {entries[0]}{where}", highlight=False, soft_wrap=True)
        console.print(
            f"A longer one   {plan.script}{plan.data_flags}{plan.objective_flag} --hours 1 --learn-from {plan.folder}",
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print(f"Go on          {plan.script} --resume {plan.folder}", highlight=False, soft_wrap=True)


def _study_record(plan: Plan, ledger: Ledger, status: str, seconds: float) -> StudyRecord:
    """What the pages show of a search, finished or not.

    Args:
        seconds: Wall time of this session; that of earlier ones is added.
    """
    former = read_study(plan.board, plan.study.name, plan.folder.name)
    heading = Heading(
        title=plan.title,
        status=status,
        command=f"{former['command']}; --resume {plan.flags}".strip() if former else plan.command,
        minutes=seconds / 60 + (former["minutes"] if former else 0.0),
        floor=_validation_floor(plan) if status == "finished" else former and former.get("floor"),
    )
    return study_record(search_of(plan, ledger), heading)


def _validation_floor(plan: Plan) -> JsonObject | None:
    """What full simulation itself scores on the validation split; None without a twin."""
    floor = validation(plan.data, plan.scorecard_name)[1].floor
    return None if floor is None else {"value": floor.score.value, "error": floor.score.error}
