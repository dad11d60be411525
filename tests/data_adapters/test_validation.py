"""``arena data validate``: everything that is wrong with a file, at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from search.engine.arena import main

N = 200
RANDOM = np.random.default_rng(3)
SHOWERS = RANDOM.exponential(1.0, (N, 6, 5)) * (RANDOM.random((N, 6, 5)) < 0.7)
ENERGY = RANDOM.uniform(1.0, 100.0, N)
# Four fifths of the energy are seen.
SHOWERS = (SHOWERS * (800 * ENERGY / SHOWERS.sum(axis=(1, 2)))[:, None, None]).astype(np.float32)
THETA = RANDOM.uniform(0.5, 2.6, N)

DESCRIPTION = """
[response]
key = "showers"
unit = "MeV"
[[response.axes]]
name = "x"
cells = 6
[[response.axes]]
name = "y"
cells = 5
[conditions.incident_energy]
key = "energy"
unit = "GeV"
energy = true
range = [1.0, 100.0]
[conditions.theta]
unit = "rad"
"""


@pytest.fixture
def showers(tmp_path: Path) -> Path:
    path = tmp_path / "showers.h5"
    with h5py.File(path, "w") as file:
        file["showers"], file["energy"], file["theta"] = SHOWERS, ENERGY, THETA
    path.with_suffix(".toml").write_text(DESCRIPTION)
    return path


def validate(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit status and what is printed."""
    with pytest.raises(SystemExit) as ended:
        main(["data", "validate", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


def test_a_good_file_is_fine(showers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(capsys, showers) == (0, f"{showers}: fine: 200 events of showers, 30 cells\n")


def _set(key: str, where: object, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[key][where] = value

    return change


def _scaled(key: str, factor: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[key][...] *= factor

    return change


def _copied(file: h5py.File) -> None:
    for key in file:
        file[key][150] = file[key][20]
        file[key][160] = file[key][30]


BAD: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "NaN": (
        _set("showers", (slice(7, 9), 1, 2), np.nan),
        "event 7: cell 7 is not a number (nan MeV), the first of 2 of",
    ),
    "infinity": (
        _set("showers", (9, 0, 0), np.inf),
        "key 'showers', event 9: cell 0 is infinite (inf MeV), the first of 1",
    ),
    "negative": (
        _set("showers", (5, 5, 4), -2.5),
        "key 'showers', event 5: cell 29 is negative (-2.5 MeV), the first of 1",
    ),
    "response in GeV": (_scaled("showers", 1e-3), "the response may be in a larger unit (GeV declared as MeV)"),
    "response in keV": (_scaled("showers", 1e3), "the response may be in a smaller unit"),
    "more than came in": (_set("showers", (4, 0, 0), 1e7), "event 4: the summed response is"),
    "degrees": (
        _set("theta", 3, 90.0),
        "key 'theta', event 3: it is 90 rad; angles are at most 2 π: it looks like degrees",
    ),
    "duplicates": (_copied, "event 150: it is the same as event 20, in conditions and response: the first of 2 copies"),
    "all empty": (_set("showers", ..., 0.0), "all cells of all events are 0"),
    "energy outside the range": (_set("energy", 6, 200.0), "key 'energy', event 6: it holds 200 GeV; it must be"),
    "missing key": (lambda file: file.move("theta", "thetas"), "no key 'theta'. Nearest: 'thetas'"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_said_with_key_and_event(showers: Path, capsys: pytest.CaptureFixture[str], bad: str) -> None:
    change, message = BAD[bad]
    with h5py.File(showers, "r+") as file:
        change(file)
    status, printed = validate(capsys, showers)
    assert status == 1
    assert f"{showers}: error: " in printed
    assert message in printed
    assert "1 error, 0 warnings" in printed.splitlines()[-1]


def test_everything_is_said_at_once(showers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(showers, "r+") as file:
        file["showers"][10, 0, 0] = np.nan
        file["showers"][11, 0, 0] = -1.0
        file["energy"][12] = np.nan
        _copied(file)
    status, printed = validate(capsys, showers)
    assert status == 1
    for what in (
        "event 10: cell 0 is not a number",
        "event 11: cell 0 is negative",
        "key 'energy', event 12",
        "copies",
    ):
        assert what in printed


def test_empty_showers_are_counted_and_only_warned_of(showers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(showers, "r+") as file:
        file["showers"][3:9:5] = 0.0
    status, printed = validate(capsys, showers)
    assert status == 0
    assert "warning: key 'showers', event 3: it is empty (all cells are 0), the first of 2 of 200 events" in printed


def test_two_empty_showers_of_one_energy_are_no_copies(showers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(showers, "r+") as file:
        for key, value in (("showers", 0.0), ("energy", 50.0), ("theta", 1.0)):
            file[key][3:9:5] = value
    assert validate(capsys, showers)[0] == 0


def test_energies_in_gev_declared_as_mev_are_refused(showers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DESCRIPTION.replace('unit = "GeV"', 'unit = "MeV"')
    showers.with_suffix(".toml").write_text(text)
    status, printed = validate(capsys, showers)
    assert status == 1
    assert "incident_energy in a larger one" in printed


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    path = tmp_path / "atlas.h5"
    shutil.copy(ATLAS_PHOTONS_GEANT4.file, path)
    return path


def test_where_a_layout_refuses_a_file_other_arrays_are_looked_at(
    atlas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(atlas, "r+") as file:
        del file["eta"]
        file["showers"][5, 3] = np.nan
    status, printed = validate(capsys, atlas)
    assert status == 1
    assert "no key 'eta'" in printed
    assert "key 'showers', event 5: value 3 is nan, the first of 1 of 5085 events that are not finite" in printed


def test_a_known_layout_is_read_on_after_impossible_conditions(atlas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(atlas, "r+") as file:
        file["incident_energies"][3] = np.nan
        file["alignment_phi"][5] = 7
        file["showers"][17, 4] = -1
    status, printed = validate(capsys, atlas)
    assert status == 1
    for expected in (
        "key 'incident_energy', event 3: it is nan",
        "key 'alignment_phi', event 5: it is 7; whole numbers 0 … 3 are possible",
        "key 'showers', event 17: cell 4 is negative",
    ):
        assert expected in printed.replace("\n", " ")


def test_gev_given_as_mev_are_recognised(atlas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(atlas, "r+") as file:
        for key in ("incident_energies", "showers"):
            file[key][...] = file[key][()] / 1000
    status, printed = validate(capsys, atlas)
    assert status == 1
    assert "They look like GeV: convert them to MeV" in printed.replace("\n", " ")


def test_a_file_of_no_layout_is_compared_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        file["ECAL"], file["enrgy"], file["theta"] = np.zeros((3, 51, 51, 25)), np.ones(3), np.ones(3)
    status, printed = validate(capsys, path)
    assert status == 1
    assert "its layout is none that is known" in printed
    assert "as clic-3dgan: no key 'energy'. Nearest: 'enrgy'" in printed


def test_a_file_with_nothing_in_common_is_compared_with_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        file["something"] = np.zeros(3)
    status, printed = validate(capsys, path)
    assert status == 1
    assert "1 error, 0 warnings" in printed


def test_a_truncated_file_is_no_crash(atlas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    atlas.write_bytes(atlas.read_bytes()[:100_000])
    status, printed = validate(capsys, atlas, "--layout", "atlas-hdf5")
    assert status == 1
    assert "not readable as HDF5" in printed


def test_a_dataset_is_checked_with_its_twin(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = validate(capsys, ATLAS_PHOTONS_GEANT4.name)
    assert status == 0
    assert [line.rpartition("/")[2].split(":")[0] for line in printed.splitlines()] == [
        "atlas_photons_geant4.h5",
        "atlas_photons_geant4_twin.h5",
        "atlas_photons_geant4_fresh.h5",
        "atlas_photons_geant4_independent.h5",
        "atlas-photons-geant4",
    ]


def test_a_file_that_is_not_there_is_a_wrong_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(capsys, tmp_path / "nowhere.h5")[0] == 2
