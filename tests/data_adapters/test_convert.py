"""The arena's own layouts, ROOT trees, and conversion between layouts."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import awkward
import h5py
import numpy as np
import pytest
import uproot

from data_adapters import root
from data_adapters.adapters import open_events
from data_adapters.convert import CannotConvert, convert
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from data_adapters.problems import UnreadableFile
from data_adapters.registry import UnknownName
from data_adapters.root import Needed

EVENTS = 6
Json = dict[str, Any]


def axis(name: str, edges: list[float], unit: str) -> Json:
    return {"name": name, "edges": edges, "unit": unit}


RADIUS = axis("r", [0.0, 3.0, 10.0], "mm")
ANGLE = axis("alpha", np.linspace(-math.pi, math.pi, 5).tolist(), "rad")
DEPTH = axis("z", [0.0, 1.0, 2.0, 4.0], "X0")
ENERGY: Json = {
    "name": "incident_energy",
    "unit": "MeV",
    "categories": None,
    "bins": True,
    "energy": True,
    "shape": [],
    "low": 0.0,
    "high": None,
}
SLOPE = {**ENERGY, "name": "slope", "unit": "1", "bins": False, "energy": False, "shape": [2], "low": None}


def detector(axes: list[Json], conditions: list[Json], unit: str = "MeV", signed: bool = False) -> Json:
    return {
        "name": "toy",
        "title": "A toy volume",
        "quantity": "energy",
        "unit": unit,
        "signed": signed,
        "threshold": 0.1,
        "layers": [{"name": "volume", "depth_x0": 7.5, "axes": axes}],
        "conditions": conditions,
    }


TOY = detector([axis("x", [0.0, 1.0, 3.0], "mm"), axis("y", [-1.0, 0.0, 0.1, 1.0], "mm")], [ENERGY, SLOPE], signed=True)


def columns(cells: int, seed: int = 0) -> Json:
    rng = np.random.default_rng(seed)
    return {
        "response": rng.standard_normal((EVENTS, cells)).astype(np.float32),
        "identity": rng.integers(2**63, 2**64, EVENTS, dtype=np.uint64),
        "conditions/incident_energy": rng.uniform(1e3, 1e4, EVENTS),
        "conditions/slope": rng.random((EVENTS, 2)),
        "auxiliary/pile-up": rng.integers(-9, 9, (EVENTS, 2, 3), dtype=np.int16),
        "auxiliary/truth/signal": np.arange(EVENTS) % 2 == 0,
    }


def write_hdf5(path: Path, described: Json, content: Json, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values
        file.attrs.update({"format": "fastsim-arena events", "version": 1, "provenance": "Thrown with dice."})
        file.attrs["detector"] = json.dumps(described)
        file.attrs.update(attributes)
    return path


def write_root(path: Path, described: Json, content: Json, tree: str = "events", **strings: str) -> Path:
    names = {"conditions/": "condition_", "auxiliary/": "auxiliary_"}
    branches = {}
    for key, values in content.items():
        prefix = next((prefix for prefix in names if key.startswith(prefix)), "")
        branches[names.get(prefix, "") + key.removeprefix(prefix).replace("/", "%2F")] = values
    texts = {"format": "fastsim-arena events", "version": "1", "provenance": "Thrown with dice."}
    with uproot.recreate(path) as file:
        for name, text in {**texts, "detector": json.dumps(described), **strings}.items():
            file[name] = text
        file.mktree(tree, {name: np.dtype((values.dtype, values.shape[1:])) for name, values in branches.items()})
        file[tree].extend(branches)
    return path


WRITERS = {"arena-hdf5": (write_hdf5, "own.h5"), "arena-root": (write_root, "own.root")}


@pytest.mark.parametrize("layout", WRITERS)
def test_our_own_layouts_are_read_as_documented(tmp_path: Path, layout: str) -> None:
    write, name = WRITERS[layout]
    content = columns(6)
    source = open_events(write(tmp_path / name, TOY, content))
    assert source.layout == layout
    events = source.read(1, 4)
    np.testing.assert_array_equal(events.response, content["response"][1:4])
    np.testing.assert_array_equal(events.identity, content["identity"][1:4])
    np.testing.assert_array_equal(events.conditions["slope"], content["conditions/slope"][1:4])
    for key in ("pile-up", "truth/signal"):
        expected = content[f"auxiliary/{key}"][1:4]
        np.testing.assert_array_equal(events.auxiliary[key], expected)
        assert events.auxiliary[key].dtype == expected.dtype
    volume = source.detector.layers[0]
    assert (source.detector.threshold, source.detector.signed, volume.depth_x0) == (0.1, True, 7.5)
    assert volume.axes[1].edges == (-1.0, 0.0, 0.1, 1.0)
    assert source.detector.conditions[1].shape == (2,)


def test_nothing_is_lost_from_hdf5_to_root_and_back(tmp_path: Path) -> None:
    content = columns(6)
    first = write_hdf5(tmp_path / "a.h5", TOY, content)
    assert convert(first, tmp_path / "b.root", "arena-root").not_held == ()
    assert "events/auxiliary_truth%2Fsignal" in root.keys_of(tmp_path / "b.root")
    done = convert(tmp_path / "b.root", tmp_path / "c.h5", "arena-hdf5")
    assert (done.not_held, done.num_events, done.files) == ((), EVENTS, (tmp_path / "c.h5",))
    with h5py.File(tmp_path / "c.h5") as file:
        for key, values in content.items():
            np.testing.assert_array_equal(file[key][()], values, err_msg=key)
            assert file[key].dtype == values.dtype, key
        assert json.loads(file.attrs["detector"]) == TOY
        assert file.attrs["provenance"] == "Thrown with dice."
        assert (file["response"].compression, file["response"].shuffle) == ("gzip", True)


def test_many_blocks_are_written_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_adapters.source.BLOCK_BYTES", 2 * 6 * 4)
    content = columns(6)
    write_hdf5(tmp_path / "a.h5", TOY, content)
    convert(tmp_path / "a.h5", tmp_path / "b.root", "arena-root")
    convert(tmp_path / "b.root", tmp_path / "c.h5", "arena-hdf5")
    with uproot.open(tmp_path / "b.root") as file, h5py.File(tmp_path / "c.h5") as again:
        np.testing.assert_array_equal(file["events"]["response"].array(library="np"), content["response"])
        np.testing.assert_array_equal(again["response"][()], content["response"])


def test_the_sample_keeps_everything(tmp_path: Path) -> None:
    done = convert(ATLAS_PHOTONS_GEANT4.file, tmp_path / "photons.h5", "arena-hdf5")
    assert done.not_held == ()
    source = open_events(tmp_path / "photons.h5")
    assert source.detector == ATLAS_PHOTONS_GEANT4.detector
    with h5py.File(ATLAS_PHOTONS_GEANT4.file) as old, h5py.File(tmp_path / "photons.h5") as new:
        np.testing.assert_array_equal(new["response"][()], old["showers"][()])
        np.testing.assert_array_equal(new["conditions/alignment_phi"][()], old["alignment_phi"][()])


def test_text_is_held_by_hdf5_and_reported_for_root(tmp_path: Path) -> None:
    words = ["π⁺", "e", "", "γ", "jet", "μ"]
    content = {**columns(6), "auxiliary/particle": np.array(words, dtype=object)}
    path = write_hdf5(tmp_path / "a.h5", TOY, content)
    assert open_events(path).auxiliary["particle"].tolist() == words
    assert convert(path, tmp_path / "b.h5", "arena-hdf5").not_held == ()
    assert open_events(tmp_path / "b.h5").auxiliary["particle"].tolist() == words
    done = convert(path, tmp_path / "c.root", "arena-root")
    assert done.not_held == ("The auxiliary columns are not held: particle.",)


def test_vectors_of_length_one_stay_vectors(tmp_path: Path) -> None:
    described = detector(TOY["layers"][0]["axes"], [ENERGY, {**SLOPE, "shape": [1]}], signed=True)
    content = columns(6)
    content["conditions/slope"] = content["conditions/slope"][:, :1]
    convert(write_hdf5(tmp_path / "a.h5", described, content), tmp_path / "b.root", "arena-root")
    np.testing.assert_array_equal(open_events(tmp_path / "b.root").conditions["slope"], content["conditions/slope"])


def cylinder(axes: list[Json], unit: str = "MeV") -> tuple[Json, Json]:
    """A volume whose cells tell their place: 100 z + 10 α + r, plus the event in thousands."""
    shape = [len(item["edges"]) - 1 for item in axes]
    place = dict(zip([item["name"] for item in axes], np.indices(shape), strict=True))
    cell = 100 * place["z"] + 10 * place["alpha" if "alpha" in place else "phi"] + place["r"]
    response = (cell.ravel() + 1000 * np.arange(EVENTS)[:, None]).astype(np.float32)
    energy = np.linspace(2e3, 9e3, EVENTS)
    content = {
        "response": response,
        "identity": np.arange(EVENTS, dtype=np.uint64),
        "conditions/incident_energy": energy,
    }
    return detector(axes, [{**ENERGY, "unit": unit}], unit), content


def bin_of(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text())[0]  # noqa: S314, our own file


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_volume_is_reordered_by_the_names_of_its_axes(tmp_path: Path, order: tuple[int, ...]) -> None:
    axes = [[RADIUS, ANGLE, DEPTH][index] for index in order]
    path = write_hdf5(tmp_path / "a.h5", *cylinder(axes))
    done = convert(path, tmp_path / "b.hdf5", "calochallenge")
    assert [file.name for file in done.files] == ["b.hdf5", "b.xml"]
    expected = [100 * z + 10 * alpha + r for z in range(3) for alpha in range(4) for r in range(2)]
    with h5py.File(tmp_path / "b.hdf5") as file:
        assert file["incident_energies"].shape == (EVENTS, 1)
        np.testing.assert_array_equal(file["showers"][0], expected)
        np.testing.assert_array_equal(file["showers"][5], np.add(expected, 5000))
    layers = bin_of(tmp_path / "b.xml")
    assert [layer.attrib for layer in layers] == [
        {"id": str(number), "r_edges": "0,3,10", "n_bin_alpha": "4"} for number in range(3)
    ]
    assert any("identities" in sentence for sentence in done.not_held)
    assert any("threshold of 0.1 MeV" in sentence for sentence in done.not_held)
    assert any("3 layers, the first with 4 in alpha × 2 in r" in sentence for sentence in done.not_held)


@pytest.mark.parametrize(
    ("begin", "bins"), [(0.0, [2, 3, 0, 1]), (-math.pi / 2, [3, 0, 1, 2]), (math.pi, [0, 1, 2, 3])]
)
def test_angles_that_begin_elsewhere_are_turned(tmp_path: Path, begin: float, bins: list[int]) -> None:
    angle = axis("phi", np.linspace(begin, begin + 2 * math.pi, 5).tolist(), "rad")
    path = write_hdf5(tmp_path / "a.h5", *cylinder([DEPTH, angle, RADIUS]))
    convert(path, tmp_path / "b.h5", "calochallenge")
    with h5py.File(tmp_path / "b.h5") as file:  # the first bin is the one from −π to −π/2, a full turn aside
        np.testing.assert_array_equal(file["showers"][0, :8], [10 * alpha + r for alpha in bins for r in range(2)])


def test_gev_become_mev(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", *cylinder([DEPTH, ANGLE, RADIUS], unit="GeV"))
    done = convert(path, tmp_path / "b.h5", "calochallenge")
    assert "The response is in MeV instead of GeV, rounded to float32." in done.not_held
    with h5py.File(tmp_path / "b.h5") as file:
        np.testing.assert_array_equal(file["showers"][0, :4], [0, 1000, 10000, 11000])
        np.testing.assert_allclose(file["incident_energies"][:, 0], np.linspace(2e6, 9e6, EVENTS))


def test_the_challenge_to_root_and_back_bit_for_bit(tmp_path: Path) -> None:
    showers = np.random.default_rng(3).gamma(0.1, 1e3, (EVENTS, 368)).astype(np.float32)
    energies = 2.0 ** np.arange(8, 8 + EVENTS)[:, None]
    with h5py.File(tmp_path / "dataset_1_photons_1.hdf5", "w") as file:
        file["incident_energies"], file["showers"] = energies, showers
    assert convert(tmp_path / "dataset_1_photons_1.hdf5", tmp_path / "b.root", "arena-root").not_held == ()
    assert convert(tmp_path / "b.root", tmp_path / "c.h5", "arena-hdf5").not_held == ()
    assert convert(tmp_path / "c.h5", tmp_path / "d.hdf5", "calochallenge").not_held == ()
    with h5py.File(tmp_path / "d.hdf5") as file:
        np.testing.assert_array_equal(file["showers"][()], showers)
        np.testing.assert_array_equal(file["incident_energies"][()], energies)
    photon = bin_of(tmp_path / "d.xml")
    assert (photon.attrib, photon[12].attrib["id"]) == ({"pid": "22", "name": "photon"}, "12")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (TOY["layers"][0]["axes"], r"volume has the axes \(x, y\); r and alpha \(or phi\) are needed"),
        ([axis("r", [0.0, 1.0], "cell"), ANGLE], "radial edges of volume are in cell; mm"),
        ([RADIUS, axis("phi", [0.0, 1.0, 2.0], "rad")], "angles of volume run from 0 to 2 rad; even bins"),
        ([RADIUS, axis("phi", np.linspace(0, 2 * math.pi, 4).tolist(), "rad")], "with an edge at −π"),
        ([RADIUS, axis("phi", [0.0, 180.0, 360.0], "deg")], "in rad"),
    ],
)
def test_what_is_no_cylinder_is_refused_with_the_reason(tmp_path: Path, axes: list[Json], message: str) -> None:
    cells = math.prod(len(item["edges"]) - 1 for item in axes)
    content = columns(cells)
    del content["conditions/slope"]
    content["response"] = abs(content["response"])
    path = write_hdf5(tmp_path / "a.h5", detector(axes, [ENERGY]), content)
    with pytest.raises(CannotConvert, match=message + ".*can hold it: arena-hdf5, arena-root"):
        convert(path, tmp_path / "b.h5", "calochallenge")
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_conditions_that_the_target_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotConvert, match="one condition, the incident energy; atlas-photons has alignment_eta"):
        convert(ATLAS_PHOTONS_GEANT4.file, tmp_path / "b.h5", "calochallenge")
    path = write_hdf5(tmp_path / "a.h5", TOY, columns(6))
    with pytest.raises(CannotConvert, match="the layout holds energies ≥ 0"):
        convert(path, tmp_path / "b.h5", "calochallenge")


def test_a_failed_conversion_leaves_nothing_behind(tmp_path: Path) -> None:
    content = columns(6)
    content["response"][5, 3] = math.nan
    path = write_hdf5(tmp_path / "a.h5", TOY, content)
    (tmp_path / "b.root").write_bytes(b"older")
    for name, layout in (("b.root", "arena-root"), ("c.h5", "arena-hdf5")):
        with pytest.raises(UnreadableFile, match="'response', event 5: cell 3 holds nan"):
            convert(path, tmp_path / name, layout, force=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5", "b.root"]
    assert (tmp_path / "b.root").read_bytes() == b"older"


def test_nothing_is_overwritten_unless_forced(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", *cylinder([DEPTH, ANGLE, RADIUS]))
    for taken in ("b.h5", "b.xml"):
        (tmp_path / taken).write_text("mine")
        with pytest.raises(CannotConvert, match=f"{taken} is there already; .* --force"):
            convert(path, tmp_path / "b.h5", "calochallenge")
        assert (tmp_path / taken).read_text() == "mine"
        assert sorted(file.name for file in tmp_path.iterdir()) == ["a.h5", taken]
        convert(path, tmp_path / "b.h5", "calochallenge", force=True)
        assert open_events(tmp_path / "b.h5").layout == "calochallenge"
        (tmp_path / "b.h5").unlink()
        (tmp_path / "b.xml").unlink()
    with pytest.raises(CannotConvert, match="is the file that is read"):
        convert(path, path, "arena-hdf5", force=True)


def test_targets_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", TOY, columns(6))
    with pytest.raises(CannotConvert, match=r"files of the layout arena-root end in \.root"):
        convert(path, tmp_path / "b.h5", "arena-root")
    with pytest.raises(CannotConvert, match=r"atlas-hdf5 is only read; those that can be written are .*arena-hdf5"):
        convert(path, tmp_path / "b.h5", "atlas-hdf5")
    with pytest.raises(CannotConvert, match="make it first"):
        convert(path, tmp_path / "nowhere" / "b.h5", "arena-hdf5")
    with pytest.raises(UnknownName, match="Nearest: 'arena-hdf5'"):
        convert(path, tmp_path / "b.h5", "arena-hdf")
    with pytest.raises(UnreadableFile, match="there is no such file"):
        convert(tmp_path / "none.h5", tmp_path / "b.h5", "arena-hdf5")


BROKEN = [
    ({"detector": "{}"}, "it describes no detector"),
    ({"detector": "[1"}, "it describes no detector"),
    ({"version": "2"}, "it is of version 2; 1 is known here"),
    ({"format": "other"}, "its format is 'other'"),
]


@pytest.mark.parametrize(("texts", "message"), BROKEN)
@pytest.mark.parametrize("layout", WRITERS)
def test_what_a_file_says_of_itself_is_checked(tmp_path: Path, layout: str, texts: Json, message: str) -> None:
    write, name = WRITERS[layout]
    with pytest.raises(UnreadableFile, match=message):
        open_events(write(tmp_path / name, TOY, columns(6), **texts))


@pytest.mark.parametrize("layout", WRITERS)
def test_columns_that_do_not_fit_the_detector_are_named(tmp_path: Path, layout: str) -> None:
    write, name = WRITERS[layout]
    content = columns(6)
    missing = {key: values for key, values in content.items() if key != "conditions/slope"}
    with pytest.raises(UnreadableFile, match="slope"):
        open_events(write(tmp_path / name, TOY, missing))
    wrong = detector([axis("x", list(range(8)), "mm")], [ENERGY, SLOPE])
    with pytest.raises(UnreadableFile, match=r"key 'response': .*7.* needed"):
        open_events(write(tmp_path / name, wrong, content))
    with pytest.raises(UnreadableFile, match="key 'identity': it holds int64; uint64 is needed"):
        open_events(write(tmp_path / name, TOY, {**content, "identity": np.arange(EVENTS)}))
    with pytest.raises(UnreadableFile, match="no events"):
        open_events(write(tmp_path / name, TOY, {key: values[:0] for key, values in content.items()}), layout)


def test_auxiliary_columns_of_another_length_are_named(tmp_path: Path) -> None:
    content = {**columns(6), "auxiliary/short": np.arange(EVENTS - 1)}
    with pytest.raises(UnreadableFile, match=r"'auxiliary/short': it has shape \(5,\); 6 events need \(6, …\)"):
        open_events(write_hdf5(tmp_path / "a.h5", TOY, content))


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    lists = awkward.Array([[1.0, 2.0], [], [3.0]])
    with uproot.recreate(tmp_path / "trees.root") as file:
        file.mktree("showers/barrel", {"energy": "float64", "cells": np.dtype(("f4", (3,))), "hits": "var * float64"})
        cells = np.arange(9, dtype=np.float32).reshape(3, 3)
        file["showers/barrel"].extend({"energy": np.array([1.0, 2.0, 3.0]), "cells": cells, "hits": lists})
        file["histogram"] = np.histogram([1.0, 2.0])
        file["ntuple"] = {"energy": np.arange(3.0)}
        file.mktree("empty", {"energy": "float64"})
    return tmp_path / "trees.root"


def test_root_branches_are_read_in_ranges(trees: Path) -> None:
    tree = "showers/barrel"
    assert root.keys_of(trees) >= {f"{tree}/energy", f"{tree}/cells", f"{tree}/hits", "empty/energy"}
    needed = [Needed("energy"), Needed("cells", (3,)), Needed("hits", jagged=True), Needed("other", optional=True)]
    assert root.check_branches(trees, tree, needed) == 3
    assert root.entry_shape(trees, tree, "cells") == (3,)
    np.testing.assert_array_equal(root.read_column(trees, tree, "energy"), [1, 2, 3])
    np.testing.assert_array_equal(root.read_fixed(trees, tree, ["cells"], 1, 3)["cells"], [[3, 4, 5], [6, 7, 8]])
    np.testing.assert_array_equal(root.RootResponse(trees, tree, "cells")(2, 3), [[6, 7, 8]])
    hits = root.read_jagged(trees, tree, ["hits"], 1, 3)["hits"]
    np.testing.assert_array_equal(hits.values, [3])
    np.testing.assert_array_equal(hits.counts, [0, 1])


def test_everything_wrong_with_a_tree_is_said_at_once(trees: Path) -> None:
    needed = [Needed("energies"), Needed("cells", (4,)), Needed("hits"), Needed("energy", jagged=True)]
    with pytest.raises(UnreadableFile) as caught:
        root.check_branches(trees, "showers/barrel", needed)
    message = str(caught.value)
    assert "4 problems" in message
    assert "no branch 'energies'. Nearest: 'energy'" in message
    assert "'cells': an entry is an array of 3 numbers; an array of 4 numbers is needed" in message
    assert "'hits': an entry is a list of variable length (one number each); one number is needed" in message
    assert "'energy': an entry is one number; a list of variable length (one number each) is needed" in message


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ("barrel", "no tree 'barrel'.* All of them: empty, ntuple, showers/barrel"),
        ("histogram", "it is a TH1D; a TTree is needed"),
        ("empty", "no events"),
    ],
)
def test_another_tree_is_refused(trees: Path, tree: str, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        root.check_branches(trees, tree, [Needed("energy")])


def test_an_rntuple_is_read_like_a_tree(trees: Path, tmp_path: Path) -> None:
    path = tmp_path / "ntuple.root"
    lists = awkward.Array([[1.0, 2.0], [], [3.0]])
    with uproot.recreate(path) as file:
        file.mkrntuple("tracks", {"x": lists, "energy": np.array([1.0, 2.0, 3.0])})
    needed = [Needed("x", jagged=True), Needed("energy")]
    assert root.check_branches(path, "tracks", needed) == 3
    np.testing.assert_array_equal(root.read_column(path, "tracks", "energy"), [1, 2, 3])
    jagged = root.read_jagged(path, "tracks", ["x"])["x"]
    np.testing.assert_array_equal(jagged.values, [1, 2, 3])
    np.testing.assert_array_equal(jagged.counts, [2, 0, 1])
    assert root.check_branches(trees, "ntuple", [Needed("energy")]) == 3


def test_an_arena_file_with_another_tree_gets_the_nearest(tmp_path: Path) -> None:
    path = write_root(tmp_path / "own.root", TOY, columns(6), tree="event")
    with pytest.raises(UnreadableFile, match=r"no tree 'events'\. Nearest: 'event'"):
        open_events(path, "arena-root")


def test_root_files_that_are_none_are_refused(trees: Path, tmp_path: Path) -> None:
    whole, path = trees.read_bytes(), tmp_path / "own.root"
    for content, message in (
        (whole[: len(whole) // 2], "it is truncated"),
        (whole[:-1], "it is truncated"),
        (whole[:100], "not readable as ROOT"),
        (b"\x89HDF\r\n", "it is no ROOT file"),
        (b"", "it is no ROOT file"),
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=message):
            root.check_branches(path, "showers/barrel", [Needed("energy")])
    assert root.keys_of(path) == frozenset()
    with pytest.raises(UnreadableFile, match="there is no such file"):
        root.read_column(tmp_path / "nowhere.root", "showers/barrel", "energy")


def test_damaged_bytes_never_raise_anything_else(trees: Path, tmp_path: Path) -> None:
    whole, path = trees.read_bytes(), tmp_path / "own.root"
    rng = np.random.default_rng(4)
    damaged = 0
    for _ in range(25):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole), 40):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            root.keys_of(path)
            root.read_fixed(path, "showers/barrel", ["energy", "cells"])
            root.read_jagged(path, "showers/barrel", ["hits"])
        except UnreadableFile:
            damaged += 1
    assert damaged > 5
