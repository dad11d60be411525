"""Observables, scorecard and plots of a detector that no code knows."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from metrics.condition_cells import condition_cells
from metrics.histograms import histograms_for_plots, mean_images, response_against_energy
from metrics.judge import Judge
from metrics.labels import quantity
from metrics.observables import observables_of
from metrics.observables.along_axes import grids
from metrics.observables.sample import Sample
from metrics.scorecard import Scorecard
from metrics.scorecards import SCORECARDS
from metrics.scorecards.generic import generic_scorecard

AXES = (Axis.regular("x", 4, 5.0, "mm"), Axis.regular("y", 3, 5.0, "mm"), Axis.numbered("z", 5))
CONDITIONS = (
    Condition("incident_energy", "MeV", energy=True, bins=True),
    Condition("angle", "rad"),
    Condition("side", "1", categories=2),
)
DETECTOR = Detector("toy", "Toy", (Layer("cells", AXES),), CONDITIONS, threshold=150.0)


def make_events(count: int = 400, seed: int = 0, detector: Detector = DETECTOR) -> Events:
    random = np.random.default_rng(seed)
    conditions = {
        "incident_energy": random.uniform(1000, 50_000, count),
        "angle": random.uniform(-1, 1, count),
        "side": random.integers(0, 2, count).astype(float),
    }
    response = random.gamma(2, 1, (count, detector.num_cells)) * conditions["incident_energy"][:, None] / 120
    return Events(detector, conditions, response.astype(np.float32), np.arange(count, dtype=np.uint64))


def labels_of(card: Scorecard, events: Events) -> tuple[str, ...]:
    return condition_cells(card, events.detector, events.conditions).labels


def one_cell(detector: Detector, cell: tuple[int, ...]) -> Events:
    events = make_events(1, detector=detector)
    response = np.zeros((1, *detector.layers[0].shape), dtype=np.float32)
    response[0, *cell] = events.incident_energy[0] / 2
    return events.with_response(response.reshape(1, -1))


def test_observables_of_a_single_cell() -> None:
    observables = observables_of(DETECTOR)
    events = one_cell(DETECTOR, (3, 0, 1))
    values = {name: o.function(Sample(events))[0] for name, o in observables.items() if o.kind == "distribution"}
    assert values["response"] == pytest.approx(0.5)
    assert values["hits"] == pytest.approx(1 / 60)
    assert (values["centre_x"], values["centre_y"], values["centre_z"]) == pytest.approx((7.5, -5.0, 1.5))
    assert (values["width_x"], values["width_y"], values["width_z"]) == pytest.approx((0, 0, 0), abs=1e-6)
    np.testing.assert_allclose(observables["profile_x"].function(Sample(events))[0], [0, 0, 0, 0.5])
    np.testing.assert_allclose(observables["profile_z"].function(Sample(events))[0], [0, 0.5, 0, 0, 0])


def test_width_is_the_standard_deviation() -> None:
    events = one_cell(DETECTOR, (0, 0, 0))
    response = events.response.copy().reshape(4, 3, 5)
    response[3, 0, 0] = response[0, 0, 0]
    both = events.with_response(response.reshape(1, -1))
    observables = observables_of(DETECTOR)
    assert observables["centre_x"].function(Sample(both))[0] == pytest.approx(0, abs=1e-9)
    assert observables["width_x"].function(Sample(both))[0] == pytest.approx(7.5)


def test_an_empty_event_is_an_outlier_and_never_nan() -> None:
    events = make_events(3)
    response = events.response.copy()
    response[1] = 0
    for observable in observables_of(DETECTOR).values():
        assert np.isfinite(observable.function(Sample(events.with_response(response)))).all()


def test_conditions_that_bin_nothing_are_correlated_with() -> None:
    names = set(observables_of(DETECTOR))
    assert "condition_angle" in names
    assert not {"condition_incident_energy", "condition_side"} & names


def test_layers_that_are_alike_are_one_volume() -> None:
    disc = (Axis.regular("alpha", 6, 2 * math.pi / 6, "rad"), Axis("r", (0.0, 1.0, 5.0), "mm"))
    detector = Detector("disc", "Disc", tuple(Layer(f"layer_{i}", disc) for i in range(4)), CONDITIONS)
    assert [[axis.name for axis in grid.axes] for grid in grids(detector)] == [["layer", "alpha", "r"]]
    names = set(observables_of(detector))
    assert {"profile_layer", "profile_alpha", "profile_r", "centre_layer", "width_r"} <= names
    assert "centre_alpha" not in names  # a circle has no centre


def test_layers_that_differ_are_looked_at_one_by_one() -> None:
    layers = (Layer("front", (Axis.numbered("x", 3),)), Layer("back", (Axis.numbered("x", 2),)))
    detector = Detector("two", "Two", layers, CONDITIONS)
    events = make_events(1, detector=detector)
    energy = events.incident_energy[0]
    events = events.with_response(np.array([[0, 0, 0.2, 0.1, 0]], dtype=np.float32) * np.float32(energy))
    observables = observables_of(detector)
    np.testing.assert_allclose(observables["profile_layer"].function(Sample(events))[0], [0.2, 0.1], rtol=1e-6)
    np.testing.assert_allclose(observables["profile_front_x"].function(Sample(events))[0], [0, 0, 0.2], rtol=1e-6)
    assert observables["centre_back_x"].function(Sample(events))[0] == pytest.approx(0.5)


def test_every_energy_lies_in_a_bin_with_enough_events() -> None:
    events = make_events(400)
    card = generic_scorecard(DETECTOR, events.incident_energy)
    counts = np.bincount(card.bin_index(events.incident_energy))
    assert len(counts) == len(card.condition_bins) == 5
    assert counts.min() >= 70
    beyond = card.bin_index(np.array([1.0, 1e9]))
    assert list(beyond) == [0, 4]


def test_few_energies_are_bins_of_their_own() -> None:
    card = generic_scorecard(DETECTOR, np.repeat([1000.0, 2000.0, 4000.0], 100))
    assert card.condition_bins == (1000.0, 2000.0, 4000.0)
    assert card.condition_edges == ()
    assert list(card.bin_index(np.array([2000.0, 3000.0]))) == [1, -1]


def test_hits_need_a_threshold() -> None:
    assert "hits" not in observables_of(dataclasses.replace(DETECTOR, threshold=0.0))


def test_few_events_are_refused() -> None:
    with pytest.raises(InvalidEvents, match="400 events or more"):
        generic_scorecard(DETECTOR, np.arange(60.0))


def test_a_detector_without_energy_is_refused() -> None:
    detector = dataclasses.replace(DETECTOR, conditions=(Condition("angle", "rad", bins=True),))
    with pytest.raises(InvalidEvents, match="energy = true"):
        generic_scorecard(detector, np.arange(500.0))


def test_cards_without_edges_keep_their_identity() -> None:
    assert "condition_edges" not in SCORECARDS["atlas-photons-v1"].to_json()
    identity = SCORECARDS["atlas-photons-v1"].identity
    assert dataclasses.replace(SCORECARDS["atlas-photons-v1"], condition_edges=()).identity == identity


def test_the_judge_notices_what_is_wrong() -> None:
    reference = make_events(400)
    judge = Judge(generic_scorecard(DETECTOR, reference.incident_energy), reference, None)
    again = judge.judge(make_events(400, seed=0).response).score
    fluctuated = np.random.default_rng(5).permuted(reference.response, axis=1)
    shifted = reference.response * np.float32(1.1)
    transposed = reference.response.reshape(-1, 4, 3, 5)[:, ::-1].reshape(400, -1)
    assert again.value == 0
    assert judge.judge(shifted).score.value > judge.judge(fluctuated).score.value > 0
    assert judge.judge(np.ascontiguousarray(transposed)).score.value > 0
    assert [row["label"] for row in judge.judge(shifted).by_energy] == list(labels_of(judge.scorecard, reference))


def test_plots_know_their_bins() -> None:
    reference = make_events(400)
    card = generic_scorecard(DETECTOR, reference.incident_energy)
    histograms = histograms_for_plots(reference, reference.response, scorecard=card)
    assert {h["label"] for h in histograms} == set(labels_of(card, reference))
    profile = next(h for h in histograms if h["observable"] == "profile_x")
    assert (profile["x_label"], profile["edges_unit"], len(profile["edges"])) == ("x", "mm", 5)
    images = mean_images(reference, reference.response, card)
    assert [layer["layer"] for layer in images[0]["layers"]] == ["y, x", "x, z", "y, z"]
    total = np.sum(images[2]["layers"][0]["reference"])
    in_bin = card.bin_index(reference.incident_energy) == 2
    expected = (reference.response.sum(axis=1) / reference.incident_energy)[in_bin].mean()
    assert total == pytest.approx(expected, rel=1e-4)
    curve = response_against_energy(reference, reference.response, scorecard=card)[0]
    assert len(curve["energy_mev"]) == len(curve["reference"]) == len(card.condition_bins)
    assert curve["reference"][2] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (65536, "MeV", "65.5 GeV"),
        (500, "MeV", "500 MeV"),
        (150, "GeV", "150 GeV"),
        (0.5, "1", "0.5"),
        (3, "EeV", "3 EeV"),
        (2500, "GeV", "2500 GeV"),
    ],
)
def test_quantities_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
