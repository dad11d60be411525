"""What the image of the LHCb hadronic calorimeter is judged by: its maximum, and what lacks to the tracker's energy.

The total energy (5.1.1) is the observable ``response``, the number of cells above 6 MeV (5.1.3) is ``hits``, the centre
of energy (5.1.5) is ``centre_x`` and ``centre_y``: they follow from the axes of any detector.
"""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.lhcb_geometry import FACE
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.maximum_cell import maximum_cell
from metrics.observables.sample import Sample

THESIS = "T. Neuer, master thesis, University of Zurich, 2020"


def is_lhcb_face(detector: Detector) -> bool:
    """Whether the response is an image of the face of the calorimeter, 52 × 64 cells."""
    return detector.layers == (FACE,)


def resolution(sample: Sample) -> NDArray[np.float64]:
    """Transverse energy of the tracks minus that of the image [MeV], shape (N,)."""
    return np.asarray(sample.incident_energy - sample.total, dtype=np.float64)


MAXIMUM = Observable(
    name="maximum",
    title="Largest cell / transverse energy of the tracks",
    unit="1",
    source=f"{THESIS}, eq. 5.1.2; divided by the transverse energy of the tracks",
    function=maximum_cell,
)
RESOLUTION = Observable(
    name="resolution",
    title="Transverse energy of the tracks − of the image",
    unit="MeV",
    source=f"{THESIS}, eq. 5.1.4",
    function=resolution,
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return (MAXIMUM, RESOLUTION) if is_lhcb_face(detector) and detector.energy_condition is not None else ()


LHCB_IMAGE = Family(
    name="lhcb_image",
    title="Largest cell, and energy that lacks to the tracks (LHCb)",
    definition=(
        "max over the cells of the image / E_T of the tracks, an outer cell counting as its four quarters; r = E_T of "
        "the tracks − Σ cells, not divided by it, because that would be 1 − response"
    ),
    unit="1, MeV",
    detectors="face of the LHCb calorimeter, 52 × 64 cells; energy of the tracks known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=f"{THESIS}, eqs. 5.1.2 and 5.1.4",
    of=_of,
)
