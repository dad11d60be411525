"""What holds for every registered observable, metric, fault and scorecard."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from metrics import FAULTS, METRICS, SCORECARDS
from metrics.cost import COSTS
from metrics.discrepancies.component import Metric
from metrics.faults import faults_of
from metrics.faults.component import Fault
from metrics.judge import Judge
from metrics.observables import observables_of
from metrics.observables.component import Observable
from metrics.observables.sample import Sample
from metrics.scales import measure_scales
from metrics.scorecard import Scorecard
from metrics.self_test_expected import EXPECTED
from metrics.simulations import three_simulations

CARD = SCORECARDS["atlas-photons-v1"]
ATLAS = {name: observables_of(ATLAS_PHOTONS)[name] for name in (*CARD.distributions, *CARD.profiles)}
observables = pytest.mark.parametrize("observable", ATLAS.values(), ids=ATLAS)
metrics = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
faults = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
faults_of_cards = pytest.mark.parametrize(
    ("scorecard", "fault"),
    [
        (card, fault)
        for card in SCORECARDS.values()
        for fault in faults_of(DATASETS[EXPECTED[card.name].dataset].detector).values()
    ],
    ids=lambda component: component.name,
)
scorecards = pytest.mark.parametrize("scorecard", SCORECARDS.values(), ids=SCORECARDS)
notices = pytest.mark.parametrize(
    ("fault", "metric"),
    [(fault, metric) for fault in FAULTS.values() for metric in fault.noticed_by],
    ids=lambda component: component if isinstance(component, str) else component.name,
)


@cache
def simulations_of(scorecard: str) -> tuple[Events, Events, Events]:
    return three_simulations(DATASETS[EXPECTED[scorecard].dataset])


@cache
def judge_with(needs: tuple[str, ...]) -> Judge:
    """Of the first scorecard that has these observables."""
    card = next(card for card in SCORECARDS.values() if set(needs) <= set(card.distributions))
    return Judge(card, *simulations_of(card.name)[:2])


def values_of(metric: Metric, judge: Judge, response: np.ndarray) -> np.ndarray:
    """The metric in every condition bin, without errors."""
    generated = judge._measure(response)
    ones = [np.ones((1, len(condition_bin.events))) for condition_bin in judge.bins]
    return judge._evaluate(metric.name, generated, ones)[:, 0]


@observables
def test_observable_gives_one_finite_row_per_event(observable: Observable, reference: Events) -> None:
    values = observable.function(Sample(reference))
    width = () if observable.kind == "distribution" else (len(observable.edges) - 1,)
    assert values.shape == (len(reference), *width)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert observable.title
    assert observable.source


@observables
def test_observable_of_an_empty_shower_is_finite(observable: Observable, reference: Events) -> None:
    empty = reference.with_response(np.zeros_like(reference.response))
    assert (observable.function(Sample(empty)) == 0).all()


@observables
def test_observable_does_not_grow_with_the_energy(observable: Observable, reference: Events) -> None:
    """Energies are divided by the incident energy: a hundredfold photon gives the same number."""
    conditions = dict(reference.conditions) | {"incident_energy": reference.incident_energy * 100}
    scaled = replace(reference, conditions=conditions, response=reference.response * np.float32(100))
    np.testing.assert_allclose(observable.function(Sample(scaled)), observable.function(Sample(reference)), rtol=1e-5)


@metrics
def test_metric_says_what_it_is(metric: Metric) -> None:
    assert metric.definition
    assert metric.source
    assert metric.direction == "lower"
    assert metric.smallest_sample > 0
    assert metric.cost in COSTS


@metrics
def test_metric_is_perfect_for_identical_samples(metric: Metric) -> None:
    judge = judge_with(metric.needs)
    assert isinstance(judge.reference, Events)
    allowed = metric.largest_for_identical + 1e-9
    np.testing.assert_allclose(values_of(metric, judge, judge.reference.response), metric.perfect, atol=allowed)


@metrics
def test_metric_is_worse_for_the_mean_shower_than_for_full_simulation(metric: Metric) -> None:
    judge = judge_with(metric.needs)
    twin = judge.twin
    assert isinstance(twin, Events)
    # The mean response of the mean shower is right by construction: that metric takes another fault.
    fault = FAULTS["energy_scale" if metric.name == "response" else "collapsed_conditions"]
    floor = values_of(metric, judge, twin.response).mean()
    assert values_of(metric, judge, fault.inject(twin)).mean() > 1.5 * floor


@metrics
def test_order_of_events_does_not_matter(metric: Metric) -> None:
    judge = judge_with(metric.needs)
    reference, twin = judge.reference, judge.twin
    assert isinstance(reference, Events)
    assert isinstance(twin, Events)
    order = np.random.default_rng(5).permutation(len(reference))
    shuffled = Judge(judge.scorecard, reference.select(order), None, replicas=0)
    np.testing.assert_allclose(
        values_of(metric, shuffled, twin.response[order]), values_of(metric, judge, twin.response), rtol=1e-9
    )


@faults_of_cards
def test_fault_gives_events_and_always_the_same_ones(scorecard: Scorecard, fault: Fault) -> None:
    twin = simulations_of(scorecard.name)[1]
    response = fault.inject(twin)
    assert response.dtype == np.float32
    twin.with_response(response)  # refuses negative energies and wrong shapes
    np.testing.assert_array_equal(response, fault.inject(twin))
    assert not np.array_equal(response, twin.response)


@faults_of_cards
def test_fault_without_strength_changes_nothing(scorecard: Scorecard, fault: Fault) -> None:
    twin = simulations_of(scorecard.name)[1]
    np.testing.assert_allclose(fault.inject(twin, fault.harmless), twin.response, rtol=1e-6, atol=1e-6)


@faults_of_cards
def test_same_fault_of_another_seed_is_of_the_same_events(scorecard: Scorecard, fault: Fault) -> None:
    twin = simulations_of(scorecard.name)[1]
    assert fault.inject(twin, seed=1).shape == twin.response.shape
    unknown = replace(fault, applies=lambda _detector: False)
    with pytest.raises(ValueError, match=f"{fault.name} cannot be injected into events of {scorecard.detector}"):
        unknown.inject(twin)


@notices
def test_metric_notices_the_faults_it_is_meant_to_notice(
    fault: Fault, metric: str, judge: Judge, reference: Events, twin: Events
) -> None:
    """z above 2.33 (one-sided α = 0.01), for that metric alone, at about 110 events an energy."""
    alone = replace(judge.scorecard, weights={metric: 1.0}, scales={metric: 1.0}, reported=())
    z = Judge(alone, reference, twin).judge(fault.inject(twin)).z
    assert z is not None
    assert z > 2.33


@faults
def test_score_is_worse_with_a_fault_and_worse_still_with_more_of_it(fault: Fault, judge: Judge, twin: Events) -> None:
    """The score may sink a little at weak faults: not above the floor is what it must not be at full strength."""
    half = fault.harmless + (fault.strength - fault.harmless) / 2
    scores = [
        judge.judge(response, errors=False).score.value
        for response in (twin.response, fault.inject(twin, half), fault.inject(twin))
    ]
    assert scores[2] > scores[0]
    assert scores[2] > scores[1]


@scorecards
def test_scorecard_names_only_what_is_registered(scorecard: Scorecard) -> None:
    known = observables_of(DATASETS[EXPECTED[scorecard.name].dataset].detector)
    assert {known[name].kind for name in scorecard.distributions} == {"distribution"}
    assert {known[name].kind for name in scorecard.profiles} == {"profile"}
    for name in (*scorecard.weights, *scorecard.reported):
        assert METRICS[name].smallest_sample <= scorecard.smallest_sample
        assert set(METRICS[name].needs) <= set(scorecard.distributions)


@scorecards
def test_frozen_scales_are_what_the_faults_measure(scorecard: Scorecard) -> None:
    reference, twin, _ = simulations_of(scorecard.name)
    assert measure_scales(scorecard, reference, twin) == pytest.approx(dict(scorecard.scales), rel=1e-6)


@scorecards
@pytest.mark.parametrize("fault", ["collapsed_conditions", "halved_fluctuations"])
def test_mean_showers_and_half_the_fluctuations_are_clearly_worse_than_full_simulation(
    scorecard: Scorecard, fault: str
) -> None:
    reference, twin, fresh = simulations_of(scorecard.name)
    judge = Judge(scorecard, reference, twin)
    found = judge.judge(FAULTS[fault].inject(fresh), reported=False)
    full_simulation = judge.judge(fresh.response, reported=False)
    assert found.z is not None
    assert full_simulation.z is not None
    assert found.z > 4  # 3e-5, one-sided
    assert full_simulation.z < 2.33
    assert judge.p_values(FAULTS[fault].inject(fresh))["score"] < 0.01 < judge.p_values(fresh.response)["score"]


@scorecards
def test_anything_changed_is_another_scorecard(scorecard: Scorecard) -> None:
    same = replace(scorecard, weights=dict(reversed(list(scorecard.weights.items()))))
    assert same.identity == scorecard.identity
    for change in ({"quantile_bins": 11}, {"version": 2}, {"scales": {**scorecard.scales, "bmre": 1.0}}):
        assert replace(scorecard, **change).identity != scorecard.identity


@scorecards
def test_scorecard_refuses_a_weight_without_scale_and_a_zero(scorecard: Scorecard) -> None:
    with pytest.raises(ValueError, match="weights are given for"):
        replace(scorecard, weights={"bmre": 1.0})
    with pytest.raises(ValueError, match="must be positive"):
        replace(scorecard, weights={**scorecard.weights, "bmre": 0.0})


def test_import_is_light() -> None:
    """Workers import the metrics in every process: no torch, SciPy or POT before they are needed."""
    code = "import metrics, sys; print([m for m in ('torch', 'scipy', 'ot', 'matplotlib') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"
