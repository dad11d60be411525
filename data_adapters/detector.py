"""What a detector looks like to a generative model: layers, cells, conditions.

A response is stored flat: the layers one after the other, each row-major in (eta, phi).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """One sampling layer of a calorimeter.

    ``shape`` counts cells in (eta, phi); ``cell_size`` is their size in (eta, phi) [1, rad];
    ``depth_x0`` is the depth of its centre in radiation lengths from the interaction point.
    """

    name: str
    shape: tuple[int, int]
    cell_size: tuple[float, float]
    depth_x0: float

    @property
    def num_cells(self) -> int:
        return self.shape[0] * self.shape[1]

    def positions(self, axis: Literal[0, 1]) -> NDArray[np.float64]:
        """Cell centres along one axis relative to the centre of the window [1 for eta, rad for phi]."""
        index = np.arange(self.shape[axis]) - (self.shape[axis] - 1) / 2
        return np.asarray(index * self.cell_size[axis], dtype=np.float64)


@dataclass(frozen=True)
class Condition:
    """A quantity that the generator is told.

    A condition with ``categories`` takes the whole numbers 0 … categories − 1; without, it is a
    real number in ``unit``. ``bins`` says that the metrics are computed in bins of its values.
    """

    name: str
    unit: str
    categories: int | None = None
    bins: bool = False


@dataclass(frozen=True)
class Detector:
    """Geometry and conditions; energies are in MeV throughout."""

    name: str
    title: str
    layers: tuple[Layer, ...]
    conditions: tuple[Condition, ...]

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
        """The condition in whose bins every metric is computed (the incident energy, for ATLAS)."""
        return next(condition for condition in self.conditions if condition.bins)
