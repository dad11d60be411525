"""Answers that were worked out by hand or by other code."""

import numpy as np
import pytest
from scipy import stats

from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from metrics.binning import bin_index, merge_adjacent, profile_starts, quantile_edges
from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.bin_mean_relative_error import bin_mean_relative_error
from metrics.discrepancies.chi_squared import chi_squared_table, p_value
from metrics.discrepancies.correlation import correlation_difference, correlation_matrices
from metrics.discrepancies.gromov_wasserstein import gromov_wasserstein_distance
from metrics.discrepancies.response_error import response_error
from metrics.discrepancies.wasserstein import wasserstein, wasserstein_1d
from metrics.observables import observables_of
from metrics.observables.sample import Sample

NUM = 40
ONES = np.ones((1, NUM))


def tiny_bin(scale: float = 1.0) -> ConditionBin:
    """40 events; one histogram with an edge at 0.5; one profile of two positions."""
    return ConditionBin(
        condition=1.0,
        events=np.arange(NUM),
        distributions=("response",),
        profiles=("profile",),
        edges=(np.array([0.5]),),
        starts=(np.array([0, 1]),),
        merged=0,
        scale=np.array([scale]),
    )


def sample(below: int, low: float, high: float, profile: tuple[float, float]) -> Measurement:
    """``below`` events at ``low`` < 0.5, the others at ``high``; the same profile in every event."""
    values = np.where(np.arange(NUM) < below, low, high)
    return tiny_bin().measure({"response": values, "profile": np.tile(profile, (NUM, 1))})


def test_bmre_of_two_bins() -> None:
    """Histogram r = (10, 30), g = (20, 20): (1 + 1/3) / 2. Profile r = (1, 4), g = (2, 2): (1 + 1/2) / 2."""
    r, g = sample(10, 0.0, 1.0, (1, 4)), sample(20, 0.0, 1.0, (2, 2))
    assert bin_mean_relative_error(tiny_bin(), r, g, ONES)[0] == pytest.approx((2 / 3 + 3 / 4) / 2)
    # The other way round, (1/2 + 1/2) / 2 and (1/2 + 1) / 2: the reference is what one divides by.
    assert bin_mean_relative_error(tiny_bin(), g, r, ONES)[0] == pytest.approx((1 / 2 + 3 / 4) / 2)


def test_bmre_stays_finite_where_a_replica_lost_all_reference_entries() -> None:
    """Only the events above the edge are drawn: r = (0, 40), taken as (1, 40); g = (40/3, 80/3)."""
    r, g = sample(10, 0.0, 1.0, (1, 1)), sample(20, 0.0, 1.0, (1, 1))
    weights = np.where(np.arange(NUM) < 10, 0.0, 40 / 30)[None, :]
    assert bin_mean_relative_error(tiny_bin(), r, g, weights)[0] == pytest.approx((40 / 3 + 1 / 3) / 2 / 2)


def test_response_error_divides_by_the_reference() -> None:
    r, g = sample(20, 0.0, 2.0, (1, 1)), sample(0, 0.0, 3.0, (1, 1))
    assert response_error(tiny_bin(), r, g, ONES)[0] == pytest.approx(2.0)
    assert response_error(tiny_bin(), g, r, ONES)[0] == pytest.approx(2 / 3)


def test_wasserstein_of_a_shift_is_the_shift_in_units_of_the_reference() -> None:
    r, g = sample(20, 0.0, 1.0, (1, 1)), sample(20, 0.25, 1.25, (1, 1))  # standard deviation 0.5
    assert wasserstein(tiny_bin(scale=0.5), r, g, ONES)[0] == pytest.approx(0.5)


def test_wasserstein_agrees_with_scipy_with_and_without_weights() -> None:
    rng = np.random.default_rng(0)
    r, g = rng.normal(size=50), np.round(rng.exponential(size=50), 1)  # with ties
    weights = np.vstack([np.ones(50), rng.integers(0, 4, size=50)])
    expected = [stats.wasserstein_distance(r, g, row, row) for row in weights]
    np.testing.assert_allclose(wasserstein_1d(r, g, weights), expected, rtol=1e-12)


def test_chi_squared_of_two_bins() -> None:
    """(10, 30) and (20, 20): 100/30 + 100/50 with one degree of freedom."""
    r, g = sample(10, 0.0, 1.0, (1, 4)), sample(20, 0.0, 1.0, (1, 4))
    chi2, ndf = chi_squared_table(tiny_bin(), r, g, ONES)
    assert chi2[0, 0] == pytest.approx(100 / 30 + 100 / 50)
    assert ndf[0, 0] == 1
    assert p_value(chi2, ndf)[0, 0] == pytest.approx(stats.chi2.sf(16 / 3, 1))
    # The profile does not fluctuate, and a bin without variance cannot be tested.
    assert (chi2[0, 1], ndf[0, 1], p_value(chi2, ndf)[0, 1]) == (0, 0, 1)


def test_chi_squared_of_a_profile_is_a_welch_test() -> None:
    rng = np.random.default_rng(1)
    values = {"response": np.zeros(NUM)}
    r_profile, g_profile = rng.normal(5, 1, size=(NUM, 2)), rng.normal(5.5, 2, size=(NUM, 2))
    r = tiny_bin().measure(values | {"profile": r_profile})
    g = tiny_bin().measure(values | {"profile": g_profile})
    chi2, ndf = chi_squared_table(tiny_bin(), r, g, ONES)
    welch = stats.ttest_ind(g_profile, r_profile, equal_var=False).statistic
    assert chi2[0, 1] == pytest.approx((welch**2).sum())
    assert ndf[0, 1] == 2


def test_correlation_agrees_with_numpy_with_and_without_weights() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 100
    counts = rng.integers(0, 4, size=60)
    matrices = correlation_matrices(values, values.std(axis=0), np.vstack([np.ones(60), counts]))
    np.testing.assert_allclose(matrices[0], np.corrcoef(values.T), atol=1e-10)
    np.testing.assert_allclose(matrices[1], np.corrcoef(np.repeat(values, counts, axis=0).T), atol=1e-10)


def test_correlation_with_a_constant_is_zero() -> None:
    values = np.random.default_rng(3).normal(size=(30, 3))
    constant = values.copy()
    constant[:, 1] = 0.1 + 0.2  # not representable: its variance is rounding, not zero
    matrix = correlation_matrices(constant, values.std(axis=0), np.ones((1, 30)))[0]
    np.testing.assert_array_equal(matrix[1], [0, 1, 0])
    assert matrix[0, 2] == pytest.approx(np.asarray(np.corrcoef(values.T))[0, 2])


def test_relabelled_observables_are_seen_entry_by_entry_but_not_by_gromov_wasserstein() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(NUM, 6)) @ rng.normal(size=(6, 6))
    order = np.array([3, 0, 5, 1, 2, 4])
    r = np.asarray(np.corrcoef(values.T))
    g = r[order][:, order]
    assert gromov_wasserstein_distance(r, r) == pytest.approx(0, abs=1e-12)
    assert gromov_wasserstein_distance(r, g) == pytest.approx(0, abs=1e-9)
    assert gromov_wasserstein_distance(r, np.eye(6)) > 0.01

    def measured(columns: np.ndarray) -> Measurement:
        return Measurement(columns / values.std(axis=0), np.zeros((NUM, 1)), np.zeros((NUM, 1)))

    condition_bin = ConditionBin(1.0, np.arange(NUM), (), (), (), (), 0, np.ones(6))
    difference = correlation_difference(condition_bin, measured(values), measured(values[:, order]), ONES)[0]
    upper = np.triu_indices(6, 1)
    assert difference == pytest.approx(np.sqrt(np.mean((r - g)[upper] ** 2)), rel=1e-6)
    assert difference > 0.1


def test_quantile_edges_keep_every_entry_and_merge_equal_quantiles() -> None:
    values = np.concatenate([np.zeros(55), np.linspace(1, 2, 45)])
    edges = quantile_edges(values, bins=10, smallest_count=10)
    counts = np.bincount(bin_index(values, edges), minlength=len(edges) + 1)
    assert counts.sum() == 100
    assert counts.min() >= 10
    assert len(edges) + 1 < 10
    far = np.array([-1e9, 1e9])
    np.testing.assert_array_equal(bin_index(far, edges), [0, len(edges)])


def test_a_small_sample_gets_fewer_bins() -> None:
    edges = quantile_edges(np.arange(35.0), bins=10, smallest_count=10)
    counts = np.bincount(bin_index(np.arange(35.0), edges))
    assert len(counts) == 3
    assert counts.min() >= 10


def test_left_over_bins_join_the_last_full_one() -> None:
    content = np.array([1, 4, 6, 12, 3, 2])
    starts = merge_adjacent(6, lambda bin_: content[bin_].sum() >= 10)
    np.testing.assert_array_equal(starts, [0, 3])


def test_profile_bins_hold_enough_energy_from_enough_events() -> None:
    profile = np.tile([0.001, 1.0, 50.0, 49.0, 0.0], (100, 1))
    np.testing.assert_array_equal(profile_starts(profile, 0.01, 10), [0, 2, 3])
    profile[:, 3] = 0.0
    profile[7, 3] = 4900.0  # the same energy, but from a single event
    np.testing.assert_array_equal(profile_starts(profile, 0.01, 10), [0, 2])
    with pytest.raises(ValueError, match="no energy"):
        profile_starts(np.zeros((100, 5)), 0.01, 10)


def test_depth_and_profiles_of_one_cell(reference) -> None:
    """All energy in one back cell: depth of that layer, profile at its row and column."""
    cells = reference.detector.layer_slices["back"]
    response = np.zeros_like(reference.response)
    response[:, cells.start + 2 * 7 + 5] = reference.incident_energy / 2  # row 2 in eta, column 5 in phi
    events = reference.with_response(response)
    observables, sample = observables_of(ATLAS_PHOTONS), Sample(events)
    np.testing.assert_allclose(observables["shower_depth"].function(sample), reference.detector.layers[3].depth_x0)
    np.testing.assert_allclose(observables["response"].function(sample), 0.5)
    np.testing.assert_allclose(observables["energy_back"].function(sample), 0.5)
    assert (observables["energy_front"].function(sample) == 0).all()
    np.testing.assert_allclose(observables["lateral_eta_back"].function(sample)[0], [0, 0, 0.5, 0])
    np.testing.assert_allclose(observables["lateral_phi_back"].function(sample)[0], [0, 0, 0, 0, 0, 0.5, 0])
    np.testing.assert_allclose(observables["lateral_eta_back"].edges, [-0.1, -0.05, 0, 0.05, 0.1], atol=1e-12)
