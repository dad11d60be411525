"""Configurations: frozen dataclasses whose fields are the hyperparameters, checked when built.

The dataclass says everything: ``Literal`` types list the values of a choice, ``whole`` and ``number``
carry the range of a field beside its default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from data_adapters.registry import UnknownName


def whole(default: int, minimum: int = 1, maximum: float = math.inf) -> int:
    """A field that holds a whole number from ``minimum`` to ``maximum``."""
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum})


def number(default: float, minimum: float = 0.0, *, positive: bool = False) -> float:
    """A field that holds a finite number of at least ``minimum``, and above it if ``positive``."""
    return field(default=default, metadata={"minimum": minimum, "positive": positive})


@dataclass(frozen=True)
class Config:
    """Base of every configuration; its fields are checked as soon as it exists.

    Raises: ValueError for a wrong type or a value out of range; UnknownName for a choice that does not exist.
    """

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for item in fields(self):
            value = _checked(item.name, getattr(self, item.name), types[item.name])
            _check_range(item.name, value, item.metadata)
            object.__setattr__(self, item.name, value)


ConfigT = TypeVar("ConfigT", bound=Config)


def from_dict(config_class: type[ConfigT], mapping: Mapping[str, object]) -> ConfigT:
    """The configuration that a mapping describes; fields that are not named keep their defaults.

    Raises: UnknownName for a key that is no field; ValueError for a value that does not fit.
    """
    known = [item.name for item in fields(config_class)]
    for key in mapping:
        if key not in known:
            raise UnknownName(f"field of {config_class.__name__}", key, known)
    return config_class(**cast(dict[str, Any], dict(mapping)))


def to_dict(config: Config) -> dict[str, int | float | str]:
    """Plain values, ready for JSON; ``from_dict`` is its inverse."""
    return {item.name: getattr(config, item.name) for item in fields(config)}


def _checked(name: str, value: object, kind: object) -> object:
    if get_origin(kind) is Literal:
        return _checked_choice(name, value, get_args(kind))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(cast(float, value))
    if kind is int and is_number and isinstance(value, int):
        return value
    expected = "a number" if kind is float else "a whole number"
    raise ValueError(f"{name} is {value!r} ({type(value).__name__}); it must be {expected}")


def _checked_choice(name: str, value: object, choices: tuple[str, ...]) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r} ({type(value).__name__}); it must be one of {', '.join(choices)}")
    if value not in choices:
        raise UnknownName(name, value, choices)
    return value


def _check_range(name: str, value: object, limits: Mapping[str, Any]) -> None:
    if not isinstance(value, int | float):
        return
    minimum, maximum, positive = limits["minimum"], limits.get("maximum", math.inf), limits.get("positive", False)
    if not math.isfinite(value) or not minimum <= value <= maximum or (positive and value == minimum):
        lower = f"{'above' if positive else 'at least'} {minimum}"
        upper = f"at most {maximum}" if math.isfinite(maximum) else "finite"
        raise ValueError(f"{name} is {value}; it must be {lower} and {upper}")
