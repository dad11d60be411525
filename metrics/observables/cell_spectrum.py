"""Spectrum of the cell energies, in octaves."""

from __future__ import annotations

from data_adapters.detector import Detector
from metrics.observables.component import FOR_PROFILE, Family, Observable
from metrics.observables.octaves import cells_in_octaves, has_cell_energies, octave_edges

SOURCE = "3DGAN (doi:10.1109/ACCESS.2021.3101946), figure 11; CaloChallenge (arXiv:2410.21611); octaves are our choice"


def cell_spectrum(detector: Detector) -> tuple[Observable, ...]:
    """One profile; none where cells hold no energies."""
    if not has_cell_energies(detector):
        return ()
    return (
        Observable(
            name="cell_spectrum",
            title="Spectrum of cell energies",
            unit="cells",
            source=SOURCE,
            function=cells_in_octaves,
            edges=octave_edges(detector),
            edges_unit=detector.unit,
            x_label="cell energy",
            y_label="Mean number of cells",
        ),
    )


CELL_SPECTRUM = Family(
    name="cell_spectrum",
    title="Spectrum of cell energies",
    definition=(
        "number of cells in each octave of energy from 1 keV to 1 TeV; energies as they are, not divided by E_inc, "
        "because noise and thresholds do not grow with it; cells of zero do not count, under- and overflow are in the "
        "end bins"
    ),
    unit="cells",
    detectors="cells hold energies",
    smallest_sample=FOR_PROFILE,
    cost="every evaluation",
    source=SOURCE,
    of=cell_spectrum,
)
