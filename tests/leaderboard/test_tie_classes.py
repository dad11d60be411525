"""Paired differences, Holm's procedure and the classes that follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from leaderboard.resamples import Resamples
from leaderboard.tie_classes import Sample, differences, holm, leading_share, tie_classes


def entry(scores, replicas=None, half_splits=None) -> Resamples:
    """Without fluctuation of the events, unless it is given."""
    scores = np.array(scores, dtype=np.float64)
    flat = np.broadcast_to(scores[:, None], (len(scores), 50))
    return Resamples(scores, flat if replicas is None else replicas, flat if half_splits is None else half_splits)


def difference(a: Resamples, b: Resamples):
    return differences(Sample.of([a]), Sample.of([b]))


def test_with_seeds_alone_it_is_the_test_of_welch():
    a, b = [1.0, 1.2, 1.1, 1.4], [0.8, 0.9, 0.7]
    found = difference(entry(a), entry(b))
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert found.p_values == pytest.approx([expected.pvalue])
    interval = expected.confidence_interval(0.95)
    assert [found.lower[0], found.upper[0]] == pytest.approx([interval.low, interval.high])


def test_what_the_events_do_to_both_cancels():
    shared = 5.0 * np.random.default_rng(1).normal(size=(1, 50))
    a, b = np.array([1.0, 1.01, 0.99]), np.array([2.0, 2.01, 1.99])
    found = difference(entry(b, b[:, None] + shared), entry(a, a[:, None] + shared))
    assert found.errors == pytest.approx(difference(entry(b), entry(a)).errors)
    assert found.p_values < 1e-4


def test_what_the_events_do_to_one_does_not():
    own = 5.0 * np.random.default_rng(1).normal(size=(1, 50))
    a, b = np.array([1.0, 1.01, 0.99]), np.array([2.0, 2.01, 1.99])
    found = difference(entry(b, b[:, None] + own), entry(a))
    assert found.errors == pytest.approx([own.std(ddof=1)], rel=1e-3)
    assert found.degrees == pytest.approx([49], rel=1e-2)
    assert found.p_values > 0.5


def test_holm_is_between_none_and_bonferroni():
    p_values = np.array([0.04, 0.001, 0.02, 0.5])
    assert holm(p_values) == pytest.approx([0.08, 0.004, 0.06, 0.5])
    assert (p_values <= holm(p_values)).all()
    assert (holm(p_values) <= np.minimum(1, 4 * p_values)).all()


def test_a_smaller_p_value_is_never_adjusted_to_a_larger_one():
    assert holm(np.array([0.030, 0.031])) == pytest.approx([0.06, 0.06])
    assert holm(np.array([])).size == 0


def test_intervals_and_p_values_say_the_same():
    generator = np.random.default_rng(3)
    entries = [entry(generator.normal(0.1 * number, 0.1, size=3)) for number in range(30)]
    found = differences(Sample.of(entries[1:]), Sample.of(entries[:1]))
    includes_zero = (found.lower <= 0) & (found.upper >= 0)
    assert (includes_zero == (found.p_values > 0.05)).all()
    assert 0 < includes_zero.sum() < 29


def test_more_rivals_make_it_harder_to_differ():
    best, other = entry([1.0, 1.01, 0.99]), entry([1.05, 1.03, 1.07])
    crowd = [entry([1.0 + shift, 1.01 + shift, 0.99 + shift]) for shift in np.linspace(0.001, 0.01, 20)]
    assert len(tie_classes([best, other])) == 2
    first, *_ = tie_classes([best, other, *crowd])
    assert 1 in first


def test_no_chain_of_small_differences_joins_what_differs():
    chain = [entry([1 + 0.015 * step + seed for seed in (-0.01, 0.0, 0.01)]) for step in range(8)]
    neighbours = [differences(Sample.of([b]), Sample.of([a])).tied[0] for a, b in pairwise(chain)]
    classes = tie_classes(chain)
    assert all(neighbours)
    assert len(classes) > 1
    for members in classes:
        assert members[0] == min(members)  # the anchor has the best score of its class
    assert sorted(position for members in classes for position in members) == list(range(8))


def test_seeds_without_any_spread_are_told_apart_by_value():
    assert tie_classes([entry([1.0, 1.0, 1.0]), entry([1.0, 1.0, 1.0]), entry([1.1, 1.1, 1.1])]) == [[0, 1], [2]]
    assert tie_classes([]) == []


def test_leading_share():
    leads = np.array([[1.0, 1.0, 1.0, 3.0]] * 3)
    best, other = entry([1.0, 1.0, 1.0], half_splits=leads), entry([2.0] * 3, half_splits=np.full((3, 4), 2.0))
    assert leading_share([best, other], 0) == 0.75
    assert leading_share([best], 0) is None
