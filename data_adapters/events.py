"""Events: conditions and response of N showers in one detector."""

# Axes: N events, V cells (all layers, flattened). Energies in MeV.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector

INCIDENT_ENERGY = "incident_energy"


class InvalidEvents(ValueError):
    """Events that no detector can have produced; the message names event and cell."""


@dataclass(frozen=True)
class Events:
    """N showers.

    Args:
        detector: Geometry; fixes V and the names of the conditions.
        conditions: One array of shape (N,) for each condition of the detector, in its unit.
        response: Cell energies [MeV], float32, shape (N, V).
        identity: uint64, shape (N,): equal for events that are not independent of each other
            (twins, overlays of one source shower); the split is drawn from it.
    Raises: InvalidEvents for shapes that do not fit, NaN, infinity or negative energies.
    """

    detector: Detector
    conditions: Mapping[str, NDArray[np.float64]]
    response: NDArray[np.float32]
    identity: NDArray[np.uint64]

    def __post_init__(self) -> None:
        check_response(self.response, self.detector)
        expected = [condition.name for condition in self.detector.conditions]
        if sorted(self.conditions) != sorted(expected):
            raise InvalidEvents(
                f"{self.detector.name} has the conditions {sorted(expected)}; "
                f"these events have {sorted(self.conditions)}"
            )
        for name, values in {**self.conditions, "identity": self.identity}.items():
            if values.shape != (len(self.response),):
                raise InvalidEvents(
                    f"{name} has shape {values.shape}; {len(self.response)} events need ({len(self.response)},)"
                )
        for name, values in self.conditions.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad):
                raise InvalidEvents(f"{name} of event {bad[0]} is {values[bad[0]]}: remove this event from the file")

    def __len__(self) -> int:
        return len(self.response)

    @property
    def incident_energy(self) -> NDArray[np.float64]:
        """Energy of the incident particle [MeV], shape (N,)."""
        return self.conditions[INCIDENT_ENERGY]

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Events:
        """The events of a mask (N,) or of a list of indices."""
        return Events(
            self.detector,
            {name: values[which] for name, values in self.conditions.items()},
            self.response[which],
            self.identity[which],
        )

    def with_response(self, response: NDArray[np.float32]) -> Events:
        """Other showers [MeV], shape (N, V), at the very same conditions."""
        return Events(self.detector, self.conditions, response, self.identity)


def check_response(response: NDArray[np.float32], detector: Detector) -> None:
    """Refuse what cannot be a sample of showers of this detector.

    Raises: InvalidEvents, naming the first event and cell that are wrong.
    """
    if response.ndim != 2 or response.shape[1] != detector.num_cells:
        raise InvalidEvents(
            f"the response has shape {response.shape}; {detector.name} needs (events, {detector.num_cells})"
        )
    if len(response) == 0:
        raise InvalidEvents("there are no events: the sample is empty")
    finite_and_positive = (response >= 0) & np.isfinite(response)
    if not finite_and_positive.all():
        event, cell = np.argwhere(~finite_and_positive)[0]
        raise InvalidEvents(
            f"cell {cell} of event {event} holds {response[event, cell]} MeV; energies must be finite and ≥ 0"
        )
