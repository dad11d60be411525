"""The self-test of the metrics as a record: which of them notices which fault, and what was expected beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from data_adapters.datasets import DATASETS
from leaderboard.records import JsonObject, write_atomically
from leaderboard.text import component_title
from metrics import FAULTS, SCORECARDS
from metrics.self_test import (
    ALPHA,
    NO_FAULT,
    POWER,
    UNSCORED,
    Power,
    ThreeSimulations,
    num_judgements,
    self_test,
    sizes_for,
)
from metrics.self_test_expected import EXPECTED, SHORTFALLS
from metrics.simulations import three_simulations

RECORDS = Path(__file__).parent / "self_tests"  # of the samples that ship
CALIBRATION = RECORDS / "calibration.json"
SCORE = "score"


def run_self_test(name: str, draws: int, console: Console) -> JsonObject:
    """Test the metrics of one scorecard on the dataset for which something is expected.

    Raises: UnknownName.
    """
    expected = EXPECTED[SCORECARDS[name].name]
    simulations = three_simulations(DATASETS[expected.dataset])
    return _record(name, expected.dataset, simulations, draws, console)


def _record(name: str, dataset: str, simulations: ThreeSimulations, draws: int, console: Console) -> JsonObject:
    scorecard = SCORECARDS[name]
    sizes = sizes_for(scorecard, simulations[0])
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"self-test of {name}", total=num_judgements(simulations, sizes, draws))
        powers = self_test(scorecard, simulations, sizes, draws=draws, done=lambda: progress.advance(task))
    detector = simulations[0].detector
    return {
        "scorecard": name,
        "identity": scorecard.identity,
        "title": scorecard.title,
        "dataset": dataset,
        "alpha": ALPHA,
        "power": POWER,
        "draws": draws,
        "sizes": list(sizes),
        "metrics": [SCORE, *scorecard.weights, *UNSCORED],
        "faults": [_fault(fault, detector) for fault in dict.fromkeys(power.fault for power in powers)],
        "rows": [power.to_json() | _expectation(name, power, max(sizes)) for power in powers],
    }


def _fault(name: str, detector: Any) -> JsonObject:
    if name == NO_FAULT:
        return {"name": name, "title": "None: full simulation", "strength": None, "strength_unit": ""}
    fault = FAULTS[name]
    unit = fault.strength_unit
    return {"name": name, "title": fault.title, "strength": fault.strength_for(detector), "strength_unit": unit}


def _expectation(scorecard: str, power: Power, all_events: int) -> JsonObject:
    """Whether it was expected to notice, and whether it did; what happens with fewer events was not written down."""
    noticed = EXPECTED[scorecard].noticed.get(power.fault, ())
    expected = power.events == all_events and power.metric in noticed
    known = (scorecard, power.fault, power.metric) in SHORTFALLS
    return {"expected": expected, "missed": expected and power.power < POWER, "known": expected and known}


def missed(record: JsonObject) -> list[str]:
    """What was expected and not found, in sentences; what is a known shortfall is not among them."""
    return [
        f"{record['scorecard']}: {row['metric']} noticed {row['fault']} in {row['noticed']} of {row['draws']} draws of "
        f"{row['events']} events"
        for row in record["rows"]
        if row["missed"] and not row["known"]
    ]


def text_table(record: JsonObject) -> list[tuple[str, ...]]:
    """Header and rows as people read them in a terminal: draws noticed, for each number of events and metric."""
    columns = [(events, metric) for events in record["sizes"] for metric in record["metrics"]]
    header = ("fault", *(f"{title(metric)} ({events})" for events, metric in columns))
    return [header, *((fault["name"], *_cells(record, fault["name"], columns)) for fault in record["faults"])]


def title(metric: str) -> str:
    """A metric as the head of a column."""
    return "Score" if metric == SCORE else component_title(metric)


def _cells(record: JsonObject, fault: str, columns: Sequence[tuple[int, str]]) -> list[str]:
    found = {(row["events"], row["metric"]): row for row in record["rows"] if row["fault"] == fault}
    return [f"{found[key]['noticed']}{_mark(found[key])}" for key in columns]


def _mark(row: JsonObject) -> str:
    if row["missed"]:
        return " (missed)"
    return " *" if row["expected"] else ""


def write_record(record: JsonObject, folder: Path) -> Path:
    """Write ``<scorecard>.json``; returns its path."""
    path = folder / f"{record['scorecard']}.json"
    write_atomically(path, json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    return path


def read_records(folder: Path = RECORDS) -> list[JsonObject]:
    """Records of the folder, in the order of the registered scorecards' files."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-v*.json"))]
