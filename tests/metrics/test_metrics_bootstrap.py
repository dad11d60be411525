"""The errors: weights are resampling, and they have the right size."""

import numpy as np
import pytest

from data_adapters.datasets import Dataset
from data_adapters.events import Events
from metrics import METRICS
from metrics.bootstrap import bootstrap_weights, half_weights, standard_error
from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import Metric
from metrics.judge import Judge

NUM = 120


def gaussian_bin(
    rng: np.random.Generator, shift: float, needs: tuple[str, ...] = ()
) -> tuple[ConditionBin, Measurement, Measurement]:
    """Two distributions of correlated Gaussians around 10, a profile of three positions, and what else is needed."""
    further = tuple(name for name in needs if name not in ("response", "other"))

    def values(mean: float) -> dict[str, np.ndarray]:
        first, second = rng.normal(mean, 1, size=(2, NUM))
        profile = rng.gamma(5, 1, size=(NUM, 3))
        alone = {name: rng.normal(mean, 1, size=NUM) for name in further}
        return {"response": first, "other": first + second, **alone, "profile": profile}

    r, g = values(10), values(10 + shift)
    distributions = ("response", "other", *further)
    quartiles = {"other": np.array([19.05, 20.0, 20.95])}  # of the reference
    edges = tuple(quartiles.get(name, np.array([9.3, 10.0, 10.7])) for name in distributions)
    scale = np.array([r[name].std() for name in distributions])
    condition_bin = ConditionBin(1.0, np.arange(NUM), distributions, ("profile",), edges, (np.arange(3),), 0, scale)
    return condition_bin, condition_bin.measure(r), condition_bin.measure(g)


def drawn(measurement: Measurement, index: np.ndarray) -> Measurement:
    return Measurement(measurement.values[index], measurement.membership[index], measurement.profiles[index])


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_weights_are_the_same_as_resampled_events(metric: Metric) -> None:
    condition_bin, r, g = gaussian_bin(np.random.default_rng(0), 0.5, metric.needs)
    weights = bootstrap_weights(NUM, 5, (0,))
    brute_force = []
    for row in weights:
        index = np.repeat(np.arange(NUM), row.astype(int))
        ones = np.ones((1, NUM))
        brute_force.append(metric.function(condition_bin, drawn(r, index), drawn(g, index), ones)[0])
    np.testing.assert_allclose(metric.function(condition_bin, r, g, weights), brute_force, rtol=1e-9)
    assert np.std(brute_force) > 0


def test_every_replica_draws_as_many_events_as_there_are() -> None:
    weights = bootstrap_weights(50, 200, (3, 1))
    np.testing.assert_array_equal(weights.sum(axis=1), 50)
    assert weights.mean() == pytest.approx(1)
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.05)
    np.testing.assert_array_equal(weights, bootstrap_weights(50, 200, (3, 1)))
    assert not np.array_equal(weights, bootstrap_weights(50, 200, (3, 2)))


def test_no_replicas_no_error() -> None:
    assert np.isnan(standard_error(np.empty(0)))


@pytest.mark.parametrize("name", ["bmre", "response", "wasserstein", "correlation"])
def test_errors_have_the_size_of_the_spread_between_experiments(name: str) -> None:
    """Away from zero, the mean bootstrap error is the spread of the value over independent repetitions.

    Too large an error is tolerated, too small a one is not.
    """
    rng = np.random.default_rng(7)
    values, errors = [], []
    for repetition in range(150):
        condition_bin, r, g = gaussian_bin(rng, shift=1.5)
        function = METRICS[name].function
        values.append(function(condition_bin, r, g, np.ones((1, NUM)))[0])
        errors.append(standard_error(function(condition_bin, r, g, bootstrap_weights(NUM, 60, (repetition,)))))
    assert 0.85 < np.mean(errors) / np.std(values) < 1.4


def matched(reference: Events, pool: Events, used: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Responses of unused photons of ``pool`` with the conditions of the reference; marks them used."""
    names = [condition.name for condition in reference.detector.conditions]
    wanted, offered = (np.stack([events.conditions[name] for name in names], axis=1) for events in (reference, pool))
    chosen = np.empty(len(reference), dtype=np.intp)
    for event, conditions in enumerate(wanted):
        candidates = np.flatnonzero((offered == conditions).all(axis=1) & ~used)
        if len(candidates) == 0:  # the last few: the same energy, another alignment
            candidates = np.flatnonzero((offered[:, 0] == conditions[0]) & ~used)
        chosen[event] = rng.choice(candidates)
        used[chosen[event]] = True
    return pool.response[chosen]


def test_z_is_calibrated_on_full_simulation(dataset: Dataset, judge: Judge) -> None:
    """z of true simulation lies around zero with a spread of about one.

    The valid null: samples that are exchangeable given the reference. Here these are independent
    photons, matched to the reference in energy and alignment; two such samples, disjoint, differ only by
    chance, so that their difference over its error must have mean 0 and a root mean square near 1.
    The twin itself is a little closer to the reference than they can be, because it also shares the
    impact point inside the cell, which is no condition: z against the twin may lie slightly above 0.
    """
    rng = np.random.default_rng(11)
    train, twins = dataset.split("train"), dataset.twin_split("train")
    assert twins is not None
    pool = dataset.independent_events()
    thirds = np.empty(len(train), dtype=np.intp)
    for energy in np.unique(train.incident_energy):
        index = np.flatnonzero(train.incident_energy == energy)
        thirds[rng.permutation(index)] = np.arange(len(index)) % 3
    to_twin, exchangeable = [], []
    for third in range(3):
        reference, twin = train.select(thirds == third), twins.select(thirds == third)
        used = np.zeros(len(pool), dtype=bool)
        samples = [matched(reference, pool, used, rng) for _ in range(3)]
        this = Judge(judge.scorecard, reference, twin)
        for sample in samples:
            z = this.judge(sample).z
            assert z is not None
            to_twin.append(z)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            difference = this.difference(samples[a], samples[b])
            exchangeable.append(difference.value / difference.error)
    assert 0.4 < np.sqrt(np.mean(np.square(exchangeable))) < 1.4
    assert abs(np.mean(to_twin)) < 1
    assert np.max(np.abs(to_twin)) < 3


def test_halves_keep_half_of_the_independent_units():
    bins = [np.arange(10), np.arange(10, 31)]
    alone = half_weights(bins, np.arange(31), 50, seed=0)
    assert [set(rows.sum(axis=1)) for rows in alone] == [{5.0}, {10.0}]
    assert {0.0, 1.0} == set(np.unique(np.concatenate(alone, axis=1)))
    units = np.arange(31) // 2  # pairs, one of which lies in both bins
    together = np.concatenate(half_weights(bins, units, 50, seed=0), axis=1)
    assert (together[:, 0] == together[:, 1]).all()
    assert len({tuple(row) for row in together}) > 40


def test_a_bin_that_would_lose_all_keeps_all():
    bins = [np.arange(2), np.arange(2, 8)]
    units = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    (first, _) = half_weights(bins, units, 50, seed=0)
    assert (first == 1).all()
