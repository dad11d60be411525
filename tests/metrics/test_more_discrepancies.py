"""Separation power by hand, Wasserstein and Gromov–Wasserstein distances against scipy and POT."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ot.gromov import gromov_wasserstein as pot_coupling
from scipy import stats
from scipy.special import logsumexp

from metrics.binning import quantile_edges
from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.entropic_gromov_wasserstein import (
    EPSILON,
    entropic_gromov_wasserstein,
    entropic_gromov_wasserstein_distance,
)
from metrics.discrepancies.gromov_wasserstein import gromov_wasserstein_distance
from metrics.discrepancies.separation_power import separation_power, separation_powers
from metrics.discrepancies.wasserstein import wasserstein_1d

Matrix = NDArray[np.float64]


def histogram_bin(num: int, *edges: list[float]) -> ConditionBin:
    names = tuple(f"o{number}" for number in range(len(edges)))
    inner = tuple(np.array(borders) for borders in edges)
    return ConditionBin(1.0, np.arange(num), names, (), inner, (), 0, np.ones(len(edges)))


def measured(condition_bin: ConditionBin, *columns: list[float] | Matrix) -> Measurement:
    return condition_bin.measure(dict(zip(condition_bin.distributions, map(np.array, columns), strict=True)))


def test_separation_power_by_hand() -> None:
    """R in bins (2, 1, 1) / 4 and G in (1, 3, 0) / 4: half of the terms (r − g)² / (r + g)."""
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
    powers = []
    for _ in range(20):
        r, g = (measured(condition_bin, generator.random(5000)) for _ in "rg")
        powers.append(separation_power(condition_bin, r, g, np.ones((1, 5000)))[0])
    assert np.mean(powers) == pytest.approx(99 / 10_000, rel=0.05)


@pytest.mark.parametrize("num", [2, 50, 1001])
def test_wasserstein_agrees_with_scipy(num: int) -> None:
    generator = np.random.default_rng(num)
    r, g = generator.normal(size=num), generator.exponential(size=num)
    weights = np.vstack([np.ones(num), generator.multinomial(num, np.full(num, 1 / num))])
    ours = wasserstein_1d(r, g, weights)
    theirs = [stats.wasserstein_distance(r, g, w, w) for w in weights]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_separation_power_with_weights_is_that_of_repeated_events() -> None:
    generator = np.random.default_rng(0)
    r, g = generator.normal(size=40), generator.normal(0.5, 1, size=40)
    counts = generator.integers(0, 4, 40)
    edges = [-1.0, -0.5, 0.0, 0.5, 1.0]
    weighted, repeated = histogram_bin(40, edges), histogram_bin(int(counts.sum()), edges)
    value = separation_power(weighted, measured(weighted, r), measured(weighted, g), counts[None, :].astype(float))
    reference, generated = (measured(repeated, np.repeat(sample, counts)) for sample in (r, g))
    expected = separation_power(repeated, reference, generated, np.ones((1, counts.sum())))
    assert value[0] == pytest.approx(expected[0])


def test_separation_power_sees_events_beyond_the_edges() -> None:
    generator = np.random.default_rng(1)
    values = np.sort(generator.normal(size=40))
    condition_bin = histogram_bin(40, quantile_edges(values, bins=4, smallest_count=10).tolist())
    far = np.concatenate([np.full(10, 1e6), values[10:]])  # the lowest quarter goes to the overflow
    r, g, ones = measured(condition_bin, values), measured(condition_bin, far), np.ones((1, 40))
    # r = (1/4, 1/4, 1/4, 1/4), g = (0, 1/4, 1/4, 1/2): ½ (1/4 + 1/16 / 3/4)
    assert separation_power(condition_bin, r, g, ones)[0] == pytest.approx((1 / 4 + 1 / 12) / 2)


def test_separation_power_depends_on_whose_bins_they_are() -> None:
    """A narrow sample fills few bins of a wide one; the wide one fills the end bins of the narrow."""
    generator = np.random.default_rng(2)
    wide, narrow = generator.normal(size=400), generator.normal(0.05, 0.1, size=400)

    def power(reference: Matrix, generated: Matrix) -> float:
        condition_bin = histogram_bin(400, quantile_edges(reference, bins=10, smallest_count=10).tolist())
        r, g = (measured(condition_bin, sample) for sample in (reference, generated))
        return float(separation_power(condition_bin, r, g, np.ones((1, 400)))[0])

    assert abs(power(wide, narrow) - power(narrow, wide)) > 0.02


def correlations(seed: int, size: int = 6) -> Matrix:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(200, 4)) @ generator.normal(size=(4, size))
    return np.asarray(np.corrcoef(values, rowvar=False))


def loss(r: Matrix, g: Matrix, coupling: Matrix) -> float:
    """Σ (r_ij − g_kl)² T_ik T_jl, as it is written."""
    squares = (r[:, :, None, None] - g[None, None]) ** 2
    return float(np.einsum("ijkl,ik,jl->", squares, coupling, coupling))


def test_gromov_wasserstein_of_two_by_two() -> None:
    """Correlations 0.8 and 0.2: coupled one to one, only the two entries off the diagonal differ, ½ · 0.6²."""
    r, g = np.array([[1.0, 0.8], [0.8, 1.0]]), np.array([[1.0, 0.2], [0.2, 1.0]])
    couplings = [np.array([[t, 0.5 - t], [0.5 - t, t]]) for t in np.linspace(0, 0.5, 101)]
    assert min(loss(r, g, coupling) for coupling in couplings) == pytest.approx(0.18)
    assert gromov_wasserstein_distance(r, g) == pytest.approx(0.18)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gromov_wasserstein_is_the_loss_of_the_coupling_that_pot_finds(seed: int) -> None:
    r, g = correlations(seed), correlations(seed + 10)
    couplings = [pot_coupling(r, g, loss_fun="square_loss", G0=start) for start in (None, np.eye(6) / 6)]
    for coupling in couplings:
        np.testing.assert_allclose(coupling.sum(axis=0), 1 / 6)
        np.testing.assert_allclose(coupling.sum(axis=1), 1 / 6)
    found = gromov_wasserstein_distance(r, g)
    assert found == pytest.approx(min(loss(r, g, coupling) for coupling in couplings), rel=1e-6)
    assert 0 < found < loss(r, g, np.full((6, 6), 1 / 36))  # better than coupling everything with everything


@pytest.mark.parametrize("seed", range(5))
def test_gromov_wasserstein_is_at_most_the_mean_square_difference(seed: int) -> None:
    """Of nearly equal matrices too, where the gradient from the uniform coupling stops at another local minimum."""
    r = correlations(seed)
    g = r + 0.02 * (correlations(seed + 5) - r)
    mean_square = float(((r - g) ** 2).mean())
    assert 0 < gromov_wasserstein_distance(r, g) <= mean_square * (1 + 1e-9)


def entropic_coupling(r: Matrix, g: Matrix) -> Matrix:
    """Projected gradient descent with Sinkhorn steps in the logarithm; many of both."""
    size = len(r)
    marginal = np.full(size, -np.log(size))
    coupling = np.full((size, size), 1 / size**2)
    for _ in range(25):
        ones = np.ones(size) / size
        gradient = 2 * ((r**2 @ ones)[:, None] + (g**2 @ ones)[None, :] - 2 * r @ coupling @ g.T)
        u, v = np.zeros(size), np.zeros(size)
        for _ in range(500):
            u = marginal - logsumexp(v[None, :] - gradient / EPSILON, axis=1)
            v = marginal - logsumexp(u[:, None] - gradient / EPSILON, axis=0)
        coupling = np.exp(u[:, None] + v[None, :] - gradient / EPSILON)
    return coupling


def test_entropic_discrepancy_agrees_with_a_solver_in_the_logarithm() -> None:
    """Also where POT's inner iteration does not converge: warnings would fail this test."""
    r, g = correlations(1), correlations(1)
    g[0, 1] = g[1, 0] = g[0, 1] + 0.05
    expected = loss(r, g, entropic_coupling(r, g))
    assert expected > 0
    assert entropic_gromov_wasserstein_distance(r, g) == pytest.approx(expected, rel=1e-3)


def test_entropic_discrepancy_of_equal_matrices_is_not_zero() -> None:
    """Two unit matrices: the coupling stays uniform, so the loss is 2 (1/O − 1/O²) = 10/36 for O = 6."""
    assert entropic_gromov_wasserstein_distance(np.eye(6), np.eye(6)) == pytest.approx(10 / 36)
    assert entropic_gromov_wasserstein_distance(np.eye(1), np.eye(1)) == 0
    assert gromov_wasserstein_distance(np.eye(6), np.eye(6)) == pytest.approx(0, abs=1e-12)
    assert 1e-4 < entropic_gromov_wasserstein_distance(correlations(1), correlations(1)) < 0.05


def test_entropic_discrepancy_of_samples() -> None:
    generator = np.random.default_rng(5)
    condition_bin = histogram_bin(40, [0.0], [0.0], [0.0])
    columns = generator.normal(size=(3, 40))
    columns[1] += 2 * columns[0]
    r, g = measured(condition_bin, *columns), measured(condition_bin, *generator.normal(size=(3, 40)))
    weights = np.vstack([np.ones(40), generator.multinomial(40, np.full(40, 1 / 40))])
    values = entropic_gromov_wasserstein(condition_bin, r, g, weights)
    assert values.shape == (2,)
    of_r, of_g = (np.asarray(np.corrcoef(rows)) for rows in (columns, g.values.T))
    expected = entropic_gromov_wasserstein_distance(of_r, of_g)
    assert values[0] == pytest.approx(expected, rel=1e-6)
    assert values[0] > 2 * entropic_gromov_wasserstein(condition_bin, r, r, weights)[0]
    constant = measured(condition_bin, *np.ones((3, 40)))  # every correlation is 0
    assert np.isfinite(entropic_gromov_wasserstein(condition_bin, r, constant, weights)).all()
