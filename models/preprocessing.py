"""From showers and conditions to what the networks see, and back.

Cell energies are normalised to the incident energy, f = E_cell / E (ATL-SOFT-PUB-2018-001, section 3; the three
forms are in table 2). In the logarithmic forms an empty cell is a fraction of 1e-10, and what lies below
counts as empty: it comes back as exactly zero. Otherwise the inverse is exact up to float32.
"""

# Axes: N events, V cells, C inputs that encode the conditions.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_adapters.detector import Condition, Detector
from data_adapters.events import Events, InvalidEvents
from data_adapters.registry import Registry, UnknownName
from data_adapters.streaming import EventStream

EMPTY_FRACTION = 1e-10
# No cell holds ten times the incident energy; the limit keeps what an untrained network says finite.
LARGEST_FRACTION = 10.0
BLOCK_CELLS = 2**22


@dataclass(frozen=True)
class Preprocessing:
    """A form of the energy fractions.

    ``low`` and ``high`` are the values of an empty cell and of a cell that holds the incident energy. Output
    activations are mapped so that their 0 and 1 fall there (``from_activation``); this is our reading, without
    which no sigmoid could reach a logarithm.
    """

    name: str
    low: float
    high: float
    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]

    def from_activation(self, value: Tensor) -> Tensor:
        """Map 0 to ``low`` and 1 to ``high``."""
        if (self.low, self.high) == (0.0, 1.0):
            return value
        return self.low + (self.high - self.low) * value


def _identity(fraction: Tensor) -> Tensor:
    return fraction


def _bounded(fraction: Tensor) -> Tensor:
    return fraction.clamp(0.0, LARGEST_FRACTION)


def _log10(shift: float) -> Callable[[Tensor], Tensor]:
    def forward(fraction: Tensor) -> Tensor:
        # Double precision, so that a fraction at the very edge does not fall on the wrong side of it.
        return (torch.log10(fraction.double().clamp(min=EMPTY_FRACTION)) + shift).to(fraction.dtype)

    return forward


def _power_of_ten(shift: float, low: float) -> Callable[[Tensor], Tensor]:
    def inverse(value: Tensor) -> Tensor:
        fraction = torch.pow(10.0, value.double() - shift).clamp(max=LARGEST_FRACTION).to(value.dtype)
        return torch.where(value > low, fraction, 0.0)

    return inverse


PREPROCESSINGS = Registry(
    "preprocessing",
    Preprocessing("fraction", 0.0, 1.0, _identity, _bounded),
    Preprocessing("log10", -10.0, 0.0, _log10(0.0), _power_of_ten(0.0, -10.0)),
    Preprocessing("log10_1e10", 0.0, 10.0, _log10(10.0), _power_of_ten(10.0, 0.0)),
)


def fractions(events: Events, scale: float = 1.0) -> Tensor:
    """Cell energies over the incident energy and a constant scale, float32, shape (N, V).

    Raises: InvalidEvents if the detector has no incident energy.
    """
    return fractions_of(events.response, events.incident_energy, scale)


def fractions_of(response: NDArray[np.float32], energy: NDArray[np.float64], scale: float = 1.0) -> Tensor:
    """The same from response (N, V) and energy (N,)."""
    normalised = np.empty(response.shape, dtype=np.float32)
    rows = max(1, BLOCK_CELLS // response.shape[1])  # double precision for a block at a time: samples can be large
    for start in range(0, len(response), rows):
        block = slice(start, start + rows)
        normalised[block] = response[block].astype(np.float64) / (energy[block] * scale)[:, None]
    return torch.from_numpy(normalised)


@dataclass(frozen=True)
class Scaling:
    """Maps a real condition to about [0, 1]; the constants are the extremes of the training sample."""

    name: str
    logarithmic: bool
    low: float
    high: float

    @classmethod
    def fitted(cls, name: str, values: NDArray[np.float64], logarithmic: bool) -> Scaling:
        """Constants from the values (N,) of a training sample."""
        scale = np.log10(values) if logarithmic else values
        return cls(name, logarithmic, float(scale.min()), float(scale.max()))

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scaled values, shape (N, 1)."""
        scale = np.log10(values) if self.logarithmic else values
        return np.asarray((scale - self.low) / self._width)[:, None]

    def encode_tensor(self, values: Tensor) -> Tensor:
        """The same in torch."""
        scale = torch.log10(values) if self.logarithmic else values
        return ((scale - self.low) / self._width)[:, None]

    @property
    def _width(self) -> float:
        return self.high - self.low or 1.0


@dataclass(frozen=True)
class Categories:
    """Encodes one of ``count`` categories as ones and zeros."""

    name: str
    count: int

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One column a category, shape (N, count).

        Raises: ValueError for a value that is no category.
        """
        wrong = values[(values != np.floor(values)) | (values < 0) | (values >= self.count)]
        if len(wrong):
            raise ValueError(f"{self.name} holds {wrong[0]}; it must be a whole number from 0 to {self.count - 1}")
        return np.eye(self.count)[values.astype(np.intp)]

    def encode_tensor(self, values: Tensor) -> Tensor:
        """The same in torch, unchecked."""
        return (values[:, None] == torch.arange(self.count, device=values.device)).to(values.dtype)


@dataclass(frozen=True)
class Affine:
    """(value − offset) / scale: standardised numbers, numbers in a fixed unit, whole arrays.

    ``size`` is how many numbers an event has; arrays are flattened.
    """

    name: str
    offset: float = 0.0
    scale: float = 1.0
    size: int = 1

    @classmethod
    def standardised(cls, name: str, values: NDArray[np.float64]) -> Affine:
        """To mean 0 and standard deviation 1 of the values (N,) of a training sample."""
        return cls(name, float(values.mean()), float(values.std()) or 1.0)

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (N, size)."""
        return np.asarray((values.reshape(len(values), self.size) - self.offset) / self.scale)

    def encode_tensor(self, values: Tensor) -> Tensor:
        """The same in torch."""
        return (values.reshape(-1, self.size) - self.offset) / self.scale


Part = Scaling | Categories | Affine


@dataclass(frozen=True)
class Conditioning:
    """What the networks are told of the conditions: real ones scaled, categories as a multi-hot encoding."""

    parts: tuple[Part, ...]

    @classmethod
    def fitted(cls, sample: Events | EventStream, logarithmic_energy: bool) -> Conditioning:
        """Encoding of the conditions of the detector, each one number an event."""
        parts: list[Part] = []
        for condition in sample.detector.conditions:
            if condition.categories is not None:
                parts.append(Categories(condition.name, condition.categories))
            else:
                logarithmic = logarithmic_energy and condition.energy
                parts.append(Scaling.fitted(condition.name, sample.conditions[condition.name], logarithmic))
        return cls(tuple(parts))

    @property
    def width(self) -> int:
        """C, the number of inputs."""
        return sum(_width(part) for part in self.parts)

    def encode(self, conditions: Mapping[str, NDArray[np.float64]]) -> Tensor:
        """Inputs of the networks, float32, shape (N, C)."""
        columns = [part.encode(np.asarray(conditions[part.name], dtype=np.float64)) for part in self.parts]
        if not columns:
            return torch.empty((len(next(iter(conditions.values()))), 0))
        return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32))

    def encode_tensors(self, conditions: Mapping[str, Tensor]) -> Tensor:
        """The same in torch and in the precision of the conditions: a part of networks that run without Python."""
        columns = [part.encode_tensor(conditions[part.name]) for part in self.parts]
        if not columns:
            first = next(iter(conditions.values()))
            return (first[:, None] if first.dim() == 1 else first.flatten(1))[:, :0]
        return torch.cat(columns, dim=1)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values; ``from_json`` is its inverse."""
        return [asdict(part) for part in self.parts]

    @classmethod
    def from_json(cls, parts: list[dict[str, Any]]) -> Conditioning:
        return cls(tuple(_part(part) for part in parts))


def _width(part: Part) -> int:
    if isinstance(part, Categories):
        return part.count
    return part.size if isinstance(part, Affine) else 1


def _part(values: dict[str, Any]) -> Part:
    """The kind of a part follows from its fields."""
    if "count" in values:
        return Categories(**values)
    return Affine(**values) if "offset" in values else Scaling(**values)


def required_energy(detector: Detector) -> Condition:
    """The energy condition. Raises: InvalidEvents if the detector has none."""
    energy = detector.energy_condition
    if energy is None:
        raise InvalidEvents(
            f"{detector.name} has no incident energy, by which this model normalises cells: mark a condition as the "
            "energy in the description, or choose another model"
        )
    return energy


def needs_energy(detector: Detector) -> str | None:
    """Why a detector cannot be taken by a model that divides by the incident energy; None if it can."""
    if detector.energy_condition is not None:
        return None
    return (
        "it has no incident energy, by which this model normalises cells. Mark a condition as the energy in the "
        "description, or choose another model"
    )


def needs_energy_and_numbers(detector: Detector) -> str | None:
    """Why a detector cannot be taken by a model that, beside, is told one number a condition; None if it can."""
    for condition in detector.conditions:
        if condition.shape:
            return (
                f"its {condition.name} has the shape {condition.shape}; this model is told single numbers. Choose a "
                "model that takes such a condition"
            )
    return needs_energy(detector)


def check_conditions(conditions: Mapping[str, NDArray[np.float64]], detector: Detector) -> int:
    """Number of events that the conditions describe.

    Raises: UnknownName for a condition that the detector does not have; ValueError if one is missing, not finite
        or of another length, or an incident energy is not positive.
    """
    names = [condition.name for condition in detector.conditions]
    for name in conditions:
        if name not in names:
            raise UnknownName(f"condition of {detector.name}", name, names)
    missing = [name for name in names if name not in conditions]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing; {detector.name} needs the conditions {', '.join(names)}")
    shapes = {name: np.shape(values) for name, values in conditions.items()}
    num_events = shapes[names[0]][0] if shapes[names[0]] else 0
    if any(shapes[condition.name] != (num_events, *condition.shape) for condition in detector.conditions):
        needed = {condition.name: ("events", *condition.shape) for condition in detector.conditions}
        raise ValueError(f"the conditions have the shapes {shapes}; they need {needed}")
    for condition in detector.conditions:
        values = np.asarray(conditions[condition.name])
        if not np.isfinite(values).all() or (condition.energy and (values <= 0).any()):
            above = f", and above 0 {condition.unit}" if condition.energy else ""
            raise ValueError(f"{condition.name} must be finite{above}")
    return int(num_events)
