"""The self-test of the metrics as a record: which of them notices which fault, and what was expected beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from data_adapters.datasets import DATASETS
from data_adapters.detector import Detector
from data_adapters.events import Events
from leaderboard.records import JsonObject
from leaderboard.text import component_title
from metrics import FAULTS, SCORECARDS, WHOLE_SAMPLE_METRICS
from metrics.faults.cell_threshold import CELL_THRESHOLD
from metrics.judge import SCORE
from metrics.labels import quantity
from metrics.scorecard import Scorecard
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
from metrics.whole_sample_self_test import num_reports, whole_sample_self_test


def run_self_test(name: str, draws: int, console: Console, *, whole_sample: bool = False) -> JsonObject:
    """Test the metrics of one scorecard on the validation events of the dataset for which something is expected.

    Args:
        whole_sample: Whether to add the metrics of whole samples, which take minutes.
    Raises: UnknownName.
    """
    scorecard = SCORECARDS[name]
    dataset = EXPECTED[name].dataset
    simulations = three_simulations(DATASETS[dataset])
    record = _record(scorecard, dataset, simulations, sizes_for(scorecard, simulations[0]), draws, console)
    return with_whole_sample(record, scorecard, simulations, console) if whole_sample else record


def run_self_test_on(
    scorecard: Scorecard, simulations: ThreeSimulations, sizes: Sequence[int], draws: int, console: Console
) -> JsonObject:
    """The same on samples of one's own.

    Args:
        simulations: The same particles three times, in the same order.
        sizes: Numbers of events to draw.
    Raises: ValueError if they are not the same particles, or too few for the scorecard.
    """
    reference, *others = simulations
    if any(not np.array_equal(other.identity, reference.identity) for other in others):
        raise ValueError("the three files must hold the same particles in the same order; these are others")
    energies = ", ".join(quantity(value, unit) for value, unit in _conditions(scorecard, reference))
    where = f"{len(reference)} events of {scorecard.detector}" + (f" at {energies}" if energies else "")
    return _record(scorecard, where, simulations, sizes, draws, console)


def present_bins(scorecard: Scorecard, reference: Events) -> Scorecard:
    """The scorecard without those listed condition bins of which the sample has no event."""
    values = reference.conditions[reference.detector.binning_condition.name]
    present = tuple(value for value in scorecard.condition_bins if (values == value).any())
    if scorecard.condition_edges or not present:
        return scorecard
    return replace(scorecard, condition_bins=present)


def _conditions(scorecard: Scorecard, reference: Events) -> list[tuple[float, str]]:
    unit = reference.detector.binning_condition.unit
    return [(value, unit) for value in scorecard.condition_bins]


def _record(
    scorecard: Scorecard,
    dataset: str,
    simulations: ThreeSimulations,
    sizes: Sequence[int],
    draws: int,
    console: Console,
) -> JsonObject:
    with _progress(console, f"self-test of {scorecard.name}", num_judgements(simulations, sizes, draws)) as done:
        powers = self_test(scorecard, simulations, sizes, draws=draws, done=done)
    detector = simulations[0].detector
    return {
        "scorecard": scorecard.name,
        "number": list(SCORECARDS).index(scorecard.name),
        "identity": scorecard.identity,
        "title": scorecard.title,
        "dataset": dataset,
        "alpha": ALPHA,
        "power": POWER,
        "draws": draws,
        "sizes": list(sizes),
        "metrics": [SCORE, *scorecard.weights, *UNSCORED],
        "faults": [_fault(fault, detector) for fault in dict.fromkeys(power.fault for power in powers)],
        "rows": [power.to_json() | _expectation(scorecard.name, dataset, power, max(sizes)) for power in powers],
    }


def with_whole_sample(
    record: JsonObject, scorecard: Scorecard, simulations: ThreeSimulations, console: Console
) -> JsonObject:
    """The record with the metrics of whole samples, which take minutes."""
    with _progress(console, f"whole samples of {scorecard.name}", num_reports(simulations)) as done:
        movements = whole_sample_self_test(scorecard, simulations, done)
    titles = {name: metric.title for name, metric in WHOLE_SAMPLE_METRICS.items()}
    return record | {"whole_sample": [m.to_json() | {"title": titles[m.metric]} for m in movements]}


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _fault(name: str, detector: Detector) -> JsonObject:
    if name == NO_FAULT:
        return {"name": name, "title": "None: full simulation", "strength": None, "strength_unit": ""}
    fault = FAULTS[name]
    unit = detector.unit if name == CELL_THRESHOLD.name else fault.strength_unit
    return {"name": name, "title": fault.title, "strength": fault.strength_for(detector), "strength_unit": unit}


def _expectation(scorecard: str, dataset: str, power: Power, all_events: int) -> JsonObject:
    """Whether it was expected to notice, and whether it did; what happens with fewer events was not written down."""
    noticed = EXPECTED[scorecard].noticed.get(power.fault, ()) if scorecard in EXPECTED else ()
    expected = power.events == all_events and power.metric in noticed
    known = (dataset, power.fault, power.metric) in SHORTFALLS
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
    header = ("fault", *(f"{component_title(metric)} ({events})" for events, metric in columns))
    return [header, *((fault["name"], *_cells(record, fault["name"], columns)) for fault in record["faults"])]


def _cells(record: JsonObject, fault: str, columns: Sequence[tuple[int, str]]) -> list[str]:
    found = {(row["events"], row["metric"]): row for row in record["rows"] if row["fault"] == fault}
    return [f"{found[key]['noticed']}{_mark(found[key])}" for key in columns]


def _mark(row: JsonObject) -> str:
    if row["missed"]:
        return " (missed)"
    return " *" if row["expected"] else ""
