"""A description of a file: a short TOML that says what its arrays are (``arena data describe`` drafts one)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import ENERGY_UNITS, Axis, Condition, Detector, Layer
from data_adapters.formats.registry import FORMATS
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.registry import UnknownName

SUFFIX = ".toml"
LAYER = "cells"  # a described response is one layer

_LOWER_CASE_UNITS = {unit.lower(): unit for unit in ENERGY_UNITS}

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Column:
    """A condition and where the file has it.

    Attributes:
        key: Array of the file, one row an event.
        unit: Of the values in the file; those of ``condition`` are in ``condition.unit``.
    """

    condition: Condition
    key: str
    unit: str

    def converted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the file in the unit of the condition."""
        return convert_energy(values, self.unit, self.condition.unit) if self.condition.energy else values


@dataclass(frozen=True)
class Description:
    """What the arrays of a file are.

    Attributes:
        path: The TOML.
        file: A file, or a folder of files that are described alike.
        identity_keys: Arrays that together name what makes events independent; () for the conditions.
    """

    path: Path
    file: Path
    detector: Detector
    response_key: str
    columns: tuple[Column, ...]
    identity_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class NamedLayout:
    """A description that only names a known layout, and its options."""

    path: Path
    file: Path
    layout: str
    options: Mapping[str, object] = field(default_factory=dict)


def convert_energy(values: NDArray[np.float64], unit: str, into: str) -> NDArray[np.float64]:
    """Energies in another unit; rounded once, so that 0.1 GeV become the float64 nearest to 100 MeV."""
    if unit == into or unit not in ENERGY_UNITS or into not in ENERGY_UNITS:
        return values
    ratio = ENERGY_UNITS[unit] / ENERGY_UNITS[into]
    return values * round(ratio) if ratio > 1 else values / round(1 / ratio)


def description_beside(path: Path) -> Path | None:
    """The TOML beside a file (showers.h5, showers.toml) or a folder (showers/, showers.toml); None without one."""
    name = path.name if path.is_dir() else path.stem
    beside = path.parent / f"{name}{SUFFIX}"
    return beside if path.suffix.lower() != SUFFIX and beside.is_file() else None


def read_description(path: Path, file: Path | None = None) -> Description | NamedLayout:
    """A description from its TOML.

    Args:
        file: What it describes, unless it says so itself; by default the file beside it that has its name.
    Raises: UnreadableFile that says everything that is wrong, with table, key and what to write.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableFile(path, Problem(f"not readable as TOML ({error})", "Mend this line")) from error
    problems: list[Problem] = []
    top = _Table(values, "", problems)
    file = path.parent / top.text("file") if top.has("file") else file or _file_beside(path, top)
    if not file.exists():
        top.wrong("file", f"there is no {file}", "Write the name of the data file, as seen from the description")
    description = _named_layout(path, file, top) if "layout" in values else _description(path, file, top)
    top.finish()
    if problems:
        raise UnreadableFile(path, *problems)
    assert description is not None, "a description without problems is complete"
    return description


class _Table:
    """A table of the TOML, from which keys are taken one by one; what is wrong is collected.

    Where a value is wrong or missing, a harmless one is given so that the rest can be looked at.
    """

    def __init__(self, values: Mapping[str, Any], name: str, problems: list[Problem]) -> None:
        self.values, self.name, self.problems = values, name, problems
        self._known: list[str] = []

    def where(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def wrong(self, key: str, what: str, mend: str) -> None:
        self.problems.append(Problem(what, mend, key=self.where(key)))

    def has(self, key: str) -> bool:
        self._known.append(key)
        return key in self.values

    def text(self, key: str, default: str | None = None, *, example: str = "") -> str:
        value = self._take(key, default, f'{key} = "{example or "..."}"')
        if isinstance(value, str) and value.strip():
            return value
        return self._refused(key, value, "a text", f'{key} = "{example or "..."}"', default or "")

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key, default, f"{key} = true")
        return (
            value if isinstance(value, bool) else self._refused(key, value, "true or false", f"{key} = true", default)
        )

    def number(self, key: str, default: float | None = None, *, example: str = "1.0", above: float = -np.inf) -> float:
        value = self._take(key, default, f"{key} = {example}")
        if _is_number(value) and np.isfinite(value) and value > above:
            return float(value)
        limit = f"a number above {above:g}" if np.isfinite(above) else "a number"
        return self._refused(key, value, limit, f"{key} = {example}", 1.0 if default is None else default)

    def count(self, key: str, *, at_least: int, example: int) -> int:
        value = self._take(key, None, f"{key} = {example}")
        if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
            return value
        return self._refused(key, value, f"a whole number from {at_least} up", f"{key} = {example}", at_least)

    def numbers(self, key: str, *, example: str) -> tuple[float, ...]:
        value = self._take(key, None, f"{key} = {example}")
        if isinstance(value, list) and value and all(_is_number(item) for item in value):
            return tuple(float(item) for item in value)
        return self._refused(key, value, "a list of numbers", f"{key} = {example}", ())

    def texts(self, key: str, *, example: str) -> tuple[str, ...]:
        value = self._take(key, None, f"{key} = {example}")
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return tuple(value)
        return self._refused(key, value, "a list of texts", f"{key} = {example}", ())

    def table(self, key: str) -> _Table:
        value = self._take(key, {}, f"[{self.where(key)}]")
        if not isinstance(value, dict):
            value = self._refused(key, value, "a table", f"[{self.where(key)}]", {})
        return _Table(value, self.where(key), self.problems)

    def tables(self, key: str) -> list[_Table]:
        value = self._take(key, None, f"[[{self.where(key)}]]")
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            value = self._refused(key, value, "a list of tables", f"[[{self.where(key)}]] before each", [])
        return [_Table(item, f"{self.where(key)}[{number}]", self.problems) for number, item in enumerate(value)]

    def finish(self) -> None:
        """Complain about keys that nobody took."""
        for key in self.values:
            if key not in self._known:
                self.wrong(key, str(UnknownName("key", key, set(self._known))), "Rename or remove it")

    def _take(self, key: str, default: object, line: str) -> Any:
        self._known.append(key)
        if key not in self.values and default is None:
            self.wrong(key, "it is missing", f"Write: {line}")
        return self.values.get(key, default)

    def _refused(self, key: str, value: object, wanted: str, line: str, instead: ValueT) -> ValueT:
        if key in self.values:
            self.wrong(key, f"it is {value!r}; {wanted} is needed", f"Write: {line}")
        return instead


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _file_beside(path: Path, top: _Table) -> Path:
    found = [
        candidate
        for candidate in (path.with_suffix(suffix) for kind in FORMATS.values() for suffix in kind.suffixes)
        if candidate.is_file()
    ]
    found += [path.with_suffix("")] if path.with_suffix("").is_dir() else []
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "no file"
        top.wrong("file", f"{names} beside it has its name", f'Say which is meant: file = "{path.stem}.h5"')
    return found[0] if found else path


def _named_layout(path: Path, file: Path, top: _Table) -> NamedLayout:
    options = top.table("options")
    return NamedLayout(path, file, top.text("layout"), dict(options.values))


def _description(path: Path, file: Path, top: _Table) -> Description | None:
    name = top.text("name", path.stem)
    title = top.text("title", name)
    response = top.table("response")
    key = response.text("key", example="showers")
    quantity, unit = response.text("quantity", "energy"), _unit(response)
    threshold, signed = response.number("threshold", 0.0), response.flag("signed", False)
    axes = [_axis(table) for table in response.tables("axes")]
    response.finish()
    _check_names(response, [axis.name for axis in axes if axis is not None])
    columns = _columns(top.table("conditions"), unit)
    identity_keys = _identity(top.table("identity"))
    if top.problems:
        return None
    detector = Detector(
        name=name,
        title=title,
        layers=(Layer(LAYER, tuple(axis for axis in axes if axis is not None)),),
        conditions=tuple(column.condition for column in columns),
        quantity=quantity,
        unit=unit,
        signed=signed,
        threshold=threshold,
    )
    return Description(path, file, detector, key, columns, identity_keys)


def _check_names(response: _Table, axes: Sequence[str]) -> None:
    for name in sorted({name for name in axes if axes.count(name) > 1}):
        response.wrong("axes", f"two axes are called {name!r}", "Rename one")


def _unit(table: _Table, default: str | None = None) -> str:
    unit = table.text("unit", default, example="GeV")
    known = _LOWER_CASE_UNITS.get(unit.lower(), unit)
    if known != unit:
        table.wrong("unit", f"it is {unit!r}", f'Write: unit = "{known}"')
    return unit


def _axis(table: _Table) -> Axis | None:
    name = table.text("name", example="x")
    axis = _axis_with_edges(table, name) if table.has("edges") else _axis_of_cells(table, name)
    table.finish()
    return axis


def _axis_with_edges(table: _Table, name: str) -> Axis | None:
    edges, unit = table.numbers("edges", example="[0.0, 5.0, 10.0]"), _unit(table)
    if table.has("size"):
        table.wrong("size", "edges and a size are given", "Keep one of them")
    if table.has("cells") and table.count("cells", at_least=1, example=12) != len(edges) - 1:
        table.wrong("cells", f"{len(edges)} edges make {len(edges) - 1} cells", "Remove cells, or mend the edges")
    try:
        return Axis(name, edges, unit)
    except ValueError as error:
        table.wrong("edges", str(error), "Sort them")
        return None


def _axis_of_cells(table: _Table, name: str) -> Axis:
    cells = table.count("cells", at_least=1, example=12)
    if not table.has("size"):
        if table.has("unit"):
            table.wrong("unit", "cells that are only numbered have no unit", "Add: size = 5.0, or remove it")
        return Axis.numbered(name, cells)
    size = table.number("size", example="5.0", above=0.0)
    return Axis.regular(name, cells, size, _unit(table))


def _columns(conditions: _Table, response_unit: str) -> tuple[Column, ...]:
    columns, tables = [], []
    for name in conditions.values:
        table = conditions.table(name)
        columns.append(_column(table, name, response_unit))
        table.finish()
        tables.append(table)
    for what in ("energy", "bins"):
        _only_one(tables, what)
    if any(column.condition.bins for column in columns):
        return tuple(columns)
    return tuple(_binned(column) if column.condition.energy else column for column in columns)


def _column(table: _Table, name: str, response_unit: str) -> Column:
    key, energy, bins = table.text("key", name), table.flag("energy", False), table.flag("bins", False)
    categories = table.count("categories", at_least=2, example=4) if table.has("categories") else None
    unit = _unit(table, "1" if categories is not None else None)
    shape = _shape(table)
    low, high = _range(table, categories)
    into = unit
    if energy and response_unit in ENERGY_UNITS:
        into = response_unit
        if unit and unit.lower() not in _LOWER_CASE_UNITS:
            table.wrong("unit", f"it is {unit!r}, and the response is in {response_unit}", 'Write: unit = "GeV"')
    limits = convert_energy(np.array([low, high], dtype=np.float64), unit, into) if energy else np.array([low, high])
    finite = [float(limit) if np.isfinite(limit) else None for limit in limits]
    condition = Condition(name, into, categories, bins, energy, shape, finite[0], finite[1])
    return Column(condition, key, unit)


def _shape(table: _Table) -> tuple[int, ...]:
    if not table.has("shape"):
        return ()
    sizes = table.numbers("shape", example="[3]")
    if any(size < 1 or size != int(size) for size in sizes):
        table.wrong("shape", f"it is {list(sizes)}", "Write the size of each dimension after the events: shape = [3]")
    return tuple(int(size) for size in sizes)


def _range(table: _Table, categories: int | None) -> tuple[float, float]:
    if not table.has("range"):
        return (0.0, categories - 1.0) if categories is not None else (-np.inf, np.inf)
    given = table.numbers("range", example="[1.0, 100.0]")
    if categories is not None:
        table.wrong("range", f"categories are 0 … {categories - 1}", "Remove the range")
    if len(given) != 2 or not given[0] < given[1]:
        table.wrong("range", f"it is {list(given)}", "Write the lowest and the highest value: range = [1.0, 100.0]")
        return (-np.inf, np.inf)
    return given[0], given[1]


def _only_one(tables: Sequence[_Table], flag: str) -> None:
    marked = [table for table in tables if table.values.get(flag) is True]
    for table in marked[1:]:
        table.wrong(flag, f"{marked[0].name} has it too; one condition can", f"Write: {flag} = false")


def _binned(column: Column) -> Column:
    return Column(Condition(**{**vars(column.condition), "bins": True}), column.key, column.unit)


def _identity(table: _Table) -> tuple[str, ...]:
    keys = table.texts("keys", example='["event"]') if table.values else ()
    table.finish()
    return keys
