"""The six generators of ALICE tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_adapters.datasets import ALICE_TRACKS_GEANT4, ATLAS_PHOTONS_GEANT4
from data_adapters.events import Events, InvalidEvents
from metrics.observables.helix_residual import helices_of
from metrics.observables.helix_track import FIELD_TESLA, GEV_PER_TESLA_MM
from metrics.observables.sample import Sample
from models.alice_config import METHODS, AliceTracksConfig
from models.alice_networks import build_critic, build_generator, dense_widths, full_length, growing, places_of
from models.alice_tracks import TrackGan, TrackVae, build_alice_tracks, reconstruction_loss
from models.building import build_model
from models.checkpoint import load_generator
from models.config import from_dict
from models.gaussians import gaussian_divergence
from models.layers import building
from models.progressive import Growing
from models.rows import TrainingSample
from models.storage import read_checkpoint
from models.track_points import response_of, told_of
from tests.models.samples import ALICE_TRACKS_CONFIG, SAMPLES, training_events

TRACKS = 100
every_method = pytest.mark.parametrize("method", METHODS)
every_gan = pytest.mark.parametrize("method", [method for method in METHODS if method not in ("vae", "cvae")])
both_conditionings = pytest.mark.parametrize("conditioning", ["none", "momentum"])


def all_events() -> Events:
    return training_events("alice-tracks-geant4")


def few_events() -> Events:
    return SAMPLES["alice-tracks"].events()


def build(method: str, events: TrainingSample | None = None, seed: int = 0, **changes: Any) -> Any:
    config = from_dict(AliceTracksConfig, {**ALICE_TRACKS_CONFIG, "method": method, **changes})
    return build_alice_tracks(config, few_events() if events is None else events, seed)


def trained(method: str, epochs: int, seed: int = 0, **changes: Any) -> Any:
    model = build(method, seed=seed, **changes)
    for _ in range(epochs):
        model.train_epoch()
    return model


def grown(network: Any) -> Growing:
    """The part of a network that grows."""
    part = growing(network)
    assert part is not None
    return part


# ------------------------------------------------------------------ what all methods promise


@every_method
@both_conditionings
def test_tracks_are_points_followed_by_zeros(method: str, conditioning: str) -> None:
    tracks = trained(method, 2, conditioning=conditioning).generate(few_events().conditions, seed=1)
    assert tracks.shape == (TRACKS, 477)
    assert np.isfinite(tracks).all()
    present = tracks.reshape(TRACKS, 159, 3).any(axis=2)
    assert (present[:, :-1] >= present[:, 1:]).all()


@every_method
def test_seeds_reproduce_and_noise_makes_other_tracks(method: str) -> None:
    conditions = few_events().conditions
    first, second, other = (trained(method, 2, seed=seed) for seed in (4, 4, 5))
    tracks = first.generate(conditions, seed=1)
    np.testing.assert_array_equal(tracks, second.generate(conditions, seed=1))
    assert not np.array_equal(tracks, first.generate(conditions, seed=2))
    assert not np.array_equal(tracks, other.generate(conditions, seed=1))


@every_method
def test_batches_do_not_matter(method: str) -> None:
    model, conditions = trained(method, 2), few_events().conditions
    whole, parts = (model.generate(conditions, seed=1, batch_size=size) for size in (100, 7))
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-2)  # rounded differently; in mm


@every_method
def test_resumed_training_equals_uninterrupted_training(method: str, tmp_path: Path) -> None:
    # After two epochs the growing networks are in the middle of the fade-in of step 1.
    schedule: dict[str, Any] = {"growth_epochs": 1.0, "fade_epochs": 2.0, "average_decay": 0.9, "decay": 1e-3}
    straight = trained(method, 2, seed=3, **schedule)
    straight.save(tmp_path)
    resumed = build(method, seed=3, **schedule)
    resumed.restore(tmp_path)
    assert [resumed.train_epoch() for _ in range(2)] == [straight.train_epoch() for _ in range(2)]
    for model, folder in ((straight, tmp_path / "a"), (resumed, tmp_path / "b")):
        model.save(folder)
    header, tensors = read_checkpoint(tmp_path / "a")
    resumed_header, resumed_tensors = read_checkpoint(tmp_path / "b")
    assert header == resumed_header
    assert tensors.keys() == resumed_tensors.keys()
    assert all(torch.equal(tensors[key], resumed_tensors[key]) for key in tensors)


@every_method
@both_conditionings
def test_checkpoint_generates_without_training_data(method: str, conditioning: str, tmp_path: Path) -> None:
    model = trained(method, 1, conditioning=conditioning, average_decay=0.9)
    model.save(tmp_path)
    generator = load_generator(tmp_path)
    conditions = few_events().conditions
    np.testing.assert_array_equal(generator.generate(conditions, seed=1), model.generate(conditions, seed=1))
    assert generator.num_parameters() == model.parameter_counts()["generate"]


@every_method
@both_conditionings
def test_every_parameter_receives_a_gradient(method: str, conditioning: str) -> None:
    model = build(method, conditioning=conditioning, growth_epochs=0.0, fade_epochs=0.0)
    first = {name: parameter.clone() for name, parameter in parameters(model).items()}
    for _ in range(3):
        model.train_epoch()
    unused = ("outputs.", "inputs.")  # of coarser grids than the last
    for name, parameter in parameters(model).items():
        moved = not torch.equal(parameter, first[name])
        coarser = any(f"{part}{number}." in name for part in unused for number in range(5))
        assert moved != coarser, name


def parameters(model: Any) -> dict[str, Tensor]:
    return {
        f"{kind}.{name}": parameter.detach()
        for kind, network in model.networks.items()
        for name, parameter in network.named_parameters()
    }


@every_method
def test_momentum_reaches_every_network(method: str) -> None:
    model = trained(method, 1, conditioning="momentum")
    scaled, told = model._split(next(iter(model.rows.batches(5, 0, model.randoms["shuffling"]))))
    other = told.flip(0)
    noise = model.noise(5, 8)
    for network in (model.trained.eval(), model.judge.eval()):
        first = noise if network is model.trained else model._at_present(scaled) if method == "progan" else scaled
        assert not torch.equal(network(first, told), network(first, other))


@every_method
def test_without_conditioning_the_momentum_does_not_matter(method: str) -> None:
    model, conditions = trained(method, 1), few_events().conditions
    reversed_order = {name: values[::-1] for name, values in conditions.items()}
    np.testing.assert_array_equal(model.generate(conditions, seed=1), model.generate(reversed_order, seed=1))


# ------------------------------------------------------------------ the paper's networks


def layers_of(network: nn.Module, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def paper(method: str) -> tuple[nn.Module, nn.Module]:
    with building(0, "test"):
        config = from_dict(AliceTracksConfig, {"method": method})
        return build_generator(config, 0), build_critic(config, 0)


def test_the_papers_numbers_of_layers() -> None:
    generator, critic = paper("gan-mlp")
    assert layers_of(generator, nn.Linear) == layers_of(critic, nn.Linear) == 4
    widths = [module.out_features for module in generator.modules() if isinstance(module, nn.Linear)][:-1]
    assert widths[::-1] == [module.out_features for module in critic.modules() if isinstance(module, nn.Linear)][:-1]
    assert widths[::-1] == dense_widths(AliceTracksConfig(method="gan-mlp"))
    decoder, encoder = paper("vae")
    assert layers_of(decoder, nn.Linear) == layers_of(encoder, nn.Linear) == 2  # one hidden layer
    for method in ("cvae", "dcgan"):
        generator, critic = paper(method)
        assert layers_of(generator, nn.ConvTranspose2d) == layers_of(critic, nn.Conv2d) == 3
    generator, critic = paper("gan-lstm")
    assert layers_of(generator, nn.LSTM) == layers_of(critic, nn.LSTM) == 1


def test_the_progressive_network_ends_with_six_layers_on_160_places() -> None:
    generator, critic = paper("progan")
    part = grown(generator)
    assert part.steps == 5
    kernels = [m for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) if m.kernel_size[0] > 1]
    assert len(kernels) == 6
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1 for m in critic.modules()) == 6
    generator.eval()
    lengths = []
    for step in range(6):
        part.progress = step
        lengths.append(generator(torch.zeros(1, 100), torch.zeros(1, 0)).shape[1])
    assert lengths == [5, 10, 20, 40, 80, 160]


@pytest.mark.parametrize("method", ["cvae", "dcgan", "progan"])
@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_every_number_of_layers_and_kernel_fits(method: str, kernel: int, layers: int) -> None:
    sizes: dict[str, Any] = {"conv_layers": layers, "growth_steps": layers, "kernel": kernel, "batch_size": 4}
    model = build(method, few_events().select(np.arange(4)), **sizes, growth_epochs=0.0, fade_epochs=0.0)
    model.train_epoch()
    assert model.generate(few_events().conditions, seed=1).shape == (TRACKS, 477)


def test_a_network_that_has_not_grown_makes_whole_tracks() -> None:
    model = build("progan", growth_epochs=100.0)
    model.train_epoch()
    assert grown(model.trained).progress == 0
    assert model.trained(model.noise(3, 8), torch.zeros(3, 0)).shape == (3, 5, 3)
    assert model.generate(few_events().conditions, seed=1).shape == (TRACKS, 477)


def test_short_tracks_become_long_ones_on_straight_lines() -> None:
    short = torch.arange(5.0)[None, :, None].expand(1, 5, 3)
    long = full_length(short, 160)
    assert long.shape == (1, 160, 3)
    steps = long.diff(dim=1)[0, 16:-16]
    torch.testing.assert_close(steps, torch.full_like(steps, 5 / 160))


def test_the_averaged_generator_grows_too() -> None:
    model = trained("progan", 2, average_decay=0.9)
    assert grown(model.generator.network).progress == grown(model.trained).progress == 5


# ------------------------------------------------------------------ losses


def test_the_divergence_of_known_gaussians() -> None:
    """KL(N(m, s²) | N(0, 1)) = (m² + s² − ln s² − 1) / 2."""
    zero = torch.zeros(4, 3)
    assert gaussian_divergence(zero, zero) == 0
    assert gaussian_divergence(zero + 2, zero) == pytest.approx(3 * 2.0)
    assert gaussian_divergence(zero, zero + np.log(4.0)) == pytest.approx(3 * (4 - np.log(4.0) - 1) / 2)


@pytest.mark.parametrize("kind", ["cross_entropy", "squared"])
def test_a_perfect_reconstruction_costs_nothing(kind: str) -> None:
    scaled = torch.rand(4, 159, 3, generator=torch.Generator().manual_seed(0))
    assert reconstruction_loss(torch.logit(scaled), scaled, kind) == pytest.approx(0.0, abs=1e-3)
    padded = torch.where(torch.arange(159)[:, None] < 50, scaled, 0.0)
    assert reconstruction_loss(torch.logit(padded, eps=1e-9), padded, kind) == pytest.approx(0.0, abs=1e-3)


def test_reconstruction_losses_of_known_answers() -> None:
    scaled = torch.full((2, 159, 3), 0.5)
    logits = torch.full_like(scaled, float(np.log(3.0)))  # 0.75
    assert reconstruction_loss(logits, scaled, "squared") == pytest.approx(477 * 0.25**2 / 2)
    entropy = -(0.5 * np.log(0.75) + 0.5 * np.log(0.25)) - np.log(2.0)
    assert reconstruction_loss(logits, scaled, "cross_entropy") == pytest.approx(477 * entropy, rel=1e-4)
    with pytest.raises(ValueError, match="same shape"):
        reconstruction_loss(logits[:1], scaled, "squared")


@every_method
def test_a_sigmoid_is_taken_once(method: str) -> None:
    """Networks end in logits of any size; tracks are their sigmoid, and critics see those."""
    model = trained(method, 2)
    shifted = [module for module in model.trained.modules() if isinstance(module, nn.Linear | nn.ConvTranspose2d)]
    part: Any = growing(model.trained)
    last = part.outputs[-1] if method == "progan" else shifted[-1]
    with torch.no_grad():
        last.get_parameter("bias").fill_(3.0)
    noise, nothing = model.noise(4, 8), torch.zeros(4, 0)
    model.trained.eval()
    logits = model.trained(noise, nothing)
    assert logits.max() > 1
    expected = response_of(torch.sigmoid(logits[:, :159]))
    assert torch.equal(model.generator.normalised(nothing, noise), expected)
    if isinstance(model, TrackGan):
        assert ((model._generated(nothing) > 0) & (model._generated(nothing) < 1)).all()
        outputs = model.judge.eval()(model._generated(nothing) * 50, nothing)
        assert outputs.min() < 0 or outputs.max() > 1


@every_gan
def test_critic_and_generator_leave_each_other_alone(method: str) -> None:
    model = build(method)
    rows = next(iter(model.rows.batches(25, 0, model.randoms["shuffling"])))
    for step, own, other in (
        (model._critic_step, model.judge, model.trained),
        (model._generator_step, model.trained, model.judge),
    ):
        for parameter in other.parameters():
            parameter.grad = None
        before = [parameter.detach().clone() for parameter in own.parameters()]
        step(rows)
        assert all(parameter.grad is None for parameter in other.parameters())
        assert any(not torch.equal(a, b) for a, b in zip(before, own.parameters(), strict=True))


@every_gan
@pytest.mark.parametrize("objective", ["js", "kl", "wasserstein"])
def test_objectives_train(method: str, objective: str) -> None:
    losses = build(method, objective=objective, critic_steps=2).train_epoch()
    assert all(np.isfinite(value) for value in losses.values())


def test_a_penalised_critic_has_no_batch_norm() -> None:
    for objective, expected in (("js", True), ("wasserstein", False)):
        critic = build("dcgan", objective=objective).judge
        assert (layers_of(critic, nn.BatchNorm2d) > 0) == expected


def test_several_critic_steps_make_fewer_generator_steps() -> None:
    assert len(list(build("gan-mlp").batches())) == 4
    steps = list(build("gan-mlp", critic_steps=2).batches())
    assert [len(step) for step in steps] == [2, 2]


# ------------------------------------------------------------------ learning


LEARNING: dict[str, Any] = {"latent_dim": 10, "dense_units": 256, "kl_weight": 3.0, "learning_rate": 1e-3}
LEARNING |= {"beta_1": 0.9, "average_decay": 0.99, "batch_size": 64, "dropout": 0.0, "batch_norm": "off"}
LEARNING |= {"conditioning": "momentum"}


@pytest.fixture(scope="module")
def learned() -> Any:
    model = build("vae", all_events(), **LEARNING)
    for _ in range(60):
        model.train_epoch()
    return model


def test_tracks_follow_the_momentum(learned: Any) -> None:
    events = ALICE_TRACKS_GEANT4.split("validation")
    generated = events.with_response(learned.generate(events.conditions, seed=1))
    helices = helices_of(Sample(generated))
    conditions = events.conditions
    expected = -GEV_PER_TESLA_MM * FIELD_TESLA * conditions["charge"] / conditions["transverse_momentum"]
    assert helices.fitted.mean() > 0.95
    found, expected = helices.curvature[helices.fitted], expected[helices.fitted]
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert (np.sign(found) == np.sign(expected)).mean() > 0.95
    turned = np.cos(helices.azimuth - conditions["phi"])[helices.fitted]
    assert np.median(turned) > 0.95


def test_tracks_that_curl_up_are_shorter(learned: Any) -> None:
    events = ALICE_TRACKS_GEANT4.split("validation")
    tracks = learned.generate(events.conditions, seed=1).reshape(-1, 159, 3)
    lengths = tracks.any(axis=2).sum(axis=1)
    slow = events.conditions["transverse_momentum"] < 0.18
    assert lengths[slow].mean() < lengths[~slow].mean() - 20


# ------------------------------------------------------------------ other


def test_another_detector_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidEvents, match="tracks of up to 159 points"):
        build_model("alice-tracks", {}, ATLAS_PHOTONS_GEANT4.split("train"), 0)


@pytest.mark.parametrize("method", ["gan-mlp", "vae"])
def test_trains_from_a_stream(method: str) -> None:
    stream = ALICE_TRACKS_GEANT4.training_stream(1, most=TRACKS)
    first, second = (build(method, stream, conditioning="momentum") for _ in range(2))
    assert first.train_epoch() == second.train_epoch()
    conditions = few_events().conditions
    np.testing.assert_array_equal(first.generate(conditions, seed=1), second.generate(conditions, seed=1))


def test_the_mean_event_of_tracks_is_a_baseline() -> None:
    model = build_model("mean-shower", {}, few_events(), 0)
    model.train_epoch()
    tracks = model.generate(few_events().conditions, seed=1)
    np.testing.assert_allclose(tracks[0], few_events().response.mean(axis=0), rtol=1e-4, atol=1e-2)
    assert (tracks == tracks[0]).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
@every_method
@both_conditionings
def test_the_papers_sizes_take_two_training_steps(method: str, conditioning: str) -> None:
    config = from_dict(AliceTracksConfig, {"method": method, "conditioning": conditioning})
    built = build_alice_tracks(config, all_events(), 1)
    assert isinstance(built, TrackVae if method in ("vae", "cvae") else TrackGan)
    model: Any = built
    if method == "progan":
        for network in (model.trained, model.judge):
            grown(network).progress = 5.0
        model._grow = lambda: None
    batches = iter(model.batches())
    for _ in range(2):
        losses = model.step(next(batches))
        assert all(torch.isfinite(value) for value in losses.values())
    few = {name: values[:2] for name, values in all_events().conditions.items()}
    assert np.isfinite(model.generate(few, seed=1)).all()
    assert places_of(model.config) == {"cvae": 160, "dcgan": 160, "progan": 160}.get(method, 159)
    assert told_of(model.generator.conditioning.encode(few)).shape == (2, 6 if conditioning == "momentum" else 0)
