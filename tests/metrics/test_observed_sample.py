"""Samples that are read and observed block by block: the numbers of samples in memory, each event read once."""

# Axes: N events, V cells.
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from data_adapters.problems import UnreadableFile
from data_adapters.registry import UnknownName
from metrics import observables, paired_sample
from metrics.condition_cells import ConditionCells
from metrics.judge import Judge
from metrics.matching import match
from metrics.observables import observe
from metrics.observed_sample import ObservedSample, observe_sample
from metrics.paired_sample import PairedSample, in_memory
from metrics.scorecards import SCORECARDS, scorecard_for, scorecard_of
from metrics.scorecards.generic import generic_scorecard

NAMES = ("response", "centre_x", "profile_x")
BLOCK = 64  # events


@pytest.fixture(scope="module")
def pions() -> Events:
    return DATASETS["lhcb-pions-geant4"].split("train").select(np.arange(500))


@pytest.fixture
def small_blocks(pions: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (observables, paired_sample):
        monkeypatch.setattr(module, "CELLS_AT_A_TIME", BLOCK * pions.detector.num_cells)


class Counted:
    """Reads as another does, and writes down what was read."""

    def __init__(self, events: Events) -> None:
        self.response = events.response
        self.read: list[tuple[int, int]] = []
        self.source = replace(in_memory(events), read_response=self)

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        self.read.append((start, stop))
        return self.response[start:stop]


def observed(reference: Events, other: Events) -> ObservedSample:
    return observe_sample(PairedSample.of(in_memory(reference), in_memory(other)), NAMES)


@pytest.mark.usefixtures("small_blocks")
def test_a_file_is_read_once_block_by_block_with_the_numbers_of_memory(pions: Events) -> None:
    counted = Counted(pions)
    seen = observe_sample(PairedSample.itself(counted.source), NAMES)
    assert counted.read == [(start, min(start + BLOCK, 500)) for start in range(0, 500, BLOCK)]
    for name, values in observe(pions, NAMES).items():
        np.testing.assert_array_equal(seen.values[name], values)


@pytest.mark.usefixtures("small_blocks")
def test_events_in_another_order_are_those_of_a_match_in_memory(pions: Events) -> None:
    """200 reference events, 300 others: none used twice, each block of the file is read once."""
    reference = pions.select(np.arange(200))
    other = pions.select(np.random.default_rng(0).permutation(np.arange(200, 500)))
    counted, matched = Counted(other), match(reference, other)
    sample = PairedSample.of(in_memory(reference), counted.source)
    assert sample.pairing.mismatch == matched.mismatch
    seen = observe_sample(sample, NAMES)
    assert len(counted.read) == len(set(counted.read)) == 5
    for name, values in observe(reference.with_response(matched.response), NAMES).items():
        np.testing.assert_allclose(seen.values[name], values, rtol=1e-12, atol=1e-12)
    some = np.array([7, 199, 0, 8])
    np.testing.assert_array_equal(sample.select(some).response, matched.response[some])
    np.testing.assert_array_equal(sample.select(some).incident_energy, reference.incident_energy[some])


@pytest.mark.usefixtures("small_blocks")
def test_mean_showers_are_those_of_each_bin(pions: Events) -> None:
    """Event 0 lies in no bin, the third bin is empty."""
    number = np.arange(500) % 2
    number[0] = -1
    cells = ConditionCells(number, (1.0, 2.0, 3.0), ("a", "b", "c"))
    seen = observe_sample(PairedSample.itself(in_memory(pions)), (), cells)
    fraction = pions.response / pions.incident_energy[:, None]
    np.testing.assert_allclose(seen.mean_showers[0], fraction[2::2].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(seen.mean_showers[1], fraction[1::2].mean(axis=0), rtol=1e-9)
    assert (seen.mean_showers[2] == 0).all()


def test_showers_without_an_energy_are_averaged_as_they_are(pions: Events) -> None:
    conditions = tuple(replace(condition, energy=False) for condition in pions.detector.conditions)
    untold = replace(pions, detector=replace(pions.detector, conditions=conditions))
    cells = ConditionCells(np.zeros(500, dtype=np.intp), (1.0,), ("all",))
    seen = observe_sample(PairedSample.itself(in_memory(untold)), (), cells)
    np.testing.assert_allclose(seen.mean_showers[0], pions.response.mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_a_judge_of_observed_samples_gives_the_same_numbers(reference: Events, twin: Events) -> None:
    generated = DATASETS["atlas-photons-geant4"].fresh_split("validation")
    assert generated is not None
    card = SCORECARDS["atlas-photons-v1"]
    names = (*card.distributions, *card.profiles)
    seen = [
        observe_sample(PairedSample.in_memory(reference, sample.response), names)
        for sample in (reference, generated, twin)
    ]
    of_observed, of_events = Judge(card, seen[0], seen[2]), Judge(card, reference, twin)
    assert of_observed.judge(seen[1]).to_json() == of_events.judge(generated.response).to_json()
    assert of_observed.floor is not None
    assert of_events.floor is not None
    assert of_observed.floor.to_json() == of_events.floor.to_json()


def test_what_was_not_observed_is_named(pions: Events) -> None:
    with pytest.raises(UnknownName, match="no observed quantity"):
        observed(pions, pions).observe(["sparsity"])
    with pytest.raises(UnknownName):
        observe_sample(PairedSample.itself(in_memory(pions)), ["no-such-observable"])


def test_impossible_values_are_found_while_reading(pions: Events) -> None:
    broken = pions.response.copy()
    broken[321, 5] = np.nan
    source = replace(in_memory(pions), read_response=lambda start, stop: broken[start:stop])
    with pytest.raises(UnreadableFile, match=r"event 321\b.*cell 5 holds nan"):
        observe_sample(PairedSample.of(in_memory(pions), source), NAMES)


# ---------------------------------------------------------------- the scorecard of a sample


def test_scorecards_are_found_by_detector() -> None:
    dataset = DATASETS["atlas-photons-geant4"]
    card = SCORECARDS["atlas-photons-v1"]
    assert scorecard_of(dataset.detector, dataset.source.conditions, None) is card
    assert scorecard_of(dataset.detector, dataset.source.conditions, card.name) is card
    assert scorecard_for(dataset, card.name) is card


def test_a_detector_without_one_gets_what_follows_from_it(pions: Events) -> None:
    unknown = replace(pions.detector, name="unknown")
    found = scorecard_of(unknown, pions.conditions, None)
    assert found == generic_scorecard(unknown, pions.conditions[unknown.binning_condition.name])
    signed = replace(unknown, signed=True)
    with pytest.raises(InvalidEvents, match="none can be derived"):
        scorecard_of(signed, pions.conditions, None)


def test_the_scorecard_of_another_detector_is_refused(pions: Events) -> None:
    with pytest.raises(ValueError, match=r"atlas-photons-v1 judges atlas-photons; the events are of lhcb-tracks"):
        scorecard_of(pions.detector, pions.conditions, "atlas-photons-v1")
    with pytest.raises(UnknownName):
        scorecard_of(pions.detector, pions.conditions, "atlas-photon-v1")


def test_a_dataset_of_another_detector_gets_its_own_scorecard() -> None:
    dataset = DATASETS["lhcb-pions-geant4"]
    rows = dataset.rows("validation")
    conditions = {name: values[rows] for name, values in dataset.source.conditions.items()}
    assert scorecard_for(dataset, "atlas-photons-v1") == scorecard_of(dataset.detector, conditions, None)
