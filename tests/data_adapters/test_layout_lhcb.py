"""ROOT tuples of the hadronic calorimeter of LHCb: single tracks, full events, images."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import awkward
import numpy as np
import pytest
import uproot

from data_adapters.adapters import open_events, recognise
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.layouts.lhcb_events import lhcb_events_detector
from data_adapters.layouts.lhcb_geometry import (
    CELL_MM,
    FACE,
    HALF_HEIGHT_MM,
    HALF_WIDTH_MM,
    cell_limits,
    denormalise,
    merge_images,
    normalise,
    pad,
    saturate,
    split_images,
    track_image,
    unpad,
)
from data_adapters.layouts.lhcb_tracks import LHCB_TRACKS_DETECTOR
from data_adapters.options import InvalidOption
from data_adapters.problems import UnreadableFile
from data_adapters.splits import split_of

SAMPLE = SAMPLES / "lhcb_pions_geant4.root"
Branches = dict[str, Any]


def images(num_events: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Inner and outer images as the calorimeter has them: nothing in the hole, nor outside where the inner part is."""
    random = np.random.default_rng(seed)
    inner = random.gamma(0.3, 300.0, (num_events, 28, 32)).astype(np.float32)
    outer = random.gamma(0.3, 300.0, (num_events, 26, 32)).astype(np.float32)
    inner[:, 12:16, 14:18] = 0
    outer[:, 6:20, 8:24] = 0
    return inner, outer


def single_tracks() -> Branches:
    inner, outer = images(3)
    return {
        "x_projections": np.array([-4000.0, 0.0, 700.0], np.float32),
        "y_projections": np.array([3400.0, -500.0, 700.0], np.float32),
        "real_ET": np.array([80.0, 1500.0, 29000.0], np.float32),
        "inner_image": inner.reshape(3, -1),
        "outer_image": outer.reshape(3, -1),
        "true_energy": np.array([1e4, 2e4, 3e4], np.float32),
    }


def full_events() -> Branches:
    inner, outer = images(4)
    counts = [2, 1, 3, 1]
    return {
        "x_projections": jagged([10.0, -4000.0, 50.0, 1000.0, -700.0, 3000.0, 800.0], counts),
        "y_projections": jagged([900.0, 3000.0, 500.0, -1000.0, -700.0, 10.0, -800.0], counts),
        "real_ET": jagged([500.0, 60.0, 2000.0, 700.0, 800.0, 900.0, 1e4], counts),
        "signal": jagged([0, 1, 2, 3, 2, 2, 0], counts, np.int8),
        "pdg": jagged([2212, -321, 211, 13, 211, 211, -211], counts, np.int32),
        "event": np.array([0, 1, 40, 41], np.int32),
        "source_block": np.array([0, 0, 1, 1], np.int32),
        "inner_image": inner.reshape(4, -1),
        "outer_image": outer.reshape(4, -1),
    }


def jagged(values: list[float], counts: list[int], kind: type = np.float32) -> awkward.Array:
    return awkward.unflatten(np.array(values, kind), counts)


def make(path: Path, branches: Branches, tree: str = "tracks") -> Path:
    with uproot.recreate(path) as file:
        types = {
            name: np.dtype((values.dtype, values.shape[1:]))
            if isinstance(values, np.ndarray)
            else awkward.type(values).content
            for name, values in branches.items()
        }
        file.mktree(tree, types).extend(branches)
    return path


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    return make(tmp_path / "tracks.root", single_tracks())


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return make(tmp_path / "events.root", full_events(), "events")


# ------------------------------------------------------------------ images


def test_merging_by_hand() -> None:
    inner, outer = np.zeros((1, 28, 32), np.float32), np.zeros((1, 26, 32), np.float32)
    outer[0, 0, 0], outer[0, 25, 31], outer[0, 5, 8] = 8.0, 4.0, 1.0
    inner[0, 0, 0], inner[0, 27, 31] = 3.0, 5.0
    expected = np.zeros((52, 64))
    expected[0:2, 0:2] = 2.0
    expected[50:52, 62:64] = 1.0
    expected[10:12, 16:18] = 0.25
    expected[12, 16], expected[39, 47] = 3.0, 5.0
    np.testing.assert_array_equal(merge_images(inner, outer)[0], expected)


def test_merging_keeps_the_energy_bit_for_bit_and_is_undone_exactly() -> None:
    inner, outer = images(20)
    merged = merge_images(inner, outer)
    assert merged.shape == (20, 52, 64)
    for event in range(20):
        parts = math.fsum(inner[event].ravel().tolist() + outer[event].ravel().tolist())
        assert math.fsum(merged[event].ravel().tolist()) == parts
    again = split_images(merged)
    assert again[0].tobytes() == inner.tobytes()
    assert again[1].tobytes() == outer.tobytes()


def test_quarters_that_differ_are_added_up() -> None:
    merged = np.zeros((1, 52, 64), np.float32)
    merged[0, 0:2, 0:2] = [[1.0, 2.0], [3.0, 4.0]]
    assert split_images(merged)[1][0, 0, 0] == 10.0


@pytest.mark.parametrize(
    ("part", "place", "message"),
    [(1, (6, 8), "event 1: the outer image holds energy in rows 6–19"), (0, (15, 17), "event 1: .* hole for the beam")],
    ids=["outer", "hole"],
)
def test_energy_where_there_are_no_cells_is_not_lost_in_silence(
    part: int, place: tuple[int, int], message: str
) -> None:
    both = images(2)
    both[part][1, *place] = 1.0
    with pytest.raises(ValueError, match=message):
        merge_images(*both)


def test_images_of_other_shapes_are_refused() -> None:
    inner, outer = images(2)
    with pytest.raises(ValueError, match=r"the inner images have shape \(2, 32, 28\)"):
        merge_images(inner.transpose(0, 2, 1), outer)
    with pytest.raises(ValueError, match="2 inner images and 1 outer ones"):
        merge_images(inner, outer[:1])
    with pytest.raises(ValueError, match=r"\(events, 52, 64\)"):
        split_images(inner)
    with pytest.raises(ValueError, match="to 60"):
        pad(merge_images(inner, outer), 60)
    with pytest.raises(ValueError, match=r"\(2, 28, 32\)"):
        unpad(inner)


@pytest.mark.parametrize(("rows", "empty"), [(56, 2), (64, 6)])
def test_padding_adds_empty_rows_on_both_sides_and_is_undone(rows: int, empty: int) -> None:
    merged = merge_images(*images(3))
    padded = pad(merged, rows)
    assert padded.shape == (3, rows, 64)
    assert not padded[:, :empty].any()
    assert not padded[:, -empty:].any()
    np.testing.assert_array_equal(padded[:, empty : empty + 52], merged)
    assert unpad(padded).tobytes() == merged.tobytes()


def test_energies_are_fractions_of_the_limit_of_the_firmware() -> None:
    full_inner, full_outer = (np.where(image > -1, np.float32(6120), 0) for image in images(1))
    full_inner[:, 12:16, 14:18] = 0
    full_outer[:, 6:20, 8:24] = 0
    merged = merge_images(full_inner, full_outer)
    fractions = normalise(merged)
    np.testing.assert_array_equal(np.unique(fractions), [0.0, 0.25, 1.0])
    np.testing.assert_array_equal(fractions[:, 12:40, 16:48], full_inner / 6120)
    np.testing.assert_array_equal(saturate(3 * merged), merged)
    np.testing.assert_array_equal(np.unique(cell_limits()), [1530, 6120])
    energies = merge_images(*images(10))
    np.testing.assert_allclose(denormalise(normalise(energies)), energies, rtol=1.2e-7)


def test_tracks_are_drawn_where_they_hit_the_face() -> None:
    drawn = np.zeros((2, 4, 3))
    drawn[0, 0] = [-HALF_WIDTH_MM, -HALF_HEIGHT_MM, 100.0]
    drawn[0, 1] = [HALF_WIDTH_MM, HALF_HEIGHT_MM, 200.0]
    drawn[1, :3] = [[1.0, 1.0, 10.0], [CELL_MM - 1, 1.0, 20.0], [CELL_MM + 1, -1.0, 30.0]]
    expected = np.zeros((2, 52, 64))
    expected[0, 0, 0], expected[0, 51, 63] = 100.0, 200.0
    expected[1, 26, 32], expected[1, 25, 33] = 30.0, 30.0
    image = track_image(drawn)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, expected)


def test_a_track_image_lies_as_the_showers_do() -> None:
    """The centre of energy is near the place of impact, in both directions: rows are y, columns x."""
    source = open_events(SAMPLE)
    sample = source.read(0, 500)
    track = np.stack([sample.conditions[name] for name in ("x", "y", "transverse_energy")], axis=1)[:, None]
    centres = [
        _centres(cells.reshape(-1, 52, 64).astype(np.float64)) for cells in (track_image(track), sample.response)
    ]
    filled = np.isfinite(centres[1]).all(axis=1)
    for axis in range(2):
        assert np.corrcoef(centres[0][filled, axis], centres[1][filled, axis])[0, 1] > 0.98


def _centres(cells: np.ndarray) -> np.ndarray:
    y, x = (axis.centres for axis in FACE.axes)
    with np.errstate(invalid="ignore"):
        total = cells.sum(axis=(1, 2))
        return np.stack([cells.sum(axis=2) @ y / total, cells.sum(axis=1) @ x / total], axis=1)


@pytest.mark.parametrize("place", [(5000.0, 0.0), (0.0, -3500.0), (math.nan, 0.0)])
def test_a_track_beside_the_face_cannot_be_drawn(place: tuple[float, float]) -> None:
    drawn = np.zeros((2, 3, 3))
    drawn[1, 2] = [*place, 100.0]
    with pytest.raises(ValueError, match="track 2 of event 1"):
        track_image(drawn)
    with pytest.raises(ValueError, match=r"\(events, tracks, 3\)"):
        track_image(drawn[0])


def test_the_axes_are_the_face() -> None:
    y, x = FACE.axes
    assert (y.name, y.num_cells, x.name, x.num_cells) == ("y", 52, "x", 64)
    assert (y.edges[-1], x.edges[-1]) == (HALF_HEIGHT_MM, HALF_WIDTH_MM)
    np.testing.assert_allclose(np.diff(x.edges), 131.3)


# ------------------------------------------------------------------ single tracks


def test_the_sample_is_read_as_it_lies_there() -> None:
    source = open_events(SAMPLE)
    assert (source.layout, source.detector, len(source)) == ("lhcb-tracks", LHCB_TRACKS_DETECTOR, 5000)
    sample = source.read(10, 14)
    with uproot.open(SAMPLE) as file:
        branches = file["tracks"].arrays(library="np", entry_start=10, entry_stop=14)
    inner, outer = split_images(sample.response.reshape(-1, 52, 64))
    np.testing.assert_array_equal(inner.reshape(4, -1), np.stack(branches["inner_image"]))
    np.testing.assert_array_equal(outer.reshape(4, -1), np.stack(branches["outer_image"]))
    for name, branch in {"x": "x_projections", "y": "y_projections", "transverse_energy": "real_ET"}.items():
        np.testing.assert_array_equal(sample.conditions[name], branches[branch])
    np.testing.assert_array_equal(sample.auxiliary["true_energy"], branches["true_energy"])


def test_own_tracks(tracks: Path) -> None:
    source = open_events(tracks)
    assert source.detector.energy_condition == source.detector.binning_condition
    assert sorted(source.auxiliary) == ["true_energy"]
    expected = merge_images(*images(3)).reshape(3, -1)
    np.testing.assert_array_equal(source.read().response, expected)
    np.testing.assert_array_equal(source.read(1, 2).response, expected[1:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(2).response, expected[2:])  # noqa: S301
    assert len(np.unique(source.identity)) == 3


def test_tree_and_branches_may_have_other_names(tmp_path: Path) -> None:
    branches = {f"my_{name}": values for name, values in single_tracks().items()}
    path = make(tmp_path / "own.root", branches, "gun")
    options = {
        "tree": "gun",
        "x": "my_x_projections",
        "y": "my_y_projections",
        "transverse_energy": "my_real_ET",
        "inner_image": "my_inner_image",
        "outer_image": "my_outer_image",
    }
    np.testing.assert_array_equal(
        open_events(path, "lhcb-tracks", options).read().response, merge_images(*images(3)).reshape(3, -1)
    )
    with pytest.raises(UnreadableFile, match=r"no branch 'x_projections'. Nearest: 'my_x_projections'"):
        open_events(path, "lhcb-tracks", {"tree": "gun"})


def test_twins_have_the_same_identity(tmp_path: Path, tracks: Path) -> None:
    branches = single_tracks()
    inner, outer = images(3, seed=2)
    branches |= {"inner_image": inner.reshape(3, -1), "outer_image": outer.reshape(3, -1)}
    twin = open_events(make(tmp_path / "twin.root", branches))
    np.testing.assert_array_equal(twin.identity, open_events(tracks).identity)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"real_ET": np.array([0.08, 1.5, 29], np.float32)}, r"'real_ET', event 0: it is 0.08; 10 … .*MeV"),
        ({"real_ET": np.array([8e4, 1.5e6, 2.9e7], np.float32)}, r"'real_ET', event 1: .*first of 2 such events"),
        ({"real_ET": np.array([500, np.nan, 600], np.float32)}, "'real_ET', event 1: it is nan"),
        (
            {"x_projections": np.array([0, 0, 4300], np.float32)},
            "'x_projections', event 2: it is 4300; -4201.6 … 4201.6",
        ),
        ({"y_projections": np.array([0, -3500, 0], np.float32)}, "'y_projections', event 1: it is -3500"),
        (
            {name: single_tracks()[name] / 1000 for name in ("x_projections", "y_projections")},
            "no track is more than 4 mm from the beam. Give it in mm: is it in metres",
        ),
        ({"inner_image": np.zeros((3, 895), np.float32)}, "'inner_image': an entry is an array of 895"),
        ({"outer_image": np.zeros((3, 26, 32), np.float32)}, "'outer_image': an entry is an array of 26 × 32"),
        ({"real_ET": jagged([500.0] * 3, [1, 1, 1])}, "'real_ET': an entry is a list of variable length"),
    ],
    ids=["GeV", "keV", "nan", "x", "y", "metres", "short", "shape", "jagged"],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changed: Branches, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(make(tmp_path / "own.root", single_tracks() | changed))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    changed = {"x_projections": np.full(3, 5e3, np.float32), "real_ET": np.full(3, -1, np.float32)}
    with pytest.raises(UnreadableFile) as caught:
        open_events(make(tmp_path / "own.root", single_tracks() | changed))
    assert [problem.key for problem in caught.value.problems] == ["x_projections", "real_ET"]
    branches = single_tracks()
    del branches["real_ET"], branches["outer_image"]
    with pytest.raises(UnreadableFile) as caught:
        open_events(make(tmp_path / "less.root", branches))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("missing", ["inner_image", "outer_image", "real_ET", "x_projections"])
def test_a_branch_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    branches = single_tracks()
    branches[f"{missing}s"] = branches.pop(missing)
    with pytest.raises(UnreadableFile, match=f"no branch '{missing}'. Nearest: '{missing}s'"):
        open_events(make(tmp_path / "own.root", branches))


def test_another_tree_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "own.root", single_tracks(), "track")
    with pytest.raises(UnreadableFile, match=r"no tree 'tracks'. Nearest: 'track'"):
        open_events(path, "lhcb-tracks")


@pytest.mark.parametrize(("value", "message"), [(np.nan, "holds nan MeV"), (-2.0, "holds -2.0 MeV")])
def test_an_impossible_energy_is_named_with_its_event(tmp_path: Path, value: float, message: str) -> None:
    branches = single_tracks()
    branches["inner_image"][2, 5] = value
    source = open_events(make(tmp_path / "own.root", branches))
    assert len(source.read(0, 2)) == 2
    with pytest.raises(UnreadableFile, match=f"key 'inner_image, outer_image', event 2: cell 789 {message}"):
        source.read()


def test_energy_without_a_cell_is_named_with_its_event(tmp_path: Path) -> None:
    branches = single_tracks()
    branches["outer_image"].reshape(3, 26, 32)[1, 10, 10] = 5.0
    source = open_events(make(tmp_path / "own.root", branches))
    with pytest.raises(UnreadableFile, match="event 1: the outer image holds energy in rows 6–19"):
        source.read(1, 3)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_file_is_said_to_be_one(tmp_path: Path, tracks: Path, kept: float) -> None:
    path = tmp_path / "cut.root"
    path.write_bytes(tracks.read_bytes()[: int(kept * tracks.stat().st_size)])
    with pytest.raises(UnreadableFile, match=r"truncated|not readable as ROOT"):
        open_events(path)


def test_no_events_are_refused(tmp_path: Path) -> None:
    empty = {name: values[:0] for name, values in single_tracks().items()}
    with pytest.raises(UnreadableFile, match="it holds no events"):
        open_events(make(tmp_path / "own.root", empty))


def test_the_dataset_has_twins_of_what_is_judged() -> None:
    dataset = DATASETS["lhcb-pions-geant4"]
    assert dataset.detector == LHCB_TRACKS_DETECTOR
    pions, twins = dataset.split("validation"), dataset.twin_split("validation")
    assert twins is not None
    assert (pions.response != twins.response).any(axis=1).all()
    assert dataset.twins_of(dataset.rows("test")) is not None
    for condition, values in pions.conditions.items():
        np.testing.assert_array_equal(twins.conditions[condition], values)


# ------------------------------------------------------------------ full events


def test_full_events(events: Path) -> None:
    source = open_events(events)
    assert recognise(events).name == source.layout == "lhcb-events"
    assert source.detector == lhcb_events_detector(64)
    np.testing.assert_array_equal(source.read().response, merge_images(*images(4)).reshape(4, -1))
    told = source.conditions["tracks"]
    assert told.shape == (4, 64, 3)
    np.testing.assert_array_equal(
        told[2, :4], np.array([[1000, -1000, 700], [-700, -700, 800], [3000, 10, 900], [0, 0, 0]], np.float64)
    )
    np.testing.assert_array_equal(source.conditions["num_tracks"], [2, 1, 3, 1])
    np.testing.assert_array_equal(source.conditions["transverse_energy"], [560, 2000, 2400, 1e4])
    np.testing.assert_allclose(track_image(told).sum(axis=(1, 2)), [560, 2000, 2400, 1e4])
    assert not told[np.arange(64) >= source.conditions["num_tracks"][:, None]].any()


def test_what_the_trigger_knows_is_not_told(events: Path) -> None:
    source = open_events(events)
    assert {condition.name for condition in source.detector.conditions} == {"tracks", "num_tracks", "transverse_energy"}
    np.testing.assert_array_equal(source.auxiliary["signal"][2, :4], [3, 2, 2, 0])
    np.testing.assert_array_equal(source.auxiliary["pdg"][0, :3], [2212, -321, 0])
    np.testing.assert_array_equal(source.auxiliary["event"], [0, 1, 40, 41])


def test_events_of_a_block_are_in_one_split(tmp_path: Path, events: Path) -> None:
    identity = open_events(events).identity
    assert identity[0] == identity[1] != identity[2] == identity[3]
    inner, outer = images(400)
    many = {
        **{name: jagged([500.0] * 400, [1] * 400) for name in ("x_projections", "y_projections", "real_ET")},
        "source_block": np.repeat(np.arange(40, dtype=np.int32), 10),
        "inner_image": inner.reshape(400, -1),
        "outer_image": outer.reshape(400, -1),
    }
    split = split_of(open_events(make(tmp_path / "many.root", many, "events")).identity).reshape(40, 10)
    assert (split == split[:, :1]).all()
    assert len(np.unique(split)) == 3


def test_without_blocks_each_event_stands_for_itself(tmp_path: Path) -> None:
    branches = full_events()
    for name in ("source_block", "event", "signal", "pdg"):
        del branches[name]
    source = open_events(make(tmp_path / "own.root", branches, "events"))
    assert len(np.unique(source.identity)) == 4
    assert not source.auxiliary


def test_the_most_tracks_are_an_option(events: Path) -> None:
    assert open_events(events, options={"most_tracks": "3"}).conditions["tracks"].shape == (4, 3, 3)
    with pytest.raises(
        UnreadableFile,
        match=r"event 2: 3 tracks, at most 2 are read \(the first of 1 of 4 events\). Set option most_tr",
    ):
        open_events(events, options={"most_tracks": 2})
    with pytest.raises(InvalidOption, match="at least 1"):
        open_events(events, options={"most_tracks": 0})


def changed_list(name: str, values: list[float], counts: list[int], kind: type = np.float32) -> Branches:
    return {name: jagged(values, counts, kind)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            changed_list("real_ET", [500.0] * 6, [2, 1, 2, 1]),
            "'real_ET', event 2: it has 2 elements, x_projections has 3",
        ),
        (changed_list("signal", [0] * 7, [1, 2, 3, 1], np.int8), "'signal', event 0: it has 1 elements"),
        (
            changed_list("real_ET", [0.5] * 7, [2, 1, 3, 1]),
            "'real_ET', event 0: it is 0.5; 10 … .*MeV.* first of 4 such",
        ),
        (changed_list("x_projections", [0, 0, 0, 0, 0, 5e3, 0], [2, 1, 3, 1]), "'x_projections', event 2: it is 5000"),
        (
            changed_list("y_projections", [0, 0, np.nan, 0, 0, 0, 0], [2, 1, 3, 1]),
            "'y_projections', event 1: it is nan",
        ),
        (
            changed_list("signal", [0, 1, 2, 4, 0, 0, 0], [2, 1, 3, 1], np.int8),
            "'signal', event 2: it is 4; whole .* 0 … 3",
        ),
        ({"real_ET": np.ones(4, np.float32)}, "'real_ET': an entry is one number; a list of variable length"),
    ],
    ids=["fewer", "signal-fewer", "GeV", "x", "nan", "signal", "flat"],
)
def test_tracks_that_cannot_be_are_refused(tmp_path: Path, changed: Branches, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(make(tmp_path / "own.root", full_events() | changed, "events"))


def test_an_event_without_tracks_is_refused(tmp_path: Path) -> None:
    branches = full_events()
    for name, values in branches.items():
        if not isinstance(values, np.ndarray):
            branches[name] = awkward.unflatten(awkward.flatten(values), [3, 0, 3, 1])
    with pytest.raises(UnreadableFile, match=r"event 1: it has no track.* first of 1 of 4"):
        open_events(make(tmp_path / "own.root", branches, "events"))


def test_files_of_a_folder_are_one_sample(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(tmp_path / f"{name}.root", full_events(), "events")
    source = open_events(tmp_path)
    assert len(source) == 8
    np.testing.assert_array_equal(source.read(3, 5).response, merge_images(*images(4)).reshape(4, -1)[[3, 0]])
    make(tmp_path / "c.root", single_tracks())
    with pytest.raises(UnreadableFile, match="Keep files of one kind in a folder"):
        open_events(tmp_path)


def test_the_twin_of_the_dataset_holds_the_events_that_are_judged() -> None:
    dataset = DATASETS["lhcb-events-geant4"]
    assert dataset.detector == lhcb_events_detector()
    twin = dataset.twin_source
    assert twin is not None
    judged = split_of(dataset.source.identity) != "train"
    for name, values in dataset.source.conditions.items():
        np.testing.assert_array_equal(twin.conditions[name], values[judged])
    for name in ("signal", "pdg", "event", "source_block"):
        np.testing.assert_array_equal(twin.auxiliary[name], dataset.source.auxiliary[name][judged])
    shown = twin.read(0, 100).response
    assert (shown != dataset.source.select(np.flatnonzero(judged)[:100]).response).any(axis=1).all()
