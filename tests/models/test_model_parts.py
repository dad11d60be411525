"""Preprocessing, initialisers, activations, mean shower and the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from data_adapters.events import Events
from models import MODELS
from models.activations import HIDDEN, OUTPUT
from models.base import GenerativeModel, TrainingDiverged
from models.checkpoint import load_generator
from models.initializers import INITIALIZERS
from models.mean_shower import MeanShower, MeanShowerConfig
from models.preprocessing import PREPROCESSINGS, Categories, Conditioning, Scaling, fractions
from models.training import SAMPLING_FRACTION_RULE, Evaluated, Rule, train


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_preprocessing_has_an_exact_inverse(name: str, events: Events) -> None:
    preprocessing, fraction = PREPROCESSINGS[name], fractions(events)
    values = preprocessing.forward(fraction)
    assert values.min() >= preprocessing.low
    assert values.max() <= preprocessing.high
    back = preprocessing.inverse(values)
    # float32 keeps a logarithm up to 10 to 5e-7, which is a factor of 1 ± 1.1e-6.
    torch.testing.assert_close(back, fraction, rtol=2e-6, atol=0)
    assert torch.equal(back == 0, fraction == 0)


@pytest.mark.parametrize(("name", "values"), [("log10", [-10, -10, -1, 0]), ("log10_1e10", [0, 0, 9, 10])])
def test_logarithms_of_known_fractions(name: str, values: list[float]) -> None:
    fraction = torch.tensor([0.0, 0.9e-10, 0.1, 1.0])
    preprocessing = PREPROCESSINGS[name]
    assert preprocessing.forward(fraction).tolist() == pytest.approx(values)
    assert preprocessing.inverse(torch.tensor(values).float()).tolist() == pytest.approx([0, 0, 0.1, 1])


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_inverse_is_bounded(name: str) -> None:
    fraction = PREPROCESSINGS[name].inverse(torch.tensor([-1e30, -50.0, 50.0, 1e30]))
    assert fraction.tolist() == [0, 0, 10, 10]


def test_output_range_is_mapped_onto_the_preprocessing() -> None:
    ends = torch.tensor([0.0, 1.0])
    assert PREPROCESSINGS["fraction"].from_activation(ends).tolist() == [0, 1]
    assert PREPROCESSINGS["log10"].from_activation(ends).tolist() == [-10, 0]
    assert PREPROCESSINGS["log10_1e10"].from_activation(ends).tolist() == [0, 10]


def test_conditions_are_scaled_and_multi_hot(events: Events) -> None:
    encoded = Conditioning.fitted(events, logarithmic_energy=True).encode(events.conditions)
    assert encoded.shape == (len(events), 1 + 2 + 4)
    assert encoded.min() == 0
    assert encoded.max() == 1
    np.testing.assert_array_equal(encoded[:, 1:3].argmax(dim=1), events.conditions["alignment_eta"])
    np.testing.assert_array_equal(encoded[:, 3:].argmax(dim=1), events.conditions["alignment_phi"])
    assert (encoded[:, 1:].sum(dim=1) == 2).all()


def test_linear_and_logarithmic_scaling() -> None:
    values = np.array([10.0, 100.0, 1000.0])
    assert Scaling.fitted("e", values, logarithmic=True).encode(values)[:, 0].tolist() == [0, 0.5, 1]
    assert Scaling.fitted("e", values, logarithmic=False).encode(values)[1, 0] == pytest.approx(1 / 11)
    assert Scaling.fitted("e", values[:1], logarithmic=True).encode(values[:1])[0, 0] == 0  # one energy only


@pytest.mark.parametrize("value", [-1.0, 0.5, 4.0])
def test_no_category_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="whole number from 0 to 3"):
        Categories("alignment_phi", 4).encode(np.array([0.0, value]))


TRUNCATED = 0.8796  # standard deviation of a unit normal cut at 2σ


@pytest.mark.parametrize(
    ("name", "deviation", "largest"),
    [
        ("zeros", 0, 0),
        ("random_normal", 0.05, math.inf),
        ("random_uniform", 0.05 / math.sqrt(3), 0.05),
        ("truncated_normal", 0.05 * TRUNCATED, 0.1),
        ("variance_scaling", math.sqrt(1 / 400) * TRUNCATED, 2 * math.sqrt(1 / 400)),
        ("lecun_normal", math.sqrt(1 / 400) * TRUNCATED, 2 * math.sqrt(1 / 400)),
        ("glorot_normal", math.sqrt(2 / 700) * TRUNCATED, 2 * math.sqrt(2 / 700)),
        ("glorot_uniform", math.sqrt(2 / 700), math.sqrt(6 / 700)),
    ],
)
def test_initializers_have_the_widths_of_keras(name: str, deviation: float, largest: float) -> None:
    kernel = INITIALIZERS[name].draw((300, 400), torch.Generator().manual_seed(0))
    assert kernel.dtype == torch.float32
    assert kernel.std().item() == pytest.approx(deviation, rel=0.01)
    assert kernel.mean().item() == pytest.approx(0, abs=1e-3)
    assert kernel.abs().max() <= largest + 1e-7


def test_ones_and_the_fans_of_a_bias() -> None:
    assert (INITIALIZERS["ones"].draw((3,), torch.Generator()) == 1).all()
    bias = INITIALIZERS["glorot_uniform"].draw((10_000,), torch.Generator().manual_seed(0))
    assert bias.std().item() == pytest.approx(math.sqrt(1 / 100), rel=0.03)
    draws = [
        INITIALIZERS[name].draw((9,), torch.Generator().manual_seed(0))
        for name in ("variance_scaling", "glorot_normal")
    ]
    torch.testing.assert_close(*draws)


@pytest.mark.parametrize(
    ("name", "at_minus_one"),
    [("leaky_relu", -0.3), ("selu", -1.1113307), ("elu", math.exp(-1) - 1), ("relu", 0)],
)
def test_hidden_activations(name: str, at_minus_one: float) -> None:
    assert HIDDEN[name].function(torch.tensor([-1.0])).item() == pytest.approx(at_minus_one)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sigmoid", [[0.5, 0.880797]]),
        ("relu", [[0, 2]]),
        ("gauss", [[1, math.exp(-4)]]),
        ("clipped_relu", [[0, 1]]),
        ("softmax", [[0.119203, 0.880797]]),
    ],
)
def test_output_activations(name: str, expected: list[list[float]]) -> None:
    found = OUTPUT[name].function(torch.tensor([[0.0, 2.0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"), [("sigmoid+relu", [1.5, 2.642391]), ("softmax+relu", [0.357609, 2.642391])]
)
def test_double_activations_scale_a_shape(name: str, expected: list[float]) -> None:
    raw = torch.tensor([[0.0, 2.0, 3.0], [0.0, 2.0, -3.0]])
    np.testing.assert_allclose(OUTPUT[name].function(raw).numpy(), [expected, [0.0, 0.0]], rtol=1e-5)


def test_mean_shower_is_the_mean_and_takes_the_nearest_energy(events: Events) -> None:
    model = MeanShower(MeanShowerConfig(), events, seed=0)
    model.train_epoch()
    at_4gev = events.select(events.incident_energy == 4096)
    mean = at_4gev.response.astype(np.float64).mean(axis=0)
    conditions = {name: values[:2] for name, values in at_4gev.conditions.items()}
    np.testing.assert_allclose(model.generate(conditions, seed=0)[0], mean, rtol=1e-4)
    conditions["incident_energy"] = np.array([4096 * 1.4, 4096 * 1.42])  # the midpoint of 4 and 8 GeV is at √2
    near, far = model.generate(conditions, seed=0)
    np.testing.assert_allclose(near, mean * 1.4, rtol=1e-4)
    assert not np.allclose(far, mean * 1.42, rtol=1e-2)


class Scripted(MeanShower):
    """A model whose scores are known beforehand."""

    scores: tuple[float, ...] = (3.0, 1.0, 2.0)
    errors: tuple[float | None, ...] = (0.1, 0.3, 0.2)

    def score(self, _: GenerativeModel) -> Evaluated:
        return Evaluated(self.scores[self.epoch - 1], self.errors[self.epoch - 1])

    def generate(
        self, conditions: Mapping[str, NDArray[np.float64]], seed: int, batch_size: int | None = 10
    ) -> NDArray[np.float32]:
        return super().generate(conditions, seed, batch_size) * np.float32(self.epoch)


@pytest.fixture
def scripted(few_events: Events) -> Scripted:
    return Scripted(MeanShowerConfig(), few_events, seed=0)


@pytest.mark.parametrize(("rule", "epoch"), [("best_validation", 2), ("last", 3), (SAMPLING_FRACTION_RULE, 1)])
def test_training_keeps_the_epoch_of_the_rule(rule: Rule, epoch: int, scripted: Scripted, tmp_path: Path) -> None:
    seen: list[tuple[int, float | None]] = []

    def on_progress(number: int, _: dict[str, float], evaluated: Evaluated | None) -> None:
        seen.append((number, None if evaluated is None else evaluated.score))

    outcome = train(
        scripted,
        epochs=3,
        evaluate=scripted.score,
        every=1,
        checkpoint_folder=tmp_path,
        rule=rule,
        on_progress=on_progress,
    )
    assert (outcome.epochs, outcome.best_epoch, outcome.checkpoint) == (3, epoch, tmp_path)
    assert seen == [(1, 3.0), (2, 1.0), (3, 2.0)]
    assert [(record["epoch"], record["score"]) for record in outcome.history] == seen
    scripted.restore(tmp_path)
    assert scripted.epoch == epoch
    assert load_generator(tmp_path).detector == scripted.generator.detector


def test_only_the_last_ten_epochs_compare_their_sampling_fraction(scripted: Scripted, tmp_path: Path) -> None:
    scripted.scores, scripted.errors = (1.0,) * 14, (0.0, 0.0, 0.0, 0.0, 0.4, 0.3, *[0.5] * 8)
    rule: Rule = "best_sampling_fraction_of_last_ten"
    outcome = train(scripted, epochs=14, evaluate=scripted.score, every=7, checkpoint_folder=tmp_path, rule=rule)
    assert outcome.best_epoch == 6
    assert [record["epoch"] for record in outcome.history if record["score"] is not None] == list(range(5, 15))


def test_a_detector_without_a_sampling_fraction_needs_another_rule(scripted: Scripted, tmp_path: Path) -> None:
    scripted.errors = (None, None, None)
    with pytest.raises(ValueError, match="choose another rule"):
        train(scripted, epochs=3, evaluate=scripted.score, checkpoint_folder=tmp_path, rule=SAMPLING_FRACTION_RULE)


def test_training_evaluates_every_few_epochs_and_at_the_end(scripted: Scripted, tmp_path: Path) -> None:
    outcome = train(scripted, epochs=3, evaluate=scripted.score, every=2, checkpoint_folder=tmp_path)
    assert [record["score"] for record in outcome.history] == [None, 1.0, 2.0]


def test_training_continues_where_the_model_is(scripted: Scripted, tmp_path: Path) -> None:
    scripted.train_epoch()
    outcome = train(scripted, epochs=3, checkpoint_folder=tmp_path)
    assert [record["epoch"] for record in outcome.history] == [2, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, folder: train(model, epochs=0, checkpoint_folder=folder), "ask for more"),
        (lambda model, folder: train(model, epochs=1, every=0, checkpoint_folder=folder), "every is 0"),
        (lambda model, folder: train(model, epochs=1, rule="best_validation", checkpoint_folder=folder), "score"),
    ],
)
def test_training_refuses_what_cannot_be(
    call: Callable[[GenerativeModel, Path], object], message: str, scripted: Scripted, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        call(scripted, tmp_path)


def test_scores_that_are_never_finite_are_a_divergence(scripted: Scripted, tmp_path: Path) -> None:
    scripted.scores = (math.nan, math.inf, math.nan)
    with pytest.raises(TrainingDiverged, match="no score was finite"):
        train(scripted, epochs=3, evaluate=scripted.score, checkpoint_folder=tmp_path, rule="best_validation")


def test_baselines_are_told_apart() -> None:
    assert [name for name, spec in MODELS.items() if not spec.trainable] == ["mean-shower"]
