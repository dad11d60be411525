"""Observables of the LHCb hadronic calorimeter: cells placed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.layouts.lhcb_events import lhcb_events_detector
from data_adapters.layouts.lhcb_tracks import LHCB_TRACKS_DETECTOR
from metrics.observables.component import Observable
from metrics.observables.lhcb_image import LHCB_IMAGE
from metrics.observables.lhcb_impact import LHCB_IMPACT
from metrics.observables.lhcb_trigger import LHCB_TRIGGER, THRESHOLDS_MEV, signal_squares
from metrics.observables.sample import Sample

FAMILIES = (LHCB_IMAGE, LHCB_IMPACT, LHCB_TRIGGER)
MOST_TRACKS = 4
FULL_EVENTS = lhcb_events_detector(MOST_TRACKS)
KAON, PION, MUON = 1, 2, 3


def of(detector: object) -> dict[str, Observable]:
    return {o.name: o for family in FAMILIES for o in family.of(detector)}  # type: ignore[arg-type]


def track(image: np.ndarray, x: float = 0.0, y: float = 0.0, energy: float = 1000.0) -> Events:
    conditions = {"x": np.array([x]), "y": np.array([y]), "transverse_energy": np.array([energy])}
    return Events(LHCB_TRACKS_DETECTOR, conditions, image.reshape(1, -1), np.zeros(1, dtype=np.uint64))


def full_event(image: np.ndarray, tracks: list[tuple[float, float, float, int]]) -> Events:
    """Tracks as x, y, transverse energy and mark."""
    rows = np.zeros((1, MOST_TRACKS, 3))
    signal = np.zeros((1, MOST_TRACKS), dtype=np.int8)
    for place, (x, y, energy, mark) in enumerate(tracks):
        rows[0, place], signal[0, place] = (x, y, energy), mark
    conditions = {
        "tracks": rows,
        "num_tracks": np.array([float(len(tracks))]),
        "transverse_energy": rows[:, :, 2].sum(axis=1),
    }
    return Events(FULL_EVENTS, conditions, image.reshape(1, -1), np.zeros(1, dtype=np.uint64), {"signal": signal})


def empty() -> np.ndarray:
    return np.zeros((52, 64), dtype=np.float32)


def values_of(events: Events) -> dict[str, np.ndarray]:
    sample = Sample(events)
    return {name: o.function(sample)[0] for name, o in of(events.detector).items()}


def middle(row: int, column: int) -> tuple[float, float]:
    """x and y [mm] of the middle of a cell of the image; 131.3 mm, 52 rows, 64 columns."""
    return (column - 31.5) * 131.3, (row - 25.5) * 131.3


def test_detectors_that_have_them() -> None:
    impact = {"offset_x", "offset_y", "centre_distance", "maximum_distance"}
    image = {"maximum", "resolution", "trigger", "trigger_thresholds"}
    assert set(of(LHCB_TRACKS_DETECTOR)) == image | impact
    assert set(of(FULL_EVENTS)) == image | {"htos", "htos_thresholds", "htis", "htis_thresholds"}
    assert not of(ATLAS_PHOTONS)


def test_one_inner_cell() -> None:
    image = empty()
    image[20, 30] = 800.0
    x, y = middle(20, 30)
    values = values_of(track(image, x + 30.0, y - 40.0, 1000.0))
    assert values["maximum"] == pytest.approx(0.8)
    assert values["resolution"] == pytest.approx(200.0)
    assert (values["offset_x"], values["offset_y"]) == pytest.approx((-30.0, 40.0))
    assert values["centre_distance"] == pytest.approx(50.0)
    assert values["maximum_distance"] == pytest.approx(50.0)


def test_an_outer_cell_is_four_cells_of_the_image() -> None:
    image = empty()
    image[4:6, 6:8] = 200.0  # 800 MeV, whose middle lies on the corner that the four share
    image[20, 30] = 700.0  # the largest of the image, but not of the read-out
    x, y = middle(4, 6)
    values = values_of(track(image, x + 65.65, y + 65.65, 2000.0))
    assert values["maximum"] == pytest.approx(0.35)
    assert values["maximum_distance"] == pytest.approx(0.0, abs=1e-9)
    far_x, far_y = middle(20, 30)
    part = 700 / 1500
    assert values["offset_x"] == pytest.approx(part * (far_x - x - 65.65))
    assert values["offset_y"] == pytest.approx(part * (far_y - y - 65.65))


def test_an_empty_image_is_an_outlier_and_never_nan() -> None:
    values = values_of(track(empty(), 100.0, 200.0, 500.0))
    assert all(np.isfinite(value).all() for value in values.values())
    assert values["maximum"] == 0
    assert values["resolution"] == 500.0
    # from the lower left corner, 32 and 26 cells from the beam: √((4201.6 + 100)² + (3413.8 + 200)²)
    assert values["centre_distance"] == pytest.approx(5618.12, abs=0.01)
    assert values["trigger"] == 0
    assert not values["trigger_thresholds"].any()
    x, y = middle(20, 30)
    assert values_of(full_event(empty(), [(x, y, 900.0, KAON)]))["htos"] == 0


def test_a_window_triggers_above_the_threshold() -> None:
    image = empty()
    image[20:22, 30:32] = 800.0
    values = values_of(track(image))
    assert values["trigger"] == 0  # 3200 MeV are not above 3200 MeV
    assert 3200.0 in THRESHOLDS_MEV
    image[20, 30] = 801.0
    values = values_of(track(image))
    assert values["trigger"] == 1
    below = int((np.array(THRESHOLDS_MEV) < 3201).sum())
    np.testing.assert_array_equal(values["trigger_thresholds"], np.arange(len(THRESHOLDS_MEV)) < below)
    image = empty()
    image[20:23, 30] = 1500.0  # three in a row are not one window
    assert values_of(track(image))["trigger"] == 0


def test_outer_windows_are_of_outer_cells() -> None:
    image = empty()
    image[4:8, 6:10] = 3300.0 / 16  # 2 × 2 outer cells
    assert values_of(track(image))["trigger"] == 1
    shifted = np.roll(image, 2, axis=1)  # by one outer cell
    assert values_of(track(shifted))["trigger"] == 1
    inside = np.roll(image, (20, 20), axis=(0, 1))  # the same in the inner part, where a window is a quarter of it
    assert values_of(track(inside))["trigger"] == 0


def test_windows_do_not_reach_from_one_part_into_the_other() -> None:
    image = empty()
    image[20, 16] = 2000.0  # first column of the inner part
    image[20:22, 14:16] = 500.0  # last outer cell before it
    assert values_of(track(image))["trigger"] == 0


def at(row: int, column: int, mark: int) -> tuple[float, float, float, int]:
    return (*middle(row, column), 2000.0, mark)


@pytest.mark.parametrize(
    ("row", "column", "mark", "on_signal"),
    [
        (20, 30, KAON, True),
        (20, 34, PION, True),  # the square reaches three cells: to column 31, which the window has
        (20, 35, PION, False),
        (24, 30, KAON, True),
        (25, 30, KAON, False),
        (17, 27, KAON, True),
        (16, 30, KAON, False),
        (20, 30, MUON, False),
        (20, 30, 0, False),
    ],
)
def test_signal_is_within_a_square_of_seven_cells(row: int, column: int, mark: int, on_signal: bool) -> None:
    image = empty()
    image[20:22, 30:32] = 900.0
    values = values_of(full_event(image, [at(row, column, mark), at(45, 60, 0)]))
    assert values["trigger"] == 1
    assert values["htos"] == on_signal
    assert values["htis"] == (not on_signal)


def test_an_event_can_be_both() -> None:
    image = empty()
    image[20:22, 30:32] = 900.0
    image[36:38, 40:42] = 1000.0
    values = values_of(full_event(image, [at(20, 30, KAON)]))
    assert values["htos"] == 1
    assert values["htis"] == 1
    assert values["htis_thresholds"].sum() >= values["htos_thresholds"].sum()
    values = values_of(full_event(image, [at(20, 30, KAON), at(36, 40, PION)]))
    assert values["htos"] == 1
    assert values["htis"] == 0


def test_a_square_overlaps_outer_windows() -> None:
    image = empty()
    image[4:8, 6:10] = 3300.0 / 16  # rows 4–7, columns 6–9 of the image
    for column, on_signal in ((12, 1), (13, 0)):
        # Windows that touch it with less than all of its energy stay below the threshold.
        assert values_of(full_event(image, [at(5, column, PION)]))["htos"] == on_signal


def test_squares_are_cut_at_the_edge() -> None:
    squares = signal_squares(full_event(empty(), [at(0, 63, KAON), at(30, 5, MUON)]))
    assert squares.sum() == 4 * 4
    assert squares[0, :4, 60:].all()


def test_events_without_signal_say_what_is_missing() -> None:
    events = full_event(empty(), [at(20, 30, KAON)])
    bare = Events(events.detector, events.conditions, events.response, events.identity)
    with pytest.raises(InvalidEvents, match="branch signal"):
        of(FULL_EVENTS)["htos"].function(Sample(bare))
    assert of(FULL_EVENTS)["trigger"].function(Sample(bare)) == 0


@pytest.mark.parametrize("name", ["lhcb-pions-geant4", "lhcb-events-geant4"])
def test_full_simulation(name: str) -> None:
    events = DATASETS[name].split("validation")
    sample = Sample(events)
    values = {o: observable.function(sample) for o, observable in of(events.detector).items()}
    assert all(np.isfinite(column).all() and column.dtype == np.float64 for column in values.values())
    assert all(len(column) == len(events) for column in values.values())
    if "htos" in values:
        np.testing.assert_array_equal(values["trigger"], np.maximum(values["htos"], values["htis"]))
        assert values["htos"].mean() > 10 * values["htis"].mean()  # signal is harder
    else:
        assert abs(values["offset_x"].mean()) < 10  # mm: showers lie where their tracks hit
        assert np.median(values["maximum_distance"]) < 131.3


def test_transposed_images_are_noticed() -> None:
    events = DATASETS["lhcb-pions-geant4"].split("validation")
    mirrored = events.with_response(
        np.ascontiguousarray(events.response.reshape(-1, 52, 64)[:, ::-1].reshape(-1, 3328))
    )
    distance = of(events.detector)["centre_distance"].function
    assert distance(Sample(mirrored)).mean() > 10 * distance(Sample(events)).mean()


def test_the_softest_tracks_exceed_a_threshold() -> None:
    """A profile without any entry in a condition bin could not be compared."""
    events = DATASETS["lhcb-pions-geant4"].split("validation")
    softest = events.select(np.argsort(events.incident_energy)[:50])
    assert of(events.detector)["trigger_thresholds"].function(Sample(softest)).sum() > 100
