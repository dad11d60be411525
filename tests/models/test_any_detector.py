"""Every model on a detector that no code knows, from memory and from a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from data_adapters.source import EventSource
from data_adapters.streaming import EventStream
from models import MODELS
from models.base import GenerativeModel
from models.building import build_model
from models.checkpoint import load_generator
from models.rows import TrainingSample, response_scale

CELLS = (3, 4, 5)
DETECTOR = Detector(
    "toy",
    "Toy",
    (Layer("cells", tuple(Axis.numbered(name, n) for name, n in zip("xyz", CELLS, strict=True))),),
    (Condition("energy", "GeV", energy=True, bins=True), Condition("angle", "rad"), Condition("side", "1", 2)),
    unit="GeV",
)
ANY_DETECTOR = [name for name, spec in MODELS.items() if spec.refuses(DETECTOR) is None and spec.built_on is None]
every_model = pytest.mark.parametrize("name", ANY_DETECTOR)


def make_events(count: int = 300, visible: float = 0.02) -> Events:
    random = np.random.default_rng(3)
    conditions = {
        "energy": random.uniform(10, 100, count),
        "angle": random.uniform(-1, 1, count),
        "side": random.integers(0, 2, count).astype(float),
    }
    shape = random.dirichlet(np.full(DETECTOR.num_cells, 0.5), count)
    response = visible * conditions["energy"][:, None] * shape
    return Events(DETECTOR, conditions, response.astype(np.float32), np.arange(count, dtype=np.uint64))


def as_stream(events: Events) -> EventStream:
    def read(start: int, stop: int) -> NDArray[np.float32]:
        return events.response[start:stop]

    source = EventSource(
        Path("memory"), "memory", events.detector, events.conditions, events.identity, read, "response", chunk_rows=16
    )
    return EventStream(source, seed=1)


def build(name: str, train: TrainingSample, seed: int = 0) -> GenerativeModel:
    return build_model(name, {}, train, seed)


@every_model
def test_takes_the_shape_of_the_detector(name: str, tmp_path: Path) -> None:
    events = make_events()
    model = build(name, events)
    model.train_epoch()
    showers = model.generate(events.conditions, seed=1)
    assert showers.shape == (300, 60)
    assert np.isfinite(showers).all()
    model.save(tmp_path)
    generator = load_generator(tmp_path)
    assert generator.detector == DETECTOR
    np.testing.assert_array_equal(generator.generate(events.conditions, seed=1), showers)


def test_visible_energy_is_brought_to_the_scale_of_the_incident_energy() -> None:
    assert response_scale(make_events(visible=0.02)) == pytest.approx(0.02)
    assert response_scale(make_events(visible=0.9)) == 1.0
    assert response_scale(as_stream(make_events(visible=0.02))) == pytest.approx(0.02)


def test_the_mean_shower_has_the_visible_energy() -> None:
    events = make_events(visible=0.02)
    model = build("mean-shower", events)
    model.train_epoch()
    total = model.generate(events.conditions, seed=0).sum(axis=1) / events.conditions["energy"]
    np.testing.assert_allclose(total, 0.02, rtol=1e-4)


def test_a_continuous_spectrum_has_a_table_of_few_energies() -> None:
    model = build("mean-shower", make_events())
    assert len(model.generator.tensors()["table"]) == 20


@pytest.mark.parametrize("name", ["atlas-vae", "mean-shower"])
def test_trains_from_a_stream(name: str) -> None:
    model = build(name, as_stream(make_events()))
    first = model.train_epoch()
    for _ in range(3):
        last = model.train_epoch()
    if MODELS[name].trainable:
        assert last["reconstruction"] < first["reconstruction"]
    assert np.isfinite(model.generate(make_events(5).conditions, seed=0)).all()


def test_a_stream_gives_the_mean_shower_of_memory() -> None:
    models = [build("mean-shower", train) for train in (make_events(), as_stream(make_events()))]
    for model in models:
        model.train_epoch()
    first, second = (model.generator.tensors()["table"].numpy() for model in models)
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-9)


def test_training_from_a_stream_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, first, second = (build("atlas-vae", as_stream(make_events()), seed=4) for _ in range(3))
    for _ in range(4):
        whole.train_epoch()
    for _ in range(2):
        first.train_epoch()
    first.save(tmp_path)
    second.restore(tmp_path)
    for _ in range(2):
        second.train_epoch()
    conditions = make_events().conditions
    np.testing.assert_array_equal(whole.generate(conditions, seed=0), second.generate(conditions, seed=0))


def test_a_model_that_needs_memory_says_so() -> None:
    with pytest.raises(InvalidEvents, match=r"needs its training sample in memory.*atlas-vae"):
        build("atlas-gan", as_stream(make_events()))


POINTS = Detector(
    "points",
    "Points",
    (Layer("points", (Axis.numbered("point", 4),)),),
    (Condition("charge", "1"),),
    unit="mm",
    signed=True,
)


def points(count: int = 6) -> Events:
    values = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    return Events(POINTS, {"charge": np.ones(count)}, values, np.arange(count, dtype=np.uint64))


@pytest.mark.parametrize("name", ["atlas-gan", "atlas-vae"])
def test_a_detector_without_energy_is_refused(name: str) -> None:
    with pytest.raises(InvalidEvents, match="it has no incident energy"):
        build(name, points())


def test_the_mean_event_needs_no_energy() -> None:
    events = points()
    model = build("mean-shower", events)
    model.train_epoch()
    expected = np.broadcast_to(events.response.mean(axis=0), events.response.shape)
    np.testing.assert_allclose(model.generate(events.conditions, seed=0), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["atlas-gan", "atlas-vae"])
def test_conditions_of_many_numbers_are_refused(name: str) -> None:
    conditions = (Condition("energy", "GeV", energy=True), Condition("tracks", "mm", shape=(2, 3)))
    detector = Detector("toy", "Toy", (Layer("cells", (Axis.numbered("x", 4),)),), conditions, unit="GeV")
    values = {"energy": np.ones(5), "tracks": np.ones((5, 2, 3))}
    events = Events(detector, values, np.ones((5, 4), np.float32), np.arange(5, dtype=np.uint64))
    with pytest.raises(InvalidEvents, match="told single numbers"):
        build(name, events)
