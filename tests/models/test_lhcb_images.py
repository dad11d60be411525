"""Image-to-image translation of LHCb events: the thesis's networks, equations and kinds, and which step trains what."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from data_adapters.detector import Condition
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts import lhcb_geometry
from models.adversarial import Labels
from models.building import build_model
from models.checkpoint import load_generator
from models.config import from_dict
from models.gaussians import drawn, gaussian_divergence
from models.lhcb_image_losses import TRANSLATIONS, absolute_difference
from models.lhcb_image_networks import ImageConfig, ImageCritic, ImageEncoder, ImageNetwork
from models.lhcb_images import (
    REFINEMENT,
    ImageGenerator,
    ImageTranslation,
    Made,
    RefinementConfig,
    TrackerImageConfig,
    build_refinement,
    build_tracker_image,
)
from models.lhcb_single_track import SingleTrackGenerator
from models.preprocessing import Affine
from models.track_images import DrawnTracks, SummedTracks
from tests.models.lhcb_samples import EVENTS, coarse_events, single_track, single_track_folder
from tests.models.samples import LHCB_IMAGES_LEARNING, few_events
from tests.models.test_any_detector import as_stream
from tests.models.test_track_images import TOY

SMALL = {
    "generator_filters": 8,
    "critic_filters": 2,
    "encoder_filters": 2,
    "encoder_units": 8,
    "latent_dim": 4,
    "residual_blocks": 1,
    "batch_size": 4,
}
KINDS = list(TRANSLATIONS)
TERMS = {
    "pix2pix": {"image_cycle"},
    "vae_gan": {"image_cycle", "divergence"},
    "clr_gan": {"latent_cycle"},
    "bicycle_gan": {"image_cycle", "latent_cycle", "divergence"},
}
ONE_TRACK = (Condition("tracks", "mm, mm, MeV", shape=(1, 3)), Condition("num_tracks", "1"))
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def events() -> Events:
    return few_events(EVENTS, 12)


def build(events: Events, **changes: Any) -> ImageTranslation:
    model = build_tracker_image(from_dict(TrackerImageConfig, {**SMALL, **changes}), events, seed=1)
    assert isinstance(model, ImageTranslation)
    return model


def first_batch(model: ImageTranslation) -> Tensor:
    return next(iter(model.batches()))[0]


def numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def state(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


class TestNetworksOfTheThesis:
    def test_parameter_counts(self, events: Events) -> None:
        config, detector = ImageConfig(), events.detector
        assert numbers(ImageNetwork(config, detector)) == 2_266_490
        assert numbers(ImageNetwork(TrackerImageConfig(), detector)) == 2_815_546
        assert numbers(ImageCritic(config, detector)) == 672_929
        assert numbers(ImageEncoder(config, detector, variance=False)) == 601_344
        assert numbers(ImageEncoder(config, detector, variance=True)) == 601_344 + 4_160

    def test_counts_of_the_models(self, events: Events) -> None:
        model = build_tracker_image(TrackerImageConfig(), events, seed=1)
        assert model.parameter_counts() == {"generate": 2_815_546, "train": 2_815_546 + 672_929 + 605_504}
        base = single_track()
        refinement = build_refinement(RefinementConfig(), events, seed=1, base=base)
        generate = 2_266_490 + base.num_parameters()
        assert refinement.parameter_counts() == {"generate": generate, "train": 2_266_490 + 672_929 + 605_504}

    def test_the_u_net_level_by_level(self, events: Events) -> None:
        network = ImageNetwork(ImageConfig(), events.detector)
        shapes: list[tuple[int, ...]] = []
        layers = [network.first, *network.contracting, *network.bottleneck, *network.expanding]
        for layer in (*layers, network.last_expanding, network.output):
            layer.register_forward_hook(lambda _layer, _inputs, output: shapes.append(tuple(output.shape[1:])))
        assert network(torch.zeros(2, 3328), torch.zeros(2, 64)).shape == (2, 3328)
        down = [(64, 32, 32), (64, 16, 16), (128, 8, 8), (128, 4, 4), (128, 4, 4), (128, 2, 2)]
        up = [(128, 4, 4), (128, 8, 8), (64, 16, 16), (64, 32, 32), (16, 64, 64), (1, 64, 64)]
        assert shapes == down + up

    @pytest.mark.parametrize(("patches", "shape"), [("on", (2, 1, 2, 2)), ("off", (2, 1))])
    def test_the_critic_judges_patches_or_images(self, patches: str, shape: tuple[int, ...], events: Events) -> None:
        critic = ImageCritic(from_dict(ImageConfig, {"patch_critic": patches}), events.detector)
        assert critic(torch.zeros(2, 3328), torch.zeros(2, 3328)).shape == shape

    def test_residual_blocks_are_concatenated(self, events: Events) -> None:
        network = ImageNetwork(TrackerImageConfig(), events.detector)
        assert network.output.convolution.in_channels == 16 + 1 + 64 + 32
        blocks = [layer for layer in network.residual if isinstance(layer, nn.Conv2d)]
        assert [(block.in_channels, block.out_channels) for block in blocks] == [(256, 32), (128, 32), (128, 32)]

    def test_noise_changes_the_image(self, events: Events) -> None:
        network = ImageNetwork(from_dict(ImageConfig, SMALL), events.detector).eval()
        image = torch.rand(2, 3328, generator=torch.Generator().manual_seed(1))
        assert not torch.equal(network(image, torch.zeros(2, 4)), network(image, torch.ones(2, 4)))


class TestEquations:
    def test_the_divergence_is_that_of_normal_distributions(self) -> None:
        mean, log_variance = torch.tensor([[1.0, -2.0], [0.0, 0.5]]), torch.tensor([[0.0, 1.0], [-1.0, 0.3]])
        expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
        torch.testing.assert_close(gaussian_divergence(mean, log_variance), expected)
        assert gaussian_divergence(torch.zeros(3, 4), torch.zeros(3, 4)) == 0

    def test_differences_add_up_over_an_event_and_are_averaged_over_events(self) -> None:
        assert absolute_difference(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 4.0], [0.0, 5.0]])) == 4
        with pytest.raises(ValueError, match="give the same shape"):
            absolute_difference(torch.zeros(4, 2), torch.zeros(4, 1))

    def test_places_are_drawn_with_their_variance(self) -> None:
        place = drawn(torch.tensor([[1.0]]), torch.tensor([[math.log(4.0)]]), torch.tensor([[3.0]]))
        assert place.item() == pytest.approx(1 + 2 * 3)


@every_kind
class TestKinds:
    def test_every_parameter_gets_a_gradient(self, kind: str, events: Events) -> None:
        model = build(events, kind=kind)
        model.step(first_batch(model)[None])
        for network in model.networks.values():
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, name
                assert (parameter.grad != 0).any(), name

    def test_it_minimises_its_terms(self, kind: str, events: Events) -> None:
        model = build(events, kind=kind)
        assert model.step(first_batch(model)[None]).keys() == {"critic", "generator"} | TERMS[kind]
        assert ("encoder" in model.networks) == (kind != "pix2pix")
        has_variance = model.encoder is not None and model.encoder.log_variance is not None
        assert has_variance == ("divergence" in TERMS[kind])

    def test_nothing_is_made_twice(self, kind: str, events: Events) -> None:
        model = build(events, kind=kind)
        calls: list[str] = []
        for name, network in model.networks.items():
            network.register_forward_hook(lambda _network, _inputs, _output, name=name: calls.append(name))
        rows = first_batch(model)
        model.step(rows[None])
        encoded = TRANSLATIONS[kind].encoded
        assert calls.count("generator") == (2 if encoded else 1)
        assert calls.count("encoder") == (1 if encoded else 0) + (1 if TRANSLATIONS[kind].latent_cycle else 0)

    def test_each_step_trains_its_own_networks(self, kind: str, events: Events) -> None:
        model = build(events, kind=kind)
        rows = first_batch(model)
        made = model._make(rows)
        generator, critic = state(model.trained), state(model.critic)
        model._critic_step(rows, made)
        assert torch.equal(generator, state(model.trained))
        assert all(parameter.grad is None for parameter in model.trained.parameters())
        assert not torch.equal(critic, state(model.critic))
        critic = state(model.critic)
        for parameter in model.critic.parameters():
            parameter.grad = None
        model._generator_step(rows, made)
        assert torch.equal(critic, state(model.critic))
        assert all(parameter.grad is None for parameter in model.critic.parameters())
        assert not torch.equal(generator, state(model.trained))

    @pytest.mark.parametrize("objective", ["js", "wasserstein"])
    def test_losses_are_of_outputs_without_activation(
        self, kind: str, objective: str, events: Events, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = build(events, kind=kind, objective=objective, gradient_penalty_weight=0.0)
        assert model.labels == Labels(0.9, 0.0)
        monkeypatch.setattr(model, "minimise", lambda _name, _loss: None)
        nn.init.zeros_(model.critic.head.output.weight)
        nn.init.constant_(model.critic.head.output.bias, 2.0)  # type: ignore[arg-type]
        rows = first_batch(model)
        made = model._make(rows)
        images = 2 if TRANSLATIONS[kind].encoded else 1
        critic, generator = model._critic_step(rows, made).item(), model._generator_step(rows, made)["generator"].item()
        if objective == "wasserstein":
            assert critic == pytest.approx(0.0, abs=1e-5)  # real and generated count alike
            assert generator == pytest.approx(-2.0 * images)
            return
        true, false = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))  # −log D, −log(1 − D) of the logit 2
        assert critic == pytest.approx(images * (0.9 * true + 0.1 * false + false), rel=1e-5)
        assert generator == pytest.approx(images * true, rel=1e-5)  # no smoothing for the generator

    def test_events_are_physical(self, kind: str, events: Events) -> None:
        images = build(events, kind=kind).generate(events.conditions, seed=1).reshape(-1, *lhcb_geometry.SHAPE)
        inner, outer = lhcb_geometry.split_images(images)
        np.testing.assert_allclose(lhcb_geometry.merge_images(inner, outer), images, rtol=1e-5)
        assert (images <= lhcb_geometry.cell_limits()).all()


def test_the_penalty_ends_at_images_of_both_sorts(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(events, kind="bicycle_gan", objective="wasserstein")
    given, real, ends = torch.rand(5, 3328), torch.rand(5, 3328), torch.zeros(5, 3328)
    seen: list[tuple[Tensor, Tensor]] = []

    def penalty(_critic: Any, real: Tensor, images: Tensor, *_: Any) -> Tensor:
        seen.append((real, images))
        return torch.zeros(())

    monkeypatch.setattr("models.lhcb_images.gradient_penalty", penalty)
    model._penalty(given, real, [ends, ends + 1])
    assert torch.equal(seen[0][0], real[[0, 2, 4, 1, 3]])
    assert seen[0][1].mean(dim=1).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("objective", ["js", "wasserstein"])
def test_features_in_one_pass_are_those_of_several(objective: str, events: Events) -> None:
    model = build(events, objective=objective, critic_batch_norm="off")
    given, first, second = (torch.rand(4, 3328) for _ in range(3))
    for found, images in zip(model._features(given, [first, second]), (first, second), strict=True):
        torch.testing.assert_close(found, model.critic.features(given, images), rtol=1e-4, atol=1e-6)


def test_the_latent_cycle_finds_the_noise_of_the_prior_again(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(events, kind="bicycle_gan")
    made = model._make(first_batch(model))
    seen: list[Tensor] = []

    def point(images: Tensor) -> Tensor:
        seen.append(images)
        return made.noise + 0.5

    assert model.encoder is not None
    monkeypatch.setattr(model.encoder, "point", point)
    assert model._latent_cycle(made).item() == pytest.approx(0.5 * 4)
    assert seen[0] is made.images


def test_the_image_cycle_is_of_the_encoders_place(events: Events) -> None:
    model = build(events, kind="bicycle_gan")
    real = torch.rand(4, 3328)
    made = Made(torch.zeros(4, 4), torch.zeros(4, 3328), real + 0.25, torch.zeros(4, 4), torch.zeros(4, 4))
    terms = {name: term().item() for name, _, term in model._further_terms(real, made) if name != "latent_cycle"}
    assert terms["image_cycle"] == pytest.approx(0.25 * 3328, rel=1e-4)
    assert terms["divergence"] == 0


def test_weights_multiply_the_terms_and_zero_skips_them(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(**weights: float) -> float:
        model = build(events, kind="bicycle_gan", **weights)
        seen: list[float] = []
        monkeypatch.setattr(model, "minimise", lambda _name, loss: seen.append(loss.item()))
        rows = first_batch(model)
        terms = {name: term.item() for name, term in model._generator_step(rows, model._make(rows)).items()}
        expected = terms["generator"] + sum(
            weights[weight] * terms.get(term, 0.0)
            for weight, term in (
                ("lambda_x", "image_cycle"),
                ("lambda_z", "latent_cycle"),
                ("lambda_vae", "divergence"),
            )
        )
        assert seen[0] == pytest.approx(expected, rel=1e-5)
        assert len(terms) == 1 + sum(weight > 0 for weight in weights.values())
        return seen[0]

    assert loss(lambda_x=0.0, lambda_z=0.0, lambda_vae=0.0) < loss(lambda_x=2.0, lambda_z=3.0, lambda_vae=5.0)


def test_a_latent_cycle_of_no_weight_needs_no_encoder(events: Events) -> None:
    model = build(events, kind="clr_gan", lambda_z=0.0)
    assert model.encoder is None
    assert model.train_epoch().keys() == {"critic", "generator"}


def test_feature_matching_takes_the_place_of_the_objective(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(events, feature_matching="on")
    rows = first_batch(model)
    made = model._make(rows)
    monkeypatch.setattr(model.critic.head, "forward", lambda _features: pytest.fail("no output is needed"))
    assert model._generator_step(rows, made)["generator"] >= 0


@pytest.mark.parametrize("objective", ["js", "wasserstein"])
def test_events_are_compared_only_where_no_penalty_needs_them_apart(objective: str, events: Events) -> None:
    model = build(events, objective=objective, minibatch_kernels=3)
    rows = first_batch(model)
    given, real = rows[:, :3328], rows[:, 3328:]
    with torch.no_grad():
        alone, together = model.critic(given[:2], real[:2]), model.critic(given, real)[:2]
    assert torch.allclose(alone, together, rtol=1e-3, atol=1e-5) == (objective == "wasserstein")
    model.step(rows[None])


def test_several_critic_steps_take_several_batches(events: Events) -> None:
    model = build(events, critic_steps=3)
    (batch,) = model.batches()
    assert batch.shape == (3, 4, 2 * 3328)
    assert model.step(batch).keys() >= {"critic", "generator"}


def test_learning_rates_decay(events: Events) -> None:
    model = build(events, decay=0.1)
    model.train_epoch()
    rate = model.optimizers["generator"].param_groups[0]["lr"]
    assert rate == pytest.approx(1e-5 / (1 + 0.1 * (model.counters["steps"] - 1)))


def test_generated_events_are_the_networks_output_times_the_limit(events: Events) -> None:
    model = build(events)
    made = model.generate(events.conditions, seed=3)
    noise = torch.randn(12, 4, generator=torch.Generator().manual_seed(3))
    told = model.generator.conditioning.encode(events.conditions)
    assert isinstance(model.generator, ImageGenerator)
    with torch.no_grad():
        model.trained.eval()
        images = model.trained(model.generator.images(told, noise[:, :0]), noise)
    np.testing.assert_allclose(made, images.numpy() * 6120, rtol=1e-4, atol=1e-3)


class TestRefinement:
    def build(self, events: Events, seed: int = 1, **changes: Any) -> ImageTranslation:
        config = from_dict(RefinementConfig, {**SMALL, "residual_blocks": 0, **changes})
        model = build_refinement(config, events, seed, base=single_track())
        assert isinstance(model, ImageTranslation)
        return model

    def test_rows_hold_sums_of_single_tracks(self, events: Events) -> None:
        model = self.build(events, batch_size=12)
        given, real = first_batch(model).split(3328, dim=1)
        assert (given.sum(dim=1) > 0).all()
        assert torch.equal(given, model.generator.images.readout.saturate(given))  # type: ignore[attr-defined]
        np.testing.assert_allclose(np.sort(real.sum(dim=1)), np.sort(events.response.sum(axis=1) / 6120), rtol=1e-5)

    def test_the_chain_is_the_refinement_of_the_sum(self, events: Events) -> None:
        model = self.build(events)
        made = model.generate(events.conditions, seed=3)
        noise = torch.randn(12, 64 * 4 + 4, generator=torch.Generator().manual_seed(3))
        told = model.generator.conditioning.encode(events.conditions)
        with torch.no_grad():
            first = SummedTracks(events.detector, 6120.0, single_track())(told, noise[:, : 64 * 4])
            images = model.trained.eval()(first, noise[:, 64 * 4 :])
        np.testing.assert_allclose(made, images.numpy() * 6120, rtol=1e-4, atol=1e-2)

    def test_the_checkpoint_holds_the_chain(self, events: Events, tmp_path: Path) -> None:
        model = self.build(events)
        model.train_epoch()
        model.save(tmp_path)
        generator = load_generator(tmp_path)
        assert isinstance(generator, ImageGenerator)
        assert generator.base is not None
        for name, tensor in single_track().tensors().items():
            assert torch.equal(tensor, generator.base.tensors()[name])
        np.testing.assert_array_equal(
            generator.generate(events.conditions, seed=1), model.generate(events.conditions, seed=1)
        )

    def test_training_leaves_the_single_track_model_alone(self, events: Events) -> None:
        model = self.build(events)
        before = {name: tensor.clone() for name, tensor in single_track().tensors().items()}
        for _ in range(2):
            model.train_epoch()
        assert isinstance(model.generator, ImageGenerator)
        assert model.generator.base is not None
        after = model.generator.base.tensors()
        assert all(torch.equal(before[name], after[name]) for name in before)

    def test_the_noise_of_tracks_and_image_differs_from_seed_to_seed(self, events: Events) -> None:
        model = self.build(events)
        assert model.generator.latent_dim == 64 * 4 + 4
        assert not np.array_equal(model.generate(events.conditions, 1), model.generate(events.conditions, 2))

    def test_it_needs_a_single_track_model(self, events: Events) -> None:
        model = build_model(REFINEMENT, SMALL, events, 1, "cpu", single_track_folder())
        assert isinstance(model, ImageTranslation)
        with pytest.raises(InvalidEvents, match="the base is no lhcb-single-track"):
            build_refinement(RefinementConfig(), events, 1, base=model.generator)

    def test_an_average_holds_the_refinement_alone(self, events: Events, tmp_path: Path) -> None:
        model = self.build(events, average_decay=0.9)
        model.train_epoch()
        model.save(tmp_path)
        again = self.build(events, average_decay=0.9)
        again.restore(tmp_path)
        np.testing.assert_array_equal(model.generate(events.conditions, 1), again.generate(events.conditions, 1))


class Spots(SingleTrackGenerator):
    """All energy of a track in the cell that it hits."""

    def __init__(self, like: SingleTrackGenerator, events: Events) -> None:
        detector = replace(like.detector, layers=events.detector.layers)
        super().__init__(like.config, like.network, detector, like.conditioning, like.limit, "cpu")  # type: ignore[arg-type]
        self.draw = DrawnTracks(replace(events.detector, conditions=ONE_TRACK), 1.0, "cpu")

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        parts = self.conditioning.parts
        told = [encoded[:, i] * part.scale + part.offset for i, part in enumerate(parts) if isinstance(part, Affine)]
        told[2] = told[2] / self.limit
        return self.draw(torch.stack((*told, torch.ones_like(told[0])), dim=1), noise[:, :0])


def test_the_refinement_follows_the_energy() -> None:
    events = coarse_events()
    base = Spots(single_track(), events)
    config = from_dict(RefinementConfig, {**SMALL, **LHCB_IMAGES_LEARNING, "residual_blocks": 0})
    model = build_refinement(config, events, seed=1, base=base)
    for _ in range(12):
        model.train_epoch()
    total = model.generate(events.conditions, seed=1).sum(axis=1)
    assert np.corrcoef(total, events.incident_energy)[0, 1] > 0.6


def toy_events(count: int = 8) -> Events:
    random = np.random.default_rng(2)
    tracks = random.uniform(-15, 15, (count, 4, 3))
    tracks[..., 2] = random.uniform(1, 10, (count, 4))
    conditions = {"tracks": tracks, "num_tracks": np.full(count, 4.0), "energy": tracks[..., 2].sum(axis=1)}
    response = random.uniform(0, 5, (count, TOY.num_cells)).astype(np.float32)
    return Events(TOY, conditions, response, np.arange(count, dtype=np.uint64))


def test_another_face_is_padded() -> None:
    events = toy_events()
    model = build(events, batch_norm="off", critic_batch_norm="off")
    assert model.trained.padding.padded == (32, 32)
    model.train_epoch()
    made = model.generate(events.conditions, seed=1)
    assert made.shape == (8, 6)
    assert made.max() <= events.response.max()


def test_other_numbers_of_layers_make_networks() -> None:
    events = toy_events()
    for layers in (2, 3, 6):
        model = build(events, generator_layers=layers, encoder_layers=2, critic_layers=2, residual_blocks=layers)
        assert np.isfinite(list(model.train_epoch().values())).all()


def test_drawn_tracks_train_from_a_stream() -> None:
    events = toy_events()
    config = from_dict(TrackerImageConfig, SMALL)
    model = build_tracker_image(config, as_stream(events), seed=1)
    assert np.isfinite(list(model.train_epoch().values())).all()


def test_the_kinds_differ(events: Events) -> None:
    made = []
    for kind in KINDS:
        model = build(events, kind=kind)
        model.train_epoch()
        made.append(model.generate(events.conditions, seed=1))
    for first in range(len(KINDS)):
        for second in range(first):
            assert not np.array_equal(made[first], made[second]), (KINDS[first], KINDS[second])


def test_configurations_differ_in_the_residual_blocks_alone() -> None:
    assert replace(TrackerImageConfig(), residual_blocks=0) == TrackerImageConfig(**vars(RefinementConfig()))
