"""Largest cell energy over incident energy."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import Family, Observable
from metrics.observables.sample import Sample

SOURCE = "our choice: the peak of a shower; divided by the incident energy"


def maximum_cell(sample: Sample) -> NDArray[np.float64]:
    """max over cells / E_inc, shape (N,)."""
    return np.asarray(sample.response.max(axis=1) / sample.incident_energy, dtype=np.float64)


MAXIMUM = Observable(
    name="maximum_cell",
    title="Largest cell energy / incident energy",
    unit="1",
    source=SOURCE,
    kind="distribution",
    function=maximum_cell,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    deposits = detector.quantity == "energy" and not detector.signed
    return (MAXIMUM,) if deposits and detector.energy_condition is not None else ()


MAXIMUM_CELL = Family(
    name="maximum_cell",
    title="Largest cell energy / incident energy",
    definition="max over cells / E_inc",
    unit="1",
    source=SOURCE,
    of=_of,
)
