"""What a search has done and what was learned from it, as the record that its page shows.

Reads only: a search that runs is not disturbed, and one that was killed stays as it is. All that Optuna says of a
study (the importance of its hyperparameters) is worked out here, so that the pages need no Optuna.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution

from leaderboard.records import InvalidEntry, JsonObject
from leaderboard.studies import VERSION, StudyRecord, read_study, spread_out
from models import MODELS
from search.engine.importance import importance
from search.engine.ledger import SCORED, Ledger, Trial, TrialEnd, ledger_as_it_is
from search.engine.objectives import SCORE, Objectives
from search.engine.plan import (
    Options,
    Plan,
    command_flags,
    first_rung,
    recorded_identity,
    recorded_options,
    recorded_space,
)
from search.engine.resources import Request, request_for
from search.engine.study import Study, StudyError
from search.engine.tied import Candidate, cheapest_tied
from search.engine.trial import Evaluation, read_history, running_medians
from search.spaces import Branch, Parameter, Space
from search.studies import STUDIES

RUNNING, UNFINISHED = "running", "unfinished"
STATUSES = ("completed", "pruned", "diverged", "out_of_memory", "failed", "preempted", RUNNING)
TOP_SHARE, LEAST_TOP = 0.1, 3  # of the trials, what counts as the best
CURVES, CURVE_POINTS = 200, 40
TIMED = 50  # trials tied with the leader whose generation is looked up
DETAIL_LENGTH = 200


@dataclass(frozen=True)
class Search:
    """What the folder of a search holds.

    Attributes:
        request: CPUs and GPUs of a trial, unless its configuration takes more.
    """

    folder: Path
    study: Study
    preset_name: str
    sampler: str
    epochs: int
    evaluate_every: int
    space: Space
    objectives: Objectives
    request: Request
    ledger: Ledger

    def trial_folder(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"

    def history(self, number: int) -> list[Evaluation]:
        return read_history(self.trial_folder(number))


@dataclass(frozen=True)
class Heading:
    """What a record says beside the trials; see ``StudyRecord``."""

    title: str
    status: str
    command: str
    minutes: float
    floor: JsonObject | None


def search_of(plan: Plan, ledger: Ledger) -> Search:
    """The search of a plan, while it is carried out."""
    return Search(
        folder=plan.folder,
        study=plan.study,
        preset_name=plan.preset_name,
        sampler=plan.sampler,
        epochs=plan.epochs,
        evaluate_every=plan.evaluate_every,
        space=plan.space,
        objectives=plan.objectives,
        request=plan.request,
        ledger=ledger,
    )


def recorded_search(folder: Path) -> Search:
    """The search in a folder, whether it runs or not; no lock is taken and nothing is written.

    Raises: StudyError if the folder holds no search, or one of a study or space that is not known here.
    """
    identity = recorded_identity(folder)
    if identity["study"] not in STUDIES:
        raise StudyError(f"{folder}: the study {identity['study']!r} is not known here. It takes {', '.join(STUDIES)}")
    study = STUDIES[identity["study"]]
    options = recorded_options(folder, Options())
    return Search(
        folder=folder.resolve(),
        study=study,
        preset_name=identity["preset"],
        sampler=identity["sampler"],
        epochs=identity["epochs"],
        evaluate_every=identity["evaluate_every"],
        space=recorded_space(folder, study),
        objectives=Objectives(tuple(identity.get("objective", SCORE).split(","))),
        request=Request(
            options.cpus_per_trial, options.gpus_per_trial, options.processes_per_trial, options.group_size
        ),
        ledger=ledger_as_it_is(folder / "ledger.jsonl"),
    )


def report(folder: Path) -> StudyRecord:
    """The record of a search that runs, was killed, or has ended, from its folder alone.

    Raises: StudyError, see ``recorded_search``; DamagedLedger.
    """
    search = recorded_search(folder)
    return study_record(search, _recorded_heading(search))


def study_record(search: Search, heading: Heading) -> StudyRecord:
    """All that the pages show of a search."""
    rows = [_row(search, trial) for trial in search.ledger.trials]
    best = min((row for row in rows if _counts(row) and row["score"] is not None), key=_score, default=None)
    ranked = sorted((row for row in rows if _counts(row) and row["value"] is not None), key=_value)
    weights = importance(search.space, search.ledger)
    return {
        "name": search.study.name,
        "title": heading.title,
        "directory": search.folder.name,
        "status": heading.status,
        "preset": search.preset_name,
        "sampler": search.sampler,
        "epochs": search.epochs,
        "command": heading.command,
        "minutes": round(heading.minutes, 2),
        "trials": dict(Counter(end.status for _, end in search.ledger.ended)),
        "best_validation": None if best is None else best["score"],
        "best_validation_error": None if best is None else best["score_error"],
        "best_trial": None if best is None else best["number"],
        "version": VERSION,
        "last_sign": _last_sign(search).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "default_role": _default_role(search),
        "objectives": list(search.objectives.names),
        "pruner": _pruner(search),
        "floor": heading.floor,
        "space": [_parameter(parameter, search.space) for parameter in search.space.parameters],
        "trial_list": rows,
        "curves": [_curve(search, row) for row in spread_out(rows, CURVES, _value) if row["value"] is not None],
        "budget": _budget(rows),
        "importance": weights,
        "learned": _learned(search.space, ranked, weights),
        "tied": _tied(search, rows),
    }


def _recorded_heading(search: Search) -> Heading:
    """From the record that the search itself wrote, if it has ended once; else from its folder."""
    former = _former(search)
    options = recorded_options(search.folder, Options())
    title = search.study.title if options.data is None else f"{MODELS[search.study.model].title} on data of one's own"
    flags = command_flags(options, search.objectives)
    if former is None:
        return Heading(title, UNFINISHED, f"{search.study.script} {flags}".strip(), _minutes(search), None)
    ended = Counter(end.status for _, end in search.ledger.ended)
    gone_on = dict(ended) != former["trials"] or any(trial.end is None for trial in search.ledger.trials)
    status = UNFINISHED if gone_on else former["status"]
    return Heading(former["title"], status, former["command"], former["minutes"], former.get("floor"))


def _former(search: Search) -> StudyRecord | None:
    try:
        return read_study(search.folder.parents[1] / "leaderboard", search.study.name, search.folder.name)
    except InvalidEntry:
        return None  # the folder itself says enough


def _files(search: Search) -> Iterable[Path]:
    yield search.folder / "study.json"
    yield search.folder / "ledger.jsonl"
    for trial in search.ledger.trials:
        if trial.end is None:
            yield search.trial_folder(trial.number) / "history.jsonl"


def _last_sign(search: Search) -> datetime:
    """When a trial last began, ended or was evaluated."""
    times = [path.stat().st_mtime for path in _files(search) if path.exists()]
    return datetime.fromtimestamp(max(times), UTC)


def _minutes(search: Search) -> float:
    """Wall time from the files of a search that has never ended: the ledger holds none."""
    began = (search.folder / "study.json").stat().st_mtime
    return max(0.0, (_last_sign(search).timestamp() - began) / 60)


def _default_role(search: Search) -> str:
    preset = search.study.laptop if search.preset_name == "laptop" else search.study.paper
    return f"defaults of the {search.preset_name} preset" if preset.defaults else "paper's configuration"


def _pruner(search: Search) -> JsonObject | None:
    first = first_rung(search.study, search.objectives, search.epochs, search.evaluate_every)
    rungs, epoch = [], max(1, first)
    while epoch < search.epochs:
        rungs.append(epoch)
        epoch *= search.study.reduction_factor
    if not rungs:
        return None
    name = (
        "successive halving at every evaluation (between rungs in proportion), "
        "on the lowest running median of three evaluations"
    )
    return {"name": name, "reduction_factor": search.study.reduction_factor, "rungs": rungs}


def _parameter(parameter: Parameter, space: Space) -> JsonObject:
    return {
        "name": parameter.name,
        "title": parameter.title,
        "default": parameter.default,
        "source": parameter.source,
        "note": parameter.note,
        "varied": parameter.name in space.varied,
        "branches": [_branch(branch) for branch in parameter.branches],
    }


def _branch(branch: Branch) -> JsonObject:
    distribution: Any = branch.distribution
    chosen = isinstance(distribution, CategoricalDistribution)
    return {
        "choices": list(distribution.choices) if chosen else None,
        "low": None if chosen else distribution.low,
        "high": None if chosen else distribution.high,
        "log": False if chosen else distribution.log,
        "step": None if chosen else distribution.step,
        "published": list(branch.published),
        "when": None if branch.when is None else str(branch.when),
    }


def _row(search: Search, trial: Trial) -> JsonObject:
    """A trial; of one that runs, what it has reached so far."""
    end = trial.end or _so_far(search, trial.number)
    active = search.space.active_branches(trial.start.config)
    request = request_for(search.request, search.study.more_gpus, trial.start.config)
    varied = search.space.varied
    value = end.score if search.objectives.leading == SCORE else end.objective
    row = {
        "number": trial.number,
        "status": RUNNING if trial.end is None else end.status,
        "value": value if trial.end is None or end.status in SCORED else None,
        "score": end.score,
        "score_error": end.score_error,
        "objective": end.objective,
        "epochs": end.epochs,
        "best_epoch": end.best_epoch,
        "seconds": end.seconds,
        "cpu_seconds": round(end.seconds * request.cpus * request.processes / request.together, 3),
        "gpu_seconds": round(end.seconds * request.gpus * request.processes / request.together, 3),
        "parameters": {name: trial.start.config[name] for name in active if name in varied},
        "detail": end.detail.partition(" (/")[0][:DETAIL_LENGTH],  # without paths of the machine
    }
    return row | ({"values": end.values} if search.objectives.several else {})


def _so_far(search: Search, number: int) -> TrialEnd:
    """What a trial that has not ended has reached; only its number of epochs and time where that is nothing yet."""
    history = search.history(number)
    if not history:
        return TrialEnd(number, "preempted", 0, 0.0)
    best = min(history, key=lambda evaluation: evaluation.score)
    medians = running_medians(history, search.objectives.leading)
    return TrialEnd(
        number=number,
        status="preempted",
        epochs=history[-1].epoch,
        seconds=round(sum(evaluation.seconds for evaluation in history), 3),
        score=best.score,
        score_error=best.score_error,
        objective=min(medians),
        best_epoch=best.epoch,
        history=list(zip((evaluation.epoch for evaluation in history), medians, strict=True)),
    )


def _curve(search: Search, row: JsonObject) -> JsonObject:
    end = search.ledger[row["number"]].end or _so_far(search, row["number"])
    step = max(1, math.ceil(len(end.history) / CURVE_POINTS))
    points = end.history[::-step][::-1]  # the last one stays
    return {"number": row["number"], "epochs": [p[0] for p in points], "values": [_digits(p[1]) for p in points]}


def _budget(rows: Sequence[JsonObject]) -> list[JsonObject]:
    parts = {status: [row for row in rows if row["status"] == status] for status in STATUSES}
    return [
        {
            "status": status,
            "trials": len(part),
            "wall_hours": _hours(part, "seconds"),
            "cpu_hours": _hours(part, "cpu_seconds"),
            "gpu_hours": _hours(part, "gpu_seconds"),
        }
        for status, part in parts.items()
        if part
    ]


def _hours(rows: Sequence[JsonObject], key: str) -> float:
    return round(math.fsum(row[key] for row in rows) / 3600, 6)


def _learned(space: Space, ranked: Sequence[JsonObject], weights: JsonObject) -> list[JsonObject]:
    """Of each varied parameter: default, best value, values of the best trials, importance."""
    top = ranked[: max(LEAST_TOP, math.ceil(TOP_SHARE * len(ranked)))]
    shares = {weight["name"]: weight["share"] for weight in weights["parameters"]}
    learned = []
    for name in space.varied:
        values = [row["parameters"][name] for row in top if name in row["parameters"]]
        learned.append(
            {
                "parameter": name,
                "title": space[name].title,
                "default": space[name].default,
                "best": top[0]["parameters"].get(name) if top else None,
                "top_range": _range(space[name], values),
                "top_trials": len(values),
                "importance": shares.get(name),
            }
        )
    return learned


def _range(parameter: Parameter, values: Sequence[Any]) -> list[Any] | None:
    """Lowest and highest of numbers; of choices, those that occur, in their order."""
    if not values:
        return None
    choices = [branch.distribution for branch in parameter.branches]
    if not all(isinstance(choice, CategoricalDistribution) for choice in choices):
        return [min(values), max(values)]
    known = [value for choice in choices if isinstance(choice, CategoricalDistribution) for value in choice.choices]
    return [value for value in dict.fromkeys(known) if value in values]


def _tied(search: Search, rows: Sequence[JsonObject]) -> JsonObject | None:
    fresh = _fresh_values(search)
    candidates = [
        Candidate(row["number"], *fresh.get(row["number"], (row["value"], row["score_error"] or 0.0)))
        for row in rows
        if _counts(row) and row["value"] is not None and (row["number"] in fresh or search.objectives.leading == SCORE)
    ]
    leader = min((one for one in candidates if not fresh or one.number in fresh), key=_of_candidate, default=None)
    if leader is None:
        return None
    by_number = {row["number"]: row for row in rows}
    found = cheapest_tied(leader, candidates, TIMED, _generation_time(search), lambda n: _epoch_time(by_number[n]))
    return {
        "leader": asdict(found.leader),
        "cheapest": asdict(found.cheapest),
        "trials": found.numbers,
        "cost": found.cost,
        "unit": found.unit,
        "fresh_samples": bool(fresh),
    }


def _fresh_values(search: Search) -> dict[int, tuple[float, float]]:
    """Value and error of the trials that were judged again; none where a better trial has ended since."""
    path = search.folder / "shortlist.json"
    try:
        judged = json.loads(path.read_text(encoding="utf-8"))
        fresh = {one["number"]: (float(one["value"]), float(one["spread"])) for one in judged}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    scored = [end for _, end in search.ledger.ended if end.status in SCORED and end.objective is not None]
    if search.objectives.several:
        return fresh
    best = min(scored, key=lambda end: end.objective or 0.0, default=None)
    return fresh if best is not None and best.number in fresh else {}


def _generation_time(search: Search) -> Callable[[int], float | None]:
    """Of a trial: median time of one shower [ms] as the search measured it."""

    def time(number: int) -> float | None:
        known = sorted(e.generation_time for e in search.history(number) if e.generation_time is not None)
        return known[len(known) // 2] if known else None

    return time


def _epoch_time(row: JsonObject) -> float:
    return float(row["seconds"]) / max(1, int(row["epochs"]))


def _counts(row: JsonObject) -> bool:
    return row["status"] in SCORED


def _value(row: JsonObject) -> float:
    return math.inf if row["value"] is None else float(row["value"])


def _score(row: JsonObject) -> float:
    return float(row["score"])


def _of_candidate(candidate: Candidate) -> float:
    return candidate.value


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
