"""Judge and judgement."""

import json
from dataclasses import replace

import numpy as np
import pytest

from data_adapters.events import Events, InvalidEvents
from metrics import FAULTS, METRICS
from metrics.discrepancies.component import Metric
from metrics.judge import HALF_SPLITS, Judge


def test_identical_samples_are_perfect(judge: Judge, reference: Events) -> None:
    judgement = judge.judge(reference.response)
    assert judgement.score.value == pytest.approx(0, abs=1e-9)
    assert judgement.score.error == pytest.approx(0, abs=1e-9)
    assert judgement.excess is not None
    assert judgement.excess.value < 0


def test_score_is_the_weighted_mean_of_components_over_scales(judge: Judge, twin: Events) -> None:
    judgement = judge.judge(twin.response)
    scales = judge.scorecard.scales
    expected = np.mean([judgement.components[name].value / scales[name] for name in scales])
    assert judgement.score.value == pytest.approx(expected)
    doubled = replace(judge.scorecard, weights=dict.fromkeys(scales, 2.0))
    again = Judge(doubled, judge.reference, None, replicas=0).judge(twin.response, errors=False)
    assert again.score.value == pytest.approx(expected)


def test_components_are_means_over_the_energies(judge: Judge, twin: Events) -> None:
    judgement = judge.judge(twin.response)
    assert [row["energy"] for row in judgement.by_energy] == [float(2**power) for power in range(10, 19)]
    for name, estimate in judgement.components.items():
        assert np.mean([row[name]["value"] for row in judgement.by_energy]) == pytest.approx(estimate.value)


def test_floor_and_mean_shower_have_the_expected_size(judge: Judge, twin: Events) -> None:
    floor = judge.floor
    assert floor is not None
    assert floor.z == 0
    mean_shower = judge.judge(FAULTS["collapsed_conditions"].inject(twin))
    assert 0.2 < floor.score.value < 0.4
    assert mean_shower.score.value > 3 * floor.score.value
    assert mean_shower.z is not None
    assert mean_shower.z > 10


def test_values_depend_on_neither_seed_nor_replicas(judge: Judge, reference: Events, twin: Events) -> None:
    other = Judge(judge.scorecard, reference, twin, replicas=7, seed=3).judge(twin.response)
    this, quick = judge.judge(twin.response), judge.judge(twin.response, errors=False)
    assert this.score.value == other.score.value == quick.score.value
    assert this.score.error != other.score.error
    assert np.isnan(quick.score.error)
    assert quick.z is None


def test_same_seed_same_judgement(judge: Judge, reference: Events, twin: Events) -> None:
    response = FAULTS["energy_scale"].inject(twin)
    again = Judge(judge.scorecard, reference, twin)
    assert again.judge(response).to_json() == judge.judge(response).to_json()


def test_errors_do_not_depend_on_what_was_judged_before(judge: Judge, twin: Events) -> None:
    first = judge.judge(twin.response).to_json()
    judge.judge(FAULTS["energy_scale"].inject(twin))
    assert judge.judge(twin.response).to_json() == first


def test_excess_is_paired(judge: Judge, twin: Events) -> None:
    """The error of the difference is smaller than that of two independent scores."""
    judgement, floor = judge.judge(FAULTS["wider_resolution"].inject(twin)), judge.floor
    assert judgement.excess is not None
    assert floor is not None
    assert judgement.excess.value == pytest.approx(judgement.score.value - floor.score.value)
    assert judgement.excess.error < 0.8 * np.hypot(judgement.score.error, floor.score.error)


def test_resampled_scores_are_those_of_the_errors(judge: Judge, twin: Events) -> None:
    """Their spread is the error of the score, and the spread of their differences that of a difference."""
    shifted = FAULTS["energy_scale"].inject(twin)
    (one, halves), (other, _) = judge.resampled_scores(shifted), judge.resampled_scores(twin.response)
    assert one.std(ddof=1) == pytest.approx(judge.judge(shifted, reported=False).score.error)
    assert (one - other).std(ddof=1) == pytest.approx(judge.difference(shifted, twin.response).error)
    assert len(halves) == HALF_SPLITS
    assert abs(halves.mean() - judge.judge(shifted, errors=False).score.value) < 5 * one.std()
    assert halves.std() > 0


def test_two_judges_resample_alike(judge: Judge, reference: Events, twin: Events) -> None:
    another = Judge(judge.scorecard, reference, None, replicas=len(judge.resampled_scores(twin.response)[0]))
    for here, there in zip(judge.resampled_scores(twin.response), another.resampled_scores(twin.response), strict=True):
        assert here == pytest.approx(there)


def test_difference_is_paired_and_changes_sign(judge: Judge, twin: Events) -> None:
    shifted = FAULTS["energy_scale"].inject(twin)
    one, other = judge.difference(shifted, twin.response), judge.difference(twin.response, shifted)
    excess = judge.judge(shifted).excess
    assert excess is not None
    assert (one.value, one.error) == pytest.approx((excess.value, excess.error))
    assert other.value == -one.value


def test_json_holds_only_finite_numbers(judge: Judge, twin: Events) -> None:
    worst = np.zeros_like(twin.response)
    for judgement in (judge.judge(worst), judge.judge(twin.response, errors=False), judge.floor):
        assert judgement is not None
        written = json.dumps(judgement.to_json(), allow_nan=False)
        assert json.loads(written)["score"]["value"] == judgement.score.value
    full = judge.judge(twin.response).to_json()
    assert set(full["components"]) == {"bmre", "response", "wasserstein", "correlation"}
    assert set(full["reported"]) == {"gromov_wasserstein", "chi2_ndf"}
    assert len(full["chi2"]) == 9 * 14
    assert all(0 <= row["p_value"] <= 1 for row in full["chi2"])


def test_without_a_twin_there_is_no_floor(judge: Judge, reference: Events, twin: Events) -> None:
    alone = Judge(judge.scorecard, reference, None)
    judgement = alone.judge(twin.response)
    assert alone.floor is None
    assert judgement.excess is None
    assert judgement.z is None
    assert judgement.score.value == judge.judge(twin.response).score.value


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_bad_energies_are_refused_with_event_and_cell(
    bad: float, metric: Metric, reference: Events, twin: Events, judge: Judge
) -> None:
    alone = replace(judge.scorecard, weights={metric.name: 1.0}, scales={metric.name: 1.0}, reported=())
    response = twin.response.copy()
    response[17, 42] = bad
    with pytest.raises(InvalidEvents, match="cell 42 of event 17"):
        Judge(alone, reference, None, replicas=0).judge(response)


def test_wrong_shapes_are_refused(judge: Judge, twin: Events) -> None:
    with pytest.raises(InvalidEvents, match="needs"):
        judge.judge(twin.response[:, :-1])
    with pytest.raises(InvalidEvents, match="the reference has 1016"):
        judge.judge(twin.response[:-1])


def test_samples_that_do_not_fit_are_refused(judge: Judge, reference: Events, twin: Events) -> None:
    scorecard = judge.scorecard
    with pytest.raises(ValueError, match="same order"):
        Judge(scorecard, reference, twin.select(np.arange(len(twin))[::-1]))
    with pytest.raises(ValueError, match="needs 50 reference events"):
        Judge(scorecard, reference.select(np.arange(200)), None)
    with pytest.raises(ValueError, match="choose the scorecard"):
        Judge(replace(scorecard, detector="other"), reference, twin)
    with pytest.raises(ValueError, match="in none of the condition bins"):
        Judge(replace(scorecard, condition_bins=scorecard.condition_bins[1:]), reference, twin)


def test_a_reference_without_fluctuations_says_so(judge: Judge, reference: Events) -> None:
    constant = reference.with_response(FAULTS["collapsed_conditions"].inject(reference))
    for condition_bin in Judge(judge.scorecard, constant, None, replicas=0).bins:
        assert condition_bin.constant == judge.scorecard.distributions
