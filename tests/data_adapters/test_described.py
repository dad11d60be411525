"""Files of any layout, described by a TOML: what is read, and what is said where it does not fit."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
import uproot

from data_adapters.adapters import open_events
from data_adapters.options import InvalidOption
from data_adapters.problems import UnreadableFile
from data_adapters.registry import UnknownName

N = 250
SHAPE = (4, 3, 2)
RANDOM = np.random.default_rng(1)
SHOWERS = (RANDOM.exponential(1.0, (N, *SHAPE)) * (RANDOM.random((N, *SHAPE)) < 0.4)).astype(np.float32)
FLAT = SHOWERS.reshape(N, -1)
ENERGY = RANDOM.uniform(1.0, 100.0, N)
ANGLE = RANDOM.uniform(0.5, 2.6, N)
KIND = RANDOM.integers(0, 3, N)

DESCRIPTION = """
name = "my-calorimeter"
title = "4 x 3 x 2 cells"
[response]
key = "showers"
unit = "MeV"
threshold = 0.1
[[response.axes]]
name = "x"
cells = 4
size = 5.0
unit = "mm"
[[response.axes]]
name = "y"
edges = [0.0, 1.0, 2.0, 4.0]
unit = "mm"
[[response.axes]]
name = "z"
cells = 2
[conditions.incident_energy]
key = "energy"
unit = "GeV"
energy = true
range = [1.0, 100.0]
[conditions.angle]
key = "theta"
unit = "rad"
range = [0.5, 2.6]
[conditions.kind]
categories = 3
"""


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["showers"], file["energy"], file["theta"], file["kind"] = SHOWERS, ENERGY[:, None], ANGLE, KIND


def npz(path: Path) -> None:
    np.savez(path, showers=FLAT, energy=ENERGY, theta=ANGLE, kind=KIND)


def npz_compressed(path: Path) -> None:
    np.savez_compressed(path, showers=SHOWERS, energy=ENERGY, theta=ANGLE, kind=KIND)


def csv(path: Path) -> None:
    cells = {f"showers_{cell}": FLAT[:, cell].astype(np.float64) for cell in reversed(range(FLAT.shape[1]))}
    pd.DataFrame({"energy": ENERGY, **cells, "theta": ANGLE, "kind": KIND}).to_csv(path, index=False)


def tree(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mktree("t", {"showers": np.dtype(("f4", SHAPE)), "energy": "f8", "theta": "f8", "kind": "i4"})
        file["t"].extend({"showers": SHOWERS, "energy": ENERGY, "theta": ANGLE, "kind": KIND.astype(np.int32)})


def ntuple(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mkrntuple("t", {"showers": ak.Array(FLAT.tolist()), "energy": ENERGY, "theta": ANGLE, "kind": KIND})


FORMATS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "hdf5": ("showers.h5", hdf5),
    "npz": ("showers.npz", npz),
    "npz-compressed": ("showers.npz", npz_compressed),
    "csv": ("showers.csv", csv),
    "root-tree": ("showers.root", tree),
    "root-ntuple": ("showers.root", ntuple),
}


def described(text: str, path: Path) -> Path:
    """Write a description beside a file, with the keys that its format needs."""
    if path.suffix == ".root":
        text = (
            text.replace('"showers"', '"t/showers"').replace('"energy"', '"t/energy"').replace('"theta"', '"t/theta"')
        )
        text = text.replace("categories", 'key = "t/kind"\ncategories')
    path.with_suffix(".toml").write_text(text)
    return path


@pytest.fixture
def showers(tmp_path: Path) -> Path:
    """An HDF5 file and its description."""
    path = tmp_path / "showers.h5"
    hdf5(path)
    return described(DESCRIPTION, path)


def redescribe(path: Path, *changes: tuple[str, str]) -> None:
    text = DESCRIPTION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.with_suffix(".toml").write_text(text)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_events(tmp_path: Path, kind: str) -> None:
    name, write = FORMATS[kind]
    write(tmp_path / name)
    source = pickle.loads(pickle.dumps(open_events(described(DESCRIPTION, tmp_path / name))))  # noqa: S301
    assert len(source) == N
    for start, stop in ((120, 240), (240, 250), (7, 9)):
        np.testing.assert_array_equal(source.read(start, stop).response, FLAT[start:stop])
    np.testing.assert_array_equal(source.conditions["incident_energy"], ENERGY * 1000)
    np.testing.assert_array_equal(source.conditions["angle"], ANGLE)
    np.testing.assert_array_equal(source.conditions["kind"], KIND)
    assert len(np.unique(source.identity)) == N


def test_the_detector_is_the_described_one(showers: Path) -> None:
    detector = open_events(showers).detector
    x, y, z = detector.layers[0].axes
    assert (x.edges, x.unit) == ((-10.0, -5.0, 0.0, 5.0, 10.0), "mm")
    assert (y.edges, z.edges, z.unit) == ((0.0, 1.0, 2.0, 4.0), (0.0, 1.0, 2.0), "cell")
    assert (detector.name, detector.unit, detector.threshold, detector.signed) == ("my-calorimeter", "MeV", 0.1, False)
    energy = detector.energy_condition
    assert energy is detector.binning_condition
    assert energy is not None
    assert (energy.unit, energy.low, energy.high) == ("MeV", 1000.0, 100000.0)


def test_another_condition_can_have_the_bins(showers: Path) -> None:
    redescribe(showers, ('unit = "rad"', 'unit = "rad"\nbins = true'))
    assert open_events(showers).detector.binning_condition.name == "angle"


@pytest.mark.parametrize(
    ("unit", "into", "value", "expected"), [("GeV", "MeV", 0.1, 100.0), ("MeV", "GeV", 3.0, 0.003)]
)
def test_energies_are_converted_exactly(tmp_path: Path, unit: str, into: str, value: float, expected: float) -> None:
    path = tmp_path / "one.npz"
    np.savez(path, showers=np.ones((2, 3)), energy=np.full(2, value))
    path.with_suffix(".toml").write_text(
        f'[response]\nkey = "showers"\nunit = "{into}"\n[[response.axes]]\nname = "x"\ncells = 3\n'
        f'[conditions.energy]\nunit = "{unit}"\nenergy = true\n'
    )
    assert open_events(path).conditions["energy"].tolist() == [expected, expected]


def test_a_description_can_be_opened_itself_and_name_its_file(showers: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('file = "showers.h5"\n' + DESCRIPTION)
    for path in (other, showers.with_suffix(".toml")):
        assert open_events(path).files == (showers, path)


def test_the_description_of_another_file_is_not_taken(tmp_path: Path, showers: Path) -> None:
    np.savez(tmp_path / "alone.npz", a=np.ones(3))
    (tmp_path / "alone.toml").write_text('file = "showers.h5"\n' + DESCRIPTION)
    assert open_events(tmp_path / "alone.toml").path == showers
    with pytest.raises(UnreadableFile, match=r"describe the file: arena data describe alone\.npz"):
        open_events(tmp_path / "alone.npz")


def test_a_folder_of_files_is_described_once(tmp_path: Path) -> None:
    folder = tmp_path / "showers"
    folder.mkdir()
    hdf5(folder / "a.h5")
    npz(folder / "b.npz")
    (tmp_path / "showers.toml").write_text(DESCRIPTION)
    source = open_events(folder)
    assert len(source) == 2 * N
    np.testing.assert_array_equal(source.read(N - 5, N + 5).response, np.concatenate([FLAT[-5:], FLAT[:5]]))


def test_a_description_can_name_a_layout_and_its_options(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "ecal.h5", "w") as file:
        file["ECAL"] = np.full((3, 51, 51, 25), 1.0, dtype=np.float32)
        file["energy"], file["theta"] = np.full(3, 100.0), np.full(3, 1.5)
    named = tmp_path / "ecal.toml"
    named.write_text('layout = "clic-3dgan"\n[options]\nscale = 0.5\n')
    assert open_events(tmp_path / "ecal.h5").read().response[0, 0] == 0.5
    assert open_events(named, options={"scale": "0.25"}).read().response[0, 0] == 0.25
    named.write_text('layout = "clic-3dgam"\n')
    with pytest.raises(
        UnreadableFile, match=r"ecal\.toml: key 'layout': no layout 'clic-3dgam'\. Nearest: 'clic-3dgan'"
    ):
        open_events(named)
    named.write_text('layout = "clic-3dgan"\n[options]\nscal = 0.5\n')
    with pytest.raises(UnreadableFile, match=r"key 'options': no option 'scal'\. Nearest: 'scale'"):
        open_events(named)


def test_a_described_file_has_no_options(showers: Path) -> None:
    with pytest.raises((UnknownName, InvalidOption), match="scale"):
        open_events(showers, options={"scale": "1"})


def test_identity_keys_keep_events_together(showers: Path) -> None:
    with h5py.File(showers, "r+") as file:
        file["event"] = np.arange(N) // 5
    redescribe(showers, ("[conditions.incident_energy]", '[identity]\nkeys = ["event"]\n[conditions.incident_energy]'))
    identity = open_events(showers).identity
    assert len(np.unique(identity)) == N // 5
    assert (identity[:5] == identity[0]).all()


MISTAKES = {
    "unknown key": ("size = 5.0", "sizes = 5.0", r"response.axes\[0\].sizes'.*Nearest: 'size'"),
    "unknown table": ("[conditions.angle]", "[condition.angle]", r"key 'condition'.*Nearest: 'conditions'"),
    "missing unit": ('unit = "GeV"\n', "", r"conditions.incident_energy.unit': it is missing. Write: unit = "),
    "unit in wrong case": ('"GeV"', '"gev"', r"conditions.incident_energy.unit'.*Write: unit = \"GeV\""),
    "unit of no energy": ('"GeV"', '"mm"', r"conditions.incident_energy.unit': it is 'mm'"),
    "text for a number": ("size = 5.0", 'size = "5"', r"response.axes\[0\].size': it is '5'; a number above 0"),
    "negative size": ("size = 5.0", "size = -5.0", r"response.axes\[0\].size': it is -5.0"),
    "no cells": ("cells = 4\n", "", r"response.axes\[0\].cells': it is missing. Write: cells = 12"),
    "unsorted edges": ("[0.0, 1.0, 2.0, 4.0]", "[0.0, 2.0, 1.0, 4.0]", r"response.axes\[1\].edges'.*Sort them"),
    "edges and size": ("edges = ", "size = 2.0\nedges = ", r"response.axes\[1\].size': edges and a size are given"),
    "edges and other cells": ("edges = ", "cells = 5\nedges = ", r"response.axes\[1\].cells': 4 edges make 3 cells"),
    "one name for two axes": ('name = "y"', 'name = "x"', r"response.axes': two axes are called 'x'"),
    "range upside down": ("[0.5, 2.6]", "[2.6, 0.5]", r"conditions.angle.range': it is \[2.6, 0.5\]"),
    "one category": (
        "categories = 3",
        "categories = 1",
        r"conditions.kind.categories': it is 1; a whole number from 2",
    ),
    "range of categories": ("categories = 3", "categories = 3\nrange = [0, 2]", "conditions.kind.range': categories"),
    "two energies": ('unit = "rad"', 'unit = "GeV"\nenergy = true', "conditions.angle.energy': conditions.incident_e"),
    "no response": ("[response]", "[answer]", r"response.key': it is missing"),
    "no TOML": ("[response]", "[response", r"not readable as TOML \(.*line 4"),
    "missing file": ('name = "my', 'file = "gone.h5"\nname = "my', r"key 'file': there is no .*gone\.h5"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_where_and_what_to_write(showers: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    redescribe(showers, (old, new))
    with pytest.raises(UnreadableFile, match=f"showers.toml: [\\s\\S]*{message}"):
        open_events(showers.with_suffix(".toml"))


def test_all_mistakes_are_said_at_once(showers: Path) -> None:
    redescribe(showers, ("cells = 4", "cells = 0"), ('"GeV"', '"gev"'), ("threshold", "treshold"))
    with pytest.raises(UnreadableFile, match="3 problems") as raised:
        open_events(showers)
    keys = {problem.key for problem in raised.value.problems}
    assert keys == {"response.axes[0].cells", "conditions.incident_energy.unit", "response.treshold"}


def test_two_files_of_one_name_are_told_apart(showers: Path) -> None:
    npz(showers.with_suffix(".npz"))
    assert open_events(showers.with_suffix(".npz")).path.suffix == ".npz"
    with pytest.raises(UnreadableFile, match=r"showers\.h5, showers\.npz beside it.*Say which is meant"):
        open_events(showers.with_suffix(".toml"))


Change = Callable[[h5py.File], None]


def _replaced(key: str, values: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[key]
        file[key] = values

    return change


def _set(key: str, event: int, value: float) -> Change:
    def change(file: h5py.File) -> None:
        file[key][event] = value

    return change


BAD_FILES: dict[str, tuple[Change, str]] = {
    "missing key": (
        lambda file: file.move("showers", "shower"),
        r"no key 'showers'\. Nearest: 'shower'",
    ),
    "wrong shape": (_replaced("showers", np.ones((N, 4, 3))), r"key 'showers': it has shape \(250, 4, 3\)"),
    "swapped axes": (_replaced("showers", np.ones((N, 2, 3, 4))), r"axes x 4 × y 3 × z 2 need \(events, 4, 3, 2\)"),
    "mismatched lengths": (_replaced("theta", ANGLE[:-1]), "differ in length: energy 250, theta 249"),
    "text": (_replaced("energy", ["a"] * N), r"key 'energy': it holds object; numbers are needed"),
    "NaN energy": (_set("energy", 7, np.nan), r"key 'energy', event 7: it holds nan GeV"),
    "infinite energy": (_set("energy", 7, np.inf), r"key 'energy', event 7: it holds inf GeV"),
    "negative energy": (_set("energy", 8, -1.0), r"key 'energy', event 8: it holds -1 GeV.*\(1 of 250 events"),
    "GeV declared as MeV": (_replaced("energy", ENERGY * 1000), r"event 0: it holds .* mend unit and range"),
    "no category": (_set("kind", 9, 3), r"key 'kind', event 9: it holds 3; whole numbers from 0 to 2"),
    "matrix for a condition": (
        _replaced("theta", np.ones((N, 2))),
        r"key 'theta'.*key or shape in \[conditions.angle\]",
    ),
}


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_bad_file_is_refused_with_key_and_event(showers: Path, bad: str) -> None:
    change, message = BAD_FILES[bad]
    with h5py.File(showers, "r+") as file:
        change(file)
    with pytest.raises(UnreadableFile, match=rf"showers\.h5: [\s\S]*{message}"):
        open_events(showers)


def test_an_empty_file_is_refused(showers: Path) -> None:
    with h5py.File(showers, "w") as file:
        file["showers"] = np.zeros((0, *SHAPE))
        file["energy"], file["theta"], file["kind"] = np.zeros(0), np.zeros(0), np.zeros(0)
    with pytest.raises(UnreadableFile, match="it holds no events"):
        open_events(showers)


@pytest.mark.parametrize("link", ["showers", "group"])
def test_data_in_another_file_are_not_read(showers: Path, tmp_path: Path, link: str) -> None:
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["group/showers"] = SHOWERS
    with h5py.File(showers, "r+") as file:
        del file["showers"]
        target = "/group/showers" if link == "showers" else "/group"
        file[link] = h5py.ExternalLink("elsewhere.h5", target)
    redescribe(showers, ('"showers"', '"showers"' if link == "showers" else '"group/showers"'))
    with pytest.raises(UnreadableFile, match=r"external link|lies in another file"):
        open_events(showers)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str) -> None:
    name, write = FORMATS[kind]
    path = tmp_path / name
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 - 3])
    with pytest.raises(UnreadableFile, match=rf"{name}.*"):
        open_events(described(DESCRIPTION, path)).read()


@pytest.mark.parametrize("name", ["showers.h5", "showers.npz", "showers.root"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("this is text")
    with pytest.raises(UnreadableFile, match=r"HDF5|NPZ|no ROOT file"):
        open_events(described(DESCRIPTION, path))


def test_another_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "showers.root"
    tree(path)
    described(DESCRIPTION, path)
    path.with_suffix(".toml").write_text(path.with_suffix(".toml").read_text().replace('"t/', '"tracks/'))
    with pytest.raises(UnreadableFile, match=r"no key 'tracks/showers'\. Nearest: 't/showers'"):
        open_events(path)


def test_lists_of_different_length_are_refused_with_the_event(tmp_path: Path) -> None:
    path = tmp_path / "showers.root"
    lists = FLAT.tolist()
    lists[11] = lists[11][:-1]
    with uproot.recreate(path) as file:
        file.mktree("t", {"showers": "var * float32", "energy": "f8", "theta": "f8", "kind": "i8"})
        file["t"].extend({"showers": ak.Array(lists), "energy": ENERGY, "theta": ANGLE, "kind": KIND})
    with pytest.raises(UnreadableFile, match=r"key 't/showers', event 11: it has 23 values, others have 24"):
        open_events(described(DESCRIPTION, path)).read()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "showers.npz"
    np.savez(path, showers=np.array([{"a": 1}] * N), energy=ENERGY, theta=ANGLE, kind=KIND)
    with pytest.raises(UnreadableFile, match=r"key 'showers': it holds Python objects, which are never unpickled"):
        open_events(described(DESCRIPTION, path))


def test_arrays_in_fortran_order_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "showers.npz"
    columns: dict[str, Any] = {"energy": ENERGY, "theta": ANGLE, "kind": KIND}
    np.savez(path, showers=np.asfortranarray(SHOWERS), **columns)
    source = open_events(described(DESCRIPTION, path))
    np.testing.assert_array_equal(source.read(10, 20).response, FLAT[10:20])
    np.savez_compressed(path, showers=np.asfortranarray(SHOWERS), **columns)
    with pytest.raises(UnreadableFile, match="Fortran order"):
        open_events(path).read()


def test_a_range_of_columns_is_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "showers.csv"
    path.write_text("# energy;theta;kind;b;a;c\n50;1;0;1;2;3\n\n60;1;1;4;5;6\n")
    text = DESCRIPTION.replace('"showers"', '"b..c"').replace("cells = 4", "cells = 3")
    text = text.replace("edges = [0.0, 1.0, 2.0, 4.0]", "edges = [0.0, 1.0]").replace("cells = 2", "cells = 1")
    response = open_events(described(text, path)).read().response
    np.testing.assert_array_equal(response, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3", "event 3: the line has 3 columns; the first line names 27"),
        (",".join(["50", *["x"] * 24, "1", "0"]), r"key 'showers_0', event 3: it holds 'x'; a number is needed"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "showers.csv"
    csv(path)
    lines = path.read_text().splitlines()
    lines[4] = line
    path.write_text("\n".join(lines))
    with pytest.raises(UnreadableFile, match=message):
        open_events(described(DESCRIPTION, path)).read()


def test_a_table_without_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "showers.csv"
    np.savetxt(path, FLAT, delimiter=",")
    with pytest.raises(UnreadableFile, match="first line does not name the columns"):
        open_events(described(DESCRIPTION, path))
