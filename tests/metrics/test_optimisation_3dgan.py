"""The 3DGAN optimisation metric, of a few showers in eight cells that are worked out by hand."""

# Axes: N events, X, Y, Z cells.
from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from metrics.observables import observables_of, observe
from metrics.whole_sample.component import SamplePair
from metrics.whole_sample.optimisation_3dgan import (
    OBSERVABLES,
    OPTIMISATION_3DGAN,
    Quantities,
    parts_of_bin,
    quantities,
)

CUBE = Detector(
    "cube",
    "Eight cells",
    (Layer("cells", tuple(Axis.regular(name, 2, 5.0, "mm") for name in ("x", "y", "z"))),),
    (Condition("incident_energy", "GeV", energy=True, bins=True), Condition("theta", "rad")),
    unit="GeV",
)

Shower = dict[tuple[int, int, int], float]


def events_of(showers: list[Shower], energies: list[float], detector: Detector = CUBE) -> Events:
    cells = np.zeros((len(showers), 2, 2, 2), dtype=np.float32)
    for event, shower in enumerate(showers):
        for cell, energy in shower.items():
            cells[event, *cell] = energy
    conditions = {"incident_energy": np.array(energies), "theta": np.full(len(showers), 1.5)}
    identity = np.arange(len(showers), dtype=np.uint64)
    return Events(detector, conditions, cells.reshape(len(showers), -1), identity)


def pair_of(reference: Events, generated: Events) -> SamplePair:
    none = np.empty((len(reference), 0))
    seen = [observe(events, OBSERVABLES) if applies(events) else {} for events in (reference, generated)]
    return SamplePair(
        reference,
        np.zeros(len(reference), dtype=np.intp),
        none,
        none,
        generated,
        reference_observables=seen[0],
        generated_observables=seen[1],
    )


def applies(events: Events) -> bool:
    return set(OBSERVABLES) <= set(observables_of(events.detector))


ENERGIES = [50.0, 52.0, 200.0, 120.0]  # the last lies in no bin
REFERENCE: list[Shower] = [
    {(0, 0, 0): 1.0, (0, 0, 1): 1.0},
    {(0, 0, 0): 1.0, (0, 1, 1): 1.0},
    {(0, 0, 0): 1.0, (1, 1, 1): 3.0},
    {(0, 0, 0): 1.0},
]
GENERATED: list[Shower] = [
    {(0, 0, 0): 2.0, (0, 0, 1): 2.0},
    {(0, 1, 0): 1.0, (0, 0, 1): 1.0},
    {(0, 0, 0): 2.0, (1, 1, 1): 2.0},
    {(1, 0, 1): 7.0},
]


@pytest.fixture
def pair() -> SamplePair:
    return pair_of(events_of(REFERENCE, ENERGIES), events_of(GENERATED, ENERGIES))


def test_three_showers_by_hand(pair: SamplePair) -> None:
    """At 50 GeV:
    pos: everything lies at x = 0, so no moment along x; ⟨M1⟩ and ⟨M2⟩ along y (1/4, 1/8) and z (1/2, 1/4) are right: 0.
    shape: along x 2 → 3 (x = 1 is empty): 1/2; along y (1.5, 0.5) → (2.5, 0.5): 1/3; along z (1, 1) → (1.5, 1.5): 1/2.
    sf: (2/50 + 2/52) / 2 → (4/50 + 2/52) / 2.
    angle: π/2 → π/2, and π/4 → 3π/4: (0 + 2) / 2.
    At 200 GeV, the same along each axis: M1 3/4 → 1/2, M2 3/16 → 1/4: 1/3; (1, 3) → (2, 2): (1 + 1/3) / 2; sf, angle 0.
    """
    outcome = OPTIMISATION_3DGAN.function(pair, 0)
    first = {"pos": 0.0, "shape": (1 / 2 + 1 / 3 + 1 / 2) / 3, "sf": (2 / 50) / (2 / 50 + 2 / 52), "angle": 1.0}
    second = {"pos": 1 / 3, "shape": 2 / 3, "sf": 0.0, "angle": 0.0}
    bins = outcome.details["bins"]
    assert [(row["energy_gev"], row["events"]) for row in bins] == [(50, 2), (200, 1)]
    for row, expected in zip(bins, (first, second), strict=True):
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert outcome.value == pytest.approx((sum(first.values()) + sum(second.values())) / 2)
    assert outcome.details["parts"] == pytest.approx({name: (first[name] + second[name]) / 2 for name in first})
    assert outcome.details["skipped_gev"] == [100, 300, 400]
    json.dumps(outcome.to_json(), allow_nan=False)


def test_the_reference_is_what_one_divides_by(pair: SamplePair) -> None:
    """With the samples exchanged, at 200 GeV: M1 1/2 → 3/4, M2 1/4 → 3/16; (2, 2) → (1, 3)."""
    second = OPTIMISATION_3DGAN.function(pair_of(pair.generated, pair.reference), 0).details["bins"][1]
    assert (second["pos"], second["shape"]) == pytest.approx(((1 / 2 + 1 / 4) / 2, 1 / 2), abs=1e-6)


def test_identical_samples_are_perfect_and_the_seed_decides_the_error(pair: SamplePair) -> None:
    same = OPTIMISATION_3DGAN.function(pair_of(pair.reference, pair.reference), 0)
    assert (same.value, same.error) == (0, 0)
    once, again, other = (OPTIMISATION_3DGAN.function(pair, seed) for seed in (3, 3, 4))
    assert (once.value, once.error) == (again.value, again.error)
    assert once.value == other.value
    assert once.error > 0
    assert once.error != other.error


def test_energy_where_the_reference_has_none_is_reported() -> None:
    """Half of the generated energy lies at x = 1, where the reference has none; at x = 0 lies half of what should."""
    reference = events_of([{(0, 0, 0): 2.0, (0, 1, 1): 2.0}], [100.0])
    generated = events_of([{(0, 0, 0): 1.0, (0, 1, 1): 1.0, (1, 0, 0): 1.0, (1, 1, 1): 1.0}], [100.0])
    (row,) = OPTIMISATION_3DGAN.function(pair_of(reference, generated), 0).details["bins"]
    assert row["energy_where_reference_has_none"] == pytest.approx(0.5)
    assert row["shape"] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_empty_showers() -> None:
    """Generated: moments 0, angle 0, no energy, every relative error 1. Of the reference: no angle to compare with."""
    full, empty = {(0, 0, 0): 1.0, (1, 1, 1): 3.0}, Shower()
    reference = events_of([full, full], [100.0, 100.0])
    nothing = OPTIMISATION_3DGAN.function(pair_of(reference, events_of([empty, empty], [100.0, 100.0])), 0)
    assert nothing.value == pytest.approx(4)
    half = events_of([full, empty], [100.0, 100.0])
    assert OPTIMISATION_3DGAN.function(pair_of(half, half), 0).value == 0
    with_angle = OPTIMISATION_3DGAN.function(pair_of(half, reference), 0)
    assert with_angle.details["parts"]["angle"] == pytest.approx(0, abs=1e-9)
    assert math.isfinite(with_angle.error)
    with pytest.raises(InvalidEvents, match="5 GeV of 100 GeV hold no energy"):
        OPTIMISATION_3DGAN.function(pair_of(events_of([empty], [100.0]), events_of([full], [100.0])), 0)


def repeated(sample: Quantities, counts: NDArray[np.intp]) -> Quantities:
    return Quantities(
        tuple(np.repeat(profile, counts, axis=0) for profile in sample.profiles),
        np.repeat(sample.moments, counts, axis=0),
        np.repeat(sample.response, counts),
        np.repeat(sample.angle, counts),
    )


def test_a_weight_counts_an_event_as_often_as_repeating_it() -> None:
    random = np.random.default_rng(0)
    energies = random.uniform(95, 105, 6).tolist()
    samples = []
    for _ in range(2):
        events = events_of([Shower()] * 6, energies)
        showers = events.with_response(random.exponential(size=(6, 8)).astype(np.float32))
        samples.append(quantities(observe(showers, OBSERVABLES), events.incident_energy))
    counts = np.array([2, 0, 1, 1, 0, 2])
    reference, generated = samples
    parts = parts_of_bin(reference, generated, np.vstack([np.ones(6), counts]))
    again = parts_of_bin(repeated(reference, counts), repeated(generated, counts), np.ones((1, 6)))
    np.testing.assert_allclose(parts[1], again[0])
    assert not np.allclose(parts[0], parts[1])


def test_the_error_is_the_scatter_of_the_figure() -> None:
    """Errors at 40 events an energy against the spread over 40 samples of them: within a factor of 1.5."""
    random = np.random.default_rng(1)
    values, errors = [], []
    for _ in range(40):
        responses = (random.gamma(4, size=(40, 8)).astype(np.float32) for _ in range(2))
        reference, generated = (events_of([Shower()] * 40, [100.0] * 40).with_response(cells) for cells in responses)
        shifted = generated.with_response(generated.response * np.float32(1.5))
        outcome = OPTIMISATION_3DGAN.function(pair_of(reference, shifted), 0)
        values.append(outcome.value)
        errors.append(outcome.error)
    assert 1 / 1.5 < np.mean(errors) / np.std(values) < 1.5


def test_where_it_does_not_apply() -> None:
    showers, applies = [REFERENCE[0]], OPTIMISATION_3DGAN.applies
    assert applies(events_of(showers, [195.0])) is None  # the edge of a bin is in it
    outside = events_of(showers, [150.0])
    assert "no event lies within 5 GeV" in str(applies(outside))
    with pytest.raises(InvalidEvents, match="no event lies within 5 GeV"):
        OPTIMISATION_3DGAN.function(pair_of(outside, outside), 0)
    x, y, z = CUBE.layers[0].axes
    turned = dataclasses.replace(CUBE, name="turned", layers=(Layer("cells", (z, y, x)),))
    assert "turned is not such a detector" in str(applies(events_of(showers, [100.0], turned)))
    untold = dataclasses.replace(CUBE, conditions=CUBE.conditions[:1])
    told = events_of(showers, [100.0])
    energy = {"incident_energy": told.incident_energy}
    assert "theta" in str(applies(Events(untold, energy, told.response, told.identity)))


def test_energies_are_compared_in_gev() -> None:
    conditions = (Condition("incident_energy", "MeV", energy=True, bins=True), Condition("theta", "rad"))
    in_mev = dataclasses.replace(CUBE, unit="MeV", conditions=conditions)
    scaled = [
        [{cell: 1000 * e for cell, e in shower.items()} for shower in sample] for sample in (REFERENCE, GENERATED)
    ]
    reference, generated = (events_of(sample, [1000 * e for e in ENERGIES], in_mev) for sample in scaled)
    expected = OPTIMISATION_3DGAN.function(pair_of(*(events_of(s, ENERGIES) for s in (REFERENCE, GENERATED))), 0)
    assert OPTIMISATION_3DGAN.function(pair_of(reference, generated), 0).value == pytest.approx(expected.value)
