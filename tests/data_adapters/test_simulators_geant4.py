"""The reference simulations: production in blocks, arithmetic of images and events, and the samples they made."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import json
import math
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot

from data_adapters.options import InvalidOption
from data_adapters.problems import UnreadableFile
from data_adapters.registry import UnknownName
from data_adapters.simulators import alice_tracks, atlas_photons, clic_electrons, lhcb_calorimeter, lhcb_events
from data_adapters.simulators.alice_tracks import ALICE_TRACKS
from data_adapters.simulators.atlas_photons import ATLAS_PHOTONS
from data_adapters.simulators.clic_electrons import CLIC_ELECTRONS
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.geant4 import MissingSimulator
from data_adapters.simulators.hdf5_output import write_hdf5
from data_adapters.simulators.lhcb_events import LHCB_EVENTS, LhcbEventsOptions, Pool
from data_adapters.simulators.lhcb_pions import LHCB_PIONS
from data_adapters.simulators.production import (
    LARGEST_GEANT4_SEED,
    Block,
    FailedBlock,
    OtherParts,
    OutputExists,
    Parts,
    Recipe,
    Stream,
    evenly,
    parts_folder,
    produce,
    stream,
)
from data_adapters.simulators.root_output import jagged, write_tree
from data_adapters.splits import identities, identities_with_occurrence, split_of

SAMPLES = Path(clic_electrons.__file__).parents[1] / "samples"
SIMULATORS = (ATLAS_PHOTONS, CLIC_ELECTRONS, LHCB_PIONS, LHCB_EVENTS, ALICE_TRACKS)
ALL = pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda simulator: simulator.name)
NEEDS_WHEEL = pytest.mark.skipif(importlib.util.find_spec("geant4_pybind") is None, reason="needs the extra refsim")


def request_for(simulator: Simulator, folder: Path, **changes: Any) -> Request:
    return replace(Request(events=9, out=folder / f"out{simulator.suffix}"), **changes)


# ------------------------------------------------------------------ production, with a simulation of random numbers

TOY = """
import os
from pathlib import Path

def simulate(block, event_done):
    folder = Path(block.options.folder)
    with (folder / "calls.txt").open("a") as calls:
        calls.write(f"{block.number}\\n")
    if block.number == 1 and (folder / "fail").exists():
        raise ValueError("the magnet quenched")
    if block.number == 1 and (folder / "die").exists():
        os._exit(9)
    values = block.random().random(block.events)
    event_done()
    return {"value": values, "number": block.first + __import__("numpy").arange(block.events)}
"""


EXPECTED = np.concatenate([stream(1, number, Stream.CONDITIONS).random(size) for number, size in enumerate((2, 2, 1))])


@dataclass(frozen=True)
class ToyOptions:
    folder: str


@dataclass(frozen=True)
class Toy:
    """A simulator of five events in blocks of two, and the blocks that it has simulated."""

    folder: Path
    simulate: Callable[..., Any]

    def make(self, out: Path, **changes: Any) -> int:
        recipe = Recipe("toy", 1, "events", 2, self.simulate, partial(self._write, attributes={"by": "toy"}))
        return produce(recipe, replace(Request(5, out), **changes), ToyOptions(str(self.folder)))

    @staticmethod
    def _write(parts: Parts, path: Path, attributes: dict[str, object]) -> int:
        return write_hdf5(path, parts, attributes)

    def simulated(self) -> list[int]:
        calls = self.folder / "calls.txt"
        numbers = sorted(map(int, calls.read_text().split())) if calls.exists() else []
        calls.unlink(missing_ok=True)
        return numbers


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    folder = tmp_path / "toy"
    folder.mkdir()
    name = f"toy_{abs(hash(tmp_path))}"
    (folder / f"{name}.py").write_text(TOY)
    monkeypatch.syspath_prepend(folder)
    return Toy(folder, importlib.import_module(name).simulate)


def values_of(path: Path) -> list[float]:
    with h5py.File(path) as file:
        return list(file["value"][()])


def test_the_file_does_not_depend_on_the_number_of_processes(toy: Toy, tmp_path: Path) -> None:
    one, three = tmp_path / "one.h5", tmp_path / "three.h5"
    assert toy.make(one) == 5
    assert toy.make(three, processes=3) == 5
    assert one.read_bytes() == three.read_bytes()
    np.testing.assert_array_equal(values_of(one), EXPECTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.h5", "three.h5", "toy"]


@pytest.mark.parametrize(
    ("how", "said"), [("fail", "ValueError: the magnet quenched"), ("die", "process ended with 9")]
)
def test_an_interrupted_production_goes_on_where_it_was(toy: Toy, tmp_path: Path, how: str, said: str) -> None:
    out = tmp_path / "out.h5"
    (toy.folder / how).touch()
    with pytest.raises(FailedBlock, match=f"block 1 could not be simulated: .*{said}.*same command goes on"):
        toy.make(out)
    assert not out.exists()
    assert toy.simulated() == [0, 1]
    (toy.folder / how).unlink()
    assert toy.make(out) == 5
    assert toy.simulated() == [1, 2]
    np.testing.assert_array_equal(values_of(out), EXPECTED)
    assert not parts_folder(out).exists()


def test_parts_of_another_request_are_refused(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    (toy.folder / "fail").touch()
    with pytest.raises(FailedBlock):
        toy.make(out)
    with pytest.raises(OtherParts, match=r"parts of another request \(seed 1 and not 2\).*delete the folder"):
        toy.make(out, seed=2)
    assert (parts_folder(out) / "block-000000.h5").exists()


def test_two_productions_of_one_file_keep_apart(toy: Toy, tmp_path: Path) -> None:
    folder = parts_folder(tmp_path / "out.h5")
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OtherParts, match="another process is at work"):
            toy.make(tmp_path / "out.h5")
    assert toy.simulated() == []


def test_a_file_is_replaced_only_when_told_and_when_the_new_one_is_complete(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    out.write_text("precious")
    with pytest.raises(OutputExists, match="exists: choose another name, or replace it with --force"):
        toy.make(out)
    (toy.folder / "fail").touch()
    with pytest.raises(FailedBlock):
        toy.make(out, force=True)
    assert out.read_text() == "precious"
    (toy.folder / "fail").unlink()
    assert toy.make(out, force=True) == 5
    assert len(values_of(out)) == 5


def test_a_merge_that_fails_leaves_no_file_and_loses_no_block(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.h5"

    def full(_parts: Parts, path: Path, **_: object) -> int:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Toy, "_write", staticmethod(full))
    with pytest.raises(OSError, match="No space left"):
        toy.make(out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5.parts", "toy"]
    monkeypatch.undo()
    monkeypatch.syspath_prepend(toy.folder)
    toy.simulated()
    assert toy.make(out) == 5
    assert toy.simulated() == []


def test_a_twin_does_not_replace_its_model(toy: Toy, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    out.touch()
    with pytest.raises(InvalidRequest, match="would replace the file of which it is the twin"):
        toy.make(out, twin_of=tmp_path / "toy" / ".." / "out.h5", force=True)


def test_no_two_blocks_seeds_or_purposes_share_random_numbers() -> None:
    first = {
        (seed, block, purpose): stream(seed, block, purpose).random()
        for seed in range(4)
        for block in range(4)
        for purpose in Stream
    }
    assert len(set(first.values())) == len(first)
    assert stream(3, 2, Stream.PHYSICS).random() == first[3, 2, Stream.PHYSICS]


@pytest.mark.parametrize(("events", "calls"), [(40, 296), (5, 5), (3, 1), (7, 3)])
def test_progress_is_shared_out_over_the_showers(events: int, calls: int) -> None:
    reported: list[None] = []
    part_done = evenly(lambda: reported.append(None), events, calls)
    so_far = [0]
    for _ in range(calls):
        part_done()
        so_far.append(len(reported))
    counts = np.diff(so_far)
    assert counts.sum() == events
    assert counts.max() - counts.min() <= 1


def test_a_twin_has_other_seeds_for_geant4() -> None:
    block = Block(number=3, first=6, events=2, seed=1, twin=False, options=None, given=None)
    seeds = [replace(block, twin=twin, number=number).geant4_seeds() for twin in (False, True) for number in range(50)]
    assert len(set(seeds)) == 100
    assert all(1 <= seed <= LARGEST_GEANT4_SEED for pair in seeds for seed in pair)


# ------------------------------------------------------------------ what is asked for


@ALL
def test_without_the_wheel_nothing_happens_but_an_error(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "geant4_pybind" else present(name, *rest)
    )
    with pytest.raises(MissingSimulator, match=r"'fastsim-arena\[refsim\]'.*Linux x86_64.*samples that ship"):
        simulator.make(request_for(simulator, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_another_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(MissingSimulator, match="on Linux x86_64 only; this is Darwin"):
        CLIC_ELECTRONS.make(request_for(CLIC_ELECTRONS, tmp_path))


def test_importing_the_simulators_loads_no_geant4() -> None:
    assert "geant4_pybind" not in sys.modules
    assert "pythia8mc" not in sys.modules


@ALL
def test_names_and_options_are_checked_first(simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=rf"ends with '\.csv'; this simulator writes .*{simulator.suffix}"):
        simulator.make(request_for(simulator, tmp_path, out=tmp_path / "out.csv"))
    with pytest.raises(UnknownName, match="no option 'only_judgd'"):
        simulator.make(request_for(simulator, tmp_path, options={"only_judgd": "true"}))


@pytest.mark.parametrize("simulator", [CLIC_ELECTRONS, LHCB_EVENTS, ALICE_TRACKS], ids=lambda item: item.name)
def test_only_a_twin_can_leave_train_events_out(simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="unless a twin is made"):
        simulator.make(request_for(simulator, tmp_path, options={"only_judged": "true"}))


@pytest.mark.parametrize(("low", "high"), [("200", "100"), ("0", "100"), ("1", "20000")])
def test_an_energy_range_that_is_none_is_refused(tmp_path: Path, low: str, high: str) -> None:
    with pytest.raises(InvalidOption, match="low_gev and high_gev are"):
        CLIC_ELECTRONS.make(request_for(CLIC_ELECTRONS, tmp_path, options={"low_gev": low, "high_gev": high}))


def test_photons_are_shared_out_among_the_energies(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"100 photons cannot be shared out .*: give 99 or 108"):
        ATLAS_PHOTONS.make(request_for(ATLAS_PHOTONS, tmp_path, events=100))


@pytest.mark.parametrize("changes", [{"events": 0}, {"events": -1}, {"seed": -1}, {"processes": 0}])
def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match="give"):
        request_for(CLIC_ELECTRONS, tmp_path, **changes)


MODELS = {
    ATLAS_PHOTONS: "atlas_photons_geant4.h5",
    CLIC_ELECTRONS: "clic_electrons_geant4_2_500GeV.h5",
    LHCB_PIONS: "lhcb_pions_geant4.root",
    LHCB_EVENTS: "lhcb_events_geant4.root",
}


@pytest.mark.parametrize("simulator", MODELS, ids=lambda simulator: simulator.name)
def test_a_twin_has_no_more_events_than_its_model(simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidRequest, match=r"1000000 events were asked for; .* holds \d+: leave --events out for all"
    ):
        simulator.make(request_for(simulator, tmp_path, events=1_000_000, twin_of=SAMPLES / MODELS[simulator]))


@ALL
def test_a_file_of_something_else_is_no_model(simulator: Simulator, tmp_path: Path) -> None:
    other = SAMPLES / ("clic_electrons_geant4_2_500GeV.h5" if simulator.suffix == ".root" else "lhcb_pions_geant4.root")
    with pytest.raises(UnreadableFile):
        simulator.make(request_for(simulator, tmp_path, twin_of=other))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ images


def deposits(*rows: tuple[float, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Steps: x, y, z [mm], energy [MeV], time [ns], length [mm]."""
    return np.array(rows)


def test_the_clic_image_is_centred_on_the_barycentre() -> None:
    pitch = clic_electrons.PITCH
    image, total = clic_electrons.image_of(
        deposits(
            (10.5 * pitch, -3.5 * pitch, 0.1, 3000.0, 0.0, 1.0),
            (11.5 * pitch, -3.5 * pitch, 24.9 * pitch, 1000.0, 0.0, 1.0),
            (80.5 * pitch, -3.5 * pitch, 0.1, 1.0, 0.0, 1.0),
        )
    )
    assert image.shape == (51, 51, 25)
    expected = np.zeros((51, 51, 25))
    expected[25, 25, 0], expected[26, 25, 24] = 3.0, 1.0  # the third deposit lies outside the window
    np.testing.assert_allclose(image, expected)
    assert total == pytest.approx(4.001)


def test_an_empty_clic_shower_is_empty() -> None:
    image, total = clic_electrons.image_of(np.zeros((0, 6)))
    assert total == 0
    assert not image.any()


def test_lhcb_deposits_fall_into_their_cells() -> None:
    energy, length = 2.0, 4.0
    light = energy / (1 + 0.126 * energy / length)
    columns = lhcb_calorimeter.images_of(
        deposits(
            (300.0, -1800.0, 50.0, energy, 0.0, length),  # inner: row floor(0.29) = 0, column 16 + 2
            (300.0, -1800.0, 50.0, energy, 51.0, length),  # too late
            (-200.0, 200.0, 50.0, energy, 0.0, length),  # in the hole
            (-4190.0, 3400.0, 50.0, energy, 0.0, length),  # outer: last row, first column
            (9000.0, 0.0, 50.0, energy, 0.0, length),  # beside the calorimeter
        )
    )
    inner, outer = columns["inner_visible"], columns["outer_visible"]
    assert list(np.flatnonzero(inner)) == [0 * 32 + 18]
    assert list(np.flatnonzero(outer)) == [25 * 32 + 0]
    centre = np.hypot(2.5 * 131.3, 13.5 * 131.3)
    assert inner.sum() == pytest.approx(light * centre / np.hypot(centre, 13330.0))
    assert columns["visible_energy"] == pytest.approx(3 * light)


def test_a_lhcb_cell_has_a_limit() -> None:
    np.testing.assert_allclose(lhcb_calorimeter.calibrated(np.array([0.0, 1.0, 1e4])), [0, 37.7374, 6120])


def test_the_calibration_is_that_of_the_shipped_pions() -> None:
    with uproot.open(SAMPLES / "lhcb_pions_geant4.root") as file:
        tracks = file["tracks"].arrays(["true_energy", "visible_energy"], library="np")
    true, visible = (tracks[name].astype(np.float64).sum() for name in ("true_energy", "visible_energy"))
    assert true / visible == pytest.approx(lhcb_calorimeter.CALIBRATION, abs=1e-4)


@pytest.mark.parametrize("phi", [0.01, 1.23, 3.1, 5.9])
def test_a_deposit_along_the_photon_lies_in_the_middle_of_each_window(phi: float) -> None:
    eta = 0.2234
    in_module = phi - round(phi / (2 * math.pi / 64)) * (2 * math.pi / 64)
    direction = np.array([math.sin(in_module), math.sinh(eta), math.cos(in_module)])
    rows = [(*(direction * z / direction[2]), 1.0, 0.0, 1.0) for z in (1412.0, 1520.0, 1700.0, 1930.0)]
    image = atlas_photons.image_of(deposits(*rows), eta, phi)
    presampler, front, middle, back = np.split(image["visible_cells"], [21, 189, 238])
    assert presampler.reshape(7, 3)[3, 1] == 1
    assert front.reshape(56, 3)[24:32, 1].sum() == 1
    assert middle.reshape(7, 7)[3, 3] == 1
    assert back.reshape(4, 7)[:, 3].sum() == 1
    np.testing.assert_array_equal(image["visible_total"], 1)
    assert image["alignment_phi"] == int(phi / (2 * math.pi / 256)) % 4
    assert image["alignment_eta"] == int(eta / 0.025) % 2


def test_the_layers_lie_where_the_sample_says() -> None:
    names = ("layer_centre_mm", "layer_centre_X0", "layer_end_X0")
    with h5py.File(SAMPLES / "atlas_photons_geant4.h5") as file:
        for name, values in zip(names, atlas_photons.layer_depths(), strict=True):
            np.testing.assert_allclose(file.attrs[name], values, rtol=1e-12)


def test_each_layer_is_divided_by_its_sampling_fraction(tmp_path: Path) -> None:
    path = tmp_path / "part.h5"
    with h5py.File(path, "w") as file:
        file["incident_energies"] = [1024.0]
        file["visible_cells"] = np.ones((1, 266), np.float32)
        file["visible_total"] = np.ones((1, 4), np.float32)
        file["eta"] = [0.2]
    (block,) = atlas_photons.at_electromagnetic_scale(Parts([path]))
    np.testing.assert_allclose(block["showers"][0], [1 / 0.0472] * 21 + [1 / 0.191] * 245, rtol=1e-6)
    np.testing.assert_allclose(block["layer_energy_without_window"][0], [1 / 0.0472] + [1 / 0.191] * 3, rtol=1e-6)
    assert block["incident_energies"].shape == (1, 1)


def test_track_points_are_smeared_across_the_radius() -> None:
    rows = np.linspace(1000, 2000, 20000)
    points = np.stack([rows * math.cos(1.0), rows * math.sin(1.0), np.zeros_like(rows)], axis=1)
    moved = alice_tracks.smeared(points, np.random.default_rng(0)) - points
    along = moved[:, 0] * math.cos(1.0) + moved[:, 1] * math.sin(1.0)
    across = moved[:, 1] * math.cos(1.0) - moved[:, 0] * math.sin(1.0)
    assert abs(along).max() < 1 / 128
    assert across.std() == pytest.approx(0.8, rel=0.02)
    assert moved[:, 2].std() == pytest.approx(1.0, rel=0.02)


def test_hdf5_and_root_are_written_block_by_block(tmp_path: Path) -> None:
    blocks: list[dict[str, Any]] = [
        {"a": np.arange(2 * i, 2 * i + 2), "image": np.full((2, 3), i, np.float32)} for i in range(3)
    ]
    assert write_hdf5(tmp_path / "f.h5", blocks, {"unit": "MeV"}, chunk_rows={"image": 1}) == 6
    with h5py.File(tmp_path / "f.h5") as file:
        np.testing.assert_array_equal(file["a"], np.arange(6))
        assert file["image"].chunks == (1, 3)
        assert file.attrs["unit"] == "MeV"
    ragged = [{"a": block["a"], "x": jagged(np.arange(3.0), np.array([1, 2]))} for block in blocks]
    assert write_tree(tmp_path / "f.root", "events", ragged, {"description": "text"}) == 6
    with uproot.open(tmp_path / "f.root") as file:
        np.testing.assert_array_equal(file["events"]["a"].array(library="np"), np.arange(6))
        assert file["events"]["x"].array().tolist() == [[0.0], [1.0, 2.0]] * 3
        assert str(file["description"]) == "text"


# ------------------------------------------------------------------ full events


def test_an_event_is_the_sum_of_its_particles() -> None:
    pdg = np.array([211, 22, -321, 2112], np.int32)
    numbers = np.arange(4, dtype=np.float32)
    pool = Pool(pdg, np.array([0, 0, 1, 0], np.int8), numbers, 10 + numbers, 20 + numbers, 30 + numbers)
    inner, outer = np.zeros((4, 896), np.float32), np.zeros((4, 832), np.float32)
    inner[:, 5] = [100.0, 60.0, 50.0, 0.0]  # each below the limit of 6120 MeV = 162.2 visible MeV
    inner[:, 6] = [0.001, 0.0, 0.0, 0.01]
    outer[3, 7] = 2.0
    members = [np.array([2, 0, 1]), np.array([3, 1])]
    columns = lhcb_events.overlay(pool, members, {"inner_visible": inner, "outer_visible": outer})
    np.testing.assert_array_equal(columns["num_tracks"], [2, 0])  # photons and neutrons have no track
    np.testing.assert_array_equal(columns["pdg"], [-321, 211])
    np.testing.assert_array_equal(columns["signal"], [1, 0])
    np.testing.assert_array_equal(columns["x_projections"], [12, 10])
    np.testing.assert_array_equal(columns["real_ET"], [32, 30])
    eighths = [round(value * 37.7374 * 8) / 8 for value in (60.0, 0.01, 2.0)]
    assert columns["inner_image"][0, 5] == 6120
    assert columns["inner_image"][1, 5] == eighths[0]
    assert columns["inner_image"][0, 6] == 0
    assert columns["inner_image"][1, 6] == eighths[1]
    assert columns["outer_image"][:, 7].tolist() == [0, eighths[2]]


def test_the_events_of_a_block() -> None:
    pool, members = lhcb_events.draw_block(seed=7, number=3)
    assert len(members) == lhcb_events.EVENTS_PER_BLOCK
    for particles in members:
        assert len(set(particles)) == len(particles)
        signal = pool.signal[particles]
        assert sorted(signal[signal > 0]) == [1, 2, 2, 3]
        assert 10 <= pool.charged[particles].sum() <= 40
        kaon, pion, muon = (pool.pdg[particles][signal == mark] for mark in (1, 2, 3))
        assert set(np.sign(pion)) == set(-np.sign(kaon)) == set(np.sign(muon))
        assert (set(abs(kaon)), set(abs(pion)), set(abs(muon))) == ({321}, {211}, {13})
    used = np.concatenate(members)
    signals = used[pool.signal[used] > 0]
    assert len(set(signals)) == len(signals) == 4 * len(members)


def test_the_particles_of_a_block_hit_the_face_with_their_spectra() -> None:
    pools = [lhcb_events.draw_block(seed=1, number=number)[0] for number in range(20)]
    x, y, energy, signal, pdg = (
        np.concatenate([getattr(p, k) for p in pools]) for k in ("x", "y", "energy", "signal", "pdg")
    )
    assert (abs(x) < 16 * 262.6).all()
    assert (abs(y) < 13 * 262.6).all()
    theta = np.arctan(np.hypot(x, y) / 13330)
    assert theta.min() >= 0.02499
    assert theta.max() <= 0.30001
    mass = np.array([lhcb_events.MASS_MEV[code] for code in abs(pdg)])
    momentum = np.sqrt(energy.astype(np.float64) ** 2 - mass**2)
    assert momentum[signal == 0].min() >= 1999
    assert momentum[signal > 0].min() >= 2999
    assert np.median((momentum * np.sin(theta))[signal > 0]) > 2 * np.median((momentum * np.sin(theta))[signal == 0])
    assert 0.45 < np.mean(pdg[abs(pdg) == 211] > 0) < 0.55


@pytest.mark.parametrize("events", [0, 1200, 1210])
def test_a_twin_of_full_events_can_leave_the_train_blocks_out(events: int, tmp_path: Path) -> None:
    request = request_for(LHCB_EVENTS, tmp_path, events=events, twin_of=tmp_path / "model.root")
    plan, number = lhcb_events.plan_of(request, LhcbEventsOptions(only_judged=True), seed=7, available=1213)
    source_block = np.arange(events or 1213) // 40
    judged = source_block[split_of(identities(source_block)) != "train"]
    assert plan.particles_seed == 7
    assert plan.source_blocks == tuple(sorted(set(judged.tolist())))
    assert number == len(judged)
    everything, number = lhcb_events.plan_of(request, LhcbEventsOptions(), seed=7, available=1213)
    assert everything.source_blocks == tuple(range(math.ceil((events or 1213) / 40)))
    assert number == (events or 1213)


def tree_of(name: str) -> dict[str, Any]:
    with uproot.open(SAMPLES / name) as file:
        tree = file["events"]
        columns: dict[str, Any] = {key: tree[key].array(library="np") for key in ("event", "source_block")}
        for key in ("x_projections", "y_projections", "real_ET", "signal", "pdg"):
            columns[key] = [np.asarray(values) for values in tree[key].array().tolist()]
        columns["image"] = np.hstack([tree[key].array(library="np") for key in ("inner_image", "outer_image")])
    return columns


def test_no_shower_of_the_full_events_lies_in_two_blocks() -> None:
    events = tree_of("lhcb_events_geant4.root")
    blocks_of_track: dict[tuple[float, float], set[int]] = {}
    uses = 0
    for block, xs, ys in zip(events["source_block"], events["x_projections"], events["y_projections"], strict=True):
        for track in zip(xs, ys, strict=True):
            blocks_of_track.setdefault(track, set()).add(int(block))
            uses += 1
    assert uses > 2 * len(blocks_of_track)  # showers are used several times
    assert {len(blocks) for blocks in blocks_of_track.values()} == {1}


def test_the_full_events_are_many_and_have_their_signal() -> None:
    events = tree_of("lhcb_events_geant4.root")
    splits = split_of(identities(events["source_block"]))
    assert min((splits == name).sum() for name in ("train", "validation", "test")) >= 200
    assert all(sorted(signal[signal > 0]) == [1, 2, 2, 3] for signal in events["signal"])
    assert all(10 <= len(tracks) <= 40 for tracks in events["real_ET"])
    assert events["image"].max() <= 6120
    assert (events["image"].sum(axis=1) > 0).all()


def test_a_sample_of_full_events_is_a_model_and_a_part_of_its_twin_is_none() -> None:
    seed, available = lhcb_events.read_model(SAMPLES / "lhcb_events_geant4.root")
    assert available == len(tree_of("lhcb_events_geant4.root")["event"])
    with uproot.open(SAMPLES / "lhcb_events_geant4.root") as file:
        assert json.loads(str(file["request"]))["particles_seed"] == seed
    with pytest.raises(InvalidRequest, match="not those that its seed"):
        lhcb_events.read_model(SAMPLES / "lhcb_events_geant4_twin.root")


# ------------------------------------------------------------------ twins that ship


def assert_twins(conditions: dict[str, tuple[Any, Any]], response: Any, twin_response: Any) -> None:
    for name, (values, again) in conditions.items():
        assert values.dtype == again.dtype, name
        np.testing.assert_array_equal(values, again, err_msg=name)
    assert len(response) == len(twin_response) > 100
    pairs = np.stack([response, twin_response], axis=1).reshape(len(response), 2, -1)
    seen = pairs.any(axis=(1, 2))  # a pion that leaves through the hole is not
    assert seen.mean() > 0.99
    assert (pairs[seen, 0] != pairs[seen, 1]).any(axis=1).all()


@pytest.mark.parametrize("energies", ["100_200GeV", "2_500GeV"])
def test_clic_twins_are_other_showers_of_the_same_electrons(energies: str) -> None:
    name = SAMPLES / f"clic_electrons_geant4_{energies}"
    with h5py.File(f"{name}.h5") as file, h5py.File(f"{name}_twin.h5") as twin:
        identity = identities_with_occurrence(file["energy"][()], file["theta"][()])
        rows = np.flatnonzero(split_of(identity) != "train")
        conditions = {key: (file[key][()][rows], twin[key][()]) for key in ("energy", "theta")}
        assert_twins(conditions, file["visible_total"][()][rows], twin["visible_total"][()])
        np.testing.assert_array_equal(identities_with_occurrence(twin["energy"][()], twin["theta"][()]), identity[rows])


def test_alice_twins_are_other_tracks_of_the_same_particles() -> None:
    with (
        h5py.File(SAMPLES / "alice_tracks_geant4.h5") as file,
        h5py.File(SAMPLES / "alice_tracks_geant4_twin.h5") as twin,
    ):
        rows = np.flatnonzero(split_of(identities(file["event"][()])) != "train")
        keys = ("momentum", "charge", "pdg", "event", "vertex")
        conditions = {key: (file[key][()][rows], twin[key][()]) for key in keys}
        assert_twins(conditions, file["points"][()][rows], twin["points"][()])
        assert twin["num_points"][()].min() >= 20


def test_lhcb_twins_are_other_showers_of_the_same_pions() -> None:
    with (
        uproot.open(SAMPLES / "lhcb_pions_geant4.root") as file,
        uproot.open(SAMPLES / "lhcb_pions_geant4_twin.root") as twin,
    ):
        trees = [opened["tracks"].arrays(library="np") for opened in (file, twin)]
    keys = ("event", "x_projections", "y_projections", "real_ET", "eta", "phi", "true_energy")
    conditions = {key: (trees[0][key], trees[1][key]) for key in keys}
    images = [np.hstack([tree["inner_image"], tree["outer_image"]]) for tree in trees]
    assert_twins(conditions, *images)


def test_full_event_twins_are_other_showers_of_the_same_particles() -> None:
    events, twins = tree_of("lhcb_events_geant4.root"), tree_of("lhcb_events_geant4_twin.root")
    rows = np.flatnonzero(split_of(identities(events["source_block"])) != "train")
    conditions = {key: (events[key][rows], twins[key]) for key in ("event", "source_block")}
    for key in ("x_projections", "y_projections", "real_ET", "signal", "pdg"):
        conditions[key] = np.concatenate([events[key][row] for row in rows]), np.concatenate(twins[key])
    assert_twins(conditions, events["image"][rows], twins["image"])


def test_the_provenance_names_every_sample_with_its_hash() -> None:
    provenance = (SAMPLES / "PROVENANCE.md").read_text()
    for path in SAMPLES.iterdir():
        if path.suffix in (".h5", ".root"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            (row,) = [line for line in provenance.splitlines() if line.startswith(f"| `{path.name}`")]
            assert digest in row


def test_all_samples_together_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) <= 50e6


# ------------------------------------------------------------------ Geant4 itself

OLD_SEEDS = """
import sys, math, h5py, numpy as np
from data_adapters.simulators.clic_electrons import simulate_electrons
random, count, seed = np.random.default_rng(201), 3, 201
draws = [(random.uniform(100.0, 200.0), random.uniform(60.0, 120.0), random.uniform(0, 5.1, 2)) for _ in range(count)]
energy, degrees, impacts = zip(*draws)
conditions = {"energy": np.array(energy), "theta": np.array([math.radians(d) for d in degrees])}
showers = simulate_electrons(conditions, np.array(impacts), (seed, seed + 104729), lambda: None)
with h5py.File(sys.argv[1]) as file:
    np.testing.assert_allclose(file["energy"][:count], energy, rtol=1e-6)
    np.testing.assert_array_equal(showers["ECAL"], file["ECAL"][:count])
"""


@NEEDS_WHEEL
@pytest.mark.slow
def test_the_showers_of_the_sample_come_again() -> None:
    sample = SAMPLES / "clic_electrons_geant4_100_200GeV.h5"
    run = subprocess.run([sys.executable, "-c", OLD_SEEDS, str(sample)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]


SHIPPED = {
    ATLAS_PHOTONS: "atlas_photons_geant4.h5",
    CLIC_ELECTRONS: "clic_electrons_geant4_100_200GeV.h5",
    LHCB_PIONS: "lhcb_pions_geant4.root",
    LHCB_EVENTS: "lhcb_events_geant4.root",
    ALICE_TRACKS: "alice_tracks_geant4.h5",
}
QUICK = {CLIC_ELECTRONS: {"low_gev": "1", "high_gev": "2"}}


def columns_of(path: Path) -> dict[str, Any]:
    if path.suffix == ".root":
        with uproot.open(path) as file:
            tree = file["events" if "events;1" in file.keys() else "tracks"]  # noqa: SIM118
            return {key: tree[key].array() for key in tree.keys()}  # noqa: SIM118
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file}


@NEEDS_WHEEL
@pytest.mark.slow
@ALL
def test_a_simulation_and_its_twin(simulator: Simulator, tmp_path: Path) -> None:
    out, twin = tmp_path / f"out{simulator.suffix}", tmp_path / f"twin{simulator.suffix}"
    options = QUICK.get(simulator, {})
    count = simulator.make(Request(9, out, seed=5, processes=2, options=options))
    assert simulator.make(Request(0, twin, seed=5, twin_of=out)) == count
    columns, again, shipped = columns_of(out), columns_of(twin), columns_of(SAMPLES / SHIPPED[simulator])
    assert list(columns) == list(shipped)
    for key, values in shipped.items():
        if isinstance(values, np.ndarray):
            assert columns[key].dtype == values.dtype, key
        else:
            assert columns[key].type.content == values.type.content, key
    responses = {"ECAL", "showers", "points", "inner_image", "outer_image"}
    same = {key for key in columns if np.array_equal(np.asarray(flat(columns[key])), np.asarray(flat(again[key])))}
    assert not same & responses
    assert {"incident_energies", "eta", "phi", "energy", "theta", "real_ET", "pdg", "momentum"} & set(columns) <= same


def flat(values: Any) -> Any:
    return values if isinstance(values, np.ndarray) else importlib.import_module("awkward").flatten(values, axis=None)


@NEEDS_WHEEL
@pytest.mark.slow
def test_alice_tracks_in_root_are_those_in_hdf5(tmp_path: Path) -> None:
    for suffix in (".h5", ".root"):
        ALICE_TRACKS.make(Request(5, tmp_path / f"out{suffix}", seed=2))
    hdf5, tree = columns_of(tmp_path / "out.h5"), columns_of(tmp_path / "out.root")
    for row, count in enumerate(hdf5["num_points"]):
        points = np.stack([np.asarray(tree[axis][row]) for axis in "xyz"], axis=1)
        np.testing.assert_array_equal(points, hdf5["points"][row, :count])
