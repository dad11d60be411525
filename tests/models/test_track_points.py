"""Tracks as networks see them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from data_adapters.datasets import ALICE_TRACKS_GEANT4, ATLAS_PHOTONS_GEANT4
from data_adapters.layouts.alice_geometry import ALICE_TRACKS_DETECTOR
from models.track_points import no_track, num_points, repeat_last, response_of, scaled_points, told_of

FEW_POINTS = 37


def a_track(count: int) -> torch.Tensor:
    """So many points on a straight line outwards, then padding; in mm, (1, 159, 3)."""
    radius = 848.0 + 10.24 * torch.arange(159)
    track = torch.stack((0.8 * radius, -0.6 * radius, 0.3 * radius), dim=1)[None]
    track[0, count:] = 0
    return track


def test_full_simulation_comes_back_bit_for_bit() -> None:
    response = ALICE_TRACKS_GEANT4.split("train").response
    scaled = scaled_points(response)
    assert scaled.min() > 0
    assert scaled.max() < 1
    np.testing.assert_array_equal(response_of(scaled).numpy(), response)


def test_padding_lies_in_the_middle_and_comes_back_as_zero() -> None:
    response = a_track(FEW_POINTS).flatten(1).numpy()
    scaled = scaled_points(response)
    assert (scaled[0, FEW_POINTS:] == 0.5).all()
    blurred = scaled.clone()
    blurred[0, FEW_POINTS:] += 0.02  # what a network puts there
    restored = response_of(blurred)
    assert (restored[0, 3 * FEW_POINTS :] == 0).all()
    np.testing.assert_allclose(restored.numpy(), response, rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1, FEW_POINTS, 158, 159])
def test_a_track_ends_where_padding_begins(count: int) -> None:
    assert num_points(a_track(count)).tolist() == [count]


def test_places_on_the_way_to_padding_are_no_points() -> None:
    track = a_track(159)
    share = torch.linspace(1, 0, 59)[:, None]
    track[0, 100:] *= share  # a mixture of point and padding
    radius = track[0].norm(dim=1).tolist()
    assert num_points(track).tolist()[0] in range(100, 105)
    assert max(radius) == max(radius[:103])


def test_points_that_scatter_do_not_end_a_track() -> None:
    track = a_track(100)
    track[0, 96] *= 1.02
    track[0, 40] = 0.0
    assert num_points(track).tolist() == [100]


def test_a_track_on_the_beam_has_no_points() -> None:
    assert num_points(a_track(159) * 0.1).tolist() == [0]


def test_further_places_repeat_the_last() -> None:
    scaled = torch.rand(2, 159, 3, generator=torch.Generator().manual_seed(0))
    longer = repeat_last(scaled, 160)
    assert longer.shape == (2, 160, 3)
    assert torch.equal(longer[:, :159], scaled)
    assert torch.equal(longer[:, 159], scaled[:, 158])
    assert torch.equal(repeat_last(scaled, 159), scaled)


def test_networks_are_told_curvature_and_direction() -> None:
    told = told_of(torch.tensor([[0.6, 0.5, 0.3, -1.0], [0.6, 0.5 + 2 * np.pi, 0.3, 1.0]]))
    np.testing.assert_allclose(
        told[0], [-0.5, np.log(0.6), np.cos(0.5), np.sin(0.5), np.sinh(0.3), -1.0], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(told[1, 1:5], told[0, 1:5], rtol=1e-5)
    assert told[1, 0] == -told[0, 0]
    assert told_of(torch.empty(3, 0)).shape == (3, 0)


def test_other_detectors_are_refused_with_the_reason() -> None:
    assert no_track(ALICE_TRACKS_DETECTOR) is None
    assert "tracks of up to 159 points" in str(no_track(ATLAS_PHOTONS_GEANT4.detector))
    without = replace(ALICE_TRACKS_DETECTOR, conditions=ALICE_TRACKS_DETECTOR.conditions[:3])
    assert "charge" in str(no_track(without))
