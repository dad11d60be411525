"""FPD, KPD, precision, recall, density, coverage, and the fast paths of the Wasserstein distance."""

import itertools
import json
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import ot
import pytest
from numpy.typing import NDArray
from scipy import linalg, stats

from data_adapters.events import Events
from metrics.discrepancies import wasserstein as wasserstein_module
from metrics.discrepancies.wasserstein import wasserstein_1d
from metrics.observables import observe
from metrics.whole_sample import neighbours as neighbours_module
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric
from metrics.whole_sample.features import over_largest, shuffled_subsets
from metrics.whole_sample.frechet import FRECHET, frechet_distance, frechet_physics_distance, smallest_sample
from metrics.whole_sample.kernel import KERNEL, kernel_physics_distance, squared_discrepancy
from metrics.whole_sample.neighbours import (
    COVERAGE,
    DENSITY,
    PRECISION,
    RECALL,
    coverage,
    density,
    neighbour_outcome,
    precision,
    recall,
)

Features = NDArray[np.float64]
METRICS = (FRECHET, KERNEL, PRECISION, RECALL, DENSITY, COVERAGE)
QUANTITIES = {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
FUNCTIONS: dict[str, Callable[[Features, Features, int], Outcome]] = {
    "fpd": frechet_physics_distance,
    "kpd": kernel_physics_distance,
    **{name: partial(neighbour_outcome, quantity) for name, quantity in QUANTITIES.items()},
}


def normal(events: int, features: int, seed: int) -> Features:
    return np.random.default_rng(seed).normal(size=(events, features))


def waves() -> tuple[Features, Features]:
    """240 events, 5 features of a formula, so that other programs can make them too."""
    event, feature = np.arange(240)[:, None], np.arange(5)
    real = np.sin(1.7 * event * (feature + 1) + feature)
    return real, 1.1 * np.sin(2.3 * event * (feature + 1) + 0.5 * feature) + 0.1


def plain_distance(real: Features, generated: Features) -> float:
    """Textbook Fréchet distance, with scipy's square root of a matrix."""
    a, b = np.cov(real.T), np.cov(generated.T)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    return float(shift @ shift + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real))


# ---------------------------------------------------------------- FPD


def test_frechet_distance_of_independent_gaussians_by_hand() -> None:
    """Standard deviations (1, 3) and (2, 1), means (0, 0) and (3, 4): 25 + 1 + 4."""
    value = frechet_distance(
        np.zeros((1, 2)), np.diag([1.0, 9.0])[None], np.array([[3.0, 4.0]]), np.diag([4.0, 1])[None]
    )
    assert value[0] == pytest.approx(30, rel=1e-14)


def test_frechet_distance_of_dependent_gaussians() -> None:
    """Constant from mpmath with 40 digits: Σ √λ over the eigenvalues λ of Σ_a Σ_b."""
    a = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 1]])
    b = np.array([[1, 0, 0.5], [0, 2, 1], [0.5, 1, 4]])
    means = np.zeros((1, 3)), np.array([[1, -2, 0.5]])
    assert frechet_distance(means[0], a[None], means[1], b[None])[0] == pytest.approx(6.905106021719059, rel=1e-14)


def test_frechet_distance_of_singular_covariances() -> None:
    """A constant, and a feature that repeats another: √(Σ_a Σ_b) by hand is diag(1·2, 0); 1 + 4 + 9 − 4."""
    a, b = np.diag([1.0, 0.0]), np.diag([4.0, 9.0])
    assert frechet_distance(np.zeros((1, 2)), a[None], np.zeros((1, 2)), b[None])[0] == pytest.approx(10, abs=1e-7)
    repeated = np.ones((2, 2))
    same = frechet_distance(np.zeros((1, 2)), repeated[None], np.zeros((1, 2)), 4 * repeated[None])
    assert same[0] == pytest.approx(2, abs=1e-7)  # variance 2 against 8 along one direction: (√2 − √8)²


def test_distance_of_the_whole_samples_is_that_of_jetnet() -> None:
    """Constant from _calculate_frechet_distance of JetNet 0.2.5 after its _normalise_features."""
    outcome = frechet_physics_distance(*waves(), seed=0)
    assert outcome.details["distances"][0] == pytest.approx(0.08188095812945662, rel=1e-9)
    assert outcome.details["batch_sizes"] == [240, 120, 80, 60]


def test_extrapolation_and_jackknife_as_in_the_definition() -> None:
    """Batches cut out event by event, numpy's covariances and straight line, scipy's root."""
    real, generated = over_largest(normal(500, 3, 1), 1.2 * normal(500, 3, 2) + 0.2)
    groups = shuffled_subsets(500, 24, seed=7)

    def value(left_out: int | None) -> float:
        inverse_sizes, distances = [], []
        for batches in (1, 2, 3, 4):
            members = [
                np.concatenate([groups[group] for group in part if group != left_out])
                for part in np.array_split(np.arange(24), batches)
            ]
            inverse_sizes.append(np.mean([1 / len(events) for events in members]))
            distances.append(np.mean([plain_distance(real[events], generated[events]) for events in members]))
        return float(np.polyfit(inverse_sizes, distances, 1, w=1 / np.sqrt([1, 2, 3, 4]))[1])

    outcome = frechet_physics_distance(real, generated, seed=7)
    assert outcome.value == pytest.approx(value(None), rel=1e-9)
    left_out = np.array([value(group) for group in range(24)])
    assert outcome.error == pytest.approx(np.sqrt(23 / 24 * ((left_out - left_out.mean()) ** 2).sum()), rel=1e-9)


def test_the_floor_of_10000_events_and_50_features_is_extrapolated_away() -> None:
    """In units of the deviations, two equal samples are F(F + 5)/2N apart: 2F/N by means, the rest by covariances."""
    outcome = frechet_physics_distance(normal(10_000, 50, 3), normal(10_000, 50, 4), seed=0)
    assert outcome.details["distances"][0] == pytest.approx(8.4e-3, rel=0.15)
    assert abs(outcome.value) < 3 * outcome.error < 2e-3


def test_fpd_of_a_shift_and_of_a_scale() -> None:
    """In units of the largest real value: five shifts of 0.5, and deviations 1 and 0.7."""
    real, other = normal(20_000, 5, 5), normal(20_000, 5, 6)
    largest = np.abs(real).max(axis=0)
    for generated, expected in ((other + 0.5, 0.25), (0.7 * other, 0.09)):
        outcome = frechet_physics_distance(real, generated, seed=0)
        assert outcome.value == pytest.approx((expected / largest**2).sum(), abs=3 * outcome.error)
        assert outcome.error < 0.1 * outcome.value


def test_fpd_divides_by_the_reference() -> None:
    real, generated = normal(2000, 3, 7), 2 * normal(2000, 3, 8)
    there, back = (frechet_physics_distance(*pair, seed=0).value for pair in ((real, generated), (generated, real)))
    assert there == pytest.approx(4 * back, rel=0.3)


def test_fpd_needs_more_events_than_features_in_every_batch() -> None:
    assert smallest_sample(50) == 264
    frechet_physics_distance(normal(264, 50, 0), normal(264, 50, 1), seed=0)
    with pytest.raises(ValueError, match="263 events came; with 50 features at least 264 are needed"):
        frechet_physics_distance(normal(263, 50, 0), normal(263, 50, 1), seed=0)


# ---------------------------------------------------------------- KPD


def test_squared_discrepancy_by_hand() -> None:
    """r = (0, 1), g = (1, −1): k(r, r') = 1, k(g, g') = 0, crossed 1 and 2⁴; (2·1 + 2·0 − 2·17) / 2."""
    assert squared_discrepancy(np.array([[0.0], [1]]), np.array([[1.0], [-1]])) == pytest.approx(-16)


def literal_discrepancy(real: Features, generated: Features, *, same_events: bool) -> float:
    def kernel(x: Features, y: Features) -> float:
        return float((sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 4)

    num = len(real)
    pairs = list(itertools.permutations(range(num), 2))
    within = sum(kernel(sample[i], sample[j]) for sample in (real, generated) for i, j in pairs) / len(pairs)
    crossed = [(i, j) for i in range(num) for j in range(num) if same_events or i != j]
    return within - 2 * sum(kernel(real[i], generated[j]) for i, j in crossed) / len(crossed)


def test_squared_discrepancy_agrees_with_a_double_loop_and_with_jetnet() -> None:
    """Constant from _mmd_poly_quadratic_unbiased of JetNet 0.2.5, which counts pairs i = j of R with G."""
    real, generated = over_largest(*waves())
    assert literal_discrepancy(real, generated, same_events=True) == pytest.approx(0.0425824685047651, rel=1e-10)
    assert squared_discrepancy(real, generated) == pytest.approx(
        literal_discrepancy(real, generated, same_events=False), rel=1e-10
    )


def test_blocks_of_kernels_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = normal(101, 4, 0), normal(101, 4, 1) + 0.1
    whole = squared_discrepancy(real, generated)
    monkeypatch.setattr("metrics.whole_sample.kernel.BLOCK", 16)
    assert squared_discrepancy(real, generated) == pytest.approx(whole, rel=1e-9)


def test_kpd_is_the_median_over_disjoint_batches() -> None:
    real, generated = normal(103, 3, 2), normal(103, 3, 3) + 0.3
    batches = shuffled_subsets(103, 10, seed=5)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(103))
    largest = np.abs(real).max(axis=0)
    values = [
        literal_discrepancy(real[events] / largest, generated[events] / largest, same_events=False)
        for events in batches
    ]
    outcome = kernel_physics_distance(real, generated, seed=5)
    assert outcome.value == pytest.approx(np.median(values), rel=1e-9)
    assert outcome.details["half_range"] == pytest.approx(stats.iqr(values, rng=(16.275, 83.725)) / 2, rel=1e-9)


def test_kpd_sees_what_fpd_does_not() -> None:
    """Mean and variance of the generated feature are right, its shape is not (two peaks, or skew)."""
    real = normal(20_000, 1, 9)
    skew = np.random.default_rng(10).exponential(size=(20_000, 1)) - 1
    fpd, kpd = frechet_physics_distance(real, skew, seed=0), kernel_physics_distance(real, skew, seed=0)
    assert abs(fpd.value) < 4 * fpd.error
    assert kpd.value > 4 * kpd.error


def test_large_samples_are_judged_in_batches_of_5000() -> None:
    assert kernel_physics_distance(normal(60_000, 2, 0), normal(60_000, 2, 1), seed=0).details["batch_size"] == 5000


# ---------------------------------------------------------------- precision, recall, density, coverage


def brute_force(real: Features, generated: Features, k: int) -> dict[str, float]:
    """The public code of Naeem et al. in loops: open balls."""

    def distance(x: Features, y: Features) -> float:
        return float(np.sqrt(((x - y) ** 2).sum()))

    def radii(sample: Features) -> list[float]:
        return [sorted(distance(x, y) for y in sample)[k] for x in sample]

    real_radii, generated_radii = radii(real), radii(generated)
    table = [[distance(x, y) for y in generated] for x in real]
    in_real = np.array([[d < radius for d in row] for row, radius in zip(table, real_radii, strict=True)])
    in_generated = np.array([[d < radius for d, radius in zip(row, generated_radii, strict=True)] for row in table])
    return {
        "precision": float(in_real.any(axis=0).mean()),
        "recall": float(in_generated.any(axis=1).mean()),
        "density": float(in_real.sum(axis=0).mean() / k),
        "coverage": float(in_real.any(axis=1).mean()),
    }


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("width", [0.4, 1.0, 2.0])
def test_neighbours_agree_with_brute_force(k: int, width: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = normal(83, 3, 11), width * normal(83, 3, 12)
    expected = brute_force(real, generated, k)
    assert {name: quantity(real, generated, k) for name, quantity in QUANTITIES.items()} == expected
    monkeypatch.setattr(neighbours_module, "ROWS", 7)
    monkeypatch.setattr(neighbours_module, "COLUMNS", 4)  # fewer than k
    assert {name: quantity(real + 1e3, generated + 1e3, k) for name, quantity in QUANTITIES.items()} == expected


def test_neighbours_on_a_line() -> None:
    """R = 0, 1, 3, 7 with reach 1, 1, 2, 4 (k = 1); G = 0.5, 0.6, 2.5, 20 with reach 0.1, 0.1, 1.9, 17.5."""
    real, generated = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [0.6], [2.5], [20]])
    assert precision(real, generated, 1) == 3 / 4
    assert density(real, generated, 1) == (2 + 2 + 1 + 0) / 4
    assert coverage(real, generated, 1) == 3 / 4
    assert recall(real, generated, 1) == 3 / 4


def test_narrow_and_wide_generators_are_told_apart() -> None:
    real, narrow = normal(1000, 4, 13), 0.5 * normal(1000, 4, 14)
    assert precision(real, narrow) > 0.98 > 0.7 > recall(real, narrow)
    assert recall(narrow, real) > 0.98 > 0.7 > precision(narrow, real)
    assert density(real, narrow) > 1.05 > 0.5 > density(narrow, real)
    assert precision(real, narrow) == recall(narrow, real)  # one is the other with R and G exchanged


def test_a_dropped_mode_lowers_recall_and_coverage() -> None:
    rng = np.random.default_rng(15)
    modes = np.repeat([0.0, 10.0], 500)[:, None]
    real, generated = modes + rng.normal(size=(1000, 2)), rng.normal(size=(1000, 2))
    assert precision(real, generated) > 0.97
    assert recall(real, generated) == pytest.approx(0.5, abs=0.02)
    assert coverage(real, generated) == pytest.approx(0.5, abs=0.02)


def test_full_simulation_has_unit_density_and_the_expected_coverage() -> None:
    outcome = neighbour_outcome(coverage, normal(4000, 6, 16), normal(4000, 6, 17), seed=0)
    assert outcome.value == pytest.approx(1 - 2**-5, abs=4 * outcome.error)
    outcome = neighbour_outcome(density, normal(4000, 6, 16), normal(4000, 6, 17), seed=0)
    assert outcome.value == pytest.approx(1, abs=4 * outcome.error)


def test_repeated_events_lie_within_reach_of_each_other() -> None:
    real = np.repeat(normal(20, 3, 18), 10, axis=0) + 100.1  # balls without size
    assert [quantity(real, real[::-1]) for quantity in (precision, recall, coverage)] == [1, 1, 1]
    assert [quantity(real, real + 1e-3) for quantity in (precision, recall, coverage)] == [0, 0, 0]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_samples_are_perfect(name: str) -> None:
    real = normal(600, 5, 20)
    outcome = FUNCTIONS[name](real, real.copy(), 0)
    assert outcome.value == pytest.approx(0.0 if name in ("fpd", "kpd") else 1.0, abs=1e-12)
    assert outcome.error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_constant_features_change_nothing_but_scale_kernels(name: str) -> None:
    """A feature that is 0 in both samples, as a constant observable after it was standardised."""
    real, generated = normal(600, 4, 21), 1.3 * normal(600, 4, 22)
    none = np.zeros((600, 1))
    outcome, plain = (
        FUNCTIONS[name](a, b, 0)
        for a, b in ((np.hstack([real, none]), np.hstack([generated, none])), (real, generated))
    )
    if name == "kpd":
        assert 0 < outcome.value < plain.value  # the mean over features is over one more
    else:
        assert outcome.value == pytest.approx(plain.value, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "equal", "doubled"),
    [("fpd", 0, 3), ("kpd", 0, 16 + 625 - 2 * 81), ("precision", 1, 0), ("recall", 1, 0), ("coverage", 1, 0)],
)
def test_all_features_constant(name: str, equal: float, doubled: float) -> None:
    """Over the largest of R: 1 in R, 2 in G. FPD 3 · 1²; kernels (1 + 1)⁴, (4 + 1)⁴, (2 + 1)⁴; balls without size."""
    constant = np.full((300, 3), 0.1 + 0.2)
    assert FUNCTIONS[name](constant, constant, 0).value == pytest.approx(equal, abs=1e-12)
    assert FUNCTIONS[name](constant, 2 * constant, 0).value == pytest.approx(doubled, abs=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_seed_same_number(name: str) -> None:
    real, generated = normal(500, 3, 23), 1.1 * normal(500, 3, 24)
    first, again, other = (FUNCTIONS[name](real, generated, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.error != other.error
    assert other.value == pytest.approx(first.value, abs=3 * (first.error + other.error))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bad_input_is_refused(name: str) -> None:
    function, good = FUNCTIONS[name], normal(300, 3, 25)
    bad = good.copy()
    bad[17, 2] = np.nan
    with pytest.raises(ValueError, match="feature 2 of generated event 17 is nan; expected finite"):
        function(good, bad, 0)
    with pytest.raises(ValueError, match="feature 2 of reference event 17 is nan"):
        function(bad, good, 0)
    for few in (0, 1, 5):
        with pytest.raises(ValueError, match=f"{few} events came; with 3 features at least"):
            function(good[:few], good[:few], 0)
    for other in (good[:299], good[:, :2], good[:, 0]):
        with pytest.raises(ValueError, match=r"expected \(events, features\) of both, equal"):
            function(good, other, 0)
    with pytest.raises(ValueError, match="one feature or more"):
        function(good[:, :0], good[:, :0], 0)


@pytest.mark.parametrize("name", ["fpd", "kpd"])
def test_a_diverged_generator_is_refused(name: str) -> None:
    good = normal(300, 3, 26)
    with pytest.raises(ValueError, match="the generator has diverged"):
        FUNCTIONS[name](good, good * 1e40, 0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("width", [1.0, 1.4])
def test_errors_are_those_of_repeated_samples(name: str, width: float) -> None:
    """Root mean square error against the spread of 40 samples, fluctuating by a tenth itself."""
    outcomes = [
        FUNCTIONS[name](normal(480, 4, 1000 + sample), width * normal(480, 4, 2000 + sample), sample)
        for sample in range(40)
    ]
    spread = np.std([outcome.value for outcome in outcomes], ddof=1)
    quoted = np.sqrt(np.mean([outcome.error**2 for outcome in outcomes]))
    assert 0.6 < quoted / spread < 2.2


@pytest.mark.parametrize("name", ["kpd", "precision", "recall"])
def test_memory_is_bounded(name: str) -> None:
    """All kernels of a batch would be 32 MB, all distances 800 MB."""
    events = 20_000 if name == "kpd" else 10_000
    real, generated = normal(events, 3, 27), normal(events, 3, 28)
    tracemalloc.start()
    try:
        FUNCTIONS[name](real, generated, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24e6


@pytest.fixture(scope="module")
def pair(reference: Events, twin: Events) -> SamplePair:
    """Full simulation against full simulation, in the features of the total and the layers."""
    names = ("response", "shower_depth", "energy_front", "energy_middle")
    bins = np.unique(reference.incident_energy, return_inverse=True)[1]
    real, generated = (np.column_stack(list(observe(events, names).values())) for events in (reference, twin))
    for number in range(bins.max() + 1):
        here = bins == number
        mean, scale = real[here].mean(axis=0), real[here].std(axis=0)
        real[here], generated[here] = (real[here] - mean) / scale, (generated[here] - mean) / scale
    return SamplePair(reference, bins, real, generated, twin)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_full_simulation_is_near_perfect(metric: WholeSampleMetric, pair: SamplePair) -> None:
    outcome = metric.function(pair, 0)
    assert json.loads(json.dumps(outcome.to_json(), allow_nan=False))["value"] == outcome.value
    assert outcome.error > 0
    level = {"fpd": 0, "kpd": 0, "coverage": 1 - 2**-5}.get(metric.name, 1)
    assert outcome.value == pytest.approx(level, abs=0.06 if metric.direction == "higher" else 4 * outcome.error)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_generator_without_fluctuations_is_far_from_full_simulation(
    metric: WholeSampleMetric, pair: SamplePair
) -> None:
    """Each event the mean of its condition bin, and thus features of 0."""
    flat = SamplePair(pair.reference, pair.bins, pair.reference_features, 0 * pair.generated_features, pair.generated)
    good, bad = metric.function(pair, 0), metric.function(flat, 0)
    if metric.name in ("precision", "density"):
        assert bad.value == pytest.approx(1, abs=3 * bad.error)  # the means lie where R is dense: no fault to see here
    else:
        assert abs(bad.value - good.value) > 5 * max(good.error, bad.error)


# ---------------------------------------------------------------- Wasserstein distance


@pytest.mark.parametrize("num", [1, 2, 7, 8, 9, 1000])
def test_sorted_distance_agrees_with_the_weighted_one_and_with_scipy(num: int) -> None:
    rng = np.random.default_rng(num)
    r, g = rng.normal(size=num), np.round(rng.exponential(size=num), 1)  # with ties
    plain = wasserstein_1d(r, g, np.ones((1, num)))
    assert plain.shape == (1,)
    np.testing.assert_allclose(wasserstein_1d(r, g, np.ones((3, num))), np.repeat(plain, 3), rtol=1e-12)
    np.testing.assert_allclose(plain[0], stats.wasserstein_distance(r, g), rtol=1e-12)
    np.testing.assert_allclose(plain[0], ot.wasserstein_1d(r, g), rtol=1e-12)


def test_one_row_of_weights_is_not_taken_for_ones() -> None:
    rng = np.random.default_rng(30)
    r, g, row = rng.normal(size=50), rng.normal(size=50) + 1, rng.integers(0, 4, size=50).astype(float)
    expected = stats.wasserstein_distance(r, g, row, row)
    np.testing.assert_allclose(wasserstein_1d(r, g, row[None]), [expected], rtol=1e-12)
    assert expected != pytest.approx(stats.wasserstein_distance(r, g), rel=1e-3)
    np.testing.assert_allclose(wasserstein_1d(r, g, 2 * row[None]), [expected], rtol=1e-12)


@pytest.mark.parametrize("num", [1, 5, 100, 333])
def test_blocks_of_the_weighted_distance(num: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(31)
    r, g = rng.normal(size=num), rng.normal(size=num) * 2
    weights = rng.integers(0, 4, size=(6, num)).astype(np.float64) + 0.5
    expected = [stats.wasserstein_distance(r, g, row, row) for row in weights]
    for block in (1, 200, 2**17):
        monkeypatch.setattr(wasserstein_module, "BLOCK", block)
        np.testing.assert_allclose(wasserstein_1d(r, g, weights), expected, rtol=1e-12)
    assert wasserstein_1d(r, g, weights[:0]).shape == (0,)
