"""Small samples for the tests of the models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from data_adapters.events import Events


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def events() -> Events:
    """The training split of the sample that ships with the project."""
    return ATLAS_PHOTONS_GEANT4.split("train")


@pytest.fixture(scope="session")
def few_events(events: Events) -> Events:
    """100 of them, of all energies."""
    return events.select(np.linspace(0, len(events) - 1, 100).astype(np.intp))
