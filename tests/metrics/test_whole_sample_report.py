"""Every metric of whole samples: contracts, and what a report of them says."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from metrics import whole_sample_report as module
from metrics.condition_bin import condition_bins
from metrics.condition_cells import condition_cells
from metrics.faults import FAULTS
from metrics.networks import regression
from metrics.observed_sample import ObservedSample, observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome, SamplePair, WholeSampleMetric, neighbours
from metrics.whole_sample.component import Kept
from metrics.whole_sample_report import (
    WholeSampleReport,
    WholeSampleRow,
    feature_pair,
    observed_names,
    whole_sample_report,
)

CARD = SCORECARDS["atlas-photons-v1"]
DATASET = DATASETS["atlas-photons-geant4"]
BLIND_TO_THE_MEAN_SHOWER = ("precision", "energy_regression_bias")  # it is a plausible shower of the right energy
ONE_BIN = replace(CARD, condition_bins=(2.0**17,), condition_edges=(0.0, 2.0**20), smallest_sample=50)
metrics = pytest.mark.parametrize("metric", WHOLE_SAMPLE_METRICS.values(), ids=WHOLE_SAMPLE_METRICS)


@pytest.fixture(scope="module")
def photons() -> tuple[Events, Events, Events]:
    reference, twin, fresh = (
        DATASET.split("validation"),
        DATASET.twin_split("validation"),
        DATASET.fresh_split("validation"),
    )
    assert twin is not None
    assert fresh is not None
    return reference, twin, fresh


@pytest.fixture(scope="module")
def reports(photons: tuple[Events, Events, Events]) -> dict[str, dict[str, WholeSampleRow]]:
    reference, twin, fresh = photons
    samples = {"full simulation": fresh.response, "collapsed": FAULTS["collapsed_conditions"].inject(fresh)}
    found = {name: whole_sample_report(CARD, reference, sample, twin.response) for name, sample in samples.items()}
    return {name: {row.name: row for row in rows} for name, rows in found.items()}


@metrics
def test_metric_says_what_it_is(metric: WholeSampleMetric) -> None:
    assert metric.title
    assert len(metric.definition) > 40
    assert metric.source
    assert metric.unit
    assert metric.smallest_sample > 1
    assert metric.cost == "benchmark only"


@metrics
def test_full_simulation_is_near_its_floor_and_the_mean_shower_is_not(
    metric: WholeSampleMetric, reports: dict[str, dict[str, WholeSampleRow]]
) -> None:
    full, collapsed = (report[metric.name] for report in reports.values())
    if full.outcome is None:
        assert metric.name == "optimisation_3dgan"
        assert full.reason
        return
    assert full.floor is not None
    assert collapsed.outcome is not None
    distance = abs(full.outcome.value - full.floor.value)
    error = np.hypot(full.outcome.error, full.floor.error)
    assert distance < 5 * error
    if metric.name not in BLIND_TO_THE_MEAN_SHOWER:
        assert abs(collapsed.outcome.value - metric.perfect) > 3 * abs(full.floor.value - metric.perfect)


def test_same_seed_gives_the_same_report(
    photons: tuple[Events, Events, Events], reports: dict[str, dict[str, WholeSampleRow]]
) -> None:
    reference, _, fresh = photons
    again = whole_sample_report(CARD, reference, fresh.response, None)
    assert [row.outcome for row in again] == [row.outcome for row in reports["full simulation"].values()]
    assert all(row.floor is None for row in again)


def test_features_are_standardised_in_each_bin(photons: tuple[Events, Events, Events]) -> None:
    reference, twin, _ = photons
    names = observed_names(CARD, reference.detector)
    r, g = (observe_sample(PairedSample.in_memory(reference, events.response), names) for events in (reference, twin))
    bins = condition_bins(CARD, condition_cells(CARD, reference.detector, reference.conditions), r.values)
    pair = feature_pair(bins, r, g, Kept(r))
    for number in np.unique(pair.bins):
        inside = pair.reference_features[pair.bins == number]
        np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(inside.std(axis=0), 1, atol=1e-9)


def test_small_samples_give_reasons_instead_of_numbers(photons: tuple[Events, Events, Events]) -> None:
    few = photons[0].select(np.arange(150))
    rows = whole_sample_report(ONE_BIN, few, few.response, None)
    for row in rows:
        assert (row.outcome is None) == (row.reason != "") == (WHOLE_SAMPLE_METRICS[row.name].smallest_sample > 150)
    assert "150 events; it needs 1000" in rows[0].reason


# ---------------------------------------------------------------- what a metric refuses


def report_of(reference: Events, generated: Events, twin: Events | None, seed: int = 0) -> WholeSampleReport:
    card = replace(ONE_BIN, smallest_sample=2)
    names = observed_names(card, reference.detector)

    def observed(sample: Events) -> ObservedSample:
        return observe_sample(PairedSample.in_memory(reference, sample.response), names)

    r = observed(reference)
    bins = condition_bins(card, condition_cells(card, reference.detector, reference.conditions), r.values)
    return WholeSampleReport(bins, r, observed(generated), None if twin is None else observed(twin), seed)


@pytest.fixture(scope="module")
def few(photons: tuple[Events, Events, Events]) -> tuple[Events, Events, Events]:
    """150 events: reference, twin, fresh."""
    reference, twin, fresh = (sample.select(np.arange(150)) for sample in photons)
    return reference, twin, fresh


def with_function(function: Callable[[SamplePair, int], Outcome]) -> WholeSampleMetric:
    """A metric of cells that does this."""
    return replace(WHOLE_SAMPLE_METRICS["mscn_jsd"], function=function)


@pytest.mark.parametrize("error", [ValueError("it is too flat"), InvalidEvents("it is too flat")])
def test_what_a_metric_refuses_is_the_reason(few: tuple[Events, Events, Events], error: ValueError) -> None:
    def refuse(_pair: SamplePair, _seed: int) -> Outcome:
        raise error

    row = report_of(few[0], few[2], few[1]).row(with_function(refuse))
    assert (row.outcome, row.floor, row.reason) == (None, None, "it is too flat")
    assert row.to_json()["remark"] == "it is too flat"


def test_a_floor_alone_may_be_missing_and_so_may_the_outcome(few: tuple[Events, Events, Events]) -> None:
    reference, twin, fresh = few

    def refuse(unwanted: Events) -> Callable[[SamplePair, int], Outcome]:
        def function(pair: SamplePair, _seed: int) -> Outcome:
            if np.array_equal(pair.generated.response, unwanted.response):
                raise ValueError("it is too flat")
            return Outcome(2.0, 0.1)

        return function

    report = report_of(reference, fresh, twin)
    without_floor = report.row(with_function(refuse(twin)))
    assert without_floor.outcome == Outcome(2.0, 0.1)
    assert without_floor.floor is None
    assert without_floor.remark == "No floor: it is too flat."
    without_outcome = report.row(with_function(refuse(fresh)))
    assert without_outcome.outcome is None
    assert without_outcome.floor == Outcome(2.0, 0.1)
    assert without_outcome.remark == "it is too flat"


@pytest.mark.parametrize("error", [TypeError("a fault of ours"), ZeroDivisionError(), AssertionError(), MemoryError()])
def test_other_errors_are_raised(few: tuple[Events, Events, Events], error: Exception) -> None:
    def fail(_pair: SamplePair, _seed: int) -> Outcome:
        raise error

    with pytest.raises(type(error)):
        report_of(few[0], few[2], None).row(with_function(fail))


def test_a_value_that_is_no_number_is_no_outcome(few: tuple[Events, Events, Events]) -> None:
    def diverge(_pair: SamplePair, _seed: int) -> Outcome:
        return Outcome(float("inf"), 1.0)

    row = report_of(few[0], few[2], None).row(with_function(diverge))
    assert (row.outcome, row.reason) == (None, "the value is inf")


def test_details_that_are_no_numbers_can_be_written() -> None:
    outcome = Outcome(1.0, float("nan"), {"layers": [{"error": float("nan"), "value": 2.0}], "name": "x"})
    written = json.dumps(outcome.to_json(), allow_nan=False)
    assert json.loads(written) == {
        "value": 1.0,
        "error": None,
        "details": {"layers": [{"error": None, "value": 2.0}], "name": "x"},
    }


@pytest.mark.parametrize("name", ["diversity", "ssim"])
def test_pairs_need_two_independent_events_in_a_bin(few: tuple[Events, Events, Events], name: str) -> None:
    """All events are of one particle."""
    one = replace(few[0], identity=np.zeros(150, dtype=np.uint64))
    row = report_of(one, few[2], few[1]).row(WHOLE_SAMPLE_METRICS[name])
    assert row.outcome is row.floor is None
    assert "no two independent ones" in row.reason


@pytest.mark.parametrize("name", ["fpd", "kpd", "coverage"])
def test_distances_need_events_whatever_the_metric_asks_for(few: tuple[Events, Events, Events], name: str) -> None:
    reference, twin, fresh = (sample.select(np.arange(15)) for sample in few)
    report = report_of(reference, fresh, twin)
    row = report.row(replace(WHOLE_SAMPLE_METRICS[name], smallest_sample=2))
    assert row.outcome is row.floor is None
    assert "15 events came" in row.reason
    assert "15 events; it needs" in report.row(WHOLE_SAMPLE_METRICS[name]).reason


@pytest.mark.parametrize("name", ["energy_regression_bias", "classifier_auc_high"])
def test_networks_need_independent_particles(few: tuple[Events, Events, Events], name: str) -> None:
    four = replace(few[0], identity=(np.arange(150) % 4).astype(np.uint64))
    assert "4 independent particles" in report_of(four, few[2], None).row(WHOLE_SAMPLE_METRICS[name]).reason


def test_the_remark_of_the_classifier_is_in_its_row(reports: dict[str, dict[str, WholeSampleRow]]) -> None:
    row = reports["full simulation"]["classifier_auc_high"]
    assert row.outcome is not None
    assert row.remark == row.outcome.details["remark"] == row.to_json()["remark"]
    assert "fault (first feature shifted" in row.remark


# ---------------------------------------------------------------- nothing twice


def test_networks_are_trained_once_for_bias_and_resolution(
    few: tuple[Events, Events, Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five on the reference, which serve generated sample and twin, five on each of these; another seed, others."""
    trained = []
    train = regression._train

    def counted(*arguments: object) -> object:
        trained.append(arguments)
        return train(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(regression, "_train", counted)
    reference, twin, fresh = few
    report = report_of(reference, fresh, twin)
    rows = report.rows([WHOLE_SAMPLE_METRICS[f"energy_regression_{name}"] for name in ("bias", "resolution")])
    assert len(trained) == 15
    assert rows[0].outcome is not None
    assert rows[1].outcome is not None
    assert rows[0].outcome.details["studies"] == rows[1].outcome.details["studies"]
    of_twin = report_of(reference, twin, None).row(WHOLE_SAMPLE_METRICS["energy_regression_bias"])
    assert of_twin.outcome == rows[0].floor
    other = report_of(reference, fresh, None, seed=1).row(WHOLE_SAMPLE_METRICS["energy_regression_bias"])
    assert other.outcome != rows[0].outcome


def test_distances_are_computed_once_for_four_metrics(
    photons: tuple[Events, Events, Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of real to generated events and the other way round, of the whole sample and of ten subsets."""
    computed = []
    inside = neighbours.inside

    def counted(*arguments: object) -> object:
        computed.append(arguments)
        return inside(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(neighbours, "inside", counted)
    reference, _, fresh = photons
    report = report_of(reference, fresh, None)
    found = {row.name: row.outcome for row in report.rows([WHOLE_SAMPLE_METRICS[name] for name in FOUR])}
    assert len(computed) == 22
    pair = feature_pair(report.bins, report.reference, report.generated, Kept())
    for name, quantity in FOUR.items():
        alone = neighbours.neighbour_outcome(quantity, pair.reference_features, pair.generated_features, 0)
        assert found[name] == alone


FOUR = {
    "precision": neighbours.precision,
    "recall": neighbours.recall,
    "density": neighbours.density,
    "coverage": neighbours.coverage,
}


# ---------------------------------------------------------------- samples larger than memory


def test_cells_of_large_samples_are_those_of_events_drawn_at_random(
    photons: tuple[Events, Events, Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics that see features still see all events."""
    reference, twin, fresh = photons
    monkeypatch.setattr(module, "MOST_CELLS", 200 * reference.detector.num_cells)
    seen = []

    def look(pair: SamplePair, _seed: int) -> Outcome:
        seen.append(pair)
        return Outcome(1.0, 0.1, {"remark": "Own."})

    report = report_of(reference, fresh, twin)
    row = report.row(with_function(look))
    assert row.remark == f"Own. Of 200 of the {len(reference)} events, drawn at random."
    which = np.flatnonzero(np.isin(reference.identity, seen[0].reference.identity))
    assert len(which) == 200
    assert which.max() > 0.9 * len(reference)
    for pair, sample in zip(seen, (fresh, twin), strict=True):
        np.testing.assert_array_equal(pair.reference.response, reference.response[which])
        np.testing.assert_array_equal(pair.generated.response, sample.response[which])
    assert seen[0].kept_of_reference is seen[1].kept_of_reference
    precision = report.row(WHOLE_SAMPLE_METRICS["precision"])
    assert precision.outcome is not None
    assert precision.outcome.details["events"] == len(reference)
    assert precision.remark == ""
    too_few = report.row(replace(with_function(look), smallest_sample=201))
    assert "200 events; it needs 201" in too_few.reason
