"""What the benchmark finds out about a generated sample beside its score: metrics of whole samples, memorisation."""

# Axes: N test events, T training events, V cells.
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import IN_MEMORY_BYTES, Dataset
from data_adapters.events import Events
from data_adapters.source import FLOAT32_BYTES
from leaderboard.helix import helix_record_of
from leaderboard.memorisation import LARGEST_RATIO, memorisation
from leaderboard.records import JsonObject
from metrics.scorecard import Scorecard
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome
from metrics.whole_sample_report import WholeSampleRow, whole_sample_report

MOST_COMPARED = 2000  # generated events that are compared with each training event
SEED = 0  # the same numbers, whoever judges

Response = NDArray[np.float32]


@dataclass(frozen=True)
class WholeSample:
    """Metrics of a whole sample, as an entry holds them, and all that they report, as the observables do."""

    record: JsonObject
    details: list[JsonObject]


class SampleReports:
    """Reports on samples that were generated at the conditions of one reference.

    What full simulation gets, and the training events, are computed and read once for all of them.

    Args:
        dataset: Where training events come from.
        reference: Full simulation, held out, N events; ``twin`` the same particles simulated again, None without one.
    """

    def __init__(self, dataset: Dataset, scorecard: Scorecard, reference: Events, twin: Events | None) -> None:
        self.dataset, self.scorecard, self.reference, self.twin = dataset, scorecard, reference, twin

    def whole_sample(self, response: Response | None) -> WholeSample:
        """Every metric of whole samples; no metric but the reason where the sample cannot be measured by them.

        Args:
            response: Generated showers [MeV], shape (N, V); None for the twin's.
        """
        try:
            rows = self._floor if response is None else self._rows(response)
        except ValueError as error:
            return WholeSample({"reason": str(error)[:2000], "metrics": []}, [])
        return WholeSample(
            {"reason": "", "metrics": [_metric_record(row) for row in rows]}, [row.to_json() for row in rows]
        )

    def memorisation(self, response: Response) -> JsonObject:
        """Whether generated showers lie nearer to training than to held-out events, with full simulation as control.

        At most 2000 generated events, and as many training events as fit into memory, ten times the test events at
        most; all of them are taken at random.
        """
        rows = _at_random(np.arange(len(self.reference)), MOST_COMPARED)
        generated = self.reference.select(rows).with_response(response[rows])
        control = None if self.twin is None else self.twin.select(rows)
        try:
            found = memorisation(generated, self._training, self.reference, SEED, control)
        except ValueError as error:
            return {"reason": str(error)[:2000], "unit": self._unit, "found": None}
        return {"reason": "", "unit": self._unit, "found": found.to_json()}

    def helix(self, response: Response) -> JsonObject | None:
        """Distances of the points of generated tracks (N, V) [mm] to helices, beside those of full simulation.

        None for a detector without tracks.
        """
        generated = self.reference.with_response(response)
        return helix_record_of({"generated": generated, "reference": self.reference, "twin": self.twin})

    def _rows(self, response: Response) -> list[WholeSampleRow]:
        floors = {row.name: row.floor for row in self._floor}
        rows = whole_sample_report(self.scorecard, self.reference, response, None, SEED)
        return [WholeSampleRow(row.name, row.outcome, floors.get(row.name), row.reason) for row in rows]

    @cached_property
    def _floor(self) -> list[WholeSampleRow]:
        """The twin's values, as outcome and as floor; empty without a twin."""
        if self.twin is None:
            return []
        rows = whole_sample_report(self.scorecard, self.reference, self.twin.response, None, SEED)
        return [WholeSampleRow(row.name, row.outcome, row.outcome, row.reason) for row in rows]

    @cached_property
    def _training(self) -> Events:
        fitting = IN_MEMORY_BYTES // (self.dataset.detector.num_cells * FLOAT32_BYTES)
        most = max(1, min(LARGEST_RATIO * len(self.reference), fitting))
        return self.dataset.source.select(_at_random(self.dataset.rows("train"), most))

    @property
    def _unit(self) -> str:
        """Of the distance between two events."""
        detector = self.dataset.detector
        if detector.energy_condition is None:
            return detector.unit
        own = detector.energy_condition.unit
        return "incident energy" if own == detector.unit else f"{detector.unit}/{own}"


def _at_random(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return rows if len(rows) <= most else np.sort(np.random.default_rng(SEED).permutation(rows)[:most])


def _metric_record(row: WholeSampleRow) -> JsonObject:
    metric = WHOLE_SAMPLE_METRICS[row.name]
    return {
        "name": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "direction": metric.direction,
        "perfect": metric.perfect,
        "outcome": _measured(row.outcome),
        "floor": _measured(row.floor),
        "remark": row.remark[:2000],
    }


def _measured(outcome: Outcome | None) -> JsonObject | None:
    if outcome is None:
        return None
    return {"value": outcome.value, "error": outcome.error if math.isfinite(outcome.error) else None}
