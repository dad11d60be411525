"""Which events are shown, and what is written down of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from metrics import correlations_for_plots, event_gallery
from metrics.condition_cells import ConditionCells
from metrics.discrepancies.correlation import correlation_matrices
from metrics.event_gallery import chosen_events, views
from metrics.observables import observe
from metrics.scorecards import SCORECARDS


def cells_of(number: list[int], bins: int) -> ConditionCells:
    return ConditionCells(np.array(number), tuple(range(bins)), tuple(str(index) for index in range(bins)))


def filled(shown: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    image = np.zeros(int(np.prod(shape)))
    image[shown["cells"]] = shown["values"]
    return image.reshape(shape)


def test_the_first_event_of_bins_that_are_spread_evenly_is_chosen() -> None:
    assert chosen_events(cells_of([6, 0, 3, 0, 9, 9, 6, 3], 10)) == [1, 2, 0, 4]
    assert chosen_events(cells_of([1, 0, 1, 0, 0], 2)) == [1, 3, 0, 2]
    assert chosen_events(cells_of([0, 0, 0, 0, 0], 1)) == [0, 1, 2, 3]
    assert chosen_events(cells_of([0, 1], 2)) == [0, 1]


def test_events_are_those_of_the_sample_at_the_same_conditions(reference: Events, twin: Events) -> None:
    gallery = event_gallery(reference, twin.response)
    assert (gallery["kind"], gallery["unit"], gallery["num_bins"]) == ("cells", "MeV", 9)
    assert [event["label"] for event in gallery["events"]] == ["1.02 GeV", "8.19 GeV", "32.8 GeV", "262 GeV"]
    assert [view["layer"] for view in gallery["views"]] == ["presampler", "front", "middle", "back"]
    last = np.flatnonzero(reference.incident_energy == 262144)[0]
    cells = reference.detector.layer_slices["middle"]
    for role, events in (("reference", reference), ("generated", twin)):
        image = filled(gallery["events"][3][role][2], (7, 7)).ravel()
        expected = events.response[last, cells]
        limit = 1e-4 * max(sample.response[last].max() for sample in (reference, twin))
        np.testing.assert_allclose(image, np.where(expected > limit, expected, 0), rtol=6e-3)
    assert len(json.dumps(gallery, allow_nan=False)) < 15_000


def test_volumes_are_seen_along_each_axis_with_x_to_the_right() -> None:
    events = DATASETS["clic-electrons-coarse"].split("validation")
    across, *_ = views(events.detector)
    assert [axis.name for axis in across.axes] == ["y", "x"]
    volume = events.response[0].reshape(events.detector.layers[0].shape)
    np.testing.assert_allclose(across.image(events.response[0]), volume.sum(axis=2).T, rtol=1e-5)


def test_tracks_keep_their_points_and_stations_their_ground() -> None:
    tracks = DATASETS["alice-tracks-geant4"].split("validation")
    gallery = event_gallery(tracks, tracks.response, SCORECARDS["alice-tracks-v1"])
    first = gallery["events"][0]["reference"]
    assert gallery["kind"] == "tracks"
    assert len(first["x"]) == len(first["y"]) == len(first["z"]) <= 159
    assert 800 < np.hypot(first["x"][0], first["y"][0]) < 2520  # mm
    showers = DATASETS["airshower-refinement"].split("validation")
    gallery = event_gallery(showers, showers.response, SCORECARDS["airshower-array-v1"])
    (view,) = gallery["views"]
    assert (gallery["kind"], view["row_label"], view["column_label"]) == ("stations", "row [cell]", "column [cell]")
    assert len(gallery["events"][0]["reference"]) == 1


def test_correlations_are_those_that_the_score_compares(reference: Events, twin: Events) -> None:
    records = correlations_for_plots(reference, twin.response, twin.response)
    assert [record["label"] for record in records][0::8] == ["1.02 GeV", "262 GeV"]
    record = records[0]
    card = SCORECARDS["atlas-photons-v1"]
    low = reference.incident_energy == 1024
    values = np.stack([observe(reference, [name])[name][low] for name in card.distributions], axis=1)
    expected = correlation_matrices(values, values.std(axis=0), np.ones((1, low.sum())))[0]
    np.testing.assert_allclose(record["reference"], expected, atol=6e-4)
    assert record["num_events"] == low.sum()
    assert record["generated_difference"] == record["floor_difference"] > 0
    change = np.array(record["generated"]) - record["reference"]
    off = change[np.triu_indices(6, k=1)]
    assert np.sqrt(np.mean(off**2)) == pytest.approx(record["generated_difference"], abs=1e-3)
    assert correlations_for_plots(reference, reference.response)[0]["floor_difference"] is None
    json.dumps(records, allow_nan=False)
