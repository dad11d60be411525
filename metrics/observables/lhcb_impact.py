"""Where a shower lies from the point at which its track hits the face of the LHCb calorimeter."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.lhcb_geometry import (
    CELL_MM,
    FACE,
    INNER_SHAPE,
    OUTER_SHAPE,
    SHAPE,
    split_images,
)
from metrics.observables.along_axes import grids
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.lhcb_image import THESIS, is_lhcb_face
from metrics.observables.sample import Sample

SOURCE = f"{THESIS}, eq. 5.1.5; minus the point of impact, which the conditions tell"
IMPACT = ("x", "y")

Floats = NDArray[np.float64]


def centre_offset(sample: Sample) -> Floats:
    """x and y of the centre of energy minus those of the impact [mm], shape (N, 2).

    Without energy the centre is the lower left corner of the face, where no shower has it.
    """
    return sample.once("centre offset", lambda: _centre_of_energy(sample) - _impact(sample))


def maximum_offset(sample: Sample) -> Floats:
    """x and y of the middle of the largest cell of the read-out minus those of the impact [mm], shape (N, 2).

    An outer cell counts with its whole energy. Without energy the cell is the first of the outer part, in a corner.
    """
    return sample.once("maximum offset", lambda: _largest_cell(sample) - _impact(sample))


def _impact(sample: Sample) -> Floats:
    return np.stack([sample.events.conditions[name] for name in IMPACT], axis=1)


def _centre_of_energy(sample: Sample) -> Floats:
    grid = grids(sample.detector)[0]
    filled = sample.total > 0
    total = np.where(filled, sample.total, 1.0)
    centres = [
        np.where(filled, grid.along(sample, index) @ FACE.axes[index].centres / total, FACE.axes[index].edges[0])
        for index in map(FACE.axis, IMPACT)
    ]
    return np.stack(centres, axis=1)


def _largest_cell(sample: Sample) -> Floats:
    inner, outer = split_images(sample.response.reshape(-1, *SHAPE))
    cells = np.concatenate([outer.reshape(len(outer), -1), inner.reshape(len(inner), -1)], axis=1)
    places = np.concatenate([_centres(OUTER_SHAPE, 2 * CELL_MM), _centres(INNER_SHAPE, CELL_MM)])
    return np.asarray(places[cells.argmax(axis=1)])


def _centres(shape: tuple[int, int], cell_mm: float) -> Floats:
    """x and y of the middle of each cell of a part [mm], shape (cells, 2)."""
    row, column = np.indices(shape).reshape(2, -1)
    middle = (np.array(shape) - 1) / 2
    return np.stack([column - middle[1], row - middle[0]], axis=1) * cell_mm


def _along(index: int) -> Observable:
    def offset(sample: Sample) -> Floats:
        return centre_offset(sample)[:, index]

    name = IMPACT[index]
    return Observable(f"offset_{name}", f"Centre of energy − impact, along {name}", "mm", SOURCE, offset)


def centre_distance(sample: Sample) -> Floats:
    """Distance from the impact to the centre of energy [mm], shape (N,)."""
    return np.asarray(np.hypot(*centre_offset(sample).T))


def maximum_distance(sample: Sample) -> Floats:
    """Distance from the impact to the middle of the largest cell [mm], shape (N,)."""
    return np.asarray(np.hypot(*maximum_offset(sample).T))


OBSERVABLES = (
    _along(0),
    _along(1),
    Observable("centre_distance", "Distance from impact to centre of energy", "mm", SOURCE, centre_distance),
    Observable("maximum_distance", "Distance from impact to largest cell", "mm", SOURCE, maximum_distance),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    told = {condition.name for condition in detector.conditions}
    return OBSERVABLES if is_lhcb_face(detector) and told.issuperset(IMPACT) else ()


LHCB_IMPACT = Family(
    name="lhcb_impact",
    title="Centre of energy and largest cell from the point of impact (LHCb, single tracks)",
    definition=(
        "(Σ E x / Σ E − x of the impact, the same in y), its length, and the distance from the impact to the middle of "
        "the largest cell of the read-out; without energy centre and cell are in the lower left corner. Not for full "
        "events, of which no track is the one"
    ),
    unit="mm",
    detectors="face of the LHCb calorimeter; x and y of the impact among the conditions",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
