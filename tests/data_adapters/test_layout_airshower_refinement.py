"""Data and the simulation that is to be refined: in one file, in two, of the same showers and of others."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS, SAMPLES
from data_adapters.layouts.airshower import AIRSHOWER_ARRAY_DETECTOR
from data_adapters.layouts.airshower_refinement import AIRSHOWER_REFINEMENT_DETECTOR, matched_rows
from data_adapters.problems import UnreadableFile

LAYOUT = "airshower-refinement"
ENERGY = np.array([10.0, 90.0, 50.0, 30.0])
Columns = dict[str, Any]


def traces(num_events: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.1, 50.0, (num_events, 9, 9, 80)).astype(np.float32)


DATA, SIMULATION = traces(4, 1), traces(6, 2)
PAIRED: Columns = {"traces": DATA, "simulated_traces": SIMULATION[:4], "energy": ENERGY}


def hdf5(path: Path, values: Columns) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for key, array in values.items():
            file[key] = array
    return path.with_suffix(".h5")


def npz(path: Path, values: Columns) -> Path:
    np.savez_compressed(path.with_suffix(".npz"), **values)
    return path.with_suffix(".npz")


@pytest.mark.parametrize("make", [hdf5, npz])
def test_one_file_with_both(make: object, tmp_path: Path) -> None:
    source = pickle.loads(pickle.dumps(open_events(make(tmp_path / "own", PAIRED))))  # type: ignore[operator]  # noqa: S301
    assert (source.layout, source.detector) == (LAYOUT, AIRSHOWER_REFINEMENT_DETECTOR)
    events = source.read()
    np.testing.assert_array_equal(events.response.reshape(DATA.shape), DATA)
    np.testing.assert_array_equal(events.conditions["simulated_traces"], SIMULATION[:4])
    np.testing.assert_array_equal(events.incident_energy, ENERGY)


def test_the_response_is_that_of_the_array() -> None:
    assert AIRSHOWER_REFINEMENT_DETECTOR.name == AIRSHOWER_ARRAY_DETECTOR.name  # one scorecard judges both
    assert AIRSHOWER_REFINEMENT_DETECTOR.layers == AIRSHOWER_ARRAY_DETECTOR.layers
    assert AIRSHOWER_REFINEMENT_DETECTOR.energy_condition == AIRSHOWER_ARRAY_DETECTOR.energy_condition


def test_simulated_showers_of_other_energies(tmp_path: Path) -> None:
    """They are matched by rank: 10, 30, 50, 90 EeV with 10, 35, 52, 88 EeV of six."""
    simulated = np.array([70.0, 10.0, 52.0, 88.0, 20.0, 35.0])
    values = PAIRED | {"simulated_traces": SIMULATION, "simulated_energy": simulated}
    source = open_events(hdf5(tmp_path / "own", values))
    np.testing.assert_array_equal(source.conditions["simulated_traces"], SIMULATION[[1, 3, 2, 5]])
    np.testing.assert_array_equal(source.conditions["incident_energy"], ENERGY)


def test_two_files(tmp_path: Path) -> None:
    data = hdf5(tmp_path / "data", {"traces": DATA, "energy": ENERGY})
    simulation = npz(tmp_path / "simulation", {"traces": SIMULATION[:4], "energy": ENERGY})
    source = open_events(data, LAYOUT, {"simulation": "simulation.npz"})
    np.testing.assert_array_equal(source.conditions["simulated_traces"], SIMULATION[:4])
    assert source.files == (data, simulation)


def test_two_files_by_a_description(tmp_path: Path) -> None:
    hdf5(tmp_path / "measured", {"traces": DATA, "energy": ENERGY})
    hdf5(tmp_path / "simulated", {"traces": SIMULATION[:4], "energy": ENERGY[::-1]})
    description = tmp_path / "own.toml"
    description.write_text(
        'layout = "airshower-refinement"\nfile = "measured.h5"\n[options]\nsimulation = "simulated.h5"\n'
    )
    source = open_events(description)
    np.testing.assert_array_equal(source.conditions["simulated_traces"], SIMULATION[3::-1])


def test_events_of_one_energy_keep_their_order() -> None:
    energy = np.array([5.0, 5.0, 20.0])
    rows = matched_rows(energy, np.array([19.0, 5.0, 5.0]), Path("own.h5"))
    assert rows is not None
    assert rows.tolist() == [1, 2, 0]
    assert matched_rows(energy, energy, Path("own.h5")) is None


WRONG: list[tuple[Columns, str]] = [
    ({"simulated_traces": SIMULATION}, "differ in length: simulated_traces 6, energy 4"),
    ({"simulated_traces": SIMULATION[:4, :8]}, r"simulated_traces': it has shape \(4, 8, 9, 80\)"),
    ({"simulated_traces": SIMULATION[:2], "simulated_energy": ENERGY[:2]}, "holds 2 events; the data are 4"),
    ({"simulated_energy": ENERGY / 2}, r"energies differ from those of the data by 69 % on average"),
    ({"simulated_energy": 1e3 * ENERGY}, "Give it in EeV"),
    ({"energy": 1e18 * ENERGY}, "Give it in EeV"),
    ({"simulated_traces": -SIMULATION[:4]}, r"simulated_traces.*0 … inf VEM is possible"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_does_not_fit_is_said(changes: Columns, message: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=message):
        open_events(hdf5(tmp_path / "own", PAIRED | changes))


def test_a_missing_file_of_simulation_is_named(tmp_path: Path) -> None:
    data = hdf5(tmp_path / "data", {"traces": DATA, "energy": ENERGY})
    with pytest.raises(UnreadableFile, match=r"there is no .*simulation\.h5.*option simulation"):
        open_events(data, LAYOUT, {"simulation": "simulation.h5"})
    with pytest.raises(UnreadableFile, match="simulated_traces"):
        open_events(data, LAYOUT)


def test_the_dataset_pairs_the_two_samples() -> None:
    dataset = DATASETS["airshower-refinement"]
    assert set(dataset.source.files) == {SAMPLES / "airshower_data.h5", SAMPLES / "airshower_simulation.h5"}
    data, simulation = (DATASETS[name].split("validation") for name in ("airshower-data", "airshower-simulation"))
    events = dataset.split("validation")
    np.testing.assert_array_equal(events.response, data.response)
    told = events.conditions["simulated_traces"].reshape(len(events), -1)
    np.testing.assert_array_equal(told, simulation.response)
    np.testing.assert_array_equal(events.identity, data.identity)
