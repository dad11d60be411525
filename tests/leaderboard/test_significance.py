"""How several seeds become one excess, one p-value and one worth."""

from __future__ import annotations

import pytest

from leaderboard.combine import combine_seeds
from leaderboard.significance import significance
from metrics.estimate import Estimate
from metrics.judgement import Judgement


def judgement(excess: float, p_value: float | None, component: float = 0.2) -> Judgement:
    return Judgement(
        scorecard="made-up",
        scorecard_identity="c" * 64,
        score=Estimate(0.5 + excess, 0.02),
        components={"bmre": Estimate(0.4 + component, 0.03)},
        reported={},
        excess=Estimate(excess, 0.02),
        z=None,
        by_energy=[],
        chi2=[],
        merged_bins=0,
        excesses={"bmre": Estimate(component, 0.03)},
        p_values={} if p_value is None else {"score": p_value, "bmre": 0.4},
    )


FLOOR = judgement(0.0, None, component=0.0)


def test_the_excess_is_combined_as_the_values_are() -> None:
    found = significance([judgement(0.2, 0.1), judgement(0.4, 0.3)], FLOOR, 1000)
    expected = combine_seeds([Estimate(0.2, 0.02), Estimate(0.4, 0.02)])
    assert found["score"]["excess"] == {"value": pytest.approx(0.3), "error": expected.error}
    assert found["bmre"]["excess"]["value"] == pytest.approx(0.2)


def test_the_p_value_is_the_largest_of_the_seeds() -> None:
    seeds = [judgement(0.2, p_value) for p_value in (0.01, 0.3, 0.05)]
    assert significance(seeds, FLOOR, 1000)["score"]["p_value"] == 0.3
    assert significance(seeds[:1], FLOOR, 1000)["score"]["p_value"] == 0.01
    assert significance(seeds, FLOOR, 1000)["bmre"]["p_value"] == 0.4
    assert significance([judgement(0.2, None)], FLOOR, 1000)["score"]["p_value"] is None


def test_the_worth_is_that_of_the_combined_excess() -> None:
    found = significance([judgement(0.2, 0.1), judgement(0.4, 0.3)], FLOOR, 1000)
    assert found["score"]["worth"]["events"] == pytest.approx(1000 / 2 * (0.5 / 0.3) ** 2)
    assert found["bmre"]["worth"]["events"] == pytest.approx(1000 / 2 * (0.4 / 0.2) ** 2)
    assert found["score"]["worth"]["at_least"] < found["score"]["worth"]["events"]


def test_a_sample_below_the_floor_has_only_a_limit() -> None:
    found = significance([judgement(-0.01, 0.8)], FLOOR, 1000)["score"]["worth"]
    assert found["events"] is None
    assert found["at_least"] == pytest.approx(500 * (0.5 / (1.645 * 0.02 - 0.01)) ** 2)


def test_without_floor_or_seeds_there_is_nothing() -> None:
    assert significance([judgement(0.2, 0.1)], None, 1000) == {}
    assert significance([], FLOOR, 1000) == {}
