"""Fraction of the cells above a threshold, as a function of the threshold."""

# Axes: N events, B thresholds.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from metrics.observables.component import FOR_PROFILE, Family, Observable
from metrics.observables.octaves import cells_in_octaves, has_cell_energies, octave_edges
from metrics.observables.sample import Sample

SOURCE = "3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-D and figure 11"


def fraction_above_thresholds(sample: Sample) -> NDArray[np.float64]:
    """Fraction of cells at or above the lower edge of each octave, shape (N, B); first of all cells above zero."""
    at_or_above = np.cumsum(cells_in_octaves(sample)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(at_or_above / sample.detector.num_cells, dtype=np.float64)


def sparsity(detector: Detector) -> tuple[Observable, ...]:
    """One profile; none where cells hold no energies."""
    if not has_cell_energies(detector):
        return ()
    return (
        Observable(
            name="sparsity",
            title="Fraction of cells above a threshold",
            unit="1",
            source=SOURCE,
            function=fraction_above_thresholds,
            edges=octave_edges(detector),
            edges_unit=detector.unit,
            x_label="threshold",
            y_label="Mean fraction of cells above the threshold",
        ),
    )


SPARSITY = Family(
    name="sparsity",
    title="Fraction of cells above a threshold, against the threshold",
    definition=(
        "number of cells at or above t / number of cells, for t = each power of two from 1 keV to 1 TeV (drawn from t "
        "to the next); the first counts every cell above zero"
    ),
    unit="1",
    detectors="cells hold energies",
    smallest_sample=FOR_PROFILE,
    cost="every evaluation",
    source=SOURCE,
    of=sparsity,
)
