"""ATLAS voxels in CSV: reading, joining energies, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.layouts import atlas_csv
from data_adapters.problems import UnreadableFile

VOXELS = 5
BINNING = """<Bins>
  <Bin pid="22" etaMin="0" etaMax="130" name="photon">
    <Layer id="0" r_edges="0,5,10" n_bin_alpha="1" /><Layer id="1" r_edges="0,8" n_bin_alpha="3" />
  </Bin>
  <Bin pid="22" etaMin="130" etaMax="325" name="photon"><Layer id="0" r_edges="0,5" n_bin_alpha="5" /></Bin>
</Bins>"""


def name(energy: int = 65536, pid: int = 22, eta: str = "20_25") -> str:
    return f"pid{pid}_E{energy}_eta_{eta}_voxalisation.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "binning.xml").write_text(BINNING)
    return tmp_path


def rows(count: int, seed: int = 0) -> list[list[float]]:
    values: list[list[float]] = (np.random.default_rng(seed).random((count, VOXELS)) * 1e3).tolist()
    return values


def write(path: Path, values: list[list[float]], end: str = "\n") -> Path:
    path.write_bytes("".join(",".join(map(repr, row)) + end for row in values).encode())
    return path


def test_a_file_of_the_published_photons(tmp_path: Path) -> None:
    shower = [float(voxel) / 8 for voxel in range(368)]
    source = open_events(write(tmp_path / name(), [shower, shower[::-1]]))
    assert (source.layout, source.detector.name, source.detector.num_cells) == (
        "atlas-csv",
        "atlas-photon-eta-20-25",
        368,
    )
    np.testing.assert_array_equal(source.read().response, np.array([shower, shower[::-1]], dtype=np.float32))
    np.testing.assert_array_equal(source.read().incident_energy, [65536, 65536])
    assert "0.20 < |η| < 0.25" in source.detector.title


def test_pions_of_either_charge_have_their_own_binning(tmp_path: Path) -> None:
    for pid in (211, -211):
        assert open_events(write(tmp_path / name(pid=pid), [[1.0] * 533])).detector.num_cells == 533


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [1, 7, 64, 2**22])
def test_any_events_are_found_whatever_the_blocks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, end: str, block: int
) -> None:
    monkeypatch.setattr(atlas_csv, "SCAN_BYTES", block)
    values = rows(9)
    path = write(folder / name(), values, end)
    path.write_bytes(path.read_bytes().removesuffix(end.encode()))
    source = open_events(path)
    assert len(source) == 9
    for start, stop in ((0, 9), (3, 5), (8, 9)):
        np.testing.assert_array_equal(source.read(start, stop).response, np.array(values[start:stop], dtype=np.float32))
    np.testing.assert_array_equal(source.select(np.array([7, 2])).response, np.array(values, dtype=np.float32)[[7, 2]])


def test_a_folder_holds_several_energies(folder: Path) -> None:
    for seed, energy in enumerate((256, 65536, 4194304)):
        write(folder / name(energy), rows(4, seed))
    source = open_events(folder)
    energies = source.conditions["incident_energy"]
    assert sorted(set(energies.tolist())) == [256, 65536, 4194304]
    assert len(set(source.identity.tolist())) == len(source) == 12
    for seed, energy in enumerate((256, 65536, 4194304)):
        found = source.select(energies == energy).response
        np.testing.assert_array_equal(found, np.array(rows(4, seed), dtype=np.float32))


def test_another_slice_in_eta_is_another_detector(folder: Path) -> None:
    write(folder / name(), rows(2))
    write(folder / name(eta="200_205"), rows(2))
    assert open_events(folder / name(eta="200_205")).detector.layers[0].shape == (5, 1)
    with pytest.raises(UnreadableFile, match="Keep files of one kind in a folder"):
        open_events(folder)


def test_negative_voxels_are_clipped_only_when_asked_for(folder: Path) -> None:
    path = write(folder / name(), [[1.0, 2.0, -0.5, 3.0, 4.0]])
    with pytest.raises(UnreadableFile, match=r"event 0: cell 2 holds -0\.5"):
        open_events(path).read()
    response = open_events(path, options={"clip_negative": "true"}).read().response
    np.testing.assert_array_equal(response, [[1, 2, 0, 3, 4]])


GOOD = "1,2,3,4,5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD * 2 + "1,2,3,4\n" + GOOD, "key 'row', event 2: it has 4 numbers; 5 are needed"),
        (GOOD * 3 + "1,2", "event 3: it has 2 numbers"),
        (GOOD + "\n" + GOOD, "event 1: it has 1 numbers"),
        (GOOD + "0.1,0.22,1,2,3,4,5\n", "event 1: it has 7 numbers.*FastCaloGAN's own file"),
        (GOOD + "1,2,zero,4,5\n", "event 1: it holds 'zero'"),
        (GOOD * 4 + "1,2,,4,5\n", "event 4: it holds ''"),
        ("v0,v1,v2,v3,v4\n" + GOOD, "event 0: it holds 'v0'.*remove the first line"),
        ("0,1,2,3,4\n" + GOOD, "event 0: .* it is a header. .*remove the first line"),
        (GOOD + "1,nan,3,4,5\n", "event 1: cell 1 holds nan"),
        (GOOD * 2 + "1,2,3,4,inf\n", "event 2: cell 4 holds inf"),
        ("", "it holds no events"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(folder: Path, text: str, message: str) -> None:
    (folder / name()).write_text(text)
    with pytest.raises(UnreadableFile, match=message):
        open_events(folder / name()).read()


def test_the_name_must_tell_what_a_file_holds(folder: Path) -> None:
    path = write(folder / "photons.csv", rows(1))
    with pytest.raises(UnreadableFile, match="Name it as it was published"):
        open_events(path, "atlas-csv")
    with pytest.raises(UnreadableFile, match=r"it is 65; .*They look like GeV"):
        open_events(write(folder / name(energy=65), rows(1)))
    with pytest.raises(UnreadableFile, match="no particle '11'"):
        open_events(write(folder / name(pid=11), rows(1)))
    with pytest.raises(UnreadableFile, match=r"no bin covers \|η\| \(400, 405\)"):
        open_events(write(folder / name(eta="400_405"), rows(1)))


def test_a_particle_without_binning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"PDG number 11. Put binning\.xml beside it"):
        open_events(write(tmp_path / name(pid=11), rows(1)))
    with pytest.raises(UnreadableFile, match="there is no such file"):
        open_events(tmp_path / name())


def test_a_binning_of_ones_own_is_an_option(tmp_path: Path) -> None:
    path = write(tmp_path / name(), rows(1))
    (tmp_path / "mine.xml").write_text(BINNING)
    assert open_events(path, options={"geometry": str(tmp_path / "mine.xml")}).detector.num_cells == VOXELS
    with pytest.raises(UnreadableFile, match="event 0: it has 5 numbers; 368 are needed"):
        open_events(path)
