"""Condition bins that follow from the reference, and samples that are constant, empty or not independent."""

from dataclasses import replace

import numpy as np
import pytest

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from metrics.bootstrap import event_weights, independent_units
from metrics.condition_cells import condition_cells, energy_cells
from metrics.judge import Judge
from metrics.scorecard import ConditionAxis, Scorecard
from metrics.scorecards import SCORECARDS

DETECTOR = Detector(
    "strip",
    "One layer of four cells",
    (Layer("cells", (Axis.regular("x", 4, 5.0, "mm"),)),),
    (Condition("incident_energy", "GeV", bins=True, energy=True), Condition("theta", "rad")),
    unit="GeV",
)
CARD = replace(
    SCORECARDS["atlas-photons-v1"],
    name="strip-v1",
    detector="strip",
    distributions=("response", "centre_x", "width_x"),
    profiles=("profile_x",),
    condition_bins=(),
    cells=(ConditionAxis("incident_energy", 5.0), ConditionAxis("theta", 0.1)),
)


def make_events(count: int, seed: int = 0, response_seed: int = 1) -> Events:
    random = np.random.default_rng(seed)
    conditions = {"incident_energy": random.uniform(100, 200, count), "theta": random.uniform(1, 2, count)}
    cells = np.random.default_rng(response_seed).gamma(2, 1, (count, 4)) * conditions["incident_energy"][:, None] / 10
    return Events(DETECTOR, conditions, cells.astype(np.float32), np.arange(count, dtype=np.uint64))


def counts_of(card: Scorecard, events: Events) -> np.ndarray:
    return np.bincount(condition_cells(card, DETECTOR, events.conditions).number)


@pytest.mark.parametrize(("count", "cells"), [(50, 1), (199, 3), (200, 4), (500, 9), (1000, 20)])
def test_as_many_cells_as_hold_enough_events(count: int, cells: int) -> None:
    counts = counts_of(CARD, make_events(count))
    assert len(counts) == cells
    assert counts.min() >= CARD.smallest_sample
    assert counts.sum() == count


def test_cells_are_not_finer_than_declared() -> None:
    wide = replace(CARD, cells=(ConditionAxis("incident_energy", 50.0), ConditionAxis("theta", 0.5)))
    events = make_events(5000)
    cells = condition_cells(wide, DETECTOR, events.conditions)
    assert len(cells.labels) == 4
    inside = events.conditions["theta"][cells.number == 0]
    assert inside.max() - inside.min() == pytest.approx(0.5, abs=0.02)


def test_equal_values_lie_in_one_cell_along_their_axis() -> None:
    energy = np.repeat([100.0, 150.0, 200.0], 200)
    card = replace(CARD, cells=(ConditionAxis("incident_energy", 5.0),))
    cells = condition_cells(card, DETECTOR, {"incident_energy": energy})
    assert [len(set(cells.number[energy == value])) for value in (100.0, 150.0, 200.0)] == [1, 1, 1]
    assert len(cells.labels) == 3


def test_curves_have_bins_of_the_first_condition_alone() -> None:
    events = make_events(1000)
    cells = energy_cells(CARD, DETECTOR, events.conditions)
    assert all("rad" not in label for label in cells.labels)
    assert np.all(np.diff(cells.values) > 0)


def test_bins_are_listed_or_follow_from_cells() -> None:
    with pytest.raises(ValueError, match="give one of the two"):
        replace(CARD, condition_bins=(1.0,))
    with pytest.raises(ValueError, match="give one of the two"):
        replace(CARD, cells=())


def test_full_simulation_is_judged_in_cells() -> None:
    reference, twin = make_events(500), make_events(500, response_seed=2)
    judge = Judge(CARD, reference, twin)
    fresh = judge.judge(make_events(500, response_seed=3).response)
    assert len(fresh.by_energy) == 9
    assert fresh.z is not None
    assert abs(fresh.z) < 4
    scaled = judge.judge(make_events(500, response_seed=3).response * np.float32(1.2))
    assert scaled.z is not None
    assert scaled.z > 5


def test_too_few_events_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 50 reference events"):
        Judge(CARD, make_events(1), None)


def test_a_constant_observable_has_its_size_as_unit() -> None:
    reference = make_events(200)
    even = np.repeat(reference.conditions["incident_energy"][:, None] / 8, 4, axis=1).astype(np.float32)
    judge = Judge(CARD, reference.with_response(even), None, replicas=10)
    assert "width_x" in judge.bins[0].constant
    assert judge.judge(even).score.value == pytest.approx(0, abs=1e-6)
    twice = judge.judge(even * np.float32(2))
    assert twice.components["response"].value == pytest.approx(1, rel=1e-5)
    assert twice.score.value > 1


def test_a_generated_sample_of_empty_events_is_bad_and_an_empty_reference_refused() -> None:
    reference = make_events(200)
    judge = Judge(CARD, reference, None, replicas=10)
    dark = np.zeros_like(reference.response)
    empty = judge.judge(dark)
    assert empty.components["response"].value == pytest.approx(1)
    assert np.isfinite(empty.score.value)
    with pytest.raises(ValueError, match="holds no energy"):
        Judge(CARD, reference.with_response(dark), None)
    without_profiles = replace(CARD, profiles=("profile_x",)[:0], distributions=("response", "centre_x"), reported=())
    with pytest.raises(InvalidEvents, match="hold no energy"):
        Judge(without_profiles, reference.with_response(dark), None).judge(reference.response)


def test_one_distribution_has_no_correlations() -> None:
    reference = make_events(200)
    card = replace(CARD, distributions=("response",), reported=())
    judgement = Judge(card, reference, None).judge(make_events(200, response_seed=2).response)
    assert judgement.components["correlation"].value == 0
    assert judgement.components["wasserstein"].value > 0


def test_events_of_one_unit_are_drawn_together() -> None:
    units = independent_units(np.repeat(np.arange(25, dtype=np.uint64), 8))
    even, odd = event_weights([np.arange(0, 200, 2), np.arange(1, 200, 2)], units, 50, 0)
    np.testing.assert_array_equal(even, odd)  # the same units lie in both bins
    assert (even.reshape(50, 25, 4) == even.reshape(50, 25, 4)[:, :, :1]).all()
    assert not (even == 1).all()


def test_errors_are_larger_where_events_share_their_source() -> None:
    """Each shower eight times: an eighth of the information, so that errors are about √8 times as large."""
    copies = make_events(50).select(np.repeat(np.arange(50), 8))
    apart = replace(copies, identity=np.arange(400, dtype=np.uint64))
    card = replace(CARD, cells=(ConditionAxis("incident_energy", 1000.0),), reported=())
    noise = np.repeat(np.random.default_rng(3).uniform(0.5, 2, (50, 1)), 8, axis=0).astype(np.float32)
    errors = [
        Judge(card, events, None).judge(copies.response * noise).components["response"].error
        for events in (copies, apart)
    ]
    assert errors[0] == pytest.approx(8**0.5 * errors[1], rel=0.3)
