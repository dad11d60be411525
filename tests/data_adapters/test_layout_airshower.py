"""Air showers on a surface array, in HDF5 and NPZ."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.layouts.airshower import AIRSHOWER_ARRAY_DETECTOR, AIRSHOWER_PATTERN_DETECTOR
from data_adapters.problems import UnreadableFile

SAMPLE = SAMPLES / "airshower_data.h5"
ENERGY = np.array([1.0, 20.0, 20.0, 100.0])
Columns = dict[str, Any]


def traces(num_events: int = 4) -> np.ndarray:
    random = np.random.default_rng(1)
    return (np.round(random.gamma(0.1, 50.0, (num_events, 9, 9, 80)) * 32) / 32).astype(np.float32)


def columns() -> Columns:
    return {"traces": traces(), "energy": ENERGY, "core": np.arange(8.0).reshape(4, 2)}


def hdf5(path: Path, values: Columns) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for key, array in values.items():
            file[key] = array
    return path.with_suffix(".h5")


def stored(path: Path, values: Columns) -> Path:
    np.savez(path.with_suffix(".npz"), **values)
    return path.with_suffix(".npz")


def compressed(path: Path, values: Columns) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), **values)
    return path.with_suffix(".npz")


Make = Callable[[Path, Columns], Path]
every_kind = pytest.mark.parametrize("make", [hdf5, stored, compressed])


def test_the_sample_is_read_as_it_lies_there() -> None:
    source = open_events(SAMPLE)
    assert (source.layout, source.detector) == ("airshower-array", AIRSHOWER_ARRAY_DETECTOR)
    sample = source.read(30, 50)
    with h5py.File(SAMPLE) as file:
        np.testing.assert_array_equal(sample.response.reshape(-1, 9, 9, 80), file["traces"][30:50])
        np.testing.assert_array_equal(source.conditions["incident_energy"], file["energy"][:])
        np.testing.assert_array_equal(source.auxiliary["core"], file["core"][:])


def test_the_detectors() -> None:
    layer = AIRSHOWER_ARRAY_DETECTOR.layers[0]
    assert layer.shape == (9, 9, 80)
    assert (layer.axes[2].name, layer.axes[2].unit, layer.axes[2].edges[-1]) == ("time", "ns", 2000.0)
    assert AIRSHOWER_PATTERN_DETECTOR.layers[0].axes == layer.axes[:2]
    for detector in (AIRSHOWER_ARRAY_DETECTOR, AIRSHOWER_PATTERN_DETECTOR):
        condition = detector.energy_condition
        assert (detector.unit, condition.unit if condition else None) == ("VEM", "EeV")
        assert detector.binning_condition == condition


@every_kind
def test_traces(tmp_path: Path, make: Make) -> None:
    source = pickle.loads(pickle.dumps(open_events(make(tmp_path / "own", columns()))))  # noqa: S301
    assert source.detector == AIRSHOWER_ARRAY_DETECTOR
    assert source.read().response.tobytes() == traces().tobytes()
    np.testing.assert_array_equal(source.read(2, 3).response.reshape(1, 9, 9, 80), traces()[2:3])
    np.testing.assert_array_equal(source.read(0, 2).response.reshape(2, 9, 9, 80), traces()[:2])
    np.testing.assert_array_equal(source.conditions["incident_energy"], ENERGY)
    np.testing.assert_array_equal(source.auxiliary["core"], np.arange(8.0).reshape(4, 2))
    assert len(np.unique(source.identity)) == 4  # two of them have the same energy


@every_kind
def test_traces_are_integrated_where_patterns_are_asked_for(tmp_path: Path, make: Make) -> None:
    source = open_events(make(tmp_path / "own", columns()), "airshower-pattern")
    assert (source.layout, source.detector) == ("airshower-pattern", AIRSHOWER_PATTERN_DETECTOR)
    expected = traces().astype(np.float64).sum(axis=3).astype(np.float32).reshape(4, 81)
    np.testing.assert_array_equal(source.read().response, expected)
    np.testing.assert_array_equal(source.read(1, 3).response, expected[1:3])


@every_kind
def test_patterns(tmp_path: Path, make: Make) -> None:
    patterns = traces().sum(axis=3)
    path = make(tmp_path / "own", {"patterns": patterns, "energy": ENERGY[:, None]})
    source = open_events(path)
    assert source.detector == AIRSHOWER_PATTERN_DETECTOR
    np.testing.assert_array_equal(source.read().response, patterns.reshape(4, 81))
    assert not source.auxiliary


def test_what_the_file_has_integrated_goes_before_what_is_integrated(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "own", columns() | {"patterns": np.ones((4, 9, 9), np.float32)})
    assert open_events(path).detector == AIRSHOWER_ARRAY_DETECTOR
    np.testing.assert_array_equal(open_events(path, "airshower-pattern").read().response, np.ones((4, 81)))


def test_files_of_one_kind_have_the_same_identities(tmp_path: Path) -> None:
    """So data and simulation of the same primaries are in the same split, and patterns where their traces are."""
    path = hdf5(tmp_path / "own", columns())
    identity = open_events(path).identity
    np.testing.assert_array_equal(open_events(path, "airshower-pattern").identity, identity)
    other = stored(tmp_path / "other", columns() | {"traces": 2 * traces()})
    np.testing.assert_array_equal(open_events(other).identity, identity)


@pytest.mark.parametrize("make", [stored, compressed])
@pytest.mark.parametrize("layout", ["airshower-array", "airshower-pattern"])
def test_an_npz_is_never_in_memory_as_a_whole(tmp_path: Path, make: Make, layout: str) -> None:
    number = 3000  # 78 MB of traces
    path = make(tmp_path / "own", {"traces": np.ones((number, 9, 9, 80), np.float32), "energy": np.full(number, 5.0)})
    source = open_events(path, layout)
    tracemalloc.start()
    try:
        step = 200 if layout == "airshower-array" else number
        for start in range(0, number, step):
            source.read_response(start, start + step)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6


@every_kind
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"energy": ENERGY * 1e3}, "key 'energy', event 0: it is 1000; 0.1 … 500 EeV is possible; .* Give it in EeV"),
        ({"energy": ENERGY * 1e18}, r"event 0: it is 1e\+18"),
        ({"energy": np.array([1.0, np.nan, 2.0, -3.0])}, "event 1: it is nan; .*first of 2 such"),
        (
            {"traces": np.zeros((4, 9, 80, 9))},
            r"'traces': it has shape \(4, 9, 80, 9\); \(events, 9, 9, 80\) is needed",
        ),
        ({"core": np.zeros((4, 3))}, r"'core': it has shape \(4, 3\); \(events, 2\) is needed"),
        ({"energy": ENERGY[:3]}, "the arrays differ in length: traces 4, energy 3, core 4"),
        ({"energy": np.float64(3.0)}, "'energy': it is one number"),
        ({"energy": np.array([b"1", b"2", b"3", b"4"])}, "'energy': it holds .*; numbers are needed"),
        ({key: values[:0] for key, values in columns().items()}, "it holds no events"),
    ],
    ids=["PeV", "eV", "nan", "shape", "core", "lengths", "one", "text", "empty"],
)
def test_what_cannot_be_is_refused(tmp_path: Path, make: Make, changed: Columns, message: str) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(make(tmp_path / "own", columns() | changed))


@every_kind
def test_everything_wrong_is_said_at_once(tmp_path: Path, make: Make) -> None:
    values = {"traces": traces().reshape(4, -1), "energy_": ENERGY, "core": np.zeros((4, 3))}
    with pytest.raises(UnreadableFile) as caught:
        open_events(make(tmp_path / "own", values), "airshower-array")
    assert len(caught.value.problems) == 3
    assert "no key 'energy'. Nearest: 'energy_'" in str(caught.value)


@every_kind
@pytest.mark.parametrize(("value", "message"), [(np.nan, "holds nan VEM"), (-1.0, "holds -1.0 VEM")])
def test_an_impossible_signal_is_named_with_its_event(tmp_path: Path, make: Make, value: float, message: str) -> None:
    values = columns()
    values["traces"][2, 0, 1, 3] = value
    source = open_events(make(tmp_path / "own", values))
    assert len(source.read(0, 2)) == 2
    with pytest.raises(UnreadableFile, match=f"key 'traces', event 2: cell 83 {message}"):
        source.read()


@every_kind
@pytest.mark.parametrize("layout", [None, "airshower-pattern"])
def test_a_truncated_file_is_said_to_be_one(tmp_path: Path, make: Make, layout: str | None) -> None:
    path = make(tmp_path / "own", columns())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnreadableFile, match=r"not readable as (HDF5|NPZ)"):
        open_events(path, layout).read()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, allow_pickle=True, traces=np.array([{}, {}], dtype=object), energy=ENERGY[:2])
    with pytest.raises(UnreadableFile, match="never unpickled"):
        open_events(path)


def test_the_datasets_are_pairs() -> None:
    """Data and simulation hold the same primaries, event by event; patterns are the traces, integrated."""
    data, simulation, patterns = (DATASETS[f"airshower-{n}"] for n in ("data", "simulation", "data-patterns"))
    assert (data.detector, patterns.detector) == (AIRSHOWER_ARRAY_DETECTOR, AIRSHOWER_PATTERN_DETECTOR)
    np.testing.assert_array_equal(data.source.identity, simulation.source.identity)
    traces, integrated, other = (dataset.split("validation") for dataset in (data, patterns, simulation))
    summed = traces.response.reshape(-1, 81, 80).sum(axis=2, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(integrated.response, summed)
    np.testing.assert_array_equal(other.incident_energy, traces.incident_energy)
    assert (other.response != traces.response).any(axis=1).all()
