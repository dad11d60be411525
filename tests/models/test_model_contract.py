"""What every registered model promises."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_adapters.events import INCIDENT_ENERGY, Events
from data_adapters.registry import UnknownName
from models import MODELS
from models.base import GenerativeModel
from models.checkpoint import load_generator
from models.config import Config, from_dict, to_dict
from models.storage import FILE, UnreadableCheckpoint, read_checkpoint

every_model = pytest.mark.parametrize("name", MODELS)
every_trained_model = pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.trainable])

# A minute's worth of learning in a second: larger steps, smaller networks.
QUICK: dict[str, dict[str, Any]] = {
    "atlas-gan": {"activation": "leaky_relu+softmax+relu", "learning_rate": 1e-3, "units": 64, "training_ratio": 2},
    "atlas-vae": {"learning_rate": 1e-3},
}


def build(name: str, events: Events, seed: int = 0, **changes: Any) -> GenerativeModel:
    spec = MODELS[name]
    return spec.build(from_dict(spec.config_class, changes), events, seed, "cpu")


def trained(name: str, events: Events, epochs: int, seed: int = 0, **changes: Any) -> GenerativeModel:
    model = build(name, events, seed, **changes)
    for _ in range(epochs):
        model.train_epoch()
    return model


@every_model
def test_showers_are_physical(name: str, few_events: Events) -> None:
    showers = trained(name, few_events, 2).generate(few_events.conditions, seed=1)
    assert showers.shape == few_events.response.shape
    assert showers.dtype == np.float32
    assert np.isfinite(showers).all()
    assert (showers >= 0).all()


@every_model
def test_follows_the_incident_energy(name: str, events: Events) -> None:
    model = trained(name, events, 30, **QUICK.get(name, {}))
    total = model.generate(events.conditions, seed=1).sum(axis=1)
    for energy in np.unique(events.incident_energy):
        response = total[events.incident_energy == energy].mean() / energy
        assert response == pytest.approx(1.0, abs=0.3)


@every_model
def test_seeds_reproduce(name: str, few_events: Events) -> None:
    first, second = trained(name, few_events, 2, seed=4), build(name, few_events, seed=4)
    torch.manual_seed(99)
    for _ in range(2):
        second.train_epoch()
        torch.rand(3)
    showers = first.generate(few_events.conditions, seed=1)
    np.testing.assert_array_equal(showers, second.generate(few_events.conditions, seed=1))
    if MODELS[name].trainable:
        assert not np.array_equal(showers, trained(name, few_events, 2, seed=5).generate(few_events.conditions, seed=1))
        assert not np.array_equal(showers, first.generate(few_events.conditions, seed=2))


@every_model
def test_global_random_numbers_are_left_alone(name: str, few_events: Events) -> None:
    before = torch.get_rng_state()
    trained(name, few_events, 1).generate(few_events.conditions, seed=1)
    assert torch.equal(before, torch.get_rng_state())


@every_model
def test_batches_do_not_matter(name: str, few_events: Events) -> None:
    model = trained(name, few_events, 2)
    whole = model.generate(few_events.conditions, seed=1)
    parts = model.generate(few_events.conditions, seed=1, batch_size=7)
    np.testing.assert_allclose(whole, parts, rtol=1e-4)  # matrix products round differently


@every_model
def test_resumed_training_equals_uninterrupted_training(name: str, few_events: Events, tmp_path: Path) -> None:
    straight = trained(name, few_events, 2, seed=3)
    straight.save(tmp_path)
    resumed = build(name, few_events, seed=3)
    resumed.restore(tmp_path)
    assert resumed.epoch == 2
    assert [resumed.train_epoch() for _ in range(2)] == [straight.train_epoch() for _ in range(2)]
    for model, folder in ((straight, tmp_path / "a"), (resumed, tmp_path / "b")):
        model.save(folder)
    header, tensors = read_checkpoint(tmp_path / "a")
    resumed_header, resumed_tensors = read_checkpoint(tmp_path / "b")
    assert header == resumed_header
    assert tensors.keys() == resumed_tensors.keys()
    assert all(torch.equal(tensors[key], resumed_tensors[key]) for key in tensors)


@every_model
def test_checkpoint_generates_without_training_data(name: str, few_events: Events, tmp_path: Path) -> None:
    model = trained(name, few_events, 2)
    model.save(tmp_path)
    generator = load_generator(tmp_path)
    np.testing.assert_array_equal(
        generator.generate(few_events.conditions, seed=1), model.generate(few_events.conditions, seed=1)
    )
    assert generator.num_parameters() == model.parameter_counts()["generate"]
    assert generator.detector == few_events.detector


@every_model
def test_checkpoint_is_one_file_that_is_replaced_at_once(name: str, few_events: Events, tmp_path: Path) -> None:
    model = trained(name, few_events, 1)
    for _ in range(2):
        model.save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [FILE]


@every_trained_model
def test_checkpoint_of_another_configuration_is_refused(name: str, few_events: Events, tmp_path: Path) -> None:
    build(name, few_events).save(tmp_path)
    with pytest.raises(ValueError, match="config"):
        build(name, few_events, latent_dim=3).restore(tmp_path)


@every_trained_model
def test_checkpoint_of_another_sample_is_refused(name: str, few_events: Events, tmp_path: Path) -> None:
    build(name, few_events).save(tmp_path)
    low = few_events.select(few_events.incident_energy < 10_000)
    with pytest.raises(ValueError, match="conditioning"):
        build(name, low).restore(tmp_path)


@every_trained_model
def test_every_parameter_is_trained(name: str, events: Events, tmp_path: Path) -> None:
    model = build(name, events)
    model.save(tmp_path / "before")
    for _ in range(3):
        model.train_epoch()
    model.save(tmp_path / "after")
    before, after = read_checkpoint(tmp_path / "before")[1], read_checkpoint(tmp_path / "after")[1]
    for key in before:
        if key.startswith(("generator.", "training.")):
            assert (before[key] != after[key]).all(), key


@every_model
def test_default_configuration_is_valid(name: str) -> None:
    config_class = MODELS[name].config_class
    assert from_dict(config_class, {}) == config_class()
    assert from_dict(config_class, to_dict(config_class())) == config_class()


@every_trained_model
def test_unknown_field_names_the_nearest(name: str) -> None:
    with pytest.raises(UnknownName, match="Nearest: 'learning_rate'"):
        from_dict(MODELS[name].config_class, {"learnig_rate": 1e-3})


def _wrong_values(config_class: type[Config]) -> list[tuple[str, object]]:
    wrong: list[tuple[str, object]] = []
    for item in fields(config_class):
        if isinstance(item.default, str):
            wrong += [(item.name, "no such choice"), (item.name, 1)]
        elif isinstance(item.default, int):
            wrong += [(item.name, 0), (item.name, 1.5), (item.name, True), (item.name, "1")]
        else:
            wrong += [(item.name, -1.0), (item.name, float("nan")), (item.name, float("inf")), (item.name, None)]
    return wrong


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [(name, *wrong) for name, spec in MODELS.items() for wrong in _wrong_values(spec.config_class)],
)
def test_wrong_values_are_refused(name: str, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        from_dict(MODELS[name].config_class, {field: value})


@every_model
def test_wrong_conditions_are_refused(name: str, few_events: Events) -> None:
    model = build(name, few_events)
    conditions = dict(few_events.conditions)
    with pytest.raises(UnknownName, match="incident_energy"):
        model.generate({**conditions, "incident_enrgy": conditions[INCIDENT_ENERGY]}, seed=0)
    with pytest.raises(ValueError, match="alignment_eta is missing"):
        model.generate({key: conditions[key] for key in conditions if key != "alignment_eta"}, seed=0)
    with pytest.raises(ValueError, match="shapes"):
        model.generate({**conditions, INCIDENT_ENERGY: conditions[INCIDENT_ENERGY][:5]}, seed=0)
    with pytest.raises(ValueError, match="above 0 MeV"):
        model.generate({**conditions, INCIDENT_ENERGY: -conditions[INCIDENT_ENERGY]}, seed=0)
    with pytest.raises(ValueError, match="batch_size"):
        model.generate(conditions, seed=0, batch_size=0)


def test_damaged_checkpoints_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpoint, match="no checkpoint"):
        load_generator(tmp_path)
    (tmp_path / FILE).write_bytes(b"damaged")
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        load_generator(tmp_path)
