"""3DGAN: networks, losses, preprocessing and the two steps of its training."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts.calochallenge import published_detector
from data_adapters.layouts.clic_3dgan import CLIC_ELECTRONS_FIXED
from data_adapters.regrid import regridded
from data_adapters.streaming import EventStream
from models.building import build_model
from models.clic_3dgan import Clic3dgan, Clic3dganGenerator, Told, to_energy, to_power
from models.clic_3dgan_networks import (
    Discriminator,
    Generator,
    Sizes,
    coarse_grid,
    discriminator_convolutions,
    generator_convolutions,
)
from models.layers import Dropout, building
from models.network_model import NetworkModel
from models.volume import energy_sum, measured_angle
from tests.models.clic_samples import CLIC_3DGAN_CONFIG, clic_electrons
from tests.models.samples import build

PAPERS_CELLS = (51, 51, 25)
PUBLISHED = Sizes()
QUICK: dict[str, Any] = {**CLIC_3DGAN_CONFIG, "power": 0.85, "dropout": 0.0, "label_switch": 0.0}


def model(events: Events | EventStream | None = None, **changes: Any) -> Clic3dgan:
    train = clic_electrons() if events is None else events
    built = build_model("clic-3dgan", {**QUICK, **changes}, train, seed=1)
    assert isinstance(built, Clic3dgan)
    return built


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@cache
def published() -> tuple[Generator, Discriminator]:
    with building(1, "test"):
        return Generator(256, PAPERS_CELLS, PUBLISHED), Discriminator(PAPERS_CELLS, PUBLISHED)


class TestPublishedNetworks:
    def test_have_the_parameters_of_the_public_implementation(self) -> None:
        generator, discriminator = published()
        assert parameters(generator) == 1_364_983
        assert parameters(discriminator) == 87_354

    def test_generator_has_the_published_sizes_between_its_layers(self) -> None:
        layers = generator_convolutions(PUBLISHED)
        assert coarse_grid(PAPERS_CELLS, layers, 6) == (9, 9, 8)
        left, sizes = (54, 54, 48), []
        for layer in layers:
            left = layer.on(left)
            sizes.append(left)
        assert sizes == [
            (49, 49, 41), (50, 50, 38), (51, 51, 35), (52, 52, 32), (52, 52, 28), (52, 52, 26), PAPERS_CELLS,
        ]  # fmt: skip

    def test_discriminator_has_the_published_sizes_between_its_layers(self) -> None:
        left, sizes = PAPERS_CELLS, []
        for layer in discriminator_convolutions(PAPERS_CELLS, PUBLISHED):
            left = layer.on(left)
            sizes.append(left)
        assert sizes == [(51, 52, 26), (47, 47, 23), (43, 42, 20), (39, 37, 15)]
        assert published()[1].reality.in_features == 19_152

    @torch.no_grad()
    def test_generator_equals_plain_layers(self) -> None:
        generator = published()[0]
        x = torch.randn(1, 256, generator=torch.Generator().manual_seed(1))
        first, *others = (m for m in generator.convolutions if not isinstance(m, nn.ReLU | nn.BatchNorm3d))
        paddings = [(0, 0, 0), (2, 2, 1), (2, 2, 1), (2, 2, 1), (1, 1, 0), (1, 1, 0), (0, 0, 0)]
        norms = [*(m for m in generator.convolutions if isinstance(m, nn.BatchNorm3d)), None, None]
        image = generator.dense(x).reshape(1, 8, 9, 9, 8)
        image = functional.interpolate(image, scale_factor=6, mode="trilinear", align_corners=False)
        for layer, padding, norm in zip([first, *others], paddings, norms, strict=True):
            assert isinstance(layer, nn.Conv3d)
            image = functional.conv3d(image, layer.weight, layer.bias, padding=padding).relu()
            if norm is not None:
                image = functional.batch_norm(image, None, None, norm.weight, norm.bias, training=True, eps=1e-6)
        torch.testing.assert_close(generator(x), image, rtol=1e-2, atol=1e-2 * float(image.max()))

    def test_last_two_layers_of_the_generator_and_first_of_the_discriminator_are_not_normalised(self) -> None:
        generator, discriminator = ([type(layer).__name__ for layer in network.convolutions] for network in published())
        assert generator[-5:] == ["BatchNorm3d", "PaddedConv3d", "ReLU", "PaddedConv3d", "ReLU"]
        assert generator.count("BatchNorm3d") == 5
        assert discriminator[:4] == ["PaddedConv3d", "LeakyReLU", "Dropout", "PaddedConv3d"]
        assert discriminator.count("BatchNorm3d") == 3
        layers = [layer for network in published() for layer in network.modules()]
        assert all(layer.eps == 1e-6 for layer in layers if isinstance(layer, nn.BatchNorm3d))
        assert [layer.rate for layer in layers if isinstance(layer, Dropout)] == [0.2] * 4


@pytest.mark.parametrize(
    "sizes",
    [
        PUBLISHED,
        Sizes(upsampling=2, generator_convolutions=4, discriminator_convolutions=2),
        Sizes(upsampling=3, generator_kernel_change=-2, discriminator_kernel_change=-2, generator_convolutions=5),
        Sizes(generator_kernel_change=1, discriminator_kernel_change=1, discriminator_convolutions=5),
        Sizes(generator_kernel_change=-5, discriminator_kernel_change=-5, discriminator_convolutions=1),
    ],
)
@pytest.mark.parametrize("cells", [(5, 9, 8), (16, 9, 45), (25, 25, 25), (2, 2, 2)])
def test_networks_adapt_to_the_detector(cells: tuple[int, int, int], sizes: Sizes) -> None:
    small = replace(sizes, latent_dim=3, coarse_filters=2, generator_first_filters=2, generator_filters=2)
    small = replace(small, discriminator_first_filters=2, discriminator_filters=2, dropout=0.0)
    with building(1, "test"):
        generator, discriminator = Generator(5, cells, small), Discriminator(cells, small)
    images = generator(torch.zeros(2, 5))
    assert images.shape == (2, 1, *cells)
    logit, energy = discriminator(images)
    assert logit.shape == energy.shape == (2,)


def test_shorter_kernels_need_no_larger_grid() -> None:
    for change in (-1, -2, -3):
        layers = generator_convolutions(replace(PUBLISHED, generator_kernel_change=change))
        assert max(coarse_grid(PAPERS_CELLS, layers, 6)) <= 9


@pytest.mark.parametrize("power", [0.85, 0.75, 0.5, 0.25])
def test_preprocessing_has_an_exact_inverse(power: float) -> None:
    events = clic_electrons()
    back = to_energy(to_power(events.response, 50.0, power), power) / 50.0
    np.testing.assert_allclose(back.numpy(), events.response, rtol=2e-5, atol=0)


def test_showers_come_back_in_the_unit_of_the_detector_with_their_sampling_fraction() -> None:
    events = clic_electrons()
    gan = model(events)
    fraction = (events.response.sum(axis=1) / events.incident_energy).mean()
    assert gan.generator.response_scale == pytest.approx(fraction, rel=1e-4)
    told = gan.told(gan.rows.encode(events))
    assert (told.total / told.energy / 100).mean().item() == pytest.approx(1.0, rel=1e-4)
    images = torch.rand(3, *told.images.shape[1:])
    gan.generator.network.forward = lambda _: images
    conditions = {name: values[:3] for name, values in events.conditions.items()}
    showers = gan.generate(conditions, seed=1)
    assert isinstance(gan.generator, Clic3dganGenerator)
    torch.testing.assert_close(to_power(showers, gan.generator.unit, QUICK["power"]), gan.volume.cells(images))


def told_and_images(events: Events, **changes: Any) -> tuple[Clic3dgan, Told, Tensor]:
    gan = model(events, **changes)
    batch = gan.rows.encode(events)
    told = gan.told(batch)
    return gan, told, told.images.roll(1, dims=0).contiguous()


def changed(told: Told, name: str, event: int, factor: float) -> Told:
    value = getattr(told, name).clone()
    value[event] *= factor
    return replace(told, **{name: value})


class TestLosses:
    def test_encoded_rows_hold_the_truth(self) -> None:
        events = clic_electrons()
        gan, told, _ = told_and_images(events)
        unit = 1 / gan.generator.response_scale
        np.testing.assert_allclose(told.total, unit * events.response.sum(axis=1, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(told.energy * 100, events.incident_energy, rtol=1e-6)
        assert told.angle is not None
        np.testing.assert_allclose(told.angle, events.conditions["theta"], rtol=1e-6)

    def test_the_percentage_errors_have_the_truth_as_denominator(self) -> None:
        gan, told, _ = told_and_images(clic_electrons())
        doubled = gan.generator_losses(told, (2 ** QUICK["power"]) * told.images)
        halved = gan.generator_losses(told, (0.5 ** QUICK["power"]) * told.images)
        assert doubled["sum"].item() == pytest.approx(100.0, rel=1e-3)
        assert halved["sum"].item() == pytest.approx(50.0, rel=1e-3)

    def test_full_simulation_has_no_error_of_the_sum_and_the_angle_that_it_shows(self) -> None:
        events = clic_electrons()
        gan, told, _ = told_and_images(events)
        losses = gan.generator_losses(told, told.images)
        shown = measured_angle(gan.volume.images(torch.from_numpy(events.response)), gan.volume.places)
        assert losses["sum"].item() == pytest.approx(0.0, abs=1e-3)
        assert told.angle is not None
        assert losses["angle"].item() == pytest.approx((shown - told.angle).abs().mean().item(), abs=1e-5)

    @pytest.mark.parametrize("name", ["total", "angle"])
    def test_another_label_of_one_event_changes_the_gradient_of_that_event_alone(self, name: str) -> None:
        gan, told, images = told_and_images(clic_electrons())
        term = {"total": "sum", "angle": "angle"}[name]

        def gradient(labels: Told) -> Tensor:
            inputs = images.clone().requires_grad_()
            loss = gan.generator_losses(labels, inputs)[term]
            return torch.autograd.grad(loss, inputs)[0].flatten(1)

        difference = (gradient(told) - gradient(changed(told, name, 3, 3.0))).abs().sum(dim=1)
        assert difference[3] > 0
        assert torch.count_nonzero(difference) == 1

    @pytest.mark.parametrize("name", ["total", "angle"])
    def test_it_changes_the_loss_as_one_event_of_many(self, name: str) -> None:
        gan, told, images = told_and_images(clic_electrons())
        term = {"total": "sum", "angle": "angle"}[name]
        other = changed(told, name, 3, 1.5)
        both = [float(gan.generator_losses(labels, images)[term]) for labels in (told, other)]
        one = slice(3, 4)
        alone = [float(gan.generator_losses(only(labels, one), images[one])[term]) for labels in (told, other)]
        assert both[1] - both[0] == pytest.approx((alone[1] - alone[0]) / len(images), rel=1e-3)

    def test_weights_multiply_their_terms(self) -> None:
        gan, told, images = told_and_images(clic_electrons(), sum_weight=0.7, angle_weight=11.0)
        terms = gan.generator_losses(told, images)
        expected = 3 * terms["adversarial"] + 0.1 * terms["energy"] + 11 * terms["angle"] + 0.7 * terms["sum"]
        assert gan.weighted(terms).item() == pytest.approx(expected.item(), rel=1e-6)

    def test_the_adversarial_loss_takes_logits(self) -> None:
        gan, told, images = told_and_images(clic_electrons())
        with torch.no_grad():
            logit, energy = gan.networks["discriminator"](images)
        error = 100 * ((energy - told.energy).abs() / told.energy).mean()
        for real in (True, False):
            plain = functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, float(real)))
            loss = gan.discriminator_loss(told, images, real=real)
            assert loss.item() == pytest.approx((3 * plain + 0.1 * error).item(), rel=1e-5)

    def test_switched_labels_exchange_real_and_generated(self) -> None:
        events = clic_electrons()
        gan, told, images = told_and_images(events)
        other = model(events, label_switch=1.0)
        plain, switched = (
            gan.discriminator_loss(told, images, real=True),
            other.discriminator_loss(told, images, real=False),
        )
        assert plain.item() == pytest.approx(switched.item())

    def test_gradients_are_those_of_finite_differences(self) -> None:
        gan, told, images = told_and_images(clic_electrons(), power=0.5)
        inputs = images.clone().requires_grad_()
        terms = gan.generator_losses(told, inputs)
        gradient = torch.autograd.grad(terms["sum"] + terms["angle"], inputs)[0]
        direction = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) * images
        step = 1e-3
        with torch.no_grad():
            up, down = (gan.generator_losses(told, images + sign * step * direction) for sign in (1, -1))
        change = (up["sum"] + up["angle"] - down["sum"] - down["angle"]) / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(change.item(), rel=0.05)

    def test_empty_images_have_finite_losses_and_gradients(self) -> None:
        gan, told, images = told_and_images(clic_electrons())
        inputs = torch.zeros_like(images).requires_grad_()
        loss = gan.weighted(gan.generator_losses(told, inputs))
        assert torch.isfinite(loss)
        assert torch.isfinite(torch.autograd.grad(loss, inputs)[0]).all()


def only(told: Told, which: slice) -> Told:
    assert told.angle is not None
    return Told(told.images[which], told.total[which], told.conditions[which], told.angle[which])


class TestSteps:
    def test_the_discriminator_sees_real_and_generated_once_and_the_generator_is_trained_twice(self) -> None:
        gan = model(generator_steps=3)
        seen: list[str] = []
        minimise = gan.minimise

        def noted(name: str, loss: Tensor) -> None:
            seen.append(name)
            minimise(name, loss)

        gan.minimise = noted  # type: ignore[method-assign]
        gan.step(next(iter(gan.batches())))
        assert seen == ["discriminator", "discriminator", "generator", "generator", "generator"]

    def test_discriminator_steps_leave_the_generator_alone_and_the_other_way_round(self) -> None:
        gan = model(generator_steps=1)
        batch = next(iter(gan.batches()))
        gradients: list[set[str]] = []
        minimise = gan.minimise

        def watched(name: str, loss: Tensor) -> None:
            for network in gan.networks.values():
                network.zero_grad(set_to_none=True)
            minimise(name, loss)
            gradients.append(
                {n for n, network in gan.networks.items() if any(p.grad is not None for p in network.parameters())}
            )

        gan.minimise = watched  # type: ignore[method-assign]
        gan.step(batch)
        assert gradients == [{"discriminator"}, {"discriminator"}, {"generator"}]

    def test_every_parameter_receives_a_gradient(self) -> None:
        gan = model()
        gan.step(next(iter(gan.batches())))
        for network in gan.networks.values():
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, name
                assert parameter.grad.abs().sum() > 0, name

    def test_learning_rates_decay_with_the_updates(self) -> None:
        gan = model(decay=0.5, generator_learning_rate=1e-3, generator_steps=2)
        for _ in range(2):
            gan.train_epoch()
        updates = 2 * gan.counters["steps"]
        rate = gan.optimizers["generator"].param_groups[0]["lr"]
        assert rate == pytest.approx(1e-3 / (1 + 0.5 * (updates - 1)))

    def test_bfloat16_trains_and_differs(self) -> None:
        rough, exact = (model(precision=precision) for precision in ("bfloat16", "float32"))
        losses = [gan.train_epoch() for gan in (rough, exact)]
        assert losses[0] != losses[1]
        assert losses[0]["discriminator"] == pytest.approx(losses[1]["discriminator"], rel=0.3)


class TestTwoSteps:
    def energies(self, gan: NetworkModel) -> list[float]:
        cells = gan.generator.detector.num_cells
        return sorted(float(energy) * 100 for batch in gan.batches() for energy in batch[:, cells + 1])

    def test_the_first_epochs_see_a_part_of_the_energies(self) -> None:
        gan = model(first_step_epochs=2, first_step_low=50.0, first_step_high=250.0, batch_size=1)
        everything = clic_electrons().incident_energy
        few = everything[(everything >= 50) & (everything <= 250)]
        assert 0 < len(few) < len(everything)
        for expected in (few, few, everything):
            np.testing.assert_allclose(self.energies(gan), np.sort(expected), rtol=1e-6)
            gan.epoch += 1

    def test_a_stream_is_restricted_too(self) -> None:
        coarse = DATASETS["clic-electrons-coarse"].regrid
        assert coarse is not None
        source = regridded(DATASETS["clic-electrons-2-500gev"].source, coarse)
        stream = EventStream(source, np.arange(40), seed=1)
        gan = model(stream, first_step_epochs=1, first_step_low=50.0, first_step_high=250.0, batch_size=4)
        energies = stream.conditions["incident_energy"]
        few = energies[(energies >= 50) & (energies <= 250)]
        assert len(self.energies(gan)) == len(few) // 4 * 4
        assert set(np.round(self.energies(gan), 3)) <= set(np.round(few, 3))
        gan.epoch = 1
        assert len(self.energies(gan)) == 40

    def test_without_an_event_in_the_range_all_are_taken(self) -> None:
        gan = model(first_step_epochs=5, first_step_low=600.0, first_step_high=700.0, batch_size=1)
        assert len(self.energies(gan)) == len(clic_electrons())

    def test_its_length_matters(self) -> None:
        longer, shorter = (model(first_step_epochs=epochs) for epochs in (2, 1))
        assert longer.train_epoch() == shorter.train_epoch()
        assert longer.train_epoch() != shorter.train_epoch()


class TestDetectors:
    def events(self, detector: Detector, count: int = 12) -> Events:
        random = np.random.default_rng(1)
        energy = detector.energy_condition
        assert energy is not None
        values = {energy.name: random.uniform(1000, 2000, count) * (1.0 if detector.unit == "MeV" else 0.1)}
        response = random.exponential(1.0, (count, detector.num_cells)).astype(np.float32)
        return Events(detector, values, response, np.arange(count, dtype=np.uint64))

    def test_perpendicular_electrons_have_no_term_for_the_angle(self) -> None:
        part = replace(CLIC_ELECTRONS_FIXED, layers=(small_layer("xyz"),))
        gan = model(self.events(part))
        assert "angle" not in gan.train_epoch()
        assert gan.generator.conditioning.width == 1

    def test_layers_of_cylinders_are_a_volume(self) -> None:
        detector = published_detector("calochallenge-2")
        part = replace(detector, layers=detector.layers[:6])
        gan = model(self.events(part), first_step_epochs=0)
        assert gan.volume.shape == (16, 9, 6)
        gan.train_epoch()
        events = self.events(part)
        assert gan.generate(events.conditions, seed=1).shape == events.response.shape

    def test_other_conditions_are_scaled(self) -> None:
        conditions = (Condition("side", "1", categories=2), Condition("energy", "MeV", energy=True, bins=True))
        detector = Detector("toy", "Toy", (small_layer("abc"),), conditions)
        values = {"side": np.array([0.0, 1.0] * 4), "energy": np.full(8, 5e4)}
        response = np.ones((8, detector.num_cells), np.float32)
        gan = model(Events(detector, values, response, np.arange(8, dtype=np.uint64)))
        assert gan.generator.conditioning.encode(values)[:2].tolist() == [[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]

    @pytest.mark.parametrize("dataset", ["atlas-photons-geant4", "lhcb-pions-geant4", "airshower-data-patterns"])
    def test_other_detectors_are_refused(self, dataset: str) -> None:
        events = DATASETS[dataset].source.read(0, 4)
        with pytest.raises(InvalidEvents, match="clic-3dgan cannot be trained on"):
            model(events)


def small_layer(names: str) -> Layer:
    return Layer("cells", tuple(Axis.numbered(name, n) for name, n in zip(names, (4, 5, 6), strict=True)))


def test_energy_sums_of_generated_showers_are_those_of_their_images() -> None:
    gan = build("clic-3dgan")
    assert isinstance(gan, Clic3dgan)
    conditions = {name: values[:5] for name, values in clic_electrons().conditions.items()}
    showers = gan.generate(conditions, seed=3)
    images = gan.volume.images(torch.from_numpy(showers))
    np.testing.assert_allclose(energy_sum(images), showers.sum(axis=1), rtol=1e-5)


@pytest.mark.slow
def test_the_papers_networks_are_trained_at_full_size() -> None:
    events = DATASETS["clic-electrons-2-500gev"].source.read(0, 4)
    gan = build_model("clic-3dgan", {"batch_size": 2}, events, seed=1)
    assert isinstance(gan, Clic3dgan)
    before = [parameter.detach().clone() for network in gan.networks.values() for parameter in network.parameters()]
    for batch in list(gan.batches())[:2]:
        losses = gan.step(batch)
        assert all(torch.isfinite(loss) for loss in losses.values())
    after = [parameter for network in gan.networks.values() for parameter in network.parameters()]
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert gan.parameter_counts() == {"generate": 1_364_983, "train": 1_364_983 + 87_354}
