"""Images of a calorimeter: padding, and what the LHCb face can read out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.layouts import lhcb_geometry
from data_adapters.layouts.lhcb_tracks import LHCB_TRACKS_DETECTOR
from models.calorimeter_image import SCALES, Padding, Readout, cell_limit, first_output, no_image, padded_shape
from tests.models.samples import few_events


def detector(*shape: int, signed: bool = False) -> Detector:
    axes = tuple(Axis.numbered(name, cells) for name, cells in zip("yxz", shape, strict=False))
    return Detector("toy", "Toy", (Layer("cells", axes),), (Condition("energy", "MeV", energy=True),), signed=signed)


def random_images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, *lhcb_geometry.SHAPE, generator=torch.Generator().manual_seed(1))


def test_images_are_padded_as_in_the_thesis() -> None:
    assert padded_shape((52, 64), 8) == (56, 64)
    assert padded_shape((52, 64), 32) == (64, 64)
    images = random_images().numpy()
    for rows in (56, 64):
        padding = Padding((52, 64), (rows, 64))
        padded = padding(torch.from_numpy(images).flatten(1))
        np.testing.assert_array_equal(padded.numpy(), lhcb_geometry.pad(images, rows))
        np.testing.assert_array_equal(padding.cut(padded).numpy(), images)


def test_uneven_padding_is_cut_off_again() -> None:
    padding = Padding((3, 5), (8, 8))
    images = torch.arange(15.0)[None]
    padded = padding(images)
    assert padded.shape == (1, 8, 8)
    assert padded.sum() == images.sum()
    assert torch.equal(padding.cut(padded).flatten(1), images)


def test_what_is_read_out_is_what_the_calorimeter_can_give() -> None:
    read = Readout(LHCB_TRACKS_DETECTOR)(random_images()).view(-1, *lhcb_geometry.SHAPE).numpy()
    inner, outer = lhcb_geometry.split_images(read)
    np.testing.assert_allclose(lhcb_geometry.merge_images(inner, outer), read, rtol=1e-6)  # equal quarters
    assert (inner[lhcb_geometry.HOLE] == 0).all()
    assert 0.25 < inner.max() <= 1
    assert 0.2 < outer.max() <= 1
    assert (read <= lhcb_geometry.cell_limits() / lhcb_geometry.CELL_LIMIT_MEV).all()


def test_the_reading_of_images_that_were_read_out_is_themselves() -> None:
    events = few_events("lhcb-pions-geant4")
    readout = Readout(events.detector)
    images = torch.from_numpy(events.response / np.float32(lhcb_geometry.CELL_LIMIT_MEV))
    limits = readout.limits.clamp(min=0.25)
    again = readout(images.view(-1, 52, 64) / limits)
    torch.testing.assert_close(again, images, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(readout.saturate(images), images)


def test_sums_are_cut_at_the_limits() -> None:
    images = 2 * random_images() * lhcb_geometry.CELL_LIMIT_MEV
    images[:, *[slice(24, 28), slice(30, 34)]] = 0  # the hole
    cut = Readout(LHCB_TRACKS_DETECTOR).saturate(images.flatten(1) / lhcb_geometry.CELL_LIMIT_MEV)
    expected = lhcb_geometry.saturate(images.numpy()) / lhcb_geometry.CELL_LIMIT_MEV
    np.testing.assert_allclose(cut.view(-1, 52, 64).numpy(), expected, rtol=1e-6)


def test_readout_needs_no_memory_in_checkpoints() -> None:
    assert Readout(LHCB_TRACKS_DETECTOR).state_dict() == {}


def test_other_images_are_taken_as_they_are() -> None:
    toy = detector(3, 5)
    images = torch.rand(2, 3, 5)
    assert torch.equal(Readout(toy)(images), images.flatten(1))
    assert cell_limit(toy, 7.0) == 7.0
    assert cell_limit(toy, 0.0) == 1.0
    assert cell_limit(DATASETS["lhcb-events-geant4"].detector, 7.0) == 6120.0


def test_what_is_no_image_says_why() -> None:
    assert no_image(detector(3, 5)) is None
    assert "one image of rows and columns" in str(no_image(detector(3, 4, 5)))
    assert "can be negative" in str(no_image(detector(3, 5, signed=True)))


@pytest.mark.parametrize("name", SCALES)
def test_scales_go_back_exactly_and_leave_the_ends(name: str) -> None:
    scale = SCALES[name]
    shares = torch.cat((torch.zeros(1), torch.logspace(-6, 0.5, 50)))
    torch.testing.assert_close(scale.inverse(scale.forward(shares)), shares, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(scale.forward(torch.tensor([0.0, 1.0])), torch.tensor([0.0, 1.0]))


def test_the_logarithm_shows_faint_cells() -> None:
    assert SCALES["logarithmic"].forward(torch.tensor(1e-3)).item() == pytest.approx(0.1, abs=0.01)


def test_limits_are_in_the_scale_of_the_images() -> None:
    scale = SCALES["logarithmic"]
    read = Readout(LHCB_TRACKS_DETECTOR, "logarithmic")(torch.ones(1, 52, 64))
    limits = torch.from_numpy(lhcb_geometry.cell_limits() / np.float32(6120)).flatten()
    hole = read[0] == 0
    assert hole.sum() == 16
    torch.testing.assert_close(scale.inverse(read[0])[~hole], limits[~hole])


@pytest.mark.parametrize(("mean", "expected"), [(0.0, 0.01), (0.2, 0.2), (0.9, 0.5)])
def test_outputs_start_near_the_mean_where_sigmoids_learn(mean: float, expected: float) -> None:
    response = np.full((3, 4), 10 * mean, dtype=np.float32)
    assert first_output(response, 10.0, SCALES["linear"]) == pytest.approx(expected)
