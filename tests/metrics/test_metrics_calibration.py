"""p-values of full simulation are uniform, and those of faults are small: on photons simulated three times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from data_adapters.adapters import open_events
from data_adapters.events import Events
from metrics.exchange import exchange_probability
from metrics.faults import FAULTS
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS

SAMPLES = Path(__file__).parent / "samples"
ENERGIES = (1024.0, 2048.0)
CARD = replace(SCORECARDS["atlas-photons-v1"], condition_bins=ENERGIES)
DRAWS, EVENTS_AN_ENERGY = 100, 50
ROWS = DRAWS * len(ENERGIES) * EVENTS_AN_ENERGY

# Written down before running: the p-value of each is to be below 0.01 in nine draws of ten, at 200 events an energy.
# Two were missed when it ran first; they stay on the list as what the score does not see.
NOTICED_AT_200 = (
    "energy_scale",
    "collapsed_conditions",
    "permuted_layers",
    pytest.param("cell_threshold", marks=pytest.mark.xfail(strict=True, reason="missed: noticed in 8 draws of 10")),
    pytest.param("duplicated_events", marks=pytest.mark.xfail(strict=True, reason="missed: noticed in 7 draws of 10")),
)


@pytest.fixture(scope="module")
def photons() -> dict[str, Events]:
    """The same photons simulated three times, with different random numbers."""
    return {name: open_events(SAMPLES / f"photons_{name}.h5").read() for name in ("reference", "twin", "fresh")}


def draw(photons: dict[str, Events], number: int, events: int) -> tuple[Judge, Events]:
    rows = np.arange(number * events, (number + 1) * events)  # no photon is in two draws
    sample = {name: sample.select(rows) for name, sample in photons.items()}
    return Judge(CARD, sample["reference"], sample["twin"], replicas=0), sample["fresh"]


def test_photons_are_the_same_and_their_showers_are_not(photons: dict[str, Events]) -> None:
    reference, twin, fresh = photons.values()
    for other in (twin, fresh):
        np.testing.assert_array_equal(other.identity, reference.identity)
        assert (other.response != reference.response).any(axis=1).all()
    assert (twin.response != fresh.response).any(axis=1).all()


def test_p_values_of_full_simulation_are_uniform(photons: dict[str, Events]) -> None:
    draws = (draw(photons, number, ROWS // DRAWS) for number in range(DRAWS))
    p_values = [judge.p_values(fresh.response, seed=number)["score"] for number, (judge, fresh) in enumerate(draws)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("name", NOTICED_AT_200)
def test_p_values_of_faults_are_small(name: str, photons: dict[str, Events]) -> None:
    p_values = []
    for number in range(10):
        judge, fresh = draw(photons, number, 200 * len(ENERGIES))
        p_values.append(judge.p_values(FAULTS[name].inject(fresh), seed=number)["score"])
    assert np.mean(np.array(p_values) < 0.01) >= 0.9


def test_same_seed_gives_the_same_p_value_and_no_twin_none(photons: dict[str, Events]) -> None:
    judge, fresh = draw(photons, 0, 100)
    assert judge.p_values(fresh.response, seed=3) == judge.p_values(fresh.response, seed=3)
    assert Judge(CARD, judge.reference, None, replicas=0).p_values(fresh.response) == {}


def test_probability_counts_both_signs_and_the_observed_excess() -> None:
    assert exchange_probability(3.0, np.array([1.0, -2.0])) == pytest.approx(1 / 6)
    assert exchange_probability(-3.0, np.array([1.0, -2.0])) == pytest.approx(1.0)
    assert exchange_probability(1.5, np.array([1.0, -2.0])) == pytest.approx(2 / 6)


def test_p_values_of_every_component_come_with_the_judgement(photons: dict[str, Events]) -> None:
    judge, fresh = draw(photons, 1, 200)
    judgement = judge.judge(FAULTS["collapsed_conditions"].inject(fresh))
    assert set(judgement.p_values) == {"score", *CARD.weights}
    assert max(judgement.p_values["bmre"], judgement.p_values["wasserstein"]) < 0.01
    assert judgement.p_values["response"] > 0.01  # its mean is right
    assert set(judgement.excesses) == set(CARD.weights)
    assert judgement.excesses["wasserstein"].value > 0.3
    assert judge.judge(fresh.response, reported=False).p_values == {}
