"""3DGAN files of CLIC electrons."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_adapters.adapters import ADAPTERS, open_events, recognise
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.layouts.clic_3dgan import CLIC_ELECTRONS, CLIC_ELECTRONS_FIXED, measured_angle
from data_adapters.options import InvalidOption
from data_adapters.problems import UnreadableFile

SAMPLE = SAMPLES / "clic_electrons_geant4_100_200GeV.h5"
SHAPE, FIXED_SHAPE = (51, 51, 25), (25, 25, 25)
ENERGY, THETA = np.array([120.0, 150.0, 150.0], dtype=np.float32), np.array([1.2, 1.5, 1.9], dtype=np.float32)


def images(num_events: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    random = np.random.default_rng(1)
    energy = random.gamma(0.5, 0.01, (num_events, *shape)).astype(np.float32)
    energy[random.random(energy.shape) < 0.9] = 0.0
    return energy


def make(path: Path, **columns: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for key, values in columns.items():
            file[key] = values
    return path


@pytest.fixture
def cells() -> np.ndarray:
    return images(3)


@pytest.fixture
def own(tmp_path: Path, cells: np.ndarray) -> Path:
    return make(tmp_path / "own.h5", ECAL=cells, energy=ENERGY, theta=THETA)


def test_the_sample_is_read_as_it_lies_there() -> None:
    source = open_events(SAMPLE)
    assert (source.layout, source.detector) == ("clic-3dgan", CLIC_ELECTRONS)
    events = source.read(10, 14)
    with h5py.File(SAMPLE) as file:
        np.testing.assert_array_equal(events.response.reshape(-1, *SHAPE), file["ECAL"][10:14])
        np.testing.assert_array_equal(source.conditions["incident_energy"], file["energy"][:])
        np.testing.assert_array_equal(source.conditions["theta"], file["theta"][:])
        for axis in CLIC_ELECTRONS.layers[0].axes:
            np.testing.assert_allclose(np.diff(axis.edges), file.attrs["cell_mm"])


def test_depth_is_the_last_axis() -> None:
    profile = open_events(SAMPLE).read(0, 50).response.reshape(-1, *SHAPE).sum(axis=(0, 1, 2))
    parts = [cells.size for cells in CLIC_ELECTRONS.depth_parts(3)]
    assert parts == [8 * 51 * 51, 9 * 51 * 51, 8 * 51 * 51]
    assert 5 < profile.argmax() < 12  # the maximum of an electromagnetic shower of 150 GeV


def test_the_measured_angle_is_the_true_one_but_for_the_resolution() -> None:
    source = open_events(SAMPLE)
    theta = source.conditions["theta"]
    measured = np.concatenate([measured_angle(events.response.reshape(-1, *SHAPE)) for _, events in source.blocks()])
    assert np.corrcoef(measured, theta)[0, 1] == pytest.approx(0.996, abs=0.001)
    assert (measured - theta).mean() == pytest.approx(0.0, abs=0.01)
    assert (measured - theta).std() == pytest.approx(0.045, abs=0.005)


@pytest.mark.parametrize("slope", [-2, 0, 1])
def test_the_measured_angle_of_a_straight_track(slope: int) -> None:
    image = np.zeros((1, 9, 33, 10), dtype=np.float32)
    for z in range(10):
        image[0, 4, 16 + slope * (z - 5), z] = 0.5
    assert measured_angle(image)[0] == pytest.approx(math.pi / 2 - math.atan(slope))


def test_layers_without_energy_do_not_count_for_the_angle() -> None:
    image = np.zeros((1, 9, 9, 9))
    for z in (2, 3, 6):
        image[0, 4, z, z] = 1.0
    angle = math.pi / 2 - math.atan(1.0)
    assert measured_angle(image)[0] == pytest.approx(angle)
    np.testing.assert_array_equal(np.isnan(measured_angle(np.concatenate([0 * image, image]))), [True, False])


def test_the_angle_does_not_depend_on_how_many_are_measured() -> None:
    many = images(300, (5, 5, 5))
    np.testing.assert_allclose(measured_angle(many), [measured_angle(image[None])[0] for image in many], rtol=1e-12)


@pytest.mark.parametrize(("key", "offset"), [("theta", 0.0), ("mtheta", 0.0), ("eta", 0.6)])
def test_the_angle_may_have_three_names(tmp_path: Path, cells: np.ndarray, key: str, offset: float) -> None:
    path = make(tmp_path / "own.h5", ECAL=cells, energy=ENERGY, **{key: THETA.astype(np.float64)})
    np.testing.assert_allclose(open_events(path).conditions["theta"], THETA + offset, rtol=1e-6)


def test_the_true_angle_goes_before_the_measured_one(tmp_path: Path, cells: np.ndarray) -> None:
    path = make(tmp_path / "own.h5", ECAL=cells, energy=ENERGY, mtheta=THETA[::-1], theta=THETA)
    np.testing.assert_array_equal(open_events(path).conditions["theta"], THETA)


def test_an_angle_that_is_missing_is_measured(tmp_path: Path, cells: np.ndarray) -> None:
    path = make(tmp_path / "own.h5", ECAL=cells, energy=ENERGY)
    np.testing.assert_allclose(open_events(path).conditions["theta"], measured_angle(cells))


def test_nothing_is_done_to_cells_that_was_not_asked_for(own: Path, cells: np.ndarray) -> None:
    np.testing.assert_array_equal(open_events(own).read().response.reshape(cells.shape), cells)
    changed = open_events(own, options={"scale": "0.02", "threshold": 1e-4}).read().response.reshape(cells.shape)
    scaled = cells * np.float32(0.02)
    np.testing.assert_array_equal(changed, np.where(scaled < np.float32(1e-4), 0, scaled))
    assert ((changed == 0) & (cells > 0)).any()


@pytest.mark.parametrize("options", [{"scale": 0}, {"scale": -1}, {"threshold": -1e-4}, {"scale": "nan"}])
def test_options_that_make_no_sense_are_refused(own: Path, options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        open_events(own, "clic-3dgan", options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"energy": ENERGY * 1000, "theta": THETA}, "event 0: it is 120000; 0.1 … 1000 GeV is possible.*look like MeV"),
        ({"energy": ENERGY, "theta": np.degrees(THETA)}, "event 0: it is 68.*rad is possible"),
        ({"energy": ENERGY[:2], "theta": THETA}, "ECAL 3, energy 2, theta 3"),
    ],
    ids=["MeV", "degrees", "lengths"],
)
def test_other_units_and_lengths_are_refused(
    tmp_path: Path, cells: np.ndarray, columns: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(make(tmp_path / "own.h5", ECAL=cells, **columns))


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "own.h5", ECAL=images(3, (51, 25, 51)), energy=ENERGY, theta=THETA)
    with pytest.raises(UnreadableFile, match=r"key 'ECAL': it has shape \(3, 51, 25, 51\); \(events, 51, 51, 25\)"):
        open_events(path)


def test_files_with_perpendicular_electrons(tmp_path: Path) -> None:
    cells = images(3, FIXED_SHAPE)
    path = make(tmp_path / "own.h5", ECAL=cells, target=np.stack([np.full(3, 11.0), ENERGY], axis=1))
    source = open_events(path)
    assert (source.layout, source.detector) == ("clic-3dgan-fixed", CLIC_ELECTRONS_FIXED)
    np.testing.assert_array_equal(source.read().response.reshape(cells.shape), cells)
    assert list(source.conditions) == ["incident_energy"]
    np.testing.assert_array_equal(source.conditions["incident_energy"], ENERGY)
    assert len(np.unique(source.identity)) == 3  # two of them have the same energy


def test_a_target_without_energy_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "own.h5", ECAL=images(3, FIXED_SHAPE), target=ENERGY[:, None])
    with pytest.raises(UnreadableFile, match=r"key 'target': .*the second is the energy"):
        open_events(path)


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, cells: np.ndarray) -> None:
    cells[0, 0, 0, :3] = [1e-42, 3e38, 2.0**-149]
    path = make(tmp_path / "own.h5", ECAL=cells, energy=ENERGY.astype(np.float64) / 3, theta=THETA)
    source = open_events(path)
    adapter = recognise(path)
    assert adapter.write is not None
    assert adapter.accepts(source.detector) is None
    adapter.write(source, tmp_path / "copy.h5")
    back = open_events(tmp_path / "copy.h5")
    assert back.read().response.tobytes() == cells.tobytes()
    for name, values in source.conditions.items():
        np.testing.assert_array_equal(back.conditions[name], values)
    np.testing.assert_array_equal(back.identity, source.identity)


def test_perpendicular_electrons_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    cells = images(3, FIXED_SHAPE)
    source = open_events(make(tmp_path / "own.h5", ECAL=cells, target=np.stack([ENERGY, ENERGY], axis=1)))
    adapter = ADAPTERS[source.layout]
    assert adapter.write is not None
    adapter.write(source, tmp_path / "copy.h5")
    back = open_events(tmp_path / "copy.h5")
    assert back.read().response.tobytes() == cells.tobytes()
    np.testing.assert_array_equal(back.identity, source.identity)


def test_a_file_that_exists_is_not_written_over(own: Path) -> None:
    before = own.read_bytes()
    write = ADAPTERS["clic-3dgan"].write
    assert write is not None
    with pytest.raises(FileExistsError):
        write(open_events(own), own)
    assert own.read_bytes() == before


def test_another_detector_cannot_be_written(own: Path) -> None:
    reason = ADAPTERS["clic-3dgan-fixed"].accepts(open_events(own).detector)
    assert reason is not None
    assert "(25, 25, 25)" in reason


def test_files_of_a_folder_are_one_sample(tmp_path: Path, cells: np.ndarray) -> None:
    make(tmp_path / "a.h5", ECAL=cells, energy=ENERGY, theta=THETA)
    make(tmp_path / "b.h5", ECAL=cells[::-1], energy=ENERGY[::-1], theta=THETA[::-1])
    source = open_events(tmp_path)
    assert len(source) == 6
    np.testing.assert_array_equal(source.read(2, 4).response[0], source.read(2, 4).response[1])


def test_twins_have_the_same_identity(tmp_path: Path, cells: np.ndarray) -> None:
    first = make(tmp_path / "a.h5", ECAL=cells, energy=ENERGY, theta=THETA)
    twin = make(tmp_path / "b.h5", ECAL=cells[::-1], energy=ENERGY, theta=THETA)
    np.testing.assert_array_equal(open_events(first).identity, open_events(twin).identity)


@pytest.mark.parametrize("name", ["clic-electrons-100-200gev", "clic-electrons-2-500gev"])
def test_the_datasets_have_twins_of_what_is_judged(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.detector == CLIC_ELECTRONS
    events, twins = dataset.split("validation"), dataset.twin_split("validation")
    assert twins is not None
    assert (events.response != twins.response).any(axis=1).all()
    assert dataset.twins_of(dataset.rows("test")) is not None
    for condition, values in events.conditions.items():
        np.testing.assert_array_equal(twins.conditions[condition], values)
