"""Errors over seeds, against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leaderboard.combine import combine_seeds, standard_errors, student_factor
from metrics.estimate import Estimate


@pytest.mark.parametrize(("num_seeds", "factor"), [(2, 1.8373), (3, 1.3213), (5, 1.1416), (1000, 1.0005)])
def test_student_factor_known_answers(num_seeds, factor):
    # For n = 2 (one degree of freedom) in closed form: tan(π (0.841345 − 1/2)).
    assert student_factor(num_seeds) == pytest.approx(factor, abs=2e-4)


def test_student_factor_of_two_seeds_in_closed_form():
    assert student_factor(2) == pytest.approx(math.tan(math.pi * 0.5 * math.erf(1 / math.sqrt(2))))


@pytest.mark.parametrize("num_seeds", [0, 1])
def test_one_seed_has_no_spread(num_seeds):
    with pytest.raises(ValueError, match="at least 2"):
        student_factor(num_seeds)


def test_three_seeds_known_answer():
    combined = combine_seeds([Estimate(1.0, 0.3), Estimate(2.0, 0.4), Estimate(3.0, 0.5)])
    # s = 1, so s/√3 = 0.57735, widened by 1.32130; bootstrap 0.09, 0.16, 0.25: mean 0.16667.
    assert combined.value == 2.0
    assert combined.error == pytest.approx(math.sqrt((1.32130 * 0.57735) ** 2 + 0.166667), rel=1e-4)


def test_the_error_from_common_events_does_not_shrink_with_seeds():
    assert combine_seeds([Estimate(1.0, 0.2)] * 100).error == pytest.approx(0.2)


def test_a_single_seed_keeps_its_error():
    assert combine_seeds([Estimate(1.0, 0.2)]) == Estimate(1.0, 0.2)


def test_nothing_to_combine_is_an_error():
    with pytest.raises(ValueError, match="no seeds"):
        combine_seeds([])


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = 0
    for values in random.normal(0.0, 1.0, (4000, 3)):
        combined = combine_seeds([Estimate(float(value), 0.0) for value in values])
        covered += abs(combined.value) <= combined.error
    assert covered / 4000 == pytest.approx(0.6827, abs=3 * math.sqrt(0.6827 * 0.3173 / 4000))


def test_standard_errors():
    assert standard_errors(Estimate(-3.0, 1.5)) == -2.0
    assert standard_errors(Estimate(0.0, 0.0)) is None
