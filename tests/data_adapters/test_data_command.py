"""``arena data``: list, describe, inspect, convert and make, through the command line."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import uproot
from matplotlib.image import imread

from data_adapters.adapters import ADAPTERS, open_events
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4, DATASETS
from data_adapters.simulators.registry import SIMULATORS
from search.engine.arena import main

N = 120
RANDOM = np.random.default_rng(5)
ENERGY = RANDOM.uniform(1.0, 100.0, N)
THETA = RANDOM.uniform(0.5, 2.6, N)


def showers(*shape: int) -> np.ndarray:
    """Responses [MeV] that sum up to four fifths of the energies [GeV]."""
    values = RANDOM.exponential(1.0, (N, math.prod(shape))) * (RANDOM.random((N, math.prod(shape))) < 0.5)
    values[:, 0] += 0.1
    values *= (800 * ENERGY / values.sum(axis=1))[:, None]
    return values.reshape(N, *shape).astype(np.float32)


def arena(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors of ``arena data``."""
    with pytest.raises(SystemExit) as ended:
        main(["data", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["showers"], file["energy"], file["theta"] = showers(12, 12, 12), ENERGY, THETA


def npz(path: Path) -> None:
    np.savez_compressed(path, showers=showers(8, 6), E_GeV=ENERGY, theta=THETA, kind=np.arange(N) % 3)


def csv(path: Path) -> None:
    cells = {f"cell_{number}": values for number, values in enumerate(showers(20).T)}
    pd.DataFrame({"energy": ENERGY, "theta": np.degrees(THETA), **cells}).to_csv(path, index=False)


def root(path: Path) -> None:
    with uproot.recreate(path) as file:
        file.mktree("events", {"image": np.dtype(("f4", (3, 4, 5, 2))), "energy": "f8", "run": "i4"})
        file["events"].extend({"image": showers(3, 4, 5, 2), "energy": ENERGY, "run": np.arange(N, dtype=np.int32)})


FILES: dict[str, Callable[[Path], None]] = {"a.h5": hdf5, "b.npz": npz, "c.csv": csv, "d.root": root}


@pytest.fixture
def drafted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "a.h5"
    hdf5(path)
    assert arena(capsys, "describe", path)[0] == 0
    return path


def test_everything_registered_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = arena(capsys, "list")
    assert status == 0
    listed = [line.split()[0] for line in printed.splitlines() if line.startswith("  ")]
    assert listed == [*DATASETS, *ADAPTERS, *SIMULATORS]


@pytest.mark.parametrize("name", FILES)
def test_a_draft_works_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    status, printed, _ = arena(capsys, "describe", path)
    assert status == 0
    assert f"written: {path.with_suffix('.toml')}\nit works as it is: {N} events" in printed
    source = open_events(path)
    energy = source.detector.energy_condition
    assert energy is not None
    factor = {"MeV": 1000.0, "GeV": 1.0}[energy.unit]
    np.testing.assert_allclose(source.conditions[energy.name], ENERGY * factor, rtol=1e-12)
    status, printed, _ = arena(capsys, "inspect", path, "--out", tmp_path / "pictures")
    assert status == 0
    assert f"events      {N} " in printed
    for what in ("events", "spectra"):
        assert imread(tmp_path / "pictures" / f"{path.stem}-{what}.png").std() > 0.01
    assert arena(capsys, "validate", path)[0] == 0


def test_a_draft_guesses_and_says_what_to_check(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = drafted.with_suffix(".toml").read_text()
    values = tomllib.loads(text)
    assert values["response"]["key"] == "showers"
    assert values["response"]["unit"] == "MeV"  # as the sums are 800 times the energies, which look like GeV
    assert [(axis["name"], axis["cells"]) for axis in values["response"]["axes"]] == [("x", 12), ("y", 12), ("z", 12)]
    energy, theta = values["conditions"]["incident_energy"], values["conditions"]["theta"]
    assert (energy["key"], energy["unit"], energy["energy"], theta["unit"]) == ("energy", "GeV", True, "rad")
    for given, column in ((energy["range"], ENERGY), (theta["range"], THETA)):
        assert given[0] <= column.min() < given[0] * 1.1
        assert given[1] / 1.1 < column.max() <= given[1]
    assert text.count("# check") >= 8
    printed = arena(capsys, "describe", drafted, "--force")[1]
    assert "energy is the incident energy" in printed
    assert "is theta in rad?" in printed


def test_a_draft_tells_degrees_categories_and_numbers_of_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.npz", "c.csv"):
        FILES[name](tmp_path / name)
        assert arena(capsys, "describe", tmp_path / name)[0] == 0
    values = tomllib.loads((tmp_path / "b.toml").read_text())
    assert values["conditions"]["kind"] == {"key": "kind", "categories": 3}
    assert tomllib.loads((tmp_path / "c.toml").read_text())["conditions"]["theta"]["unit"] == "deg"
    np.savez(tmp_path / "e.npz", response=showers(9), energy=ENERGY, event=np.arange(N) // 3, constant=np.ones(N))
    printed = arena(capsys, "describe", tmp_path / "e.npz")[1]
    assert "120 rows share 40 different values of event" in printed
    assert "constant was left out: it is 1 in all events" in printed
    assert tomllib.loads((tmp_path / "e.toml").read_text())["identity"] == {"keys": ["event"]}


def test_units_that_the_file_says_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.h5"
    hdf5(path)
    with h5py.File(path, "r+") as file:
        file["showers"].attrs["unit"], file["energy"].attrs["units"] = "keV", "TeV"
    arena(capsys, "describe", path)
    values = tomllib.loads(path.with_suffix(".toml").read_text())
    assert (values["response"]["unit"], values["conditions"]["incident_energy"]["unit"]) == ("keV", "TeV")


def test_nothing_is_overwritten_unless_it_is_forced(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = drafted.with_suffix(".toml")
    mine.write_text("# mine")
    status, _, errors = arena(capsys, "describe", drafted)
    assert (status, mine.read_text()) == (2, "# mine")
    assert "--force" in errors
    assert arena(capsys, "describe", drafted, "--force")[0] == 0
    assert mine.read_text() != "# mine"
    assert sorted(path.name for path in drafted.parent.iterdir()) == ["a.h5", "a.toml"]


def test_a_draft_in_another_folder_finds_the_file(
    tmp_path: Path, drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes").mkdir()
    assert arena(capsys, "describe", drafted, "--out", tmp_path / "notes" / "b.toml")[0] == 0
    assert open_events(tmp_path / "notes" / "b.toml").path.resolve() == drafted


def test_a_known_layout_is_only_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, printed, _ = arena(capsys, "describe", ATLAS_PHOTONS_GEANT4.file, "--out", tmp_path / "atlas.toml")
    assert status == 0
    assert "the layout is known: atlas-hdf5" in printed
    assert open_events(tmp_path / "atlas.toml").detector.name == "atlas-photons"


def test_a_file_without_a_response_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "flat.npz", energy=ENERGY, theta=THETA)
    status, _, errors = arena(capsys, "describe", tmp_path / "flat.npz")
    assert status == 2
    assert "no array with several numbers an event" in errors
    assert not (tmp_path / "flat.toml").exists()


def test_a_dataset_is_inspected_with_its_twin(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = arena(capsys, "inspect", ATLAS_PHOTONS_GEANT4.name)
    assert status == 0
    facts = {line[2:14].strip(): line[14:] for line in printed.splitlines() if line.startswith("  ")}
    source = ATLAS_PHOTONS_GEANT4.source
    assert facts["events"].startswith(f"{len(source)} ")
    assert "5085 events: the same particles again, of 100%" in facts["twin"]
    events = source.read()
    ratio = events.response.sum(axis=1, dtype=np.float64) / events.incident_energy
    assert facts["sum/energy"].startswith(f"mean {ratio.mean():.5g}, standard deviation {ratio.std():.3g}")


GEOMETRIES = {
    "layers in polar coordinates": ("calochallenge", (6480,)),
    "image": ("described", (52, 64)),
    "traces": ("described", (9, 9, 80)),
    "tracks": ("described", (159, 3)),
}


def _geometry(path: Path, name: str) -> None:
    layout, shape = GEOMETRIES[name]
    with h5py.File(path, "w") as file:
        file["showers"] = showers(*shape)
        file["incident_energies"] = 1000 * ENERGY[:, None]
    if layout == "calochallenge":
        return
    names, unit = (("point", "coordinate"), "mm") if name == "tracks" else (("x", "y", "time"), "MeV")
    axes = [
        f'[[response.axes]]\nname = "{axis}"\ncells = {cells}\n'
        + ('size = 25.0\nunit = "ns"\n' if axis == "time" else "")
        for axis, cells in zip(names, shape, strict=False)
    ]
    quantity = "coordinate" if name == "tracks" else "energy"
    path.with_suffix(".toml").write_text(
        f'[response]\nkey = "showers"\nunit = "{unit}"\nquantity = "{quantity}"\n{"".join(axes)}'
        '[conditions.energy]\nkey = "incident_energies"\nunit = "MeV"\nenergy = true\n'
    )


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    _geometry(tmp_path / "a.h5", name)
    assert arena(capsys, "inspect", tmp_path / "a.h5", "--out", tmp_path)[0] == 0
    assert imread(tmp_path / "a-events.png").std() > 0.01


def test_a_described_file_is_converted(drafted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "converted.h5"
    status, printed, _ = arena(capsys, "convert", drafted, out)
    assert status == 0
    assert f"{N} events written: {out}" in printed
    before, after = open_events(drafted).read(), open_events(out).read()
    np.testing.assert_array_equal(after.response, before.response)
    np.testing.assert_array_equal(after.incident_energy, before.incident_energy)
    assert arena(capsys, "convert", drafted, out)[0] == 2
    assert arena(capsys, "convert", drafted, out, "--force")[0] == 0


def test_a_sample_is_made_and_its_twin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, twin = tmp_path / "air.h5", tmp_path / "twin.h5"
    status, printed, _ = arena(capsys, "make", "airshower-data", "--events", 3, "--seed", 2, "--out", first)
    assert status == 0
    assert printed.startswith(f"3 events written: {first}")
    assert arena(capsys, "make", "airshower-data", "--twin-of", first, "--out", twin)[0] == 0
    with h5py.File(first) as one, h5py.File(twin) as other:
        np.testing.assert_array_equal(one["energy"][:], other["energy"][:])
        assert (one["traces"][:] != other["traces"][:]).any()


WRONG_COMMANDS = {
    "unknown dataset": (
        ("inspect", "atlas-photon"),
        "no file or dataset 'atlas-photon'. Nearest: 'atlas-photons-geant4'",
    ),
    "missing file": (("inspect", "nowhere.h5"), "nowhere.h5: there is no such file"),
    "unknown layout": (("inspect", "a.h5", "--layout", "atlas"), "no layout 'atlas'. Nearest: 'atlas-"),
    "option without value": (("inspect", "a.h5", "--option", "scale"), "write it as NAME=VALUE"),
    "unknown option": (("inspect", "a.h5", "--option", "scale=1"), "no option 'scale'"),
    "unknown simulator": (("make", "airshower", "--events", "1", "--out", "x.h5"), "Nearest: 'airshower-data'"),
    "no events": (("make", "airshower-data", "--out", "x.h5"), "how many events? Give --events N"),
    "no layout to write": (("convert", "a.h5", "b.dat"), "b.dat: which layout is meant? Give --layout"),
    "description of no TOML": (("describe", "a.h5", "--out", "b.txt"), "a description is a TOML file; name it b.toml"),
}


@pytest.mark.parametrize("wrong", WRONG_COMMANDS)
@pytest.mark.usefixtures("drafted")
def test_a_wrong_command_says_how_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, message = WRONG_COMMANDS[wrong]
    status, _, errors = arena(capsys, *arguments)
    assert status == 2
    assert message in errors
