"""The VAE: loss terms by hand, every hyperparameter of table 1 matters."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from data_adapters.detector import Axis, Detector, Layer
from data_adapters.events import Events
from models.atlas_vae import AtlasVae, AtlasVaeConfig, depth_parts, loss_terms
from models.base import TrainingDiverged

BASE = AtlasVaeConfig(latent_dim=3, units_1=8, units_2=7, units_3=6, units_4=5, learning_rate=1e-3)
INITIALIZERS = ["zeros", "ones", "random_normal", "random_uniform", "truncated_normal", "glorot_normal"]

# Values of ATL-SOFT-PUB-2018-001, table 1, that differ from the default.
CHANGES: list[tuple[str, object]] = [
    ("latent_dim", 1),
    ("latent_dim", 100),
    ("reconstruction_weight", 3.0),
    ("kl_weight", 1.0),
    *((f"{name}_weight", value) for name in ("total_energy", "front", "middle", "back") for value in (0.0, 1.0)),
    *((f"{name}_layers", layers) for name in ("encoder", "decoder") for layers in (1, 2, 3, 5)),
    *((f"units_{layer}", 20) for layer in (1, 2, 3, 4)),
    *(("activation", name) for name in ("elu", "relu", "leaky_relu", "prelu")),
    *(("kernel_initializer", name) for name in INITIALIZERS),
    # For a bias, "variance_scaling" and "glorot_normal" are one distribution: its fan-in is its fan-out.
    *(("bias_initializer", name) for name in INITIALIZERS if name != "ones"),
    *(("optimizer", name) for name in ("adam", "adagrad", "adadelta", "nadam")),
    *(("learning_rate", rate) for rate in (1e-2, 1e-4, 1e-6)),
    *(("batch_size", size) for size in (50, 150, 1000)),
]


def weights_after(config: AtlasVaeConfig, events: Events) -> torch.Tensor:
    model = AtlasVae(config, events, seed=0)
    with contextlib.suppress(TrainingDiverged):  # kernels of ones do
        for _ in range(2):
            model.train_epoch()
    return torch.cat((model.decoder.network.flat, model.encoder.flat)).detach().clone()


@pytest.mark.parametrize("field", sorted({field for field, _ in CHANGES}))
def test_every_value_changes_what_is_trained(field: str, events: Events) -> None:
    some = events.select(np.arange(0, len(events), 15))  # 203: fewer than a batch of 1000, more than one of 150
    values = [getattr(BASE, field), *(value for name, value in CHANGES if name == field)]
    seen = [weights_after(dataclasses.replace(BASE, **{field: value}), some) for value in values]
    for (index, first), (other, second) in itertools.combinations(enumerate(seen), 2):
        assert first.shape != second.shape or not torch.equal(first, second), (values[index], values[other])


def test_every_field_is_covered() -> None:
    assert {field for field, _ in CHANGES} == {field.name for field in dataclasses.fields(AtlasVaeConfig)}


def test_loss_terms_by_hand() -> None:
    shower = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.2]])
    reconstructed = torch.tensor([[0.5, 0.1, 0.2], [0.3, 0.1, 0.4]])
    mean, variance = torch.tensor([[1.0], [-2.0]]), torch.tensor([[1.0], [4.0]])
    layers = {"front": slice(0, 1), "back": slice(1, 3)}
    terms = {key: term.item() for key, term in loss_terms(shower, reconstructed, mean, variance.log(), layers).items()}
    assert terms["reconstruction"] == pytest.approx((0.5 * 0.04 + 0.5 * 0.08) / 2)
    assert terms["kl"] == pytest.approx((0.5 * 1 + 0.5 * (4 + 4 - math.log(4) - 1)) / 2)
    assert terms["total_energy"] == pytest.approx((0.2 + 0.4) / 2)
    assert terms["front"] == pytest.approx((abs(0.5 - 0.625) + abs(0.25 - 0.375)) / 2)
    assert terms["back"] == pytest.approx((abs(0.5 - 0.375) + abs(0.75 - 0.625)) / 2)


def test_total_is_the_weighted_sum(few_events: Events) -> None:
    model = AtlasVae(BASE, few_events, seed=0)
    losses = model.train_epoch()
    assert losses["total"] == pytest.approx(sum(w * losses[key] for key, w in model.loss_weights().items()), rel=1e-5)


def test_networks_have_the_widths_of_the_paper(few_events: Events) -> None:
    model = AtlasVae(AtlasVaeConfig(), few_events, seed=0)
    assert model.encoder.sizes == (267, 200, 150, 100, 50, 20)
    assert model.generator.network.sizes == (11, 50, 100, 150, 200, 266)
    deep = AtlasVae(AtlasVaeConfig(encoder_layers=5, decoder_layers=2), few_events, seed=0)
    assert deep.encoder.sizes == (267, 200, 150, 100, 50, 50, 20)
    assert deep.generator.network.sizes == (11, 150, 200, 266)


def test_parameter_counts(few_events: Events) -> None:
    encoder = 268 * 200 + 201 * 150 + 151 * 100 + 101 * 50 + 51 * 20
    decoder = 12 * 50 + 51 * 100 + 101 * 150 + 151 * 200 + 201 * 266
    counts = AtlasVae(AtlasVaeConfig(), few_events, seed=0).parameter_counts()
    assert counts == {"generate": decoder, "train": encoder + decoder}


def test_learned_slopes_are_parameters(few_events: Events) -> None:
    plain = AtlasVae(AtlasVaeConfig(), few_events, seed=0).parameter_counts()
    prelu = AtlasVae(AtlasVaeConfig(activation="prelu"), few_events, seed=0).parameter_counts()
    assert prelu["train"] - plain["train"] == 2 * (200 + 150 + 100 + 50)


def test_parts_of_the_depth_are_the_layers_of_the_paper(few_events: Events) -> None:
    parts = depth_parts(few_events.detector, "cpu")
    assert parts == {"front": slice(21, 189), "middle": slice(189, 238), "back": slice(238, 266)}


def test_other_detectors_are_divided_in_depth() -> None:
    axes = (Axis.numbered("z", 25), Axis.numbered("x", 2))
    parts = depth_parts(Detector("toy", "toy", (Layer("cells", axes),), ()), "cpu")
    numbers = {name: cells for name, cells in parts.items() if isinstance(cells, torch.Tensor)}
    assert {name: len(cells) for name, cells in numbers.items()} == {"front": 16, "middle": 18, "back": 16}
    assert list(numbers["back"][:2]) == [34, 35]
