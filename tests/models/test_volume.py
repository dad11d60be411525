"""Showers as volumes, and the physics read off them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.layouts.calochallenge import published_detector
from data_adapters.layouts.clic_3dgan import CLIC_ELECTRONS, CLIC_ELECTRONS_FIXED
from data_adapters.layouts.clic_3dgan import measured_angle as measured_with_numpy
from models.volume import Volume, energy_sum, measured_angle, needs_volume
from tests.models.samples import few_events

ENERGY = Condition("energy", "GeV", energy=True)
CLIC = Volume(CLIC_ELECTRONS)


def detector(*shapes: tuple[int, ...], names: str = "abc", **changes: object) -> Detector:
    layers = tuple(
        Layer(f"layer_{number}", tuple(Axis.numbered(name, n) for name, n in zip(names, shape, strict=False)))
        for number, shape in enumerate(shapes)
    )
    return Detector("toy", "Toy", layers, (ENERGY,), unit="GeV", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", ["clic-electrons-100-200gev", "clic-electrons-2-500gev"])
def test_the_angle_is_that_of_the_layout_on_simulated_showers(dataset: str) -> None:
    events = few_events(dataset)
    images = events.response.reshape(-1, 51, 51, 25)
    angle = measured_angle(CLIC.images(torch.from_numpy(events.response)), CLIC.places)
    np.testing.assert_allclose(angle.numpy(), measured_with_numpy(images), atol=1e-6, rtol=0)


def test_the_energy_sum_is_that_of_the_simulated_showers() -> None:
    events = few_events("clic-electrons-100-200gev")
    total = energy_sum(CLIC.images(torch.from_numpy(events.response)))
    np.testing.assert_allclose(total.numpy(), events.response.sum(axis=1, dtype=np.float64), rtol=1e-6)


def test_sizes_of_cells_count() -> None:
    cells = torch.zeros(1, 1, 3, 9, 4)
    for layer in range(4):
        cells[0, 0, 1, 2 * layer, layer] = 1.0  # two cells up for each layer
    square = Volume(detector((3, 9, 4), names="xyz"))
    assert measured_angle(cells, square.places).item() == pytest.approx(math.pi / 2 - math.atan(2), abs=1e-6)
    x, y, z = square.places
    assert measured_angle(cells, (x, y / 2, z)).item() == pytest.approx(math.pi / 4, abs=1e-6)


def angle_gradient(images: Tensor) -> Tensor:
    images = images.requires_grad_()
    gradient: Tensor = torch.autograd.grad(measured_angle(images, CLIC.places).sum(), images)[0]
    return gradient


def test_empty_and_degenerate_images_have_an_angle_and_a_finite_gradient() -> None:
    images = torch.zeros(3, 1, 51, 51, 25)
    images[1, 0, 25, 25, 12] = 1.0  # all energy in one cell: nothing has a direction
    images[2, 0, 25, 25, :] = 1e-30
    assert measured_angle(images, CLIC.places).tolist() == pytest.approx([math.pi / 2] * 3, abs=1e-6)
    assert torch.isfinite(angle_gradient(images)).all()


def test_a_faint_layer_does_not_make_the_gradient_explode() -> None:
    images = torch.zeros(1, 1, 51, 51, 25)
    images[0, 0, 20:30, 20:30, :20] = 0.01
    images[0, 0, 25, 40, 20] = 1e-9
    assert 0 < angle_gradient(images).abs().max() < 10


def test_the_gradient_points_to_a_larger_angle() -> None:
    images = torch.from_numpy(few_events("clic-electrons-100-200gev", 4).response).clone()
    volume = CLIC.images(images)
    gradient = angle_gradient(volume.clone())
    with torch.no_grad():
        moved = (volume + 1e-5 * volume.amax() * gradient.sign()).clamp(min=0)
    assert (measured_angle(moved, CLIC.places) > measured_angle(volume, CLIC.places)).all()


def test_the_gradient_is_that_of_the_formula() -> None:
    random = torch.Generator().manual_seed(1)
    images = torch.rand(1, 1, 3, 4, 5, generator=random)
    places = Volume(detector((3, 4, 5), names="xyz")).places
    images.requires_grad_()
    gradient = torch.autograd.grad(measured_angle(images, places).sum(), images)[0]
    for cell in [(0, 0, 0, 0, 0), (0, 0, 2, 3, 4), (0, 0, 1, 2, 0)]:
        step = torch.zeros_like(images)
        step[cell] = 1e-2
        with torch.no_grad():
            change = measured_angle(images + step, places) - measured_angle(images - step, places)
        assert gradient[cell].item() == pytest.approx(change.item() / 2e-2, rel=0.05, abs=1e-4)


def test_the_depth_becomes_the_last_axis_and_goes_back() -> None:
    for layers, names in (([(2, 3, 4)], "zxy"), ([(3, 4, 2)], "abc"), ([(3, 4)] * 2, "ab")):
        volume = Volume(detector(*layers, names=names))
        assert volume.shape == (3, 4, 2)
        cells = torch.arange(48.0).reshape(2, 24)
        images = volume.images(cells)
        assert images.shape == (2, 1, 3, 4, 2)
        assert torch.equal(volume.cells(images), cells)
    deepest = Volume(detector(*[(3, 4)] * 2, names="ab")).images(cells)[0, 0, :, :, 1]
    assert torch.equal(deepest, torch.arange(12.0, 24.0).reshape(3, 4))


def test_the_angle_is_measured_where_there_is_one() -> None:
    assert CLIC.has_angle
    assert not Volume(CLIC_ELECTRONS_FIXED).has_angle
    assert not Volume(published_detector("calochallenge-2")).has_angle


def test_volumes_of_the_challenge() -> None:
    assert Volume(published_detector("calochallenge-2")).shape == (16, 9, 45)
    assert Volume(published_detector("calochallenge-3")).shape == (50, 18, 45)
    assert Volume(published_detector("calochallenge-2")).gev == pytest.approx(1e-3)


def test_other_detectors_are_refused_with_the_reason() -> None:
    for good in (CLIC_ELECTRONS, CLIC_ELECTRONS_FIXED, published_detector("calochallenge-2")):
        assert needs_volume(good) is None
    for bad, reason in (
        (DATASETS["atlas-photons-geant4"].detector, "layers of two axes that all have one shape"),
        (published_detector("calochallenge-1-photons"), "layers of two axes that all have one shape"),
        (detector((52, 64)), r"one volume of three axes"),
        (detector((2, 3, 4), (2, 3, 4)), "one volume of three axes"),
        (detector((5, 5, 1)), "at least two along each axis"),
        (detector((5, 5, 5), signed=True), "signed values"),
        (Detector("toy", "Toy", detector((5, 5, 5)).layers, (), "signal", "VEM"), "signal in VEM"),
    ):
        found = needs_volume(bad)
        assert found is not None
        assert reason in found
