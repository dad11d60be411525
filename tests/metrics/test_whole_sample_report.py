"""Every metric of whole samples: contracts, and what a report of them says."""

from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from metrics.faults import FAULTS
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, WholeSampleMetric
from metrics.whole_sample_report import WholeSampleRow, sample_pair, whole_sample_report

CARD = SCORECARDS["atlas-photons-v1"]
DATASET = DATASETS["atlas-photons-geant4"]
BLIND_TO_THE_MEAN_SHOWER = ("precision", "energy_regression_bias")  # it is a plausible shower of the right energy
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
    pair = sample_pair(CARD, reference, twin.response)
    for number in np.unique(pair.bins):
        inside = pair.reference_features[pair.bins == number]
        np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(inside.std(axis=0), 1, atol=1e-9)


def test_small_samples_give_reasons_instead_of_numbers(photons: tuple[Events, Events, Events]) -> None:
    few = photons[0].select(np.arange(150))
    card = replace(CARD, condition_bins=(2.0**17,), condition_edges=(0.0, 2.0**20), smallest_sample=50)
    rows = whole_sample_report(card, few, few.response, None)
    for row in rows:
        assert (row.outcome is None) == (row.reason != "") == (WHOLE_SAMPLE_METRICS[row.name].smallest_sample > 150)
    assert "150 events; it needs 1000" in rows[0].reason
