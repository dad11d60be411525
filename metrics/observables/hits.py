"""Fraction of the cells above the threshold of the detector."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample

SOURCE = (
    "3DGAN (doi:10.1109/ACCESS.2021.3101946), § III, hits; T. Neuer, master thesis, University of Zurich, 2020, "
    "eq. 5.1.3; over the number of cells is our choice"
)


def hit_fraction(sample: Sample) -> NDArray[np.float64]:
    """Number of cells above the threshold over the number of cells, shape (N,)."""
    above = np.count_nonzero(sample.response > sample.detector.threshold, axis=1)
    return np.asarray(above / sample.detector.num_cells, dtype=np.float64)


def hits(detector: Detector) -> tuple[Observable, ...]:
    """One observable; none for a detector without a threshold."""
    if detector.threshold <= 0:
        return ()
    title = f"Fraction of cells above {detector.threshold:g} {detector.unit}"
    return (Observable("hits", title, "1", SOURCE, hit_fraction),)


HITS = Family(
    name="hits",
    title="Fraction of cells above the detector's threshold",
    definition="number of cells above the threshold / number of cells",
    unit="1",
    detectors="threshold above 0",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=hits,
)
