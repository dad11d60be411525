"""Samples at other conditions are paired, with the mismatch stated; what an excess is worth."""

from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from metrics import matching
from metrics.estimate import Estimate
from metrics.judge import Judge
from metrics.matching import match, pair
from metrics.scorecards import SCORECARDS
from metrics.worth import worth


@pytest.fixture(scope="module")
def events() -> Events:
    return DATASETS["lhcb-pions-geant4"].split("validation").select(np.arange(200))


def test_equal_conditions_stay_as_they_are(events: Events) -> None:
    matched = match(events, events)
    assert matched.mismatch == ()
    np.testing.assert_array_equal(matched.rows, np.arange(200))


def test_shuffled_events_find_their_partners(events: Events) -> None:
    order = np.random.default_rng(0).permutation(200)
    matched = match(events, events.select(order))
    np.testing.assert_array_equal(order[matched.rows], np.arange(200))
    np.testing.assert_array_equal(matched.response, events.response)
    assert all(part.largest == 0 for part in matched.mismatch)


def test_other_particles_are_used_once_and_scaled_to_the_energy_of_the_reference() -> None:
    pions = DATASETS["lhcb-pions-geant4"].split("train").select(np.arange(500))
    reference, other = pions.select(np.arange(200)), pions.select(np.arange(200, 500))
    matched = match(reference, other)
    assert len(np.unique(matched.rows)) == 200
    factor = reference.incident_energy / other.incident_energy[matched.rows]
    np.testing.assert_allclose(matched.response, other.response[matched.rows] * factor[:, None], rtol=1e-5)
    assert 0 < max(part.of_spread for part in matched.mismatch) < 0.5


def test_slices_match_almost_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    pions = DATASETS["lhcb-pions-geant4"].split("train").select(np.arange(500))
    reference, other = pions.select(np.arange(200)), pions.select(np.arange(200, 500))
    whole = match(reference, other)
    monkeypatch.setattr(matching, "PAIRS_AT_A_TIME", 200 * 300 // 9)
    sliced = match(reference, other)
    assert len(np.unique(sliced.rows)) == 200
    distance = [sum(part.of_spread for part in matched.mismatch) for matched in (whole, sliced)]
    assert distance[1] < 2 * distance[0]


def test_what_cannot_be_paired_is_refused(events: Events) -> None:
    with pytest.raises(InvalidEvents, match="200 events, the other sample 199"):
        match(events, events.select(np.arange(199)))
    other = replace(events.detector, name="something-else")
    with pytest.raises(InvalidEvents, match="one detector"):
        match(events, replace(events, detector=other))


def test_worth_by_hand() -> None:
    """A floor of 0.2 at 100 events and an excess of 0.1: 50 · 4 events; as large as 0.2 at 95 %: at least 50."""
    found = worth(Estimate(0.1, 0.1 / 1.645), 0.2, 100)
    assert found.events == pytest.approx(200)
    assert found.at_least == pytest.approx(50)


def test_no_excess_is_worth_no_finite_number() -> None:
    found = worth(Estimate(-0.1, 0.2), 0.2, 100)
    assert found.events is None
    assert found.at_least is not None
    assert worth(Estimate(0.1, float("nan")), 0.2, 100).at_least is None


def test_floor_sinks_with_the_root_of_the_size() -> None:
    """What ``worth`` assumes, on photons: four times the events, half the Wasserstein distance."""
    dataset = DATASETS["atlas-photons-geant4"]
    sample = dataset.split("train")
    twin = dataset.twin_split("train")
    assert twin is not None
    energies = np.unique(sample.conditions["incident_energy"])
    by_energy = [np.flatnonzero(sample.conditions["incident_energy"] == energy) for energy in energies]
    floors = []
    for size in (75, 300):
        rows = [np.concatenate([index[start : start + size] for index in by_energy]) for start in range(0, 300, size)]
        judged = []
        for part in rows:
            judge = Judge(SCORECARDS["atlas-photons-v1"], sample.select(part), twin.select(part), replicas=0)
            judgement = judge.judge(twin.response[part], errors=False)
            judged.append(judgement.components["wasserstein"].value)
        floors.append(np.mean(judged))
    assert floors[0] / floors[1] == pytest.approx(2, rel=0.15)


def test_the_same_particles_are_paired_wherever_they_stand() -> None:
    dataset = DATASETS["lhcb-pions-geant4"]
    reference = dataset.fresh_split("validation")
    assert reference is not None
    everything = dataset.source.read()
    found = pair(reference, everything)
    np.testing.assert_array_equal(found.rows, dataset.rows("validation"))
    assert found.mismatch == ()
    assert found.factor is None
    order = np.random.default_rng(0).permutation(len(reference))
    np.testing.assert_array_equal(order[pair(reference, reference.select(order)).rows], np.arange(len(reference)))
