"""Tracks as images: drawn, and as the sum of single-track images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import InvalidEvents
from data_adapters.layouts import lhcb_geometry
from data_adapters.layouts.lhcb_events import lhcb_events_detector
from models.lhcb_single_track import SingleTrackGenerator
from models.track_images import DrawnTracks, SummedTracks, no_tracks, tracks_conditioning
from tests.models.lhcb_samples import EVENTS, single_track
from tests.models.samples import few_events

LAYER = Layer("cells", (Axis("y", (-20.0, 0.0, 20.0), "mm"), Axis("x", (-30.0, -10.0, 10.0, 30.0), "mm")))
TRACK_CONDITIONS = (
    Condition("tracks", "mm, mm, MeV", shape=(4, 3)),
    Condition("num_tracks", "1"),
    Condition("energy", "MeV", energy=True),
)
TOY = Detector("toy", "Toy", (LAYER,), TRACK_CONDITIONS)
NO_NOISE = torch.empty(1, 0)


def encoded(tracks: list[list[float]], count: int) -> Tensor:
    """One event with tracks of the toy."""
    padded = tracks + [[0.0, 0.0, 0.0]] * (4 - len(tracks))
    return torch.tensor([[*np.ravel(padded), count]], dtype=torch.float32)


def drawn(tracks: list[list[float]], count: int) -> list[list[float]]:
    image: list[list[float]] = DrawnTracks(TOY, 10.0, "cpu")(encoded(tracks, count), NO_NOISE).view(2, 3).tolist()
    return image


class TestDrawnTracks:
    def test_energies_lie_in_the_cells_that_are_hit(self) -> None:
        # x −20 mm is column 0 and y 5 mm row 1; x 0 mm is column 1 and y −1 mm row 0.
        assert drawn([[-20, 5, 7], [0, -1, 20]], 2) == [[0, 2, 0], [pytest.approx(0.7), 0, 0]]

    def test_tracks_in_one_cell_add_up_beyond_the_limit(self) -> None:
        assert drawn([[0, 5, 10], [9, 19, 25]], 2)[1][1] == pytest.approx(3.5)

    def test_borders_belong_to_the_cell_above_and_the_far_edge_to_the_last(self) -> None:
        assert drawn([[-10, 0, 10], [30, 20, 10]], 2) == [[0, 0, 0], [0, 1, 1]]

    def test_tracks_beyond_their_number_do_not_count(self) -> None:
        assert drawn([[0, 5, 10], [-20, 5, 10]], 1) == [[0, 0, 0], [0, 1, 0]]

    def test_what_misses_the_face_is_not_drawn(self) -> None:
        assert drawn([[31, 0, 10], [0, -20.5, 10]], 2) == [[0, 0, 0], [0, 0, 0]]

    def test_on_the_face_of_lhcb_they_are_the_thesis_images(self) -> None:
        events = few_events(EVENTS, 20)
        told = tracks_conditioning(events.detector).encode(events.conditions)
        images = DrawnTracks(events.detector, 6120.0, "cpu")(told, torch.empty(20, 0)).numpy() * 6120
        expected = lhcb_geometry.track_image(events.conditions["tracks"]).reshape(20, -1)
        np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-3)


@pytest.fixture(scope="module")
def base() -> SingleTrackGenerator:
    return single_track()


class TestSummedTracks:
    def test_the_sum_over_the_tracks_is_cut_at_the_limits(self, base: SingleTrackGenerator) -> None:
        events = few_events(EVENTS, 3)
        images = SummedTracks(events.detector, 6120.0, base)
        noise = torch.randn(3, images.noise_dim, generator=torch.Generator().manual_seed(2))
        made = images(tracks_conditioning(events.detector).encode(events.conditions), noise)
        limits = torch.from_numpy(lhcb_geometry.cell_limits().ravel() / np.float32(6120))
        for event, tracks in enumerate(events.conditions["tracks"]):
            number = int(events.conditions["num_tracks"][event])
            of_tracks = noise[event].view(64, -1)[:number]
            names = ("x", "y", "transverse_energy")
            told = base.conditioning.encode({name: tracks[:number, i] for i, name in enumerate(names)})
            with torch.no_grad():
                total = base.normalised(told, of_tracks).sum(dim=0)
            torch.testing.assert_close(made[event], torch.minimum(total, limits), rtol=1e-4, atol=1e-6)

    def test_full_cells_are_full(self, base: SingleTrackGenerator) -> None:
        detector = lhcb_events_detector()
        images = SummedTracks(detector, 6120.0, Flat(base))
        tracks = torch.zeros(2, 64, 3)
        made = images(torch.cat((tracks.flatten(1), torch.tensor([[2.0], [5.0]])), dim=1), torch.zeros(2, 64 * 4))
        inner, outer = lhcb_geometry.split_images(made.view(-1, 52, 64).numpy())
        assert inner[0].max() == pytest.approx(0.3 * 2)
        assert inner[1].max() == 1.0
        assert outer.max() == 1.0  # four quarters of 0.25

    def test_another_number_of_events_at_once_changes_nothing(self, base: SingleTrackGenerator) -> None:
        events = few_events(EVENTS, 6)
        images = SummedTracks(events.detector, 6120.0, base)
        told = tracks_conditioning(events.detector).encode(events.conditions)
        noise = torch.randn(6, images.noise_dim, generator=torch.Generator().manual_seed(2))
        parts = torch.cat([images(told[i : i + 2], noise[i : i + 2]) for i in (0, 2, 4)])
        torch.testing.assert_close(images(told, noise), parts, rtol=1e-4, atol=1e-6)

    def test_noise_beyond_the_tracks_does_not_matter(self, base: SingleTrackGenerator) -> None:
        events = few_events(EVENTS, 2)
        images = SummedTracks(events.detector, 6120.0, base)
        told = tracks_conditioning(events.detector).encode(events.conditions)
        noise = torch.randn(2, 64, 4, generator=torch.Generator().manual_seed(2))
        other = noise.clone()
        other[torch.arange(64) >= told[:, -1:]] = 9.0
        assert torch.equal(images(told, noise.flatten(1)), images(told, other.flatten(1)))

    def test_a_base_of_other_cells_is_refused(self, base: SingleTrackGenerator) -> None:
        with pytest.raises(InvalidEvents, match="train one on single tracks in the same cells"):
            SummedTracks(TOY, 1.0, base)

    def test_a_base_that_is_told_something_else_is_refused(self, base: SingleTrackGenerator) -> None:
        other = single_track()
        other.detector = replace(base.detector, conditions=base.detector.conditions[1:])
        with pytest.raises(InvalidEvents, match="is told y, transverse_energy"):
            SummedTracks(lhcb_events_detector(), 6120.0, other)


class Flat(SingleTrackGenerator):
    """A third of the limit in every cell."""

    def __init__(self, like: SingleTrackGenerator) -> None:
        super().__init__(like.config, like.network, like.detector, like.conditioning, like.limit, "cpu")  # type: ignore[arg-type]

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        return encoded.new_full((len(noise), 3328), 0.3)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (TRACK_CONDITIONS, None),
        (TRACK_CONDITIONS[1:], "no tracks and num_tracks of each event"),
        ((TRACK_CONDITIONS[0],), "no tracks and num_tracks of each event"),
        ((Condition("tracks", "mm", shape=(4, 2)), TRACK_CONDITIONS[1]), r"have the shape (4, 2)"),
    ],
)
def test_events_without_tracks_are_refused(conditions: tuple[Condition, ...], reason: str | None) -> None:
    found = no_tracks(replace(TOY, conditions=conditions))
    assert found is None if reason is None else reason in str(found)


def test_single_particles_are_refused_with_what_to_take_instead() -> None:
    assert "lhcb-single-track" in str(no_tracks(few_events("lhcb-pions-geant4", 2).detector))
    assert "one image" in str(no_tracks(few_events("atlas-photons-geant4", 2).detector))
