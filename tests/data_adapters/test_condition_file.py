"""Files of conditions: for every dataset, without loss, and never taken for a sample."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from data_adapters.adapters import open_events
from data_adapters.condition_file import (
    ConditionTable,
    check_same_conditions,
    dataset_of,
    is_condition_file,
    read_conditions,
    write_conditions,
)
from data_adapters.datasets import ATLAS_PHOTONS_GEANT4, DATASETS
from data_adapters.events import InvalidEvents
from data_adapters.problems import UnreadableFile
from data_adapters.sealed_test import conditions_of_test_split

SMALL = (
    "atlas-photons-geant4",
    "lhcb-pions-geant4",
    "lhcb-events-geant4",
    "alice-tracks-geant4",
    "airshower-refinement",
)


@pytest.mark.parametrize("name", SMALL)
def test_they_come_back_and_become_a_sample(tmp_path, name):
    dataset = DATASETS[name]
    table = conditions_of_test_split(dataset)
    path = tmp_path / "conditions.h5"
    write_conditions(path, table, name, "a test")
    assert is_condition_file(path)
    assert dataset_of(path) == name
    found = read_conditions(path)
    check_same_conditions(path, table, found)
    assert {key: values.tolist() for key, values in found.columns.items()} == {
        key: values.tolist() for key, values in table.columns.items()
    }
    with pytest.raises(UnreadableFile):
        open_events(path)
    response = np.zeros((table.num_events, dataset.detector.num_cells), dtype=np.float32)
    with h5py.File(path, "a") as file:
        file["response"] = response
    assert not is_condition_file(path)
    assert open_events(path).detector == dataset.detector
    check_same_conditions(path, table, read_conditions(path))


@pytest.fixture
def table() -> ConditionTable:
    return conditions_of_test_split(ATLAS_PHOTONS_GEANT4)


def test_samples_have_conditions_too(table):
    found = read_conditions(ATLAS_PHOTONS_GEANT4.file, ATLAS_PHOTONS_GEANT4.layout)
    assert found.num_events == len(ATLAS_PHOTONS_GEANT4.source)
    with pytest.raises(UnreadableFile, match=f"it holds {found.num_events} events; {table.num_events} are needed"):
        check_same_conditions(ATLAS_PHOTONS_GEANT4.file, table, found)


@pytest.mark.parametrize("value", [np.nan, -5.0])
def test_impossible_conditions_are_refused(tmp_path, table, value):
    path = tmp_path / "conditions.h5"
    write_conditions(path, table, "x", "a test")
    with h5py.File(path, "a") as file:
        file["conditions/incident_energy"][3] = value
    with pytest.raises(UnreadableFile, match="incident_energy of event 3"):
        read_conditions(path)
    with pytest.raises(InvalidEvents):
        ConditionTable(table.detector, {}, 3)


def test_the_first_event_that_differs_is_named(tmp_path, table):
    columns = {name: values.copy() for name, values in table.columns.items()}
    columns["incident_energy"][5] *= 1.001
    with pytest.raises(UnreadableFile, match=r"1 of 1030 events are of other conditions; event 5 is the first"):
        check_same_conditions(tmp_path, table, ConditionTable(table.detector, columns, table.num_events))
