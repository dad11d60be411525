"""The page of one search: what was tried, what came of it, what was learned, what it cost. From its record alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from leaderboard import study_plots, text
from leaderboard.records import JsonObject, write_atomically
from leaderboard.rendering import code_digest, render, svg
from leaderboard.studies import FOLDER, StudyRecord, spread_out, study_file

STAMP = "<!-- made from {} -->\n"
ROWS = 1000  # of the table of trials
STATUS_MEANINGS = {
    "completed": "trained to its last epoch",
    "pruned": "stopped at a rung, because others were better there",
    "diverged": "its losses or showers were no longer finite",
    "out_of_memory": "did not fit into memory",
    "failed": "ended with an error",
    "preempted": "stopped by the end of the budget; goes on when the search is resumed",
    "running": "has begun and not ended: it runs, or the search was killed",
}


def write_study_pages(board: Path, studies: Sequence[StudyRecord]) -> None:
    """Write ``studies/<name>-<directory>.html`` for every search of a board; pages that stand are left as they are."""
    for record in studies:
        page = board / FOLDER / study_file(record, ".html")
        stamp = STAMP.format(_stamp(record))
        if page.is_file() and page.read_text(encoding="utf-8").endswith(stamp):
            continue
        write_atomically(page, render_study(record, on_board=True) + stamp)


def render_study(record: StudyRecord, *, on_board: bool) -> str:
    """The page as HTML. Records of before version 2 hold no trials, and get a short page.

    Args:
        on_board: Whether a board's page lies in the folder above.
    """
    whole = "version" in record
    return render(
        "study.html",
        study=record,
        on_board=on_board,
        record_file=study_file(record, ".json"),
        whole=whole,
        status_meanings=STATUS_MEANINGS,
        **(_context(record) if whole else {}),
    )


def _context(record: StudyRecord) -> JsonObject:
    trials = record["trial_list"]
    varied = [parameter for parameter in record["space"] if parameter["varied"]]
    scored = [trial for trial in trials if trial["value"] is not None]
    rows = spread_out(trials, ROWS, lambda trial: float("inf") if trial["value"] is None else trial["value"])
    weights = record["importance"]["parameters"]
    return {
        "plots": {
            "history": svg(study_plots.history_figure(record), history_words(record)) if trials else None,
            "importance": svg(study_plots.importance_figure(record), importance_words(record)) if weights else None,
            "parallel": svg(study_plots.parallel_figure(record), "Parallel coordinates of the varied hyperparameters")
            if scored and varied
            else None,
            "curves": svg(study_plots.curves_figure(record), "Running medians of the trials against the epoch")
            if record["curves"]
            else None,
            "budget": svg(study_plots.budget_figure(record), budget_words(record)) if record["budget"] else None,
            "slices": [(parameter, _slice(record, parameter)) for parameter in varied] if scored else [],
        },
        "drawn": study_plots.DRAWN,
        "value_label": study_plots.value_label(record),
        "num_trials": len(trials),
        "rows": rows,
        "varied": varied,
        "objectives": record["objectives"],
        "tied": None if record["tied"] is None else tied_sentence(record["tied"]),
        "totals": {
            key: sum(part[key] for part in record["budget"]) for key in ("wall_hours", "cpu_hours", "gpu_hours")
        },
        "learned": [_learned(row, record["space"]) for row in record["learned"]],
        "shown": shown,
        "default": next((trial for trial in trials if trial["number"] == 0), None),
        "best": next((trial for trial in trials if trial["number"] == record["best_trial"]), None),
    }


def tied_sentence(tied: JsonObject) -> str:
    """Which model is the cheapest of those that are as good as the best one."""
    leader, cheapest = tied["leader"], tied["cheapest"]
    others = len(tied["trials"]) - 1
    judged = ", judged again with fresh noise" if tied["fresh_samples"] else ""
    led = f"trial {leader['number']} leads with {text.with_error(leader)}{judged}"
    if not others:
        return f"No other trial is within error of the best: {led}."
    amount = f"{text.significant(cheapest['cost'])} {tied['unit']}"
    many = f"{others} other trial{' is' if others == 1 else 's are'} tied with it"
    if cheapest["number"] == leader["number"]:
        return f"The leader is the cheapest itself: {led}; {many}, and none has a shorter {tied['cost']} ({amount})."
    return (
        f"The cheapest model tied with the leader is trial {cheapest['number']}: {text.with_error(cheapest)}, "
        f"{tied['cost']} {amount} instead of {text.significant(leader['cost'])}; {led}, and {many}."
    )


def history_words(record: StudyRecord) -> str:
    """The plot of the history for those who do not see it."""
    known = {"value": record["best_validation"], "error": record["best_validation_error"]}
    best = "" if known["value"] is None else f"; best score {text.with_error(known)} in trial {record['best_trial']}"
    counts = ", ".join(f"{part['trials']} {part['status'].replace('_', ' ')}" for part in record["budget"])
    return f"Optimisation history of {len(record['trial_list'])} trials ({counts}){best}"


def importance_words(record: StudyRecord) -> str:
    """The same of the importances."""
    shares = (f"{w['name']} {text.significant(100 * w['share'], 2)} %" for w in record["importance"]["parameters"])
    return "Importance of the hyperparameters: " + ", ".join(shares)


def budget_words(record: StudyRecord) -> str:
    """The same of the budget."""
    spent = (
        f"{part['status'].replace('_', ' ')} {part['trials']} trials, {text.significant(part['cpu_hours'])} CPU hours"
        for part in record["budget"]
    )
    return "Budget spent: " + "; ".join(spent)


def shown(value: Any) -> str:
    """A hyperparameter's value; a dash where it had no effect."""
    if value is None:
        return text.NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _slice(record: StudyRecord, parameter: JsonObject) -> Markup:
    return svg(
        study_plots.slice_figure(record, parameter), f"Trials against {parameter['title']} ({parameter['name']})"
    )


def _learned(row: JsonObject, space: Sequence[JsonObject]) -> JsonObject:
    parameter = next(one for one in space if one["name"] == row["parameter"])
    top = row["top_range"]
    choices = study_plots.parameter_axis(parameter).choices
    separator = ", " if choices else " … "
    values = [] if top is None else list(dict.fromkeys(shown(value) for value in top))
    return row | {
        "top": separator.join(values) or text.NOTHING,
        "when": parameter["branches"][0]["when"] if len(parameter["branches"]) == 1 else None,
        "source": parameter["source"],
    }


def _stamp(record: StudyRecord) -> str:
    return hashlib.sha256(f"{record!r} {code_digest()}".encode()).hexdigest()
