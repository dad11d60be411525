"""CPU time of every registered metric and family of observables for 1000 events, and whether its cost class allows it.

Each is measured on the first sample that it applies to, ATLAS-like photons first; samples of fewer events are repeated.
Metrics of condition bins: value in all bins, and error from 100 bootstrap replicas (or as many as the metric is given).
Families: all observables, with everything that they are computed from; the slowest of the detectors counts.

    OMP_NUM_THREADS=1 python benchmarks/metric_costs.py

Exits with 1 if a component is slower than its class allows.
"""

# Axes: N events, n events of a condition bin, K replicas.
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import DATASETS, Dataset
from data_adapters.events import Events
from data_adapters.layouts.calochallenge import published_detector
from metrics import METRICS, OBSERVABLES, SCORECARDS, WHOLE_SAMPLE_METRICS
from metrics.bootstrap import event_weights, independent_units
from metrics.condition_bin import ConditionBin, condition_bins
from metrics.condition_cells import condition_cells
from metrics.cost import Cost, allowed
from metrics.discrepancies.component import Metric
from metrics.observables.component import Family, Observable
from metrics.observables.sample import Sample
from metrics.observed_sample import ObservedSample, observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecard import Scorecard
from metrics.whole_sample import WholeSampleMetric
from metrics.whole_sample_report import WholeSampleReport, observed_names

NUM_EVENTS = 1000
REPLICAS = 100
ENOUGH_MS = 500.0
MOST_CALLS = 25
WITHOUT_DATASET = "calochallenge-2"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """CPU milliseconds; ``error`` is the part for the bootstrap."""

    kind: str
    name: str
    detector: str
    value: float
    error: float
    cost: Cost

    @property
    def holds(self) -> bool:
        """Whether the class allows it."""
        return allowed(self.cost, self.value + self.error, observables=self.kind == "observable")


def main() -> None:
    """Print the table."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: CPU times of one thread and of several are not comparable")
    print(f"{'':20}{'':30}{'detector':19}{'value [ms]':>11}{'error [ms]':>12}  class")
    fits = True
    for row in rows():
        fits &= row.holds
        error = f"{row.error:12.2f}" if row.error else f"{'–':>12}"
        remark = "" if row.holds else ": too slow for it"
        print(f"{row.kind:20}{row.name:30}{row.detector:19}{row.value:11.2f}{error}  {row.cost}{remark}", flush=True)
    sys.exit(0 if fits else 1)


def rows() -> Iterator[Row]:
    """One for each component."""
    for metric in METRICS.values():
        yield metric_row(metric)
    for whole in WHOLE_SAMPLE_METRICS.values():
        yield whole_sample_row(whole)
    for family in OBSERVABLES.values():
        yield max(family_rows(family), key=lambda row: row.value)


def milliseconds(function: Callable[[], object]) -> float:
    """Median CPU time of a call; calls are repeated until they are enough."""
    spent: list[float] = []
    function()
    while len(spent) < MOST_CALLS and sum(spent) < ENOUGH_MS:
        start = time.process_time()
        function()
        spent.append(1e3 * (time.process_time() - start))
    return median(spent)


def metric_row(metric: Metric) -> Row:
    """On the first scorecard that has what the metric needs."""
    card = next(card for card in SCORECARDS.values() if set(metric.needs) <= set(card.distributions))
    bins, reference, generated = observed(card.name, datasets_of(card)[0].name)
    measured = [(bin_.measure(reference.values), bin_.measure(generated.values)) for bin_ in bins]
    events = [bin_.events for bin_ in bins]
    weights = event_weights(events, independent_units(reference.identity), REPLICAS, seed=0)

    def evaluate(rows_of_bins: list[Floats]) -> None:
        for bin_, (of_r, of_g), rows_of_bin in zip(bins, measured, rows_of_bins, strict=True):
            metric.function(bin_, of_r, of_g, rows_of_bin)

    value = milliseconds(partial(evaluate, [np.ones((1, len(numbers))) for numbers in events]))
    error = milliseconds(partial(evaluate, [rows_of_bin[: metric.bootstrap_replicas] for rows_of_bin in weights]))
    return Row("metric", metric.name, card.detector, value, error, metric.cost)


def whole_sample_row(metric: WholeSampleMetric) -> Row:
    """On the first events that it applies to; the error comes with the value."""
    for card in SCORECARDS.values():
        for dataset in datasets_of(card):
            if metric.applies(samples(dataset.name)[0]) is None:
                value = milliseconds(partial(compute, metric, *observed(card.name, dataset.name)))
                return Row("whole-sample metric", metric.name, card.detector, value, 0.0, metric.cost)
    raise ValueError(f"{metric.name} applies to no dataset")


def compute(
    metric: WholeSampleMetric, bins: tuple[ConditionBin, ...], reference: ObservedSample, generated: ObservedSample
) -> None:
    """Value and error, without what another metric may have left."""
    row = WholeSampleReport(bins, reference, generated, None).row(metric)
    if row.outcome is None:
        raise ValueError(f"{metric.name}: {row.reason}")


def datasets_of(card: Scorecard) -> list[Dataset]:
    """Those of its detector."""
    return [dataset for dataset in DATASETS.values() if dataset.detector.name == card.detector]


@cache
def observed(card_name: str, dataset: str) -> tuple[tuple[ConditionBin, ...], ObservedSample, ObservedSample]:
    """Condition bins of a scorecard, reference and generated sample."""
    card = SCORECARDS[card_name]
    reference, generated = samples(dataset)
    names = observed_names(card, reference.detector)
    r, g = (
        observe_sample(PairedSample.in_memory(reference, response), names)
        for response in (reference.response, generated.response)
    )
    return tuple(condition_bins(card, condition_cells(card, r.detector, r.conditions), r.values)), r, g


@cache
def samples(dataset: str) -> tuple[Events, Events]:
    """Validation events, and as a generated sample their twins."""
    reference, twin = DATASETS[dataset].split("validation"), DATASETS[dataset].twin_split("validation")
    return thousand(reference), thousand(reference if twin is None else twin)


def thousand(events: Events) -> Events:
    """The first thousand events, from the beginning again where there are fewer."""
    return events.select(np.resize(np.arange(len(events)), NUM_EVENTS))


def family_rows(family: Family) -> Iterator[Row]:
    """One for each detector that it applies to."""
    for events in all_events():
        if observables := family.of(events.detector):
            value = milliseconds(partial(observe_all, observables, events))
            yield Row("observable", family.name, events.detector.name, value, 0.0, family.cost)


def observe_all(observables: tuple[Observable, ...], events: Events) -> None:
    """All of a family, with what they share computed once."""
    sample = Sample(events)
    for observable in observables:
        observable.function(sample)


def all_events() -> Iterator[Events]:
    """Of each detector of the datasets, and showers of equal cells for the one that has none."""
    for dataset in {dataset.detector.name: dataset for dataset in DATASETS.values()}.values():
        yield samples(dataset.name)[0]
    detector = published_detector(WITHOUT_DATASET)
    response = np.ones((NUM_EVENTS, detector.num_cells), dtype=np.float32)
    conditions = {condition.name: np.full(NUM_EVENTS, condition.high) for condition in detector.conditions}
    yield Events(detector, conditions, response, np.arange(NUM_EVENTS, dtype=np.uint64))


if __name__ == "__main__":
    main()
