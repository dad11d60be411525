"""Events: conditions and response of N showers (or tracks) in one detector."""

# Axes: N events, V cells (all layers, flattened). Values in the units that the detector declares.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector

INCIDENT_ENERGY = "incident_energy"

Columns = Mapping[str, NDArray[np.float64]]


class InvalidEvents(ValueError):
    """Events that no detector can have produced; the message names event and cell."""


@dataclass(frozen=True)
class Events:
    """N showers.

    Args:
        detector: Geometry; fixes V and the names of the conditions.
        conditions: One array of shape (N, *condition.shape) for each condition of the detector, in its unit.
        response: What the cells hold, in the unit of the detector, float32, shape (N, V).
        identity: uint64, shape (N,): equal for events that are not independent of each other
            (twins, overlays of one source shower); the split is drawn from it.
        auxiliary: Further columns, first dimension N, that no generator is told (truth, signal flags).
    Raises: InvalidEvents for shapes that do not fit, NaN, infinity or impossible values.
    """

    detector: Detector
    conditions: Columns
    response: NDArray[np.float32]
    identity: NDArray[np.uint64]
    auxiliary: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_response(self.response, self.detector)
        check_columns(self.detector, self.conditions, len(self.response))
        for name, values in {**self.auxiliary, "identity": self.identity}.items():
            if len(values) != len(self.response):
                raise InvalidEvents(
                    f"{name} has shape {values.shape}; {len(self.response)} events need ({len(self.response)}, …)"
                )

    def __len__(self) -> int:
        return len(self.response)

    @property
    def incident_energy(self) -> NDArray[np.float64]:
        """The energy that responses are divided by, shape (N,), in the unit of its condition.

        Raises: InvalidEvents if the detector has no such condition.
        """
        condition = self.detector.energy_condition
        if condition is None:
            raise InvalidEvents(
                f"{self.detector.name} has no energy among its conditions "
                f"({', '.join(c.name for c in self.detector.conditions) or 'none'}): "
                "what divides by the incident energy cannot be used with it"
            )
        return self.conditions[condition.name]

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Events:
        """The events of a mask (N,) or of a list of indices."""
        return Events(
            self.detector,
            {name: values[which] for name, values in self.conditions.items()},
            self.response[which],
            self.identity[which],
            {name: values[which] for name, values in self.auxiliary.items()},
        )

    def with_response(self, response: NDArray[np.float32]) -> Events:
        """Other showers, shape (N, V), at the very same conditions."""
        return replace(self, response=response)


def concatenate(parts: Sequence[Events]) -> Events:
    """The events of several samples of one detector, one after the other."""
    first = parts[0]
    return Events(
        first.detector,
        {name: np.concatenate([part.conditions[name] for part in parts]) for name in first.conditions},
        np.concatenate([part.response for part in parts]),
        np.concatenate([part.identity for part in parts]),
        {name: np.concatenate([part.auxiliary[name] for part in parts]) for name in first.auxiliary},
    )


def check_columns(detector: Detector, conditions: Columns, num_events: int) -> None:
    """Raises: InvalidEvents if names or shapes are not those of the detector, or a value cannot be."""
    expected = [condition.name for condition in detector.conditions]
    if sorted(conditions) != sorted(expected):
        raise InvalidEvents(
            f"{detector.name} has the conditions {sorted(expected)}; these events have {sorted(conditions)}"
        )
    for condition in detector.conditions:
        values, shape = conditions[condition.name], (num_events, *condition.shape)
        if values.shape != shape:
            raise InvalidEvents(f"{condition.name} has shape {values.shape}; {num_events} events need {shape}")
        bad = first_bad_condition(values, condition.low, condition.high)
        if bad is not None:
            raise InvalidEvents(
                f"{condition.name} of event {bad[0]} is {values[bad]}; {_range(condition.low, condition.high)}: "
                "remove this event from the file"
            )


def first_bad_condition(values: NDArray[np.float64], low: float | None, high: float | None) -> tuple[int, ...] | None:
    """Index of the first value that is not finite or lies outside [low, high]; None if all are fine."""
    bad = ~np.isfinite(values)
    if low is not None:
        bad |= values < low
    if high is not None:
        bad |= values > high
    return tuple(int(i) for i in np.argwhere(bad)[0]) if bad.any() else None


def _range(low: float | None, high: float | None) -> str:
    limits = [f"at least {low:g}"] if low is not None else []
    limits += [f"at most {high:g}"] if high is not None else []
    return f"it must be {' and '.join(['finite', *limits])}"


def first_bad_cell(response: NDArray[np.float32], detector: Detector) -> tuple[int, int] | None:
    """Event and cell of the first value that no detector produces; None if all are fine."""
    if response.size == 0:
        return None
    # The extremes tell at a fraction of the cost whether it is worth looking for the place (NaN spoils both).
    low, high = float(response.min()), float(response.max())
    if np.isfinite(low) and np.isfinite(high) and (detector.signed or low >= 0):
        return None
    fine = np.isfinite(response) if detector.signed else (response >= 0) & np.isfinite(response)
    event, cell = np.argwhere(~fine)[0]
    return int(event), int(cell)


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
    bad = first_bad_cell(response, detector)
    if bad is not None:
        raise InvalidEvents(
            f"cell {bad[1]} of event {bad[0]} holds {response[bad]} {detector.unit}; {allowed_values(detector)}"
        )


def allowed_values(detector: Detector) -> str:
    """What a cell may hold, as the end of a sentence."""
    return "values must be finite" if detector.signed else "energies must be finite and ≥ 0"
