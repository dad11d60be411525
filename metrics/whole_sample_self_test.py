"""How far the metrics of whole samples move away from full simulation under each fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from data_adapters.events import Events
from metrics.faults import faults_of
from metrics.scorecard import Scorecard
from metrics.self_test import NO_FAULT, ThreeSimulations
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome
from metrics.whole_sample_report import WholeSampleRow, whole_sample_report


@dataclass(frozen=True)
class Movement:
    """One metric of full simulation with one fault.

    Attributes:
        outcome, floor: Of the sample with the fault, and of the twin.
        standard_errors: How much farther from perfect than the floor, over the error of the difference; None where a
            metric states no error.
    """

    fault: str
    metric: str
    outcome: Outcome
    floor: Outcome
    standard_errors: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without details."""
        estimates = {
            name: {"value": found.value, "error": found.error if math.isfinite(found.error) else None}
            for name, found in (("outcome", self.outcome), ("floor", self.floor))
        }
        return {"fault": self.fault, "metric": self.metric, **estimates, "standard_errors": self.standard_errors}


def num_reports(simulations: ThreeSimulations) -> int:
    """How many samples ``whole_sample_self_test`` reports on."""
    return 2 + len(faults_of(simulations[0].detector))


def whole_sample_self_test(
    scorecard: Scorecard, simulations: ThreeSimulations, done: Callable[[], None] = lambda: None
) -> list[Movement]:
    """Every metric that applies to the detector, for every fault and for none.

    Args:
        simulations: The same particles three times, in the same order: reference, twin, and what gets the faults.
        done: Called after each sample; there are ``num_reports`` of them.
    """
    reference, twin, third = simulations
    floors = {row.name: row for row in _report(scorecard, reference, twin)}
    done()
    movements = []
    for fault in (NO_FAULT, *faults_of(reference.detector)):
        response = third.response if fault == NO_FAULT else faults_of(reference.detector)[fault].inject(third)
        movements += list(_movements(fault, _report(scorecard, reference, third.with_response(response)), floors))
        done()
    return movements


def _report(scorecard: Scorecard, reference: Events, generated: Events) -> list[WholeSampleRow]:
    return whole_sample_report(scorecard, reference, generated.response, None)


def _movements(fault: str, rows: list[WholeSampleRow], floors: dict[str, WholeSampleRow]) -> Iterator[Movement]:
    for row in rows:
        floor = floors[row.name].outcome
        if row.outcome is None or floor is None:
            continue
        yield Movement(fault, row.name, row.outcome, floor, _standard_errors(row.name, row.outcome, floor))


def _standard_errors(metric: str, outcome: Outcome, floor: Outcome) -> float | None:
    error = math.hypot(outcome.error, floor.error)
    if not math.isfinite(error) or error == 0:
        return None
    return (_imperfection(metric, outcome) - _imperfection(metric, floor)) / error


def _imperfection(metric: str, outcome: Outcome) -> float:
    """Larger is worse."""
    declared = WHOLE_SAMPLE_METRICS[metric]
    if declared.direction == "to_perfect":
        return abs(outcome.value - declared.perfect)
    return outcome.value if declared.direction == "lower" else -outcome.value
