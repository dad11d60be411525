"""Tracks in the time projection chamber of ALICE, in HDF5 and ROOT."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import awkward
import h5py
import numpy as np
import pytest
import uproot

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.layouts.alice_geometry import (
    ALICE_TRACKS_DETECTOR,
    conditions_of,
    momentum_of,
    pad,
    scale,
    unpad,
    unscale,
)
from data_adapters.problems import UnreadableFile
from data_adapters.splits import split_of

SAMPLE = SAMPLES / "alice_tracks_geant4.h5"
COUNTS = [159, 20, 0, 1]
Columns = dict[str, Any]


def straight_points(counts: list[int]) -> np.ndarray:
    """Points of all tracks on straight lines from the beam, rounded to 1/128 mm, (M, 3)."""
    parts = [np.zeros((0, 3), np.float32)]
    for number, count in enumerate(counts):
        radius = np.linspace(848, 2466, 160)[:count]
        along = radius[:, None] * [np.cos(number), np.sin(number), 0.5]
        parts.append((np.round(along * 128) / 128).astype(np.float32))
    return np.concatenate(parts)


def columns(counts: list[int] = COUNTS) -> Columns:
    number = len(counts)
    random = np.random.default_rng(1)
    points = np.zeros((number, 159, 3), np.float32)
    first = 0
    for track, count in enumerate(counts):
        points[track, :count] = straight_points(counts)[first : first + count]
        first += count
    return {
        "points": points,
        "num_points": np.array(counts, np.int32),
        "momentum": random.normal(0, 1, (number, 3)).astype(np.float32),
        "charge": np.resize([1, -1], number).astype(np.int8),
        "pdg": np.resize([211, -211, 2212], number).astype(np.int32),
        "event": (np.arange(number) // 2).astype(np.int32),
    }


def branches(counts: list[int] = COUNTS, points: np.ndarray | None = None) -> Columns:
    flat = columns([min(count, 159) for count in counts])
    points = straight_points(counts) if points is None else points
    return {
        **{name: awkward.unflatten(points[:, axis], counts) for axis, name in enumerate("xyz")},
        **{f"p{name}": flat["momentum"][:, axis] for axis, name in enumerate("xyz")},
        **{name: flat[name] for name in ("charge", "pdg", "event")},
    }


def make_hdf5(path: Path, values: Columns) -> Path:
    with h5py.File(path, "w") as file:
        for key, array in values.items():
            file[key] = array
    return path


def make_root(path: Path, values: Columns, tree: str = "tracks") -> Path:
    with uproot.recreate(path) as file:
        types = {
            name: array.dtype if isinstance(array, np.ndarray) else awkward.type(array).content
            for name, array in values.items()
        }
        file.mktree(tree, types).extend(values)
    return path


# ------------------------------------------------------------------ padding, scaling, momenta


def test_padding_is_undone_exactly() -> None:
    counts, points = np.array(COUNTS), straight_points(COUNTS)
    padded = pad(points, counts)
    np.testing.assert_array_equal(padded, columns()["points"])
    assert unpad(padded, counts).tobytes() == points.tobytes()


def test_too_many_points_are_refused_with_the_track() -> None:
    with pytest.raises(ValueError, match="track 1 has 160 points; 159 are the most"):
        pad(np.ones((170, 3), np.float32), np.array([10, 160]))
    with pytest.raises(ValueError, match="9 points together, but there are 10"):
        pad(np.ones((10, 3), np.float32), np.array([4, 5]))


def test_scaling_is_exact_for_every_multiple_of_the_quantum() -> None:
    """Of 1/128 mm, everywhere in ±2600 mm."""
    quantum = np.arange(-2600 * 128, 2600 * 128 + 1)
    points = np.resize((quantum / 128.0).astype(np.float32), (len(quantum) // (159 * 3) + 1, 159, 3))
    full = np.full(len(points), 159)
    scaled = scale(points, full)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled.astype(np.float64), (points.astype(np.float64) + 4096) / 8192)
    assert scaled.min() > 0
    assert scaled.max() < 1
    assert unscale(scaled, full).tobytes() == points.tobytes()


def test_what_is_after_the_last_point_stays_zero() -> None:
    values = columns()
    scaled = scale(values["points"], values["num_points"])
    assert not scaled[1, 20:].any()
    assert scaled[1, :20].all()
    np.testing.assert_array_equal(unscale(scaled, values["num_points"]), values["points"])
    noise = np.full((1, 159, 3), 0.7, np.float32)
    assert not unscale(noise, np.array([5]))[0, 5:].any()


def test_conditions_of_a_known_momentum() -> None:
    found = conditions_of(np.array([[3.0, 4.0, 0.0], [0.0, -2.0, 2.0 * np.sinh(0.5)]]), np.array([1.0, -1.0]))
    np.testing.assert_allclose(found["transverse_momentum"], [5, 2])
    np.testing.assert_allclose(found["phi"], [np.arctan2(4, 3), -np.pi / 2])
    np.testing.assert_allclose(found["eta"], [0, 0.5])
    np.testing.assert_array_equal(found["charge"], [1, -1])


def test_momenta_follow_from_the_conditions() -> None:
    with h5py.File(SAMPLE) as file:
        momentum = file["momentum"][:].astype(np.float64)
    found = conditions_of(momentum, np.ones(len(momentum)))
    again = momentum_of(found["transverse_momentum"], found["phi"], found["eta"])
    np.testing.assert_allclose(again, momentum, rtol=1e-14, atol=1e-15 * np.abs(momentum).max())


# ------------------------------------------------------------------ HDF5


def test_the_sample_is_read_as_it_lies_there() -> None:
    source = open_events(SAMPLE)
    assert (source.layout, source.detector) == ("alice-hdf5", ALICE_TRACKS_DETECTOR)
    assert source.detector.energy_condition is None
    assert source.detector.binning_condition.name == "transverse_momentum"
    sample = source.read(100, 700)
    with h5py.File(SAMPLE) as file:
        np.testing.assert_array_equal(sample.response.reshape(-1, 159, 3), file["points"][100:700])
        np.testing.assert_allclose(
            source.conditions["transverse_momentum"], np.hypot(*file["momentum"][:, :2].astype(np.float64).T)
        )
        for name in ("num_points", "pdg", "event", "vertex"):
            np.testing.assert_array_equal(source.auxiliary[name], file[name][:])


def test_tracks_of_a_collision_are_in_one_split() -> None:
    source = open_events(SAMPLE)
    collision, split = source.auxiliary["event"], split_of(source.identity)
    for number in np.unique(collision):
        assert len(np.unique(split[collision == number])) == 1
    assert len(np.unique(source.identity)) == len(np.unique(collision)) > 100


def test_the_twin_of_the_dataset_holds_the_tracks_that_are_judged() -> None:
    dataset = DATASETS["alice-tracks-geant4"]
    twin = dataset.twin_source
    assert twin is not None
    judged = split_of(dataset.source.identity) != "train"
    for name, values in dataset.source.conditions.items():
        np.testing.assert_array_equal(twin.conditions[name], values[judged])
    other = dataset.source.select(np.flatnonzero(judged)[:100])
    assert (twin.read(0, 100).response != other.response).any(axis=1).all()


def test_own_tracks_in_hdf5(tmp_path: Path) -> None:
    values = columns()
    source = pickle.loads(pickle.dumps(open_events(make_hdf5(tmp_path / "own.h5", values))))  # noqa: S301
    np.testing.assert_array_equal(source.read().response.reshape(4, 159, 3), values["points"])
    np.testing.assert_array_equal(source.read(1, 3).response.reshape(2, 159, 3), values["points"][1:3])
    assert "vertex" not in source.auxiliary


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"momentum": columns()["momentum"] * 1e3},
            "'momentum', event 0: transverse_momentum: it is .* 0.01 … 100 GeV",
        ),
        ({"momentum": np.zeros((4, 3))}, "'momentum', event 0: transverse_momentum: it is 0; .*first of 4 such"),
        ({"momentum": np.full((4, 3), np.nan)}, "'momentum', event 0: eta: it is nan"),
        ({"momentum": np.tile([0.1, 0, 10.0], (4, 1))}, "'momentum', event 0: eta: it is 5.298"),
        ({"charge": np.array([1, -1, 0, 1])}, "'charge', event 2: it is 0; whole numbers 1 … 2"),
        ({"num_points": np.array([159, 160, 0, 1])}, "'num_points', event 1: it is 160; whole numbers 0 … 159"),
        ({"num_points": np.array([159, 20, -1, 1])}, "'num_points', event 2: it is -1"),
        ({"num_points": np.array([159, 20, 0.5, 1])}, "'num_points', event 2: it is 0.5"),
        ({"points": np.zeros((4, 160, 3))}, r"'points': it has shape \(4, 160, 3\); \(events, 159, 3\) is needed"),
        ({"event": np.zeros(3)}, "differ in length: .*event 3"),
        ({name: array[:0] for name, array in columns().items()}, "it holds no events"),
    ],
    ids=["MeV", "zero", "nan", "eta", "neutral", "160", "negative", "half", "shape", "lengths", "empty"],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changed: Columns, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(make_hdf5(tmp_path / "own.h5", columns() | changed))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    changed = {"momentum": columns()["momentum"] * 1e3, "charge": np.zeros(4), "num_points": np.full(4, 200)}
    with pytest.raises(UnreadableFile) as caught:
        open_events(make_hdf5(tmp_path / "own.h5", columns() | changed))
    assert {problem.key for problem in caught.value.problems} == {"momentum", "charge", "num_points"}


@pytest.mark.parametrize("missing", ["momentum", "charge", "event"])
def test_a_key_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    values = columns()
    values[f"{missing}_"] = values.pop(missing)
    with pytest.raises(UnreadableFile, match=rf"no key '{missing}'\. Nearest: '{missing}_'"):
        open_events(make_hdf5(tmp_path / "own.h5", values))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((1, 25, 2), 0.5, r"'points', event 1: it has 20 points, but at place 25 \(from 0\) is \(0, 0, 0.5\) mm"),
        ((3, 0, slice(None)), 0.0, r"'points', event 3: point 0 is \(0, 0, 0\); the chamber is 800 … 2520 mm"),
        (
            (1, 3, slice(None)),
            (80.0, 20.0, 1.0),
            r"'points', event 1: point 3 is \(80, 20, 1\); .*Give coordinates in mm",
        ),
        ((0, 158, 2), 3000.0, "'points', event 0: point 158"),
        ((0, 7, 1), np.nan, "'points', event 0: cell 22 holds nan mm; values must be finite"),
    ],
    ids=["after", "gap", "cm", "z", "nan"],
)
def test_points_that_cannot_be_are_named_when_they_are_read(
    tmp_path: Path, place: tuple[Any, ...], value: object, message: str
) -> None:
    values = columns()
    values["points"][place] = value
    source = open_events(make_hdf5(tmp_path / "own.h5", values))
    assert len(source.read(2, 3)) == 1
    with pytest.raises(UnreadableFile, match=message):
        source.read()
    if place[0] > 0:  # numbered as in the file, wherever reading starts
        with pytest.raises(UnreadableFile, match=message):
            source.read(1, 4)


def test_a_truncated_file_is_said_to_be_one(tmp_path: Path) -> None:
    path = make_hdf5(tmp_path / "own.h5", columns())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnreadableFile, match="not readable as HDF5"):
        open_events(path)


# ------------------------------------------------------------------ ROOT


def test_both_files_hold_the_same_tracks(tmp_path: Path) -> None:
    padded = open_events(make_hdf5(tmp_path / "own.h5", columns())).read()
    source = open_events(make_root(tmp_path / "own.root", branches()))
    assert source.layout == "alice-root"
    assert source.detector == padded.detector
    ragged = source.read()
    assert ragged.response.tobytes() == padded.response.tobytes()
    np.testing.assert_array_equal(ragged.identity, padded.identity)
    for name, values in padded.conditions.items():
        np.testing.assert_array_equal(ragged.conditions[name], values)
    for name in ("num_points", "pdg", "event"):
        np.testing.assert_array_equal(ragged.auxiliary[name], padded.auxiliary[name])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(1, 2).response, padded.response[1:2])  # noqa: S301


def test_the_tree_may_have_another_name(tmp_path: Path) -> None:
    path = make_root(tmp_path / "own.root", branches(), "tpc")
    assert len(open_events(path, "alice-root", {"tree": "tpc"})) == 4
    with pytest.raises(UnreadableFile, match="no tree 'tracks'"):
        open_events(path, "alice-root")


def test_a_track_of_160_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="key 'x', event 1: it is 160; whole numbers 0 … 159"):
        open_events(make_root(tmp_path / "own.root", branches([5, 160, 3])))


def test_lists_of_different_length_are_refused(tmp_path: Path) -> None:
    values = branches([5, 6, 7])
    values["z"] = awkward.unflatten(awkward.flatten(values["z"]), [5, 7, 6])
    with pytest.raises(UnreadableFile, match="key 'z', event 1: it has 7 elements, x has 6"):
        open_events(make_root(tmp_path / "own.root", values))


@pytest.mark.parametrize("missing", ["px", "charge", "event", "y"])
def test_a_branch_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    values = branches()
    del values[missing]
    with pytest.raises(UnreadableFile, match=f"no branch '{missing}'"):
        open_events(make_root(tmp_path / "own.root", values), "alice-root")


def test_points_in_centimetres_are_named_with_the_track(tmp_path: Path) -> None:
    points = straight_points(COUNTS)
    points[159:179] /= 10
    source = open_events(make_root(tmp_path / "own.root", branches(points=points)))
    with pytest.raises(UnreadableFile, match=r"key 'x, y, z', event 1: point 0 is .*Give coordinates in mm"):
        source.read()


def test_momenta_in_mev_are_refused(tmp_path: Path) -> None:
    values = branches()
    changed = {name: values[name] * 1000 for name in ("px", "py", "pz")}
    with pytest.raises(
        UnreadableFile, match=r"key 'px, py, pz', event 0: transverse_momentum: .*Give momenta .* in GeV"
    ):
        open_events(make_root(tmp_path / "own.root", values | changed))
