"""Components that only some detectors have, and what their scorecards notice, by known answers."""

import numpy as np
import pytest
from scipy import stats

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from data_adapters.layouts.airshower import AIRSHOWER_PATTERN_DETECTOR
from metrics import SCORECARDS
from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.helix_residual_distance import RESIDUALS, helix_residual_distance
from metrics.discrepancies.shower_size_error import shower_size_error
from metrics.judge import Judge
from metrics.observables import observe

ONE = np.ones((1, 3))


def bin_of(*names: str, scale: list[float]) -> ConditionBin:
    none = tuple(np.empty(0) for _ in names)
    return ConditionBin(1.0, np.arange(3), names, (), none, (), 0, np.array(scale))


def measured(condition_bin: ConditionBin, *columns: list[float]) -> Measurement:
    return condition_bin.measure(dict(zip(condition_bin.distributions, map(np.array, columns), strict=True)))


def stations(signal: np.ndarray, energy: float = 2.0) -> Events:
    return Events(
        AIRSHOWER_PATTERN_DETECTOR,
        {"incident_energy": np.full(len(signal), energy)},
        signal.reshape(len(signal), -1).astype(np.float32),
        np.arange(len(signal), dtype=np.uint64),
    )


class TestShowerSize:
    def test_the_six_neighbours_of_the_core_count_and_nothing_else(self) -> None:
        """All stations alike but the middle, where the core is: its neighbours lie at 1500 m, the next at 2598 m."""
        signal = np.full((1, 9, 9), 6.0)
        signal[0, 4, 4] = 1000.0
        (size,) = observe(stations(signal), ["shower_size"])["shower_size"]
        assert size == pytest.approx(np.log10(1 + 6.0 / 2.0))

    def test_without_signal_it_is_zero(self) -> None:
        assert observe(stations(np.zeros((2, 9, 9))), ["shower_size"])["shower_size"].tolist() == [0.0, 0.0]

    def test_error_is_that_of_the_geometric_mean(self) -> None:
        """Sizes 1, 2, 3 against ones that are 0.1 larger: 10^0.1 − 1 = 0.2589."""
        condition_bin = bin_of("other", "shower_size", scale=[1.0, 1.0])
        r = measured(condition_bin, [9.0, 9.0, 9.0], [1.0, 2.0, 3.0])
        g = measured(condition_bin, [0.0, 0.0, 0.0], [1.1, 2.1, 3.1])
        assert shower_size_error(condition_bin, r, g, ONE)[0] == pytest.approx(10**0.1 - 1)

    def test_too_small_and_too_large_are_not_the_same(self) -> None:
        condition_bin = bin_of("shower_size", scale=[1.0])
        small, large = (measured(condition_bin, [value] * 3) for value in (1.0, 2.0))
        assert shower_size_error(condition_bin, small, large, ONE)[0] == pytest.approx(9.0)
        assert shower_size_error(condition_bin, large, small, ONE)[0] == pytest.approx(0.9)

    def test_weights_choose_events(self) -> None:
        condition_bin = bin_of("shower_size", scale=[1.0])
        r, g = measured(condition_bin, [1.0, 1.0, 1.0]), measured(condition_bin, [1.0, 1.0, 2.0])
        found = shower_size_error(condition_bin, r, g, np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]))
        np.testing.assert_allclose(found, [0.0, 9.0])


class TestHelixResidual:
    def test_it_is_the_mean_of_both_distances_in_units_of_the_reference(self) -> None:
        condition_bin = bin_of("num_points", *RESIDUALS, scale=[1.0, 0.1, 0.2])
        r_mean, r_rms, g_mean, g_rms = [1.0, 1.1, 1.2], [1.0, 1.2, 1.5], [1.3, 1.3, 0.9], [2.0, 1.0, 1.1]
        r = measured(condition_bin, [9.0, 9.0, 9.0], r_mean, r_rms)
        g = measured(condition_bin, [0.0, 0.0, 0.0], g_mean, g_rms)
        deviations = np.std([r_mean, r_rms], axis=1)
        distances = [stats.wasserstein_distance(*pair) for pair in ((r_mean, g_mean), (r_rms, g_rms))]
        assert helix_residual_distance(condition_bin, r, g, ONE)[0] == pytest.approx(np.mean(distances / deviations))

    def test_a_perfect_helix_is_not_perfect(self) -> None:
        """Full simulation scatters: on the wrong side of it lies the smooth track too, and the unit is that of R."""
        condition_bin = bin_of(*RESIDUALS, scale=[0.1, 0.1])
        scattered = measured(condition_bin, [1.0, 1.1, 1.3], [1.0, 1.1, 1.3])
        smooth = measured(condition_bin, [0.0, 0.0, 0.01], [0.0, 0.0, 0.01])
        there = helix_residual_distance(condition_bin, scattered, smooth, ONE)[0]
        back = helix_residual_distance(condition_bin, smooth, scattered, ONE)[0]
        assert there == pytest.approx(np.mean([1.0, 1.1, 1.29]) / np.std([1.0, 1.1, 1.3]))
        assert back != pytest.approx(there)


@pytest.mark.parametrize(
    ("name", "scorecard"),
    [("clic-electrons-2-500gev", "clic-electrons-v1"), ("airshower-simulation", "airshower-array-v1")],
)
def test_other_samples_of_a_detector_are_judged_by_its_scorecard(name: str, scorecard: str) -> None:
    reference = DATASETS[name].split("validation")
    judgement = Judge(SCORECARDS[scorecard], reference, None).judge(reference.response)
    assert judgement.score.value == pytest.approx(0, abs=1e-9)
    assert judgement.excess is None
    assert judgement.p_values == {}


def test_tracks_without_points_and_empty_showers_get_a_finite_score() -> None:
    """All cells empty: a defined outcome, as bad as it is."""
    for name, card in (("alice-tracks-geant4", "alice-tracks-v1"), ("lhcb-pions-geant4", "lhcb-tracks-v1")):
        reference = DATASETS[name].split("validation")
        judge = Judge(SCORECARDS[card], reference, None)
        judgement = judge.judge(np.zeros_like(reference.response))
        assert np.isfinite(judgement.score.value)
        assert judgement.score.value > 1
