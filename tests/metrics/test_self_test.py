"""The metrics notice the faults that they were meant to notice: a miss fails here."""

from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from metrics import SCORECARDS
from metrics.faults import faults_of
from metrics.scorecard import Scorecard
from metrics.self_test import NO_FAULT, POWER, UNSCORED, num_judgements, self_test, sizes_for
from metrics.self_test_expected import EXPECTED, SHORTFALLS
from metrics.simulations import three_simulations

scorecards = pytest.mark.parametrize("scorecard", SCORECARDS.values(), ids=SCORECARDS)
LONG = ("lhcb-tracks-v1", "lhcb-events-v1", "clic-electrons-v1", "alice-tracks-v1")
in_a_quick_run = pytest.mark.parametrize(
    "scorecard",
    [pytest.param(card, id=name, marks=[pytest.mark.slow] * (name in LONG)) for name, card in SCORECARDS.items()],
)
CARD = SCORECARDS["atlas-photons-v1"]
TWO_ENERGIES = replace(CARD, condition_bins=CARD.condition_bins[:2])


@pytest.fixture(scope="module")
def photons() -> tuple[Events, Events, Events]:
    """Of the two lowest energies."""
    simulations = three_simulations(DATASETS["atlas-photons-geant4"])
    rows = np.flatnonzero(simulations[0].incident_energy <= TWO_ENERGIES.condition_bins[-1])
    first, second, third = (events.select(rows) for events in simulations)
    return first, second, third


@in_a_quick_run
def test_what_was_expected_is_noticed_except_for_the_shortfalls_on_record(scorecard: Scorecard) -> None:
    expected = EXPECTED[scorecard.name]
    simulations = three_simulations(DATASETS[expected.dataset])
    powers = self_test(scorecard, simulations, [len(simulations[0])])
    missed = {
        (expected.dataset, power.fault, power.metric)
        for power in powers
        if power.metric in expected.noticed.get(power.fault, ()) and power.power < POWER
    }
    assert missed == {shortfall for shortfall in SHORTFALLS if shortfall[0] == expected.dataset}
    noticed_by_chance = [power.noticed for power in powers if power.fault == NO_FAULT]
    assert np.mean(noticed_by_chance) <= 1  # of 12 draws; 0.12 on average


@scorecards
def test_expectations_name_faults_and_metrics_that_are_there(scorecard: Scorecard) -> None:
    expected = EXPECTED[scorecard.name]
    detector = DATASETS[expected.dataset].detector
    assert detector.name == scorecard.detector
    assert set(expected.noticed) <= set(faults_of(detector))
    assert {metric for metrics in expected.noticed.values() for metric in metrics} <= {"score", *scorecard.weights}
    assert set(EXPECTED) == set(SCORECARDS)


def test_every_fault_is_counted_for_every_metric_and_the_same_way_again(
    photons: tuple[Events, Events, Events],
) -> None:
    done: list[None] = []
    powers = self_test(TWO_ENERGIES, photons, [110, 200], draws=2, done=lambda: done.append(None))
    assert len(done) == num_judgements(photons, [110, 200], 2) == 2 * 2 * 11
    metrics = ["score", *TWO_ENERGIES.weights, *UNSCORED]
    faults = [NO_FAULT, *faults_of(photons[0].detector)]
    keys = [(power.events, power.fault, power.metric) for power in powers]
    assert keys == [(events, fault, metric) for events in (110, 200) for fault in faults for metric in metrics]
    assert powers == self_test(TWO_ENERGIES, photons, [110, 200], draws=2)
    assert all(power.draws == 2 for power in powers)


def test_sizes_leave_enough_events_in_every_condition_bin(photons: tuple[Events, Events, Events]) -> None:
    reference = photons[0]
    assert sizes_for(TWO_ENERGIES, reference) == (len(reference) // 2, len(reference))
    few = reference.select(np.arange(0, len(reference), 2))
    assert sizes_for(TWO_ENERGIES, few) == (len(few),)
    with pytest.raises(ValueError, match="needs 50 reference events in every condition bin"):
        self_test(TWO_ENERGIES, photons, [60], draws=1)


def test_where_particles_were_not_simulated_again_others_at_like_conditions_stand_for_them() -> None:
    dataset = DATASETS["airshower-data"]
    reference, twin, third = three_simulations(dataset)
    assert dataset.twin is None
    train = dataset.split("train")
    for sample in (twin, third):
        np.testing.assert_array_equal(sample.conditions["incident_energy"], reference.conditions["incident_energy"])
        assert (sample.response != reference.response).any(axis=1).all()
    assert (twin.response != third.response).any(axis=1).all()
    assert len(train) >= 2 * len(reference)
