"""What every registered model promises."""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_adapters.registry import UnknownName
from models import MODELS
from models.checkpoint import load_generator
from models.config import Config, from_dict, to_dict
from models.storage import FILE, UnreadableCheckpoint, read_checkpoint
from tests.models.samples import SAMPLES, build, trained

every_model = pytest.mark.parametrize("name", MODELS)
every_trained_model = pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.trainable])
with_energy = pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if sample.learning_epochs])

MOST_ENERGIES = 20
WEAKEST_CORRELATION = 0.6
BUILT_ON = "generator.base."  # the model that another is built on is trained before
LEAST_TRAINED = 0.5  # share of the numbers of a tensor that three epochs must have moved


def test_every_model_has_a_sample() -> None:
    assert set(SAMPLES) == set(MODELS)


@every_model
def test_showers_are_physical(name: str) -> None:
    events = SAMPLES[name].events()
    showers = trained(name, 2).generate(events.conditions, seed=1)
    assert showers.shape == events.response.shape
    assert showers.dtype == np.float32
    assert np.isfinite(showers).all()
    assert events.detector.signed or (showers >= 0).all()


@with_energy
def test_follows_the_incident_energy(name: str) -> None:
    sample = SAMPLES[name]
    events = (sample.learning_events or sample.events)()
    model = trained(name, sample.learning_epochs, events, **sample.learning)
    total = sample.follows(model.generate(events.conditions, seed=1))
    energies = np.unique(events.incident_energy)
    if len(energies) > MOST_ENERGIES:
        assert np.corrcoef(total, events.incident_energy)[0, 1] > WEAKEST_CORRELATION
        return
    for energy in energies:
        response = total[events.incident_energy == energy].mean() / energy
        assert response == pytest.approx(1.0, abs=0.3)


@every_model
def test_seeds_reproduce(name: str) -> None:
    events = SAMPLES[name].events()
    first, second = trained(name, 2, seed=4), build(name, seed=4)
    torch.manual_seed(99)
    for _ in range(2):
        second.train_epoch()
        torch.rand(3)
    showers = first.generate(events.conditions, seed=1)
    np.testing.assert_array_equal(showers, second.generate(events.conditions, seed=1))
    if MODELS[name].trainable:
        assert not np.array_equal(showers, trained(name, 2, seed=5).generate(events.conditions, seed=1))


@every_trained_model
def test_noise_makes_other_events(name: str) -> None:
    model = trained(name, 2)
    if model.generator.latent_dim == 0:
        pytest.skip("it draws nothing")
    conditions = SAMPLES[name].events().conditions
    assert not np.array_equal(model.generate(conditions, seed=1), model.generate(conditions, seed=2))


@every_model
def test_global_random_numbers_are_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    trained(name, 1).generate(SAMPLES[name].events().conditions, seed=1)
    assert torch.equal(before, torch.get_rng_state())


@every_model
def test_batches_do_not_matter(name: str) -> None:
    model, conditions = trained(name, 2), SAMPLES[name].events().conditions
    whole = model.generate(conditions, seed=1)
    parts = model.generate(conditions, seed=1, batch_size=7)
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-6 * np.abs(whole).max())  # rounded differently


@every_model
def test_resumed_training_equals_uninterrupted_training(name: str, tmp_path: Path) -> None:
    straight = trained(name, 2, seed=3)
    straight.save(tmp_path)
    resumed = build(name, seed=3)
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
def test_checkpoint_generates_without_training_data(name: str, tmp_path: Path) -> None:
    model, events = trained(name, 2), SAMPLES[name].events()
    model.save(tmp_path)
    generator = load_generator(tmp_path)
    np.testing.assert_array_equal(
        generator.generate(events.conditions, seed=1), model.generate(events.conditions, seed=1)
    )
    assert generator.num_parameters() == model.parameter_counts()["generate"]
    assert generator.detector == events.detector


@every_model
def test_checkpoint_is_one_file_that_is_replaced_at_once(name: str, tmp_path: Path) -> None:
    model = trained(name, 1)
    for _ in range(2):
        model.save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [FILE]


@every_trained_model
def test_checkpoint_of_another_configuration_is_refused(name: str, tmp_path: Path) -> None:
    build(name).save(tmp_path)
    with pytest.raises(ValueError, match="config"):
        build(name, **_other_configuration(name)).restore(tmp_path)


def _other_configuration(name: str) -> dict[str, Any]:
    """A learning rate that differs; every model has one under a name that begins like this."""
    config = to_dict(from_dict(MODELS[name].config_class, SAMPLES[name].config))
    field, value = next((key, value) for key, value in config.items() if "learning_rate" in key)
    return {field: float(value) / 2}


@every_trained_model
def test_checkpoint_of_another_sample_is_refused(name: str, tmp_path: Path) -> None:
    events = SAMPLES[name].events()
    if events.detector.energy_condition is None:
        pytest.skip("nothing that follows from the sample is stored")
    build(name).save(tmp_path)
    low = events.select(events.incident_energy < np.median(events.incident_energy))
    if _constants(name) == _constants(name, low):
        pytest.skip("nothing that follows from the sample is stored")
    with pytest.raises(ValueError, match="the checkpoint has"):
        build(name, low).restore(tmp_path)


def _constants(name: str, events: Any = None) -> object:
    generator = build(name, events).generator
    return generator.conditioning, generator.response_scale


@every_trained_model
def test_every_parameter_is_trained(name: str, tmp_path: Path) -> None:
    model = build(name)
    model.save(tmp_path / "before")
    for _ in range(3):
        model.train_epoch()
    model.save(tmp_path / "after")
    before, after = read_checkpoint(tmp_path / "before")[1], read_checkpoint(tmp_path / "after")[1]
    for key in before:
        if key.startswith(("generator.", "training.")) and not key.startswith(BUILT_ON):
            assert (before[key] != after[key]).float().mean() > LEAST_TRAINED, key


@every_model
def test_default_configuration_is_valid(name: str) -> None:
    config_class = MODELS[name].config_class
    assert from_dict(config_class, {}) == config_class()
    assert from_dict(config_class, to_dict(config_class())) == config_class()


@every_trained_model
def test_unknown_field_names_the_nearest(name: str) -> None:
    with pytest.raises(UnknownName, match=r"Nearest: '\w*learning_rate"):
        from_dict(MODELS[name].config_class, {"learnig_rate": 1e-3})


def _wrong_values(config_class: type[Config]) -> list[tuple[str, object]]:
    wrong: list[tuple[str, object]] = []
    for item in fields(config_class):
        wrong += [(item.name, value) for value in _wrong_for(item)]
    return wrong


def _wrong_for(item: Field[Any]) -> list[object]:
    if isinstance(item.default, str):
        return ["no such choice", 1]
    below = item.metadata["minimum"] - 1
    if isinstance(item.default, int):
        return [below, 1.5, True, "1"]
    return [float(below), float("nan"), float("inf"), None]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [(name, *wrong) for name, spec in MODELS.items() for wrong in _wrong_values(spec.config_class)],
)
def test_wrong_values_are_refused(name: str, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        from_dict(MODELS[name].config_class, {field: value})


@every_model
def test_wrong_conditions_are_refused(name: str) -> None:
    events = SAMPLES[name].events()
    model, conditions = build(name), dict(events.conditions)
    first = events.detector.conditions[0].name
    with pytest.raises(UnknownName, match=first):
        model.generate({**conditions, f"{first}s": conditions[first]}, seed=0)
    with pytest.raises(ValueError, match=f"{first} is missing"):
        model.generate({key: conditions[key] for key in conditions if key != first}, seed=0)
    if len(conditions) > 1:
        with pytest.raises(ValueError, match="shapes"):
            model.generate({**conditions, first: conditions[first][:5]}, seed=0)
    with pytest.raises(ValueError, match="must be finite"):
        model.generate({**conditions, first: _damaged(conditions[first])}, seed=0)
    with pytest.raises(ValueError, match="batch_size"):
        model.generate(conditions, seed=0, batch_size=0)


def _damaged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(values, np.nan)


def test_energies_that_cannot_be_are_refused() -> None:
    events = SAMPLES["atlas-vae"].events()
    with pytest.raises(ValueError, match="above 0 MeV"):
        build("atlas-vae").generate({**events.conditions, "incident_energy": -events.incident_energy}, seed=0)


def test_damaged_checkpoints_say_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpoint, match="no checkpoint"):
        load_generator(tmp_path)
    (tmp_path / FILE).write_bytes(b"damaged")
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        load_generator(tmp_path)
