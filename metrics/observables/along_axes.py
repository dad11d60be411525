"""Observables that any detector has: they follow from its axes.

Cells are looked at in grids. One layer is a grid. Layers that are all alike are one grid with the number of the layer
as its first axis. Layers that differ are each a grid, and the energies of the layers are one more.
"""

# Axes: N events, n cells of a grid, P positions along an axis.
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import DEPTH_NAMES, Axis, Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable, has_energies
from metrics.observables.sample import Sample

SOURCE = "shower shapes and moments as in 3DGAN (doi:10.1109/ACCESS.2021.3101946), § V; any detector, any axis"
LAYER_AXIS = "layer"


@dataclass(frozen=True)
class Grid:
    """Cells in a regular grid; ``prefix`` keeps the names of several apart, ``summed`` sums each layer first."""

    prefix: str
    cells: slice
    axes: tuple[Axis, ...]
    summed: bool = False

    def energies(self, sample: Sample) -> NDArray[np.floating]:
        """Cell energies, shape (N, *axes)."""
        if self.summed:
            return sample.layer_energies
        shape = (len(sample), *(axis.num_cells for axis in self.axes))
        return sample.response[:, self.cells].reshape(shape)

    def projection(self, sample: Sample, axis: int) -> NDArray[np.float64]:
        """Energies summed over one axis, shape (N, *the other axes)."""
        return sample.once(
            f"projection {self.prefix}{axis}",
            lambda: self.energies(sample).sum(axis=axis + 1, dtype=np.float64),
        )

    def along(self, sample: Sample, axis: int) -> NDArray[np.float64]:
        """Energy at each position along one axis, shape (N, P)."""
        return sample.once(f"along {self.prefix}{self.summed} {axis}", lambda: self._along(sample, axis))

    def _along(self, sample: Sample, axis: int) -> NDArray[np.float64]:
        if len(self.axes) == 1:
            return np.asarray(self.energies(sample), dtype=np.float64)
        # Two projections serve all axes, so that the cells are read twice however many axes there are.
        over = 1 if axis == 0 else 0
        projection = self.projection(sample, over)
        kept = axis + 1 if axis < over else axis
        others = tuple(index for index in range(1, projection.ndim) if index != kept)
        return np.asarray(projection.sum(axis=others), dtype=np.float64)


def grids(detector: Detector) -> tuple[Grid, ...]:
    """How the cells of a detector are looked at."""
    everything = slice(0, detector.num_cells)
    first, *others = detector.layers
    if not others:
        return (Grid("", everything, first.axes),)
    number = Axis.numbered(LAYER_AXIS, len(detector.layers))
    if all(layer.axes == first.axes for layer in others):
        return (Grid("", everything, (number, *first.axes)),)
    layers = (Grid(f"{layer.name}_", detector.layer_slices[layer.name], layer.axes) for layer in detector.layers)
    return (Grid("", everything, (number,), summed=True), *layers)


def depth_names(detector: Detector) -> tuple[str, ...]:
    """Names of the layers front to back: of a single volume, of its cells along the depth; none without a depth."""
    if len(detector.layers) > 1:
        return tuple(layer.name for layer in detector.layers)
    axis = depth_axis(detector)
    if axis is None:
        return ()
    depth = detector.layers[0].axes[axis]
    return tuple(f"{depth.name}_{number}" for number in range(depth.num_cells))


def energy_in_depth(sample: Sample) -> NDArray[np.float64]:
    """Energy of each layer of ``depth_names``, shape (N, layers)."""
    axis = depth_axis(sample.detector)
    return sample.layer_energies if axis is None else grids(sample.detector)[0].along(sample, axis)


def depth_axis(detector: Detector) -> int | None:
    """Number of the axis of a single volume that is its depth."""
    if len(detector.layers) > 1:
        return None
    names = [axis.name for axis in detector.layers[0].axes]
    return next((index for index, name in enumerate(names) if name in DEPTH_NAMES), None)


def axis_observables(detector: Detector) -> tuple[Observable, ...]:
    """A profile along each axis of each grid; centre and width of the energy along each axis that is not an angle."""
    return tuple(
        observable
        for grid in grids(detector)
        for index, axis in enumerate(grid.axes)
        if axis.num_cells > 1
        for observable in _observables(grid, index, axis)
    )


def _observables(grid: Grid, index: int, axis: Axis) -> Iterator[Observable]:
    name = f"{grid.prefix}{axis.name}"
    words = f"{axis.name} ({grid.prefix.removesuffix('_')})" if grid.prefix else axis.name

    def profile(sample: Sample) -> NDArray[np.float64]:
        return np.asarray(grid.along(sample, index) / sample.incident_energy[:, None], dtype=np.float64)

    def centre(sample: Sample) -> NDArray[np.float64]:
        return _moments(grid.along(sample, index), axis)[0]

    def width(sample: Sample) -> NDArray[np.float64]:
        return _moments(grid.along(sample, index), axis)[1]

    yield Observable(
        f"profile_{name}", f"Mean profile along {words}", "1", SOURCE, profile, axis.edges, axis.unit, words
    )
    if not is_circle(axis):
        yield Observable(f"centre_{name}", f"Centre along {words}", axis.unit, SOURCE, centre)
        yield Observable(f"width_{name}", f"Width along {words}", axis.unit, SOURCE, width)


def is_circle(axis: Axis) -> bool:
    """Whether an axis goes once around, so that a centre along it depends on where it is cut."""
    return axis.unit == "rad" and math.isclose(axis.edges[-1] - axis.edges[0], 2 * math.pi, rel_tol=1e-3)


def _moments(energy: NDArray[np.float64], axis: Axis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy-weighted mean position and standard deviation, each (N,) [unit of the axis].

    An event without energy is given the lower edge and no width: it counts as the outlier that it is.
    """
    total = energy.sum(axis=1)
    filled = total > 0
    safe = np.where(filled, total, 1.0)
    mean = energy @ axis.centres / safe
    variance = energy @ axis.centres**2 / safe - mean**2
    return np.where(filled, mean, axis.edges[0]), np.where(filled, np.sqrt(np.maximum(variance, 0)), 0.0)


def _axes(detector: Detector) -> tuple[Observable, ...]:
    return axis_observables(detector) if has_energies(detector) else ()


ALONG_AXES = Family(
    name="along_axes",
    title="Profile along each axis, centre and width",
    definition=(
        "mean over events of the energy along an axis over E_inc; per event the energy-weighted mean position and "
        "standard deviation"
    ),
    unit="1, of the axis",
    detectors="response never negative, incident energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_axes,
)
