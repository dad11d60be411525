"""A part of a detector's cells, several of them summed to one: smaller events from the same files."""

# Axes: N events, n events that were asked for, V cells of the file, W cells that are left.
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Axis, Detector, Layer
from data_adapters.source import EventSource, ReadResponse


@dataclass(frozen=True)
class Regrid:
    """What becomes of a detector of one layer.

    Attributes:
        name, title: Of the smaller detector.
        first, last: Of each axis, the cells that are kept: from ``first`` up to, not including, ``last``.
        merged: Of each axis, how many neighbouring cells become one, whose content is their sum.
    """

    name: str
    title: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    merged: tuple[int, ...]

    def detector(self, detector: Detector) -> Detector:
        """The smaller detector; its cells lie where they lay.

        Raises: ValueError if it has not one layer with these axes, or the kept cells are no multiple of the merged.
        """
        shape = detector.layers[0].shape
        parts = list(zip(self.first, self.last, self.merged, strict=True))
        inside = len(parts) == len(shape) and all(
            0 <= a < b <= n and (b - a) % m == 0 for (a, b, m), n in zip(parts, shape, strict=True)
        )
        if len(detector.layers) > 1 or not inside:
            raise ValueError(
                f"{self.name}: cells {self.first} to {self.last} merged by {self.merged} do not fit {detector.name}, "
                f"whose layers have the shapes {[layer.shape for layer in detector.layers]}; one layer is needed, and "
                "whole merged cells inside of it"
            )
        old = detector.layers[0]
        axes = tuple(
            Axis(axis.name, axis.edges[a : b + 1 : m], axis.unit)
            for axis, (a, b, m) in zip(old.axes, parts, strict=True)
        )
        layer = Layer(old.name, axes, old.depth_x0)
        return replace(detector, name=self.name, title=self.title, layers=(layer,))

    def apply(self, response: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Responses (n, V) of a layer of that shape as responses (n, W)."""
        kept = (slice(None), *(slice(first, last) for first, last in zip(self.first, self.last, strict=True)))
        cells = response.reshape(-1, *shape)[kept]
        split = [size for n, m in zip(cells.shape[1:], self.merged, strict=True) for size in (n // m, m)]
        inner = tuple(range(2, 2 * len(shape) + 1, 2))
        sums = cells.reshape(len(cells), *split).sum(axis=inner, dtype=np.float64)
        return np.asarray(sums.reshape(len(cells), -1), dtype=np.float32)


@dataclass(frozen=True)
class RegriddedResponse:
    """Reads responses (n, W) of cells that were merged."""

    read: ReadResponse
    regrid: Regrid
    shape: tuple[int, ...]

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.regrid.apply(self.read(start, stop), self.shape)


def regridded(source: EventSource, regrid: Regrid) -> EventSource:
    """The same events in fewer cells. Raises: ValueError as ``Regrid.detector``."""
    response = RegriddedResponse(source.read_response, regrid, source.detector.layers[0].shape)
    return replace(source, detector=regrid.detector(source.detector), read_response=response)
