"""What injected faults do to events, by known answers."""

from dataclasses import replace

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from data_adapters.layouts.lhcb_geometry import CELL_MM, SHAPE, merge_images, split_images
from metrics import FAULTS
from metrics.faults import faults_of
from metrics.faults.carrying import carried
from metrics.faults.component import at_like_conditions, at_one_energy
from metrics.observables import observe


@pytest.fixture(scope="module")
def electrons() -> Events:
    return DATASETS["clic-electrons-2-500gev"].split("validation")


@pytest.fixture(scope="module")
def pions() -> Events:
    return DATASETS["lhcb-pions-geant4"].split("validation")


@pytest.fixture(scope="module")
def tracks() -> Events:
    return DATASETS["alice-tracks-geant4"].split("validation")


def test_groups_hold_every_event_once_and_enough_of_them(electrons: Events, pions: Events, tracks: Events) -> None:
    for events in (electrons, pions, tracks):
        for groups, fewest in ((at_one_energy(events), 50), (at_like_conditions(events), 5)):
            rows = list(groups)
            np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(events)))
            assert min(map(len, rows)) >= fewest
    charges = [np.unique(tracks.conditions["charge"][rows]) for rows in at_like_conditions(tracks)]
    assert all(len(values) == 1 for values in charges)


def test_mean_showers_have_the_mean_response_and_no_fluctuation(electrons: Events) -> None:
    flat = electrons.with_response(FAULTS["collapsed_conditions"].inject(electrons))
    half = electrons.with_response(FAULTS["halved_fluctuations"].inject(electrons))
    full, collapsed, halved = (observe(events, ["response"])["response"] for events in (electrons, flat, half))
    for rows in at_like_conditions(electrons):
        np.testing.assert_allclose(collapsed[rows], full[rows].mean(), rtol=1e-5)
        np.testing.assert_allclose(halved[rows], (full[rows] + full[rows].mean()) / 2, rtol=1e-5)


def test_wider_resolution_widens_about_the_same_mean(electrons: Events) -> None:
    wider = electrons.with_response(FAULTS["wider_resolution"].inject(electrons))
    before, after = (observe(events, ["response"])["response"] for events in (electrons, wider))
    for rows in at_one_energy(electrons):
        assert after[rows].mean() == pytest.approx(before[rows].mean(), rel=1e-6)
        assert after[rows].std() == pytest.approx(1.5 * before[rows].std(), rel=1e-5)


def test_layers_of_a_volume_are_exchanged_and_back_again(electrons: Events) -> None:
    once = FAULTS["permuted_layers"].inject(electrons)
    before, after = (r.reshape(-1, 51, 51, 25).sum(axis=(1, 2)) for r in (electrons.response, once))
    moved = np.flatnonzero((before != after).any(axis=0))
    assert len(moved) == 2
    np.testing.assert_allclose(after[:, moved], before[:, moved[::-1]], rtol=1e-6)


def test_transposed_volumes_have_their_first_axes_exchanged(electrons: Events) -> None:
    transposed = FAULTS["transposed_axes"].inject(electrons).reshape(-1, 51, 51, 25)
    np.testing.assert_array_equal(transposed, electrons.response.reshape(-1, 51, 51, 25).transpose(0, 2, 1, 3))


def test_deep_showers_are_those_that_are_missing(electrons: Events) -> None:
    left = electrons.with_response(FAULTS["dropped_mode"].inject(electrons))
    before, after = (observe(events, ["centre_z"])["centre_z"] for events in (electrons, left))
    changed = (left.response != electrons.response).any(axis=1)
    assert changed.mean() == pytest.approx(0.3, abs=0.01)
    assert before[changed].min() >= before[~changed].max()
    assert after[changed].max() <= before[~changed].max() + 1e-6


def test_points_come_nearer_to_their_helix_and_go_farther(tracks: Events) -> None:
    names = ["helix_residual_rms", "curvature_ratio"]
    full = observe(tracks, names)
    for fault, factor in (("collapsed_conditions", 0.0), ("halved_fluctuations", 0.5), ("wider_resolution", 1.5)):
        found = observe(tracks.with_response(FAULTS[fault].inject(tracks)), names)
        np.testing.assert_allclose(found[names[0]], factor * full[names[0]], rtol=0.02, atol=1e-3)
        assert np.median(np.abs(found[names[1]] - full[names[1]])) < 1e-5


def test_tracks_fly_in_the_direction_to_which_they_are_carried(tracks: Events) -> None:
    rows = np.arange(0, 200)
    order = np.argsort(tracks.conditions["transverse_momentum"][rows])
    to = np.roll(rows[order], 1)  # at nearly the same momentum
    own, wanted = ({name: v[index] for name, v in tracks.conditions.items()} for index in (rows[order], to))
    response = carried(tracks.detector, tracks.response[rows[order]].astype(np.float64), own, wanted)
    there = tracks.select(to).with_response(response.astype(np.float32))
    found = observe(there, ["azimuth_difference", "dip_difference", "curvature_ratio", "helix_residual_rms"])
    assert np.quantile(np.abs(found["azimuth_difference"]), 0.9) < 0.05
    assert np.median(np.abs(found["dip_difference"])) < 0.01
    assert (found["curvature_ratio"] > 0).mean() > 0.95  # the charge is right
    assert np.median(found["helix_residual_rms"]) < 2.0  # still a helix


def test_images_move_with_the_impact_and_outer_cells_stay_even(pions: Events) -> None:
    inner = (np.abs(pions.conditions["x"]) < 1000) & (np.abs(pions.conditions["y"]) < 1000)
    rows = np.flatnonzero(inner)
    own = {name: values[rows] for name, values in pions.conditions.items()}
    wanted = own | {"x": own["x"] + 3 * CELL_MM, "y": own["y"] - 2 * CELL_MM}
    response = pions.response[rows].astype(np.float64)
    moved = carried(pions.detector, response, own, wanted).reshape(-1, *SHAPE)
    images = response.reshape(-1, *SHAPE)
    row, column = np.unravel_index(images.reshape(len(images), -1).argmax(axis=1), SHAPE)
    far = (row > 16) & (row < 36) & (column > 20) & (column < 40) & (np.abs(row - 26) > 6)  # inside, not at the hole
    assert far.sum() >= 5
    np.testing.assert_array_equal(moved[far, row[far] - 2, column[far] + 3], images[far, row[far], column[far]])
    remade = merge_images(*split_images(moved.astype(np.float32)))
    np.testing.assert_allclose(remade, moved, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(carried(pions.detector, response, own, own), response)


def test_carried_showers_have_the_energy_of_their_conditions(electrons: Events) -> None:
    own = {name: values[:3] for name, values in electrons.conditions.items()}
    wanted = own | {"incident_energy": 2 * own["incident_energy"]}
    response = electrons.response[:3].astype(np.float64)
    np.testing.assert_allclose(carried(electrons.detector, response, own, wanted), 2 * response)


def test_faults_of_a_detector_are_those_that_it_can_have(pions: Events, tracks: Events) -> None:
    assert "permuted_layers" not in faults_of(pions.detector)  # one image has no layers
    assert set(FAULTS) - set(faults_of(tracks.detector)) == {"permuted_layers", "cell_threshold", "transposed_axes"}
    with pytest.raises(ValueError, match="cell_threshold cannot be injected into events of alice-tracks"):
        FAULTS["cell_threshold"].inject(tracks)
    for name in ("lhcb-tracks", "clic-electrons", "airshower-array", "airshower-pattern"):
        assert name in FAULTS["cell_threshold"].strengths
    assert replace(FAULTS["energy_scale"], strength=1.0).inject(tracks).tobytes() == tracks.response.tobytes()
