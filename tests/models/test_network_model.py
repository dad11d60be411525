"""What models of torch modules share: layers, epochs, averages, checkpoints, building on another model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_adapters.events import Events, InvalidEvents
from data_adapters.registry import UnknownName
from models import MODELS
from models.building import check_base, check_detector
from models.config import Config, number, whole
from models.layers import Dropout, MinibatchDiscrimination, activation, building, initialize
from models.network_model import Losses, NetworkGenerator, NetworkModel, autocast
from models.optimizers import OptimizerName, build_optimizer
from models.preprocessing import Affine, Conditioning, Scaling
from models.rows import fraction_rows
from models.storage import UnreadableCheckpoint, read_checkpoint
from tests.models.samples import few_events

BATCH = 16


@dataclass(frozen=True)
class ToyConfig(Config):
    latent_dim: int = whole(2)
    learning_rate: float = number(1e-2, positive=True)
    decay: float = number(0.0)
    average_decay: float = number(0.0)
    precision: Literal["float32", "bfloat16"] = "float32"


class ToyGenerator(NetworkGenerator):
    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        result: Tensor = self.network(torch.cat((noise, encoded), dim=1))
        return torch.relu(result)


class Toy(NetworkModel):
    """Learns the mean shower, through dropout and batch norm, whose states must be saved."""

    def __init__(self, config: ToyConfig, train: Events, seed: int) -> None:
        conditioning = Conditioning.fitted(train, logarithmic_energy=True)
        cells = train.detector.num_cells
        with building(seed, "generator initialisation"):
            network = nn.Sequential(
                nn.Linear(config.latent_dim + conditioning.width, 8),
                nn.BatchNorm1d(8),
                Dropout(0.25),
                nn.Linear(8, cells),
            )
            unused = nn.Linear(1, 1)
        super().__init__(
            "toy",
            config,
            ToyGenerator(network, train.detector, conditioning, config.latent_dim, "cpu"),
            {"generator": network, "other": unused},
            {"generator": build_optimizer("adam", network.parameters(), config.learning_rate)},
            fraction_rows(train, conditioning, 1.0, "cpu"),
            batch_size=BATCH,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )
        self.cells = cells

    def step(self, batch: Tensor) -> Losses:
        made = self.networks["generator"](torch.cat((self.noise(len(batch), 2), batch[:, self.cells :]), dim=1))
        unused = self.networks["other"].get_parameter("weight").sum()
        loss = ((made - batch[:, : self.cells]) ** 2).sum(dim=1).mean() + 0 * unused
        self.minimise("generator", loss)
        return {"square": loss}


@pytest.fixture(scope="module")
def events() -> Events:
    return few_events("atlas-photons-geant4")


def trained(events: Events, epochs: int, **changes: object) -> Toy:
    toy = Toy(ToyConfig(**changes), events, seed=1)  # type: ignore[arg-type]
    for _ in range(epochs):
        toy.train_epoch()
    return toy


def test_losses_fall_and_a_small_last_batch_is_left_out(events: Events) -> None:
    toy = trained(events, 1)
    assert toy.counters["steps"] == len(events) // BATCH
    first = toy.train_epoch()["square"]
    for _ in range(10):
        last = toy.train_epoch()["square"]
    assert last < first


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_goes_on_bit_for_bit(decay: float, events: Events, tmp_path: Path) -> None:
    straight, resumed = trained(events, 2, average_decay=decay), trained(events, 0, average_decay=decay)
    straight.save(tmp_path / "half")
    resumed.restore(tmp_path / "half")
    for toy, name in ((straight, "a"), (resumed, "b")):
        toy.train_epoch()
        toy.save(tmp_path / name)
    (header, tensors), (other_header, others) = (read_checkpoint(tmp_path / name) for name in "ab")
    assert header == other_header
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[key], others[key]) for key in tensors)


def test_only_what_an_optimiser_has_gets_gradients(events: Events) -> None:
    toy = trained(events, 1)
    assert all(parameter.grad is not None for parameter in toy.networks["generator"].parameters())
    assert all(parameter.grad is None for parameter in toy.networks["other"].parameters())


def test_the_average_lags_behind_the_trained_weights(events: Events) -> None:
    toy = trained(events, 3, average_decay=0.99)
    trained_weight = toy.networks["generator"].state_dict()["3.weight"]
    averaged = toy.generator.network.state_dict()
    assert not torch.equal(averaged["3.weight"], trained_weight)
    assert not any(parameter.requires_grad for parameter in toy.generator.network.parameters())
    assert averaged["1.num_batches_tracked"] == toy.counters["steps"]
    torch.testing.assert_close(averaged["3.weight"], trained_weight, atol=0.2, rtol=0)


def test_without_an_average_the_trained_network_generates(events: Events) -> None:
    toy = trained(events, 1)
    assert toy.generator.network is toy.networks["generator"]
    toy.generate(events.conditions, seed=0)
    assert toy.generator.network.training


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")  # of torch
def test_compiled_networks_learn_the_same_but_for_rounding(events: Events) -> None:
    plain, compiled = trained(events, 0), trained(events, 0)
    compiled.compile()
    losses = [toy.train_epoch()["square"] for toy in (plain, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert plain.networks["generator"].state_dict().keys() == compiled.networks["generator"].state_dict().keys()


def test_every_network_counts_once(events: Events) -> None:
    toy = trained(events, 0)
    generator = sum(parameter.numel() for parameter in toy.networks["generator"].parameters())
    assert toy.parameter_counts() == {"generate": generator, "train": generator + 2}


def test_dropout_keeps_the_mean_and_draws_its_own_numbers() -> None:
    layer = Dropout(0.4)
    layer.random = torch.Generator().manual_seed(1)
    before = torch.get_rng_state()
    dropped = layer(torch.ones(200, 100))
    assert torch.equal(before, torch.get_rng_state())
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    layer.eval()
    assert torch.equal(layer(torch.ones(3)), torch.ones(3))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_impossible_dropout_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="below 1"):
        Dropout(rate)


def test_building_follows_from_seed_and_purpose() -> None:
    def weight(seed: int, purpose: str) -> Tensor:
        with building(seed, purpose):
            return nn.Linear(3, 3).weight.detach()

    before = torch.get_rng_state()
    assert torch.equal(weight(1, "a"), weight(1, "a"))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(weight(1, "a"), weight(2, "a"))
    assert not torch.equal(weight(1, "a"), weight(1, "b"))


def test_initialisation_fills_kernels_and_empties_biases() -> None:
    with building(1, "test"):
        network = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ConvTranspose2d(8, 2, 2), nn.Linear(200, 100))
        initialize(network, "glorot_uniform")
    limit = (6 / 300) ** 0.5
    assert network.get_parameter("2.weight").abs().max().item() == pytest.approx(limit, rel=0.01)
    assert all(network.get_parameter(f"{layer}.bias").abs().max() == 0 for layer in range(3))
    with pytest.raises(UnknownName, match="glorot_uniform"):
        initialize(network, "glorot_unifrm")


def test_activations_by_name() -> None:
    assert activation("leaky_relu", 0.1)(torch.tensor([-1.0])).item() == pytest.approx(-0.1)
    with pytest.raises(UnknownName, match="leaky_relu"):
        activation("leaky_rlu")


def test_minibatch_discrimination_sees_a_collapse() -> None:
    with building(1, "test"):
        layer = MinibatchDiscrimination(4, 3, 2)
    torch.nn.init.ones_(layer.transform)
    collapsed = layer(torch.ones(5, 4))
    assert collapsed.shape == (5, 7)
    torch.testing.assert_close(collapsed[:, 4:], torch.full((5, 3), 4.0))  # the four others are at distance 0
    spread = layer(torch.arange(5.0)[:, None].expand(5, 4))
    assert (spread[:, 4:] < 0.01).all()


def test_learning_rates_decay_with_the_updates_of_each_optimiser_as_in_keras(events: Events, tmp_path: Path) -> None:
    toy = trained(events, 1, decay=1e-2)
    toy.save(tmp_path)
    toy = trained(events, 0, decay=1e-2)
    toy.restore(tmp_path)
    updates = len(events) // BATCH
    assert toy.counters["generator updates"] == updates
    toy.step(next(iter(toy.batches())))
    (group,) = toy.optimizers["generator"].param_groups
    assert group["lr"] == pytest.approx(1e-2 / (1 + 1e-2 * updates))


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_optimisers_go_downhill(name: OptimizerName) -> None:
    parameter = nn.Parameter(torch.tensor([1.0]))
    optimizer = build_optimizer(name, [parameter], 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (parameter**2).sum().backward()
        optimizer.step()
    assert 0 < parameter.item() < 1


def test_precision_is_chosen_where_the_networks_run() -> None:
    layer, value = nn.Linear(4, 4), torch.ones(1, 4)
    with autocast("cpu", "bfloat16"):
        assert layer(value).dtype == torch.bfloat16
    with autocast("cpu", "float32"):
        assert layer(value).dtype == torch.float32


def test_affine_conditions_are_scaled_and_flattened() -> None:
    values = np.array([1.0, 3.0, 5.0])
    encoded = Affine.standardised("x", values).encode(values)
    assert encoded.mean() == pytest.approx(0.0)
    assert encoded.std() == pytest.approx(1.0)
    tracks = np.arange(12.0).reshape(2, 3, 2)
    conditioning = Conditioning((Scaling("x", False, 0.0, 1.0), Affine("tracks", 0.0, 2.0, 6)))
    assert conditioning.width == 7
    assert conditioning.encode({"x": np.zeros(2), "tracks": tracks})[1].tolist() == [0, *(tracks[1].ravel() / 2)]
    assert Conditioning.from_json(conditioning.to_json()) == conditioning


def test_a_detector_that_is_not_taken_is_refused_with_the_reason(events: Events) -> None:
    spec = partial(MODELS["atlas-vae"].__class__, **{**vars(MODELS["atlas-vae"]), "refuses": lambda _: "it is round"})()
    with pytest.raises(InvalidEvents, match="atlas-vae cannot be trained on atlas-photons: it is round"):
        check_detector(spec, events.detector)


def test_a_model_that_is_built_on_another_needs_its_checkpoint(events: Events, tmp_path: Path) -> None:
    spec = partial(MODELS["atlas-vae"].__class__, **{**vars(MODELS["atlas-vae"]), "built_on": "mean-shower"})()
    with pytest.raises(UnreadableCheckpoint, match="give the folder of its checkpoint"):
        check_base(spec, None)
    trained(events, 0).save(tmp_path)
    with pytest.raises(UnreadableCheckpoint, match="holds toy; atlas-vae is built on mean-shower"):
        check_base(spec, tmp_path)
