"""Options of an adapter: a frozen dataclass of numbers, switches and names, filled from text or TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_type_hints

from data_adapters.registry import UnknownName


class InvalidOption(ValueError):
    """An option whose value does not fit."""


@dataclass(frozen=True)
class NoOptions:
    """For layouts that leave nothing to choose."""


OptionsT = TypeVar("OptionsT")

_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_options(options_class: type[OptionsT], given: Mapping[str, object]) -> OptionsT:
    """The options that a mapping describes; those that are not named keep their defaults.

    Values may be text (as a command line has them) or already of the right type (as TOML has them).

    Raises: UnknownName for an option that does not exist; InvalidOption for a value that does not fit.
    """
    types = get_type_hints(options_class)
    known = [item.name for item in fields(options_class)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise UnknownName("option", name, known)
    values: dict[str, Any] = {name: _converted(name, value, types[name]) for name, value in given.items()}
    return options_class(**values)


def _converted(name: str, value: object, kind: type) -> object:
    if kind is bool and isinstance(value, str):
        if value.lower() not in _SWITCHES:
            raise InvalidOption(f"option {name} is {value!r}; it takes true or false")
        return _SWITCHES[value.lower()]
    if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
        return value
    if kind in (int, float) and isinstance(value, str | int | float) and not isinstance(value, bool):
        return _number(name, value, kind)
    raise InvalidOption(f"option {name} is {value!r}; it takes {_words(kind)}")


def _number(name: str, value: str | int | float, kind: type) -> int | float:
    try:
        number = kind(value)
    except ValueError:
        raise InvalidOption(f"option {name} is {value!r}; it takes {_words(kind)}") from None
    if number != float(value):
        raise InvalidOption(f"option {name} is {value!r}; it takes {_words(kind)}")
    return int(number) if kind is int else float(number)


def _words(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "text")
