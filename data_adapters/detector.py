"""What a detector looks like to a generative model: layers of cells, conditions.

A response is stored flat: the layers one after the other, each row-major in its axes (the last axis runs fastest).
A detector that is read out as one image, or as one volume of cells, has one layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENERGY_UNITS = {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3, "TeV": 1e6, "PeV": 1e9, "EeV": 1e12}  # in MeV
DEPTH_NAMES = ("z", "depth", "layer")


@dataclass(frozen=True)
class Axis:
    """A direction along which cells are counted.

    ``edges`` are the cell borders in ``unit``, one more than there are cells, increasing.

    Raises: ValueError for edges that do not increase.
    """

    name: str
    edges: tuple[float, ...]
    unit: str = "cell"

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or not all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"the edges of axis {self.name} are {self.edges}; at least two, increasing, are needed")

    @classmethod
    def regular(cls, name: str, cells: int, size: float, unit: str) -> Axis:
        """Cells of one size, the middle of the axis at 0."""
        return cls(name, tuple((index - cells / 2) * size for index in range(cells + 1)), unit)

    @classmethod
    def numbered(cls, name: str, cells: int) -> Axis:
        """Cells of which only the number is known: 0, 1, 2, …"""
        return cls(name, tuple(float(index) for index in range(cells + 1)))

    @property
    def num_cells(self) -> int:
        return len(self.edges) - 1

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of each cell [unit], shape (cells,)."""
        edges = np.array(self.edges)
        return np.asarray((edges[:-1] + edges[1:]) / 2, dtype=np.float64)


@dataclass(frozen=True)
class Layer:
    """Cells in a regular grid: one sampling layer, or a whole image or volume.

    ``depth_x0`` is the depth of its centre in radiation lengths from the interaction point, where it is known.
    """

    name: str
    axes: tuple[Axis, ...]
    depth_x0: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.num_cells for axis in self.axes)

    @property
    def num_cells(self) -> int:
        return math.prod(self.shape)

    def axis(self, name: str) -> int:
        """Number of the axis of that name. Raises: StopIteration if there is none."""
        return next(index for index, axis in enumerate(self.axes) if axis.name == name)


@dataclass(frozen=True)
class Condition:
    """A quantity that the generator is told.

    Attributes:
        unit: Unit of the values; "1" for pure numbers.
        categories: A condition with categories takes the whole numbers 0 … categories − 1; without, it is real.
        bins: Whether the metrics are computed in bins of its values.
        energy: Whether it is the energy by which the response is divided; in the unit of the response where that
            is an energy. At most one condition is.
        shape: Of the values of one event; () for one number.
        low, high: What values can be; a file with others is refused.
    """

    name: str
    unit: str
    categories: int | None = None
    bins: bool = False
    energy: bool = False
    shape: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Detector:
    """Geometry and conditions.

    Attributes:
        quantity: What a cell holds: "energy", "transverse energy", "signal", "coordinate".
        unit: Its unit (MeV, GeV, VEM, mm).
        signed: Whether it may be negative.
        threshold: A cell above it counts as hit [unit].
    Raises: ValueError if the energy condition is not in the unit of the response.
    """

    name: str
    title: str
    layers: tuple[Layer, ...]
    conditions: tuple[Condition, ...]
    quantity: str = "energy"
    unit: str = "MeV"
    signed: bool = False
    threshold: float = 0.0

    def __post_init__(self) -> None:
        energy = self.energy_condition
        if energy is not None and self.unit in ENERGY_UNITS and energy.unit != self.unit:
            raise ValueError(
                f"{self.name}: {energy.name} is in {energy.unit}, the response in {self.unit}; give both in one unit"
            )

    @cached_property
    def num_cells(self) -> int:
        return sum(layer.num_cells for layer in self.layers)

    @cached_property
    def layer_slices(self) -> dict[str, slice]:
        """Where each layer lies in the flat response."""
        slices, start = {}, 0
        for layer in self.layers:
            slices[layer.name] = slice(start, start + layer.num_cells)
            start += layer.num_cells
        return slices

    @property
    def binning_condition(self) -> Condition:
        """The condition in whose bins every metric is computed.

        Raises: ValueError if the detector has none.
        """
        for condition in self.conditions:
            if condition.bins:
                return condition
        raise ValueError(f"{self.name} has no condition in whose bins metrics could be computed: mark one as bins")

    @property
    def energy_condition(self) -> Condition | None:
        """The condition by which responses are divided; None where there is none."""
        return next((condition for condition in self.conditions if condition.energy), None)

    def depth_parts(self, parts: int) -> tuple[NDArray[np.intp], ...]:
        """Cells of consecutive parts of the depth, front to back.

        Several layers are divided by their number, one layer along its axis called z, depth or layer (else its
        last), into parts that differ by one at most; 25 layers give 8, 9 and 8.
        """
        depth = np.concatenate([self._depth_index(layer, number) for number, layer in enumerate(self.layers)])
        part = ((depth + 0.5) * parts / (depth.max() + 1)).astype(np.intp)
        return tuple(np.flatnonzero(part == index) for index in range(parts))

    def _depth_index(self, layer: Layer, number: int) -> NDArray[np.intp]:
        if len(self.layers) > 1:
            return np.full(layer.num_cells, number)
        named = [index for index, axis in enumerate(layer.axes) if axis.name in DEPTH_NAMES]
        axis = named[0] if named else len(layer.axes) - 1
        return np.asarray(np.indices(layer.shape)[axis].ravel(), dtype=np.intp)


def detector_to_json(detector: Detector) -> dict[str, Any]:
    """Plain values, equal to what JSON gives back; ``detector_from_json`` is the inverse."""
    return {
        "name": detector.name,
        "title": detector.title,
        "quantity": detector.quantity,
        "unit": detector.unit,
        "signed": detector.signed,
        "threshold": detector.threshold,
        "layers": [
            {
                "name": layer.name,
                "depth_x0": layer.depth_x0,
                "axes": [{"name": axis.name, "edges": list(axis.edges), "unit": axis.unit} for axis in layer.axes],
            }
            for layer in detector.layers
        ],
        "conditions": [{**vars(condition), "shape": list(condition.shape)} for condition in detector.conditions],
    }


def detector_from_json(values: Mapping[str, Any]) -> Detector:
    """Inverse of ``detector_to_json``.

    Raises: KeyError, TypeError, ValueError for values that describe no detector.
    """
    layers = tuple(
        Layer(
            layer["name"],
            tuple(Axis(axis["name"], tuple(axis["edges"]), axis["unit"]) for axis in layer["axes"]),
            layer["depth_x0"],
        )
        for layer in values["layers"]
    )
    conditions = tuple(
        Condition(**{**condition, "shape": tuple(condition["shape"])}) for condition in values["conditions"]
    )
    return Detector(**{**values, "layers": layers, "conditions": conditions})
