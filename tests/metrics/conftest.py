"""Samples that the tests of the metrics share."""

import pytest

from data_adapters.datasets import DATASETS, Dataset
from data_adapters.events import Events
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return DATASETS["atlas-photons-geant4"]


@pytest.fixture(scope="session")
def reference(dataset: Dataset) -> Events:
    return dataset.split("validation")


@pytest.fixture(scope="session")
def twin(dataset: Dataset) -> Events:
    twin = dataset.twin_split("validation")
    assert twin is not None
    return twin


@pytest.fixture(scope="session")
def judge(reference: Events, twin: Events) -> Judge:
    return Judge(SCORECARDS["atlas-photons-v1"], reference, twin)
