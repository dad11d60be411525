"""The Pareto set of a search with several objectives: the trials that no other one beats in everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from leaderboard.pareto import non_dominated
from leaderboard.records import write_atomically
from search.engine.ledger import SCORED, Ledger, TrialEnd, TrialStart
from search.engine.objectives import GENERATION_TIME, Objectives
from search.engine.tracking import Tracker

PARETO_FILE = "pareto.json"


def trial_key(number: int) -> str:
    """Under which the tracker knows a trial."""
    return f"trial-{number}"


def in_order(ledger: Ledger) -> list[tuple[TrialStart, TrialEnd]]:
    """Every trial that reached a value, the lowest objective first (with several, the lowest score)."""
    scored = [(start, end) for start, end in ledger.ended if end.status in SCORED and end.objective is not None]
    return sorted(scored, key=lambda trial: trial[1].objective or 0.0)


def pareto_set(ledger: Ledger, objectives: Objectives) -> list[tuple[TrialStart, TrialEnd]]:
    """The trials that none dominates, the lowest combined score first."""
    trials = in_order(ledger)
    if not trials:
        return []
    values = np.array([[end.values[name] for name in objectives.names] for _, end in trials])
    return [trial for trial, kept in zip(trials, non_dominated(values), strict=True) if kept]


def pareto_record(ledger: Ledger, objectives: Objectives) -> dict[str, Any]:
    """The Pareto set as plain JSON values.

    ``values`` are running medians, as the search compared them; ``score`` and ``score_error`` are those of the best
    checkpoint.
    """
    return {
        "objectives": list(objectives.names),
        "trials_compared": len(in_order(ledger)),
        "pareto_set": [
            {
                "trial": start.number,
                "values": end.values,
                "score": end.score,
                "score_error": end.score_error,
                "parameters": start.config,
            }
            for start, end in pareto_set(ledger, objectives)
        ],
    }


def write_pareto(folder: Path, ledger: Ledger, objectives: Objectives, tracker: Tracker) -> dict[str, Any]:
    """Write ``pareto.json`` into a search's folder, and tell MLflow which trials are in the set; returns the record.

    Trials in the set get the metric ``pareto`` = 1, the others that were compared 0.
    """
    record = pareto_record(ledger, objectives)
    write_atomically(folder / PARETO_FILE, json.dumps(record, indent=1, allow_nan=False))
    kept = {member["trial"] for member in record["pareto_set"]}
    for start, end in in_order(ledger):
        tracker.metrics(trial_key(start.number), end.epochs, {"pareto": float(start.number in kept)})
    tracker.metrics("study", 0, {"pareto_set": float(len(kept))})
    tracker.artifact("study", folder / PARETO_FILE)
    return record


def pareto_table(record: dict[str, Any], default: dict[str, Any]) -> Table:
    """The Pareto set for the terminal, the lowest score first.

    Args:
        default: The paper's configuration; only what differs from it is shown.
    """
    members = record["pareto_set"]
    table = Table(
        title=f"Pareto set: {len(members)} of {record['trials_compared']} trials (lower is better)",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("trial", justify="right")
    for name in (*record["objectives"], "best score ± error"):
        table.add_column(escape(f"{name} [ms]") if name == GENERATION_TIME else name, justify="right")
    table.add_column("differs from the paper's configuration in")
    for member in members:
        values = (f"{member['values'][name]:.4g}" for name in record["objectives"])
        table.add_row(str(member["trial"]), *values, _score(member), _difference(member["parameters"], default))
    return table


def _score(member: dict[str, Any]) -> str:
    return f"{member['score']:.3f} ± {member['score_error'] or 0:.3f}"


def _difference(config: dict[str, Any], default: dict[str, Any]) -> str:
    changed = [f"{name}={_brief(value)}" for name, value in config.items() if value != default.get(name)]
    return ", ".join(changed) or "nothing"


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
