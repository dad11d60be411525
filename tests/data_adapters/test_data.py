"""Detector, events, splits and the ATLAS adapter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4, DATASETS
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.problems import UnreadableFile
from data_adapters.registry import Registry, UnknownName
from data_adapters.sealed_test import open_test_split
from data_adapters.splits import FRACTIONS, SPLITS, select_split, split_of

SAMPLE = ATLAS_PHOTONS_GEANT4
EVENTS = SAMPLE.source.read()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "own.h5"
    shutil.copy(SAMPLE.file, path)
    return path


def test_the_detector_agrees_with_what_the_file_says_of_it() -> None:
    with h5py.File(SAMPLE.file) as file:
        attributes = dict(file.attrs)
    layers = ATLAS_PHOTONS.layers
    assert [layer.name for layer in layers] == list(attributes["layers"])
    np.testing.assert_array_equal([layer.shape for layer in layers], attributes["layer_shapes_eta_phi"])
    for number, key in enumerate(("cell_size_eta", "cell_size_phi")):
        sizes = [np.diff(layer.axes[number].edges) for layer in layers]
        np.testing.assert_allclose([size.mean() for size in sizes], attributes[key])
        assert all(np.ptp(size) < 1e-12 for size in sizes)
    depths = np.array([layer.depth_x0 for layer in layers], dtype=float)
    np.testing.assert_allclose(depths, attributes["layer_centre_X0"], rtol=1e-7)


def test_the_window_has_266_cells_without_gaps() -> None:
    slices = list(ATLAS_PHOTONS.layer_slices.values())
    assert ATLAS_PHOTONS.num_cells == 266
    assert [(s.start, s.stop) for s in slices] == [(0, 21), (21, 189), (189, 238), (238, 266)]


def test_the_shower_lies_in_the_middle_of_the_middle_layer() -> None:
    middle = EVENTS.response[:, ATLAS_PHOTONS.layer_slices["middle"]].mean(axis=0).reshape(7, 7)
    assert np.unravel_index(middle.argmax(), (7, 7)) == (3, 3)


def test_the_sample_is_balanced_in_nine_energies() -> None:
    energies, counts = np.unique(EVENTS.incident_energy, return_counts=True)
    np.testing.assert_array_equal(energies, 2.0 ** np.arange(10, 19))
    assert set(counts) == {565}


def test_splits_cover_everything_and_never_overlap() -> None:
    parts = {name: set(select_split(EVENTS, name).identity) for name in SPLITS}
    assert len(set.union(*parts.values())) == sum(map(len, parts.values())) == len(EVENTS)
    for name, fraction in FRACTIONS.items():
        assert len(parts[name]) / len(EVENTS) == pytest.approx(fraction, abs=0.02)


def test_the_split_does_not_depend_on_the_place_in_the_file() -> None:
    shuffled = np.random.default_rng(0).permutation(len(EVENTS))
    moved = EVENTS.select(shuffled)
    np.testing.assert_array_equal(split_of(moved.identity), split_of(EVENTS.identity)[shuffled])


def test_the_split_is_the_same_on_every_machine() -> None:
    expected = ["test", "train", "train", "validation", "test", "train", "test", "train"]
    assert list(split_of(np.arange(8, dtype=np.uint64))) == expected


def test_twins_are_other_showers_of_the_same_photons() -> None:
    events, twins = SAMPLE.split("validation"), SAMPLE.twin_split("validation")
    assert twins is not None
    np.testing.assert_array_equal(events.identity, twins.identity)
    np.testing.assert_array_equal(events.incident_energy, twins.incident_energy)
    assert (events.response != twins.response).any(axis=1).all()


def test_a_search_cannot_open_the_test_split() -> None:
    with pytest.raises(PermissionError, match="benchmark alone"):
        SAMPLE.split("test")
    with pytest.raises(PermissionError, match="benchmark alone"):
        SAMPLE.twin_split("test")


def test_every_opening_of_the_test_split_is_written_down(tmp_path: Path) -> None:
    log = tmp_path / "board" / "openings.jsonl"
    for reason in ("first", "second"):
        events, twins = open_test_split(SAMPLE, log, reason)
        assert twins is not None
        assert len(events) == len(twins)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["first", "second"]
    assert lines[0]["sha256"] == SAMPLE.sha256


def test_an_opening_that_cannot_be_written_down_does_not_take_place(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_test_split(SAMPLE, tmp_path, "the log is a folder")


@pytest.mark.parametrize(
    ("cell", "value"),
    [((3, 7), float("nan")), ((0, 265), float("inf")), ((2, 0), -1.0)],
    ids=["nan", "inf", "negative"],
)
def test_an_impossible_energy_is_named(cell: tuple[int, int], value: float) -> None:
    response = EVENTS.response[:5].copy()
    response[cell] = value
    with pytest.raises(InvalidEvents, match=rf"cell {cell[1]} of event {cell[0]} holds"):
        EVENTS.select(np.arange(5)).with_response(response)


def test_events_that_do_not_fit_are_refused() -> None:
    events = EVENTS.select(np.arange(5))
    with pytest.raises(InvalidEvents, match="266"):
        events.with_response(events.response[:, :260])
    with pytest.raises(InvalidEvents, match="empty"):
        events.select(np.arange(0))
    with pytest.raises(InvalidEvents, match="incident_energy has shape"):
        Events(events.detector, {**events.conditions, "incident_energy": np.ones(4)}, events.response, events.identity)
    with pytest.raises(InvalidEvents, match="has the conditions"):
        Events(events.detector, {"incident_energy": np.ones(5)}, events.response, events.identity)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"nowhere\.h5: there is no such file"):
        open_events(tmp_path / "nowhere.h5")


def test_a_truncated_file_is_refused(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:100_000])
    with pytest.raises(UnreadableFile, match="not readable as HDF5"):
        open_events(copy, "atlas-hdf5")


def test_a_missing_key_gets_the_nearest_one(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file.move("showers", "shower")
    with pytest.raises(UnreadableFile, match=r"no key 'showers'\. Nearest: 'shower'"):
        open_events(copy, "atlas-hdf5")


def test_columns_of_different_length_are_refused(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        shorter = file["eta"][:-1]
        del file["eta"]
        file["eta"] = shorter
    with pytest.raises(UnreadableFile, match="differ in length"):
        open_events(copy, "atlas-hdf5")


def test_another_sample_is_no_twin() -> None:
    assert SAMPLE.independent is not None
    own = SAMPLE.with_files(SAMPLE.file, twin=SAMPLE.independent)
    with pytest.raises(UnreadableFile, match="not a twin"):
        own.twin_split("train")


def test_own_files_have_another_identity(copy: Path) -> None:
    own = SAMPLE.with_files(copy, twin=None)
    assert own.sha256 != SAMPLE.sha256
    assert own.twin_split("validation") is None


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Nearest: 'atlas-photons-geant4'"):
        DATASETS["atlas-photon-geant4"]


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two components"):
        Registry("dataset", SAMPLE, SAMPLE)
