"""Separation power by hand, Wasserstein and Gromov–Wasserstein distances against scipy and POT."""

import numpy as np
import pytest
from scipy import stats

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.entropic_gromov_wasserstein import entropic_gromov_wasserstein_distance
from metrics.discrepancies.gromov_wasserstein import gromov_wasserstein_distance
from metrics.discrepancies.separation_power import separation_power, separation_powers
from metrics.discrepancies.wasserstein import wasserstein_1d


def histogram_bin(num: int, *edges: list[float]) -> ConditionBin:
    names = tuple(f"o{number}" for number in range(len(edges)))
    inner = tuple(np.array(borders) for borders in edges)
    return ConditionBin(1.0, np.arange(num), names, (), inner, (), 0, np.ones(len(edges)))


def measured(condition_bin: ConditionBin, *columns: list[float]) -> Measurement:
    return condition_bin.measure(dict(zip(condition_bin.distributions, map(np.array, columns), strict=True)))


def test_separation_power_by_hand() -> None:
    """R in bins (2, 1, 1) / 4 and G in (1, 3, 0) / 4: ½ (1/12 + 4/16 + 1/4 · …) with each term (r − g)² / (r + g)."""
    condition_bin = histogram_bin(4, [1.0, 2.0])
    r = measured(condition_bin, [0.5, 0.5, 1.5, 2.5])
    g = measured(condition_bin, [0.5, 1.5, 1.5, 1.5])
    terms = (0.25**2 / 0.75, 0.5**2 / 1.0, 0.25**2 / 0.25)
    assert separation_power(condition_bin, r, g, np.ones((1, 4)))[0] == pytest.approx(sum(terms) / 2)


def test_separation_power_of_disjoint_and_of_equal_histograms() -> None:
    condition_bin = histogram_bin(2, [1.0], [1.0])
    r, g = measured(condition_bin, [0.0, 0.0], [0.0, 2.0]), measured(condition_bin, [2.0, 2.0], [2.0, 0.0])
    np.testing.assert_allclose(separation_powers(condition_bin, r, g, np.ones((1, 2))), [[1.0, 0.0]])


def test_floor_of_separation_power_follows_from_bins_and_events() -> None:
    """Two samples of one distribution get (B − 1) / (2n): what explains published rows of full simulation."""
    generator = np.random.default_rng(0)
    edges = np.linspace(0, 1, 101)[1:-1].tolist()
    condition_bin = histogram_bin(5000, edges)
    powers = [
        separation_power(
            condition_bin, *(measured(condition_bin, generator.random(5000)) for _ in "rg"), np.ones((1, 5000))
        )[0]
        for _ in range(20)
    ]
    assert np.mean(powers) == pytest.approx(99 / 10_000, rel=0.05)


@pytest.mark.parametrize("num", [2, 50, 1001])
def test_wasserstein_agrees_with_scipy(num: int) -> None:
    generator = np.random.default_rng(num)
    r, g = generator.normal(size=num), generator.exponential(size=num)
    weights = np.vstack([np.ones(num), generator.multinomial(num, np.full(num, 1 / num))])
    ours = wasserstein_1d(r, g, weights)
    theirs = [stats.wasserstein_distance(r, g, w, w) for w in weights]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_gromov_wasserstein_agrees_with_the_definition_and_is_blind_to_names() -> None:
    """For two observables the uniform coupling and the identity are all there is to choose between, by symmetry."""
    r, g = np.array([[1.0, 0.8], [0.8, 1.0]]), np.array([[1.0, 0.2], [0.2, 1.0]])
    assert gromov_wasserstein_distance(r, g) == pytest.approx(2 * (0.5 * 0.6) ** 2, rel=1e-6)
    generator = np.random.default_rng(3)
    matrix = np.corrcoef(generator.normal(size=(5, 30)))
    order = generator.permutation(5)
    assert gromov_wasserstein_distance(matrix, matrix[np.ix_(order, order)]) >= 0


def test_entropic_distance_of_equal_matrices_is_not_zero() -> None:
    """Two unit matrices: the coupling stays uniform, so the loss is 2 (1/O − 1/O²) = 10/36 for O = 6."""
    assert entropic_gromov_wasserstein_distance(np.eye(6), np.eye(6)) == pytest.approx(10 / 36)
