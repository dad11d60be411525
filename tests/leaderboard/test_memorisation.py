"""Copies are noticed, independent events are not, and the statement holds whatever the numbers of events."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events
from leaderboard.memorisation import Memorisation, memorisation

CELLS = 12


def detector(*, energy: bool = True) -> Detector:
    layer = Layer("layer", (Axis.numbered("x", CELLS),))
    condition = Condition("incident_energy", "MeV", energy=True) if energy else Condition("angle", "rad")
    return Detector("made-up", "Made-up detector", (layer,), (condition,))


def showers(num: int, seed: int, first_identity: int) -> Events:
    """Cells that fluctuate in proportion to an energy between 10 and 1000 MeV."""
    energy = 10 ** np.random.default_rng((seed, 1)).uniform(1, 3, num)
    identity = np.arange(first_identity, first_identity + num, dtype=np.uint64)
    empty = np.zeros((num, CELLS), dtype=np.float32)
    return simulated_again(Events(detector(), {"incident_energy": energy}, empty, identity), seed)


def simulated_again(events: Events, seed: int) -> Events:
    cells = np.random.default_rng(seed).gamma(2.0, 0.01, (len(events), CELLS))
    return events.with_response((cells * events.incident_energy[:, None]).astype(np.float32))


def with_copies(events: Events, source: Events, share: float) -> Events:
    """A share of the events replaced by copies of others, scaled to the incident energy that was asked for."""
    num = round(share * len(events))
    scale = events.incident_energy[:num] / source.incident_energy[:num]
    response = events.response.copy()
    response[:num] = source.response[:num] * scale[:, None]
    return events.with_response(response)


@pytest.mark.parametrize("training_events", [200, 800])
def test_copies_of_training_events_are_all_found(training_events: int) -> None:
    training, held_out = showers(training_events, 0, 0), showers(200, 1, 10_000)
    found = memorisation(with_copies(held_out, training, 1.0), training, held_out, 0)
    expected = training_events / (training_events + 199)
    assert found.all_events.fraction == 1
    assert found.all_events.expected == pytest.approx(expected, abs=0.002)
    assert found.all_events.copies == 1
    assert found.all_events.z > 5
    assert found.all_events.p_value == 0.001
    assert found.held_out_distances[0.01] > 1e-3
    if training_events == 200:
        assert max(found.training_distances.values()) < 1e-6


@pytest.mark.parametrize("training_events", [300, 1200, 100])
def test_independent_events_are_not_suspected(training_events: int) -> None:
    training, held_out = showers(training_events, 0, 0), showers(300, 1, 10_000)
    twin = simulated_again(held_out, 2)
    found = memorisation(twin, training, held_out, 0)
    for part in (found.all_events, found.closest_tenth):
        assert part.expected == pytest.approx(training_events / (training_events + 299), abs=0.01)
        assert abs(part.z) < 3
        assert part.copies == pytest.approx(0, abs=3 * part.copies_error)
    assert found.all_events.events == 300
    assert found.closest_tenth.events == 30
    for quantile in (0.25, 0.5, 0.75):
        assert found.training_distances[quantile] == pytest.approx(found.held_out_distances[quantile], rel=0.1)


def test_as_many_of_both_are_expected_alike() -> None:
    training, held_out = showers(300, 0, 0), showers(300, 1, 10_000)
    found = memorisation(showers(300, 2, 20_000), training, held_out, 0)
    assert found.all_events.expected == 0.5
    assert found.all_events.fraction == pytest.approx(0.5, abs=3 * found.all_events.error)


def test_few_copies_are_among_the_closest() -> None:
    """Of 500 events 50 copies, among 2000 training events: hardly seen on the whole, but the tenth are these."""
    training, held_out = showers(2000, 0, 0), showers(500, 1, 10_000)
    found = memorisation(with_copies(simulated_again(held_out, 2), training, 0.1), training, held_out, 0)
    assert found.all_events.z < 2.5
    assert found.closest_tenth.copies == 1
    assert found.closest_tenth.z > 3
    assert found.closest_tenth.p_value == 0.001


def test_copies_of_held_out_events_are_the_opposite() -> None:
    training, held_out = showers(200, 0, 0), showers(200, 1, 10_000)
    others = held_out.select(np.roll(np.arange(200), 1))
    found = memorisation(with_copies(held_out, others, 1.0), training, held_out, 0)
    assert found.all_events.fraction == 0
    assert found.all_events.z < -5


def test_own_particle_among_held_out_events_is_left_out() -> None:
    """Else every generated event that is close to the one it was made for would seem far from the training events."""
    training, held_out = showers(200, 0, 0), showers(200, 1, 10_000)
    found = memorisation(held_out, training, held_out, 0)
    assert abs(found.all_events.z) < 3
    assert found.held_out_distances[0.01] > 1e-3


def test_one_event_that_is_the_nearest_of_all_proves_nothing() -> None:
    """The mean shower is nearer to every generated event than any other: one event, so not more than one standard
    deviation, where the binomial error would give twenty."""
    training, held_out = showers(200, 0, 0), showers(200, 1, 10_000)
    response = training.response.copy()
    response[0] = 0.02 * training.incident_energy[0]
    generated = showers(400, 2, 20_000)
    smooth = (
        0.02 * generated.incident_energy[:, None]
        + (generated.response - 0.02 * generated.incident_energy[:, None]) / 50
    )
    found = memorisation(
        generated.with_response(smooth.astype(np.float32)), training.with_response(response), held_out, 0
    )
    assert found.all_events.fraction == 1
    assert found.all_events.error == pytest.approx(0.5, abs=0.05)
    assert found.all_events.z == pytest.approx(1, abs=0.1)


def test_error_and_p_value_are_right() -> None:
    """60 sets of samples without memory: z has a standard deviation of 1 (±0.09), p-values are uniform."""
    results = [
        memorisation(
            showers(100, 3 * seed, 20_000), showers(240, 3 * seed + 1, 0), showers(120, 3 * seed + 2, 10_000), seed
        ).all_events
        for seed in range(60)
    ]
    z = np.array([result.z for result in results])
    assert z.std() == pytest.approx(1, abs=0.27)
    assert z.mean() == pytest.approx(0, abs=0.4)
    assert np.mean([result.p_value <= 0.5 for result in results]) == pytest.approx(0.5, abs=0.2)


def test_events_of_one_identity_are_exchanged_together() -> None:
    """Four events each that are almost copies: whether one is the nearest, and so the label, is shared by them."""
    near = np.random.default_rng(0).normal(1, 0.02, (2, 400, CELLS)).astype(np.float32)
    together = [sample.select(np.repeat(np.arange(100), 4)) for sample in (showers(100, 0, 0), showers(100, 1, 10_000))]
    together = [
        sample.with_response(np.abs(sample.response * noise)) for sample, noise in zip(together, near, strict=True)
    ]
    apart = [
        replace(sample, identity=np.arange(400, dtype=np.uint64) + 1000 * number)
        for number, sample in enumerate(together, start=1)
    ]
    generated = showers(3000, 2, 20_000)
    shared, single = (
        memorisation(generated, training, held_out, 0).all_events for training, held_out in (together, apart)
    )
    assert shared.fraction == single.fraction
    assert shared.error > 1.5 * single.error


def test_control_is_judged_alike() -> None:
    training, held_out = showers(200, 0, 0), showers(100, 1, 10_000)
    twin = simulated_again(held_out, 2)
    found = memorisation(with_copies(held_out, training, 1.0), training, held_out, 3, control=twin)
    assert found.control == memorisation(twin, training, held_out, 3)
    assert found.control is not None
    assert found.control.all_events.z < 3 < found.all_events.z


def test_same_seed_gives_the_same_numbers_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = showers(50, 2, 20_000), showers(90, 0, 0), showers(40, 1, 10_000)
    first = memorisation(*samples, 4)
    assert memorisation(*samples, 4) == first
    monkeypatch.setattr("leaderboard.memorisation.BLOCK_CELLS", 1000)
    blocked = memorisation(*samples, 4)
    assert blocked.all_events == first.all_events
    assert blocked.training_distances == pytest.approx(first.training_distances)
    assert memorisation(*samples, 5) != first


def test_larger_samples_are_thinned() -> None:
    found = memorisation(showers(20, 2, 20_000), showers(600, 0, 0), showers(50, 1, 10_000), 0)
    assert (found.training_events, found.held_out_events) == (500, 50)
    found = memorisation(showers(20, 2, 20_000), showers(4, 0, 0), showers(50, 1, 10_000), 0)
    assert (found.training_events, found.held_out_events) == (4, 40)


def finite(found: Memorisation) -> bool:
    numbers = [*vars(found.all_events).values(), *vars(found.closest_tenth).values()]
    return bool(np.isfinite([*numbers, *found.training_distances.values(), *found.held_out_distances.values()]).all())


def test_one_event_of_each() -> None:
    found = memorisation(showers(1, 2, 20_000), showers(1, 0, 0), showers(1, 1, 10_000), 0)
    assert finite(found)
    assert found.all_events.events == found.closest_tenth.events == 1
    assert found.all_events.expected == found.all_events.error == 0.5
    assert abs(found.all_events.z) == 1


def test_empty_showers_prove_nothing() -> None:
    samples = [showers(50, 2, 20_000), showers(90, 0, 0), showers(40, 1, 10_000)]
    generated, training, held_out = (sample.with_response(np.zeros_like(sample.response)) for sample in samples)
    results = [memorisation(generated, training, held_out, seed) for seed in range(20)]
    assert all(finite(found) and abs(found.all_events.z) < 2 for found in results)
    assert {found.all_events.fraction for found in results} == {0.0, 1.0}  # chance, not the order, chooses one of all


def test_detector_without_energy_compares_cells_as_they_are() -> None:
    samples = [showers(30, 2, 20_000), showers(30, 0, 0), showers(30, 1, 10_000)]
    generated, training, held_out = (
        replace(sample, detector=detector(energy=False), conditions={"angle": np.zeros(30)}) for sample in samples
    )
    assert memorisation(training, training, held_out, 0).all_events.fraction == 1
    assert finite(memorisation(generated, training, held_out, 0))


def test_json() -> None:
    samples = showers(20, 2, 20_000), showers(30, 0, 0), showers(30, 1, 10_000)
    found = memorisation(*samples, 0, control=showers(20, 3, 30_000))
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert values["all_events"]["events"] == 20
    assert list(values["training_distances"]) == ["0.01", "0.05", "0.25", "0.5", "0.75"]
    assert values["control"]["control"] is None


def test_samples_that_cannot_be_compared_are_refused() -> None:
    generated, training, held_out = showers(5, 2, 20_000), showers(5, 0, 0), showers(5, 1, 10_000)
    with pytest.raises(ValueError, match="identity 0 is among training and held-out events"):
        memorisation(generated, training, training, 0)
    other = replace(generated, detector=replace(detector(), name="other"))
    with pytest.raises(ValueError, match="events of made-up, other came"):
        memorisation(other, training, held_out, 0)
    one = held_out.select(np.array([0]))
    with pytest.raises(ValueError, match="give more"):
        memorisation(one, training, one, 0)
