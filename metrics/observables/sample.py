"""A block of events, with what several observables are computed from, computed once."""

# Axes: N events, P positions along an axis.
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events

Floats = NDArray[np.float64]


class Sample:
    """Events while their observables are computed; what is shared between observables is kept under a name."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self._kept: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.events)

    @property
    def detector(self) -> Detector:
        return self.events.detector

    @property
    def response(self) -> NDArray[np.float32]:
        return self.events.response

    @property
    def incident_energy(self) -> Floats:
        """As in ``Events``."""
        return self.events.incident_energy

    def once(self, name: str, compute: Callable[[], Floats]) -> Floats:
        """The value kept under a name; computed when it is asked for the first time."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    @property
    def total(self) -> Floats:
        """Sum over all cells, shape (N,), in the unit of the response."""
        return self.once("total", lambda: self.response.sum(axis=1, dtype=np.float64))

    @property
    def layer_energies(self) -> Floats:
        """Sum over the cells of each layer, shape (N, layers)."""
        return self.once("layers", self._layer_energies)

    def _layer_energies(self) -> Floats:
        layers = self.detector.layer_slices.values()
        return np.stack([self.response[:, cells].sum(axis=1, dtype=np.float64) for cells in layers], axis=1)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator, which may be one for several; 0 where it is not above 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
