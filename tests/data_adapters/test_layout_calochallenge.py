"""CaloChallenge files: the geometries of the four datasets, reading, what is refused, and high-level features."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.layouts.calochallenge import (
    PUBLISHED,
    high_level_features,
    parse_binning,
    published_detector,
    write_binning,
)
from data_adapters.options import InvalidOption
from data_adapters.problems import UnreadableFile
from data_adapters.registry import UnknownName
from data_adapters.source import EventSource

TWO_LAYERS = """<Bins>
  <Bin pid="22" etaMin="0" etaMax="130" name="photon">
    <Layer id="0" r_edges="0,2,4" n_bin_alpha="4" />
    <Layer id="1" r_edges="0" n_bin_alpha="1" />
    <Layer id="2" r_edges="0,10,30,60" n_bin_alpha="1" />
  </Bin>
  <Bin pid="211" name="pion"><Layer id="0" r_edges="0,5" n_bin_alpha="2" /></Bin>
</Bins>"""
VOXELS = 11  # of the photon above: 4 × 2 and 3

Columns = dict[str, Any]


def write(path: Path, columns: Columns) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
    return path


def dataset_2(events: int = 4) -> Columns:
    rng = np.random.default_rng(2)
    return {
        "incident_energies": np.geomspace(1e3, 1e6, events)[:, None],
        "showers": rng.random((events, 6480), dtype=np.float32),
    }


@pytest.fixture
def binning(tmp_path: Path) -> Path:
    path = tmp_path / "two_layers.xml"
    path.write_text(TWO_LAYERS)
    return path


def own_file(path: Path, events: int = 3) -> Path:
    showers = np.arange(events * VOXELS, dtype=np.float32).reshape(events, VOXELS)
    return write(path, {"incident_energies": np.full((events, 1), 65e3), "showers": showers})


def edges(*values: float) -> tuple[float, ...]:
    """The values; mypy takes a tuple of whole numbers to be unlike every tuple of floats."""
    return values


def test_dataset_1_photons_has_368_voxels_in_five_layers() -> None:
    layers = published_detector("calochallenge-1-photons").layers
    assert [layer.name for layer in layers] == ["layer_0", "layer_1", "layer_2", "layer_3", "layer_12"]
    assert [layer.shape for layer in layers] == [(1, 8), (10, 16), (10, 19), (1, 5), (1, 5)]
    assert sum(layer.num_cells for layer in layers) == 368
    assert layers[0].axes[1].edges == edges(0, 5, 10, 30, 50, 100, 200, 400, 600)
    assert layers[1].axes[1].edges == edges(0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200)
    assert layers[2].axes[1].edges[-4:] == edges(250, 300, 350, 400)
    assert layers[4].axes[1].edges == edges(0, 100, 200, 400, 1000, 2000)


def test_dataset_1_pions_has_533_voxels_in_seven_layers() -> None:
    layers = published_detector("calochallenge-1-pions").layers
    assert [layer.name[6:] for layer in layers] == ["0", "1", "2", "3", "12", "13", "14"]
    assert [layer.shape for layer in layers] == [(1, 8), (10, 10), (10, 10), (1, 5), (10, 15), (10, 16), (1, 10)]
    assert published_detector("calochallenge-1-pions").num_cells == 533
    assert layers[1].axes[1].edges == edges(0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200)
    assert layers[5].axes[1].edges[-5:] == edges(350, 400, 600, 1000, 2000)


@pytest.mark.parametrize(
    ("name", "shape", "radial_size"), [("calochallenge-2", (16, 9), 4.65), ("calochallenge-3", (50, 18), 2.325)]
)
def test_datasets_2_and_3_are_45_equal_layers(name: str, shape: tuple[int, int], radial_size: float) -> None:
    detector = published_detector(name)
    assert detector.num_cells == 45 * shape[0] * shape[1]
    assert [layer.name for layer in detector.layers] == [f"layer_{number}" for number in range(45)]
    for layer in detector.layers:
        assert layer.shape == shape
        np.testing.assert_allclose(layer.axes[1].edges, np.arange(shape[1] + 1) * radial_size, rtol=1e-12)
        np.testing.assert_allclose(np.diff(layer.axes[0].edges), 2 * math.pi / shape[0])
    assert detector.layers[0].axes[0].edges[0] == -math.pi


def test_a_file_is_recognised_by_its_voxels(tmp_path: Path) -> None:
    columns = dataset_2()
    source = open_events(write(tmp_path / "dataset_2_1.hdf5", columns))
    assert (source.layout, source.detector) == ("calochallenge", published_detector("calochallenge-2"))
    events = source.read()
    np.testing.assert_array_equal(events.response, columns["showers"])
    np.testing.assert_array_equal(events.incident_energy, columns["incident_energies"][:, 0])
    np.testing.assert_array_equal(source.read(1, 3).response, columns["showers"][1:3])


def test_radial_bins_run_fastest(tmp_path: Path, binning: Path) -> None:
    options = {"geometry": str(binning), "particle": "photon"}
    source = open_events(own_file(tmp_path / "own.h5"), options=options)
    first, last = source.detector.layers
    response = source.read().response[0]
    assert (first.axes[0].name, first.axes[1].name, last.name) == ("alpha", "r", "layer_2")
    np.testing.assert_array_equal(response[:8].reshape(first.shape)[2], [4, 5])
    assert source.detector.name == "calochallenge-photon-11"


def test_the_binning_beside_a_file_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "own.xml").write_text(TWO_LAYERS)
    source = open_events(own_file(tmp_path / "own.h5"), options={"particle": "22"})
    assert source.detector.num_cells == VOXELS


def test_showers_of_one_energy_have_different_identities(tmp_path: Path, binning: Path) -> None:
    options = {"geometry": str(binning), "particle": "22"}
    first = open_events(own_file(tmp_path / "own.h5", events=50), options=options)
    again = open_events(own_file(tmp_path / "twin.h5", events=50), options=options)
    assert len(set(first.identity.tolist())) == 50
    np.testing.assert_array_equal(first.identity, again.identity)


def test_the_threshold_is_applied_only_when_asked_for(tmp_path: Path) -> None:
    columns = dataset_2()
    path = write(tmp_path / "own.h5", columns)
    assert open_events(path).read().response.min() == columns["showers"].min() > 0
    source = open_events(path, options={"threshold": "0.25"})
    expected = np.where(columns["showers"] < 0.25, 0, columns["showers"])
    np.testing.assert_array_equal(source.read().response, expected)
    assert source.detector.threshold == 0.25
    with pytest.raises(InvalidOption, match=r"threshold is -1\.0"):
        open_events(path, options={"threshold": -1.0})
    with pytest.raises(UnknownName, match="Nearest: 'threshold'"):
        open_events(path, options={"treshold": 1.0})


def spoiled(tmp_path: Path, columns: Columns, **options: object) -> EventSource:
    return open_events(write(tmp_path / "own.h5", columns), "calochallenge", options)


def test_a_file_of_another_dataset_is_named(tmp_path: Path) -> None:
    columns = {"incident_energies": np.full((1, 1), 2e3), "showers": np.zeros((1, 40500), dtype=np.float32)}
    expected = "have 40500 voxels, as calochallenge-3 has; calochallenge-2 has 6480"
    with pytest.raises(UnreadableFile, match=expected):
        spoiled(tmp_path, columns, geometry="calochallenge-2")
    columns["showers"] = np.zeros((1, 504), dtype=np.float32)
    with pytest.raises(UnreadableFile, match=r"have 504 voxels; .* 368 \(calochallenge-1-photons\)"):
        spoiled(tmp_path, columns)


def test_energies_in_gev_are_refused(tmp_path: Path) -> None:
    columns = dataset_2()
    columns["incident_energies"] /= 1e3
    with pytest.raises(UnreadableFile, match=r"999 … .* MeV is possible.*They look like GeV: convert them to MeV"):
        spoiled(tmp_path, columns)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e4, 0.0, 5e6])
def test_an_impossible_incident_energy_is_named(tmp_path: Path, value: float) -> None:
    columns = dataset_2()
    columns["incident_energies"][2] = value
    with pytest.raises(UnreadableFile, match="'incident_energies', event 2: it is"):
        spoiled(tmp_path, columns)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-3])
def test_an_impossible_voxel_is_named(tmp_path: Path, value: float) -> None:
    columns = dataset_2()
    columns["showers"][3, 6479] = value
    with pytest.raises(UnreadableFile, match="key 'showers', event 3: cell 6479 holds"):
        spoiled(tmp_path, columns).read()


def test_missing_and_misshapen_columns_are_all_named(tmp_path: Path) -> None:
    columns = dataset_2()
    with pytest.raises(UnreadableFile, match=r"no key 'incident_energies'\. Nearest: 'incident_energy'"):
        spoiled(tmp_path, {"incident_energy": columns["incident_energies"], "showers": columns["showers"]})
    with pytest.raises(UnreadableFile, match=r"differ in length: incident_energies 3, showers 4"):
        spoiled(tmp_path, {**columns, "incident_energies": columns["incident_energies"][:3]})
    with pytest.raises(UnreadableFile, match=r"'showers': it has shape \(4, 45, 16, 9\); \(events, any\) is needed"):
        spoiled(tmp_path, {**columns, "showers": columns["showers"].reshape(4, 45, 16, 9)})
    with pytest.raises(UnreadableFile, match="no events"):
        spoiled(tmp_path, {name: values[:0] for name, values in columns.items()})


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.h5", dataset_2()).read_bytes()
    path = tmp_path / "own.h5"
    for content in (whole[: len(whole) // 2], b"energy,cells\n", b""):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match="not readable as HDF5"):
            open_events(path, "calochallenge")
    with pytest.raises(UnreadableFile, match="there is no such file"):
        open_events(tmp_path / "nowhere.h5", "calochallenge")


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "other.h5", dataset_2())
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["incident_energies"] = dataset_2()["incident_energies"]
        file["showers"] = h5py.ExternalLink("other.h5", "showers")
    with pytest.raises(UnreadableFile, match=r"'showers': it is an external link to 'other\.h5'"):
        open_events(tmp_path / "own.h5", "calochallenge")


LAYER = '<Layer id="0" r_edges="0,5" n_bin_alpha="2" />'


def one_bin(layers: str) -> str:
    return f'<Bins><Bin pid="22" name="photon">{layers}</Bin></Bins>'


BOMB = (
    '<!DOCTYPE Bins [<!ENTITY a "0,1,2,3"><!ENTITY b "&a;&a;&a;&a;">]>'
    '<Bins><Bin pid="22" name="photon"><Layer id="0" r_edges="&b;" n_bin_alpha="2" /></Bin></Bins>'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "declares a DOCTYPE"),
        (one_bin(LAYER) + " " * 2**20, "1 MiB at most"),
        ("<Bins><Bin>", "not readable as XML"),
        ("<Binning/>", "its root is <Binning>"),
        ("<Bins/>", "it has no <Bin>"),
        (one_bin(""), "no layer has voxels"),
        (one_bin('<Layer id="0" r_edges="0" n_bin_alpha="1" />'), "no layer has voxels"),
        (
            one_bin('<Layer id="0" r_edges="0,5,5" n_bin_alpha="1" />'),
            "'Layer 1': the edges of axis r are .* increasing",
        ),
        (one_bin('<Layer id="0" r_edges="0,nan" n_bin_alpha="1" />'), "finite"),
        (one_bin('<Layer id="0" r_edges="-5,5" n_bin_alpha="1" />'), "at least 0"),
        (one_bin('<Layer id="0" r_edges="0;5" n_bin_alpha="1" />'), "numbers with commas in between"),
        (one_bin('<Layer id="0" r_edges="0,5" n_bin_alpha="9999999" />'), "n_bin_alpha is '9999999'"),
        (one_bin('<Layer id="0" r_edges="0,5" />'), "n_bin_alpha is ''"),
        (one_bin(LAYER + LAYER), "'Layer 2': its id 0 does not come after 0"),
        (TWO_LAYERS, r"describes several: photon \(22, .* pion \(211\)"),
    ],
)
def test_a_binning_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(text)
    with pytest.raises(UnreadableFile, match=message):
        parse_binning(path)


def test_a_doctype_does_not_hide_behind_an_encoding(tmp_path: Path) -> None:
    path = tmp_path / "binning.xml"
    path.write_bytes(BOMB.encode("utf-16"))
    with pytest.raises(UnreadableFile, match="DOCTYPE"):
        parse_binning(path)


def test_an_unknown_particle_gets_the_nearest(binning: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"no particle 'photons'\. Nearest: 'photon'"):
        parse_binning(binning, "photons")
    with pytest.raises(UnreadableFile, match=r"no bin covers \|η\| \(200, 205\)"):
        parse_binning(binning, "photon", (200, 205))
    with pytest.raises(UnreadableFile, match="there is no such file"):
        parse_binning(tmp_path / "nowhere.xml")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_binning_that_is_written_reads_the_same(tmp_path: Path, name: str) -> None:
    binning = parse_binning(PUBLISHED[name].file)
    write_binning(tmp_path / "again.xml", binning)
    assert parse_binning(tmp_path / "again.xml") == binning
    with pytest.raises(FileExistsError):
        write_binning(tmp_path / "again.xml", binning)


def test_high_level_features_of_a_shower_by_hand(tmp_path: Path, binning: Path) -> None:
    shower = np.zeros((2, VOXELS), dtype=np.float32)
    shower[0, 2 * 2 + 1] = 6.0  # α = π/4, r = 3 mm
    shower[0, 3 * 2 + 0] = 2.0  # α = 3π/4, r = 1 mm
    shower[0, 8 + 1] = 4.0  # layer 2, r = 20 mm
    path = write(tmp_path / "own.h5", {"incident_energies": np.full((2, 1), 1e3), "showers": shower})
    source = open_events(path, options={"geometry": str(binning), "particle": "photon"})
    found = high_level_features(source.read().response, source.detector)
    np.testing.assert_array_equal(found.total_energy, [12, 0])
    np.testing.assert_array_equal([found.layer_energy[name] for name in ("layer_0", "layer_2")], [[8, 0], [4, 0]])
    by_hand = {
        "centre_eta": (6 * 3 - 2 * 1) / 8 * math.sqrt(0.5),
        "centre_phi": (6 * 3 + 2 * 1) / 8 * math.sqrt(0.5),
        "width_eta": math.sqrt(3.5 - 2.0),
        "width_phi": math.sqrt(3.5 - 3.125),
        "centre_r": 2.5,
        "width_r": math.sqrt(7 - 6.25),
    }
    for name, value in by_hand.items():
        np.testing.assert_allclose(getattr(found, name)["layer_0"], [value, 0], atol=1e-12, err_msg=name)
    np.testing.assert_allclose(found.sparsity["layer_0"], [0.75, 1])
    np.testing.assert_allclose(found.centre_r["layer_2"], [20, 0])
    assert set(found.centre_eta) == {"layer_0"}, "a layer without angular bins has no direction"


def test_high_level_features_need_cylinders() -> None:
    with pytest.raises(ValueError, match="presampler of atlas-photons has not the axes alpha and r"):
        high_level_features(np.zeros((1, 266), dtype=np.float32), ATLAS_PHOTONS)
