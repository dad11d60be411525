"""What every registered observable and metric states about itself, and what follows from its cost class."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from data_adapters.datasets import DATASETS
from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.layouts.calochallenge import published_detector
from metrics import FAULTS, METRICS, OBSERVABLES, SCORECARDS, WHOLE_SAMPLE_METRICS
from metrics.cost import COSTS, MOST_MS, MOST_MS_OF_OBSERVABLES, allowed
from metrics.discrepancies.component import Metric
from metrics.judge import Judge
from metrics.listing import KINDS, lines, rows
from metrics.observables import observables_of
from metrics.observables.component import Family
from metrics.scorecard import Scorecard
from metrics.whole_sample import WholeSampleMetric

DETECTORS = {dataset.detector.name: dataset.detector for dataset in DATASETS.values()}
DETECTORS["calochallenge-2"] = published_detector("calochallenge-2")

families = pytest.mark.parametrize("family", OBSERVABLES.values(), ids=OBSERVABLES)
detectors = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
scorecards = pytest.mark.parametrize("card", SCORECARDS.values(), ids=SCORECARDS)
all_metrics = pytest.mark.parametrize(
    "metric",
    [*METRICS.values(), *WHOLE_SAMPLE_METRICS.values()],
    ids=[f"{registry.kind} {name}" for registry in (METRICS, WHOLE_SAMPLE_METRICS) for name in registry],
)


def test_cost_classes() -> None:
    assert COSTS == ("every evaluation", "end of trial", "benchmark only")
    for limits in (MOST_MS, MOST_MS_OF_OBSERVABLES):
        assert tuple(limits) == COSTS
        assert sorted(limits.values()) == list(limits.values())
    assert allowed("every evaluation", MOST_MS["every evaluation"])
    assert not allowed("every evaluation", MOST_MS["every evaluation"] + 1)
    assert allowed("every evaluation", MOST_MS["every evaluation"] + 1, observables=True)
    assert allowed("benchmark only", 1e9)


@families
def test_family_says_what_it_is(family: Family) -> None:
    for statement in (family.title, family.definition, family.unit, family.detectors, family.source):
        assert statement.strip() == statement != ""
    assert family.smallest_sample > 1
    assert family.cost in COSTS


@families
def test_family_applies_to_some_detector(family: Family) -> None:
    assert any(family.of(detector) for detector in DETECTORS.values())


@detectors
def test_every_observable_says_what_it_is(detector: Detector) -> None:
    for observable in observables_of(detector).values():
        for statement in (observable.name, observable.title, observable.unit, observable.source):
            assert statement, observable.name
        if observable.kind == "profile":
            assert observable.x_label, observable.name
            assert observable.y_label, observable.name
            assert observable.edges_unit, observable.name


@all_metrics
def test_metric_says_what_it_is(metric: Metric | WholeSampleMetric) -> None:
    for statement in (metric.title, metric.definition, metric.unit, metric.source):
        assert statement.strip() == statement != ""
    assert metric.direction in ("lower", "higher", "to_perfect")
    assert math.isfinite(metric.perfect)
    assert metric.smallest_sample > 1
    assert metric.cost in COSTS


def test_metrics_of_whole_samples_are_of_the_benchmark() -> None:
    assert {metric.cost for metric in WHOLE_SAMPLE_METRICS.values()} == {"benchmark only"}


def test_names_are_unique_but_for_metrics_of_one_observable() -> None:
    """A metric may be called like the observable that it compares."""
    registries = (METRICS, WHOLE_SAMPLE_METRICS, OBSERVABLES, SCORECARDS, FAULTS)
    counts = Counter(name for registry in registries for name in registry)
    for name in (name for name, count in counts.items() if count > 1):
        assert counts[name] == 2
        compared = {o.name for detector in DETECTORS.values() for o in OBSERVABLES[name].of(detector)}
        assert METRICS[name].needs
        assert compared.issuperset(METRICS[name].needs)


@scorecards
def test_what_is_scored_is_cheap_enough_for_every_evaluation(card: Scorecard) -> None:
    assert {METRICS[name].cost for name in card.weights} == {"every evaluation"}
    detector = DETECTORS[card.detector]
    used = {*card.distributions, *card.profiles}
    for family in OBSERVABLES.values():
        if used & {observable.name for observable in family.of(detector)}:
            assert family.cost == "every evaluation"
            assert family.smallest_sample <= card.smallest_sample


@scorecards
def test_what_is_reported_does_not_wait_for_the_benchmark(card: Scorecard) -> None:
    assert {METRICS[name].cost for name in card.reported} <= {"every evaluation", "end of trial"}


@pytest.mark.parametrize("asked", [{"errors": False}, {"reported": False}], ids=["value", "error"])
def test_what_a_trial_asks_for_is_computed_from_cheap_metrics(
    asked: dict[str, bool], reference: Events, twin: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials call the judge without errors, and for their best state without what is reported."""
    computed: list[str] = []
    for name, metric in METRICS.items():
        monkeypatch.setitem(METRICS._components, name, replace(metric, function=_recorded(metric, computed)))
    judge = Judge(SCORECARDS["atlas-photons-v1"], reference, twin, replicas=2)
    judge.judge(twin.response, **asked)
    assert set(computed) == set(SCORECARDS["atlas-photons-v1"].weights)
    assert {METRICS[name].cost for name in computed} == {"every evaluation"}
    judge.judge(twin.response)
    assert "gromov_wasserstein" in computed


def _recorded(metric: Metric, computed: list[str]) -> Any:
    def function(*arguments: Any) -> Any:
        computed.append(metric.name)
        return metric.function(*arguments)

    return function


# ------------------------------------------------------------------ listing


def test_listed_are_name_cost_unit_and_title() -> None:
    assert rows(METRICS)[list(METRICS).index("wasserstein")] == (
        "wasserstein",
        "every evaluation",
        "standard deviations of R",
        "Wasserstein-1 distance",
    )


def test_columns_that_nobody_fills_are_left_out() -> None:
    assert rows(SCORECARDS)[0] == ("atlas-photons-v1", SCORECARDS["atlas-photons-v1"].title)
    assert rows({}) == []
    assert lines({}) == []


@pytest.mark.parametrize("kind", KINDS)
def test_lines_are_in_columns(kind: str) -> None:
    listed = zip(lines(KINDS[kind]), KINDS[kind].values(), strict=True)
    assert len({line.index(component.title, len(component.name)) for line, component in listed}) == 1
