"""Largest cell energy over incident energy."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable, has_energies
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
    function=maximum_cell,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return (MAXIMUM,) if detector.quantity == "energy" and has_energies(detector) else ()


MAXIMUM_CELL = Family(
    name="maximum_cell",
    title="Largest cell energy / incident energy",
    definition="max over cells / E_inc",
    unit="1",
    detectors="cells hold energies, incident energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
