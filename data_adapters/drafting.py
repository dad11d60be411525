"""A first description of a file, guessed from the names, shapes and values of its arrays."""

# Axes: N events, n events that were looked at, V cells.
from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapters import ADAPTERS, open_events
from data_adapters.detector import ENERGY_UNITS
from data_adapters.events import INCIDENT_ENERGY
from data_adapters.formats.component import ArrayFile, ArrayInfo
from data_adapters.formats.registry import open_arrays
from data_adapters.options import NoOptions
from data_adapters.problems import Problem, UnreadableFile

LOOKED_AT_BYTES = 32 * 2**20  # of the response, for thresholds and units
MOST_CATEGORIES = 20
FEWEST_GROUPS = 0.01  # of all events; fewer groups could not be divided into splits
CHECK = "  # check"
AXIS_NAMES = {1: ("cell",), 2: ("x", "y"), 3: ("x", "y", "z"), 4: ("x", "y", "z", "t")}

ENERGY_NAME = re.compile(r"(^|_)(e|e0|en|energy|energies|energ[iy]e?s?|momentum|p|pt|et)(_|$)|energ", re.IGNORECASE)
ANGLE_NAME = re.compile(r"(^|_)(theta|phi|angle|angles|alpha|zenith|azimuth)(_|$)", re.IGNORECASE)
LENGTH_NAME = re.compile(r"(^|_)(x|y|z|r|position|vertex|impact|core)(_|$)", re.IGNORECASE)
GROUP_NAME = re.compile(r"(^|_)(event|events|run|id|shower_id|source|number)(_|$)", re.IGNORECASE)
OUTCOME_NAME = re.compile(r"visible|total|deposit|response|truth|(^|_)(sum|hits|num|n)(_|$)", re.IGNORECASE)
ENERGY_SUFFIX = re.compile(r"_(eV|keV|MeV|GeV|TeV|PeV|EeV)$", re.IGNORECASE)

Floats = NDArray[np.float64]


@dataclass
class Draft:
    """A description in the making.

    Attributes:
        lines: Of the TOML.
        found, check: What is said on the terminal: what was found, and what only a person can know.
    """

    lines: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    check: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True)
class _Column:
    """An array of one number an event."""

    key: str
    info: ArrayInfo
    values: Floats

    @property
    def name(self) -> str:
        return _bare(self.key.rpartition("/")[2])

    @property
    def finite(self) -> Floats:
        return self.values[np.isfinite(self.values)]

    @property
    def whole(self) -> bool:
        return len(self.finite) == len(self.values) and bool((self.values == np.round(self.values)).all())


def draft_description(path: Path, out: Path) -> Draft:
    """The first description of a file, to be written to ``out``.

    Raises: UnreadableFile if the file is damaged, or holds no array with several numbers an event.
    """
    known = _known_layout(path)
    file_line = f"file = {_quoted(Path(os.path.relpath(path, out.parent)).as_posix())}"
    if known is not None:
        return _draft_of_layout(known, file_line)
    arrays = open_arrays(path)
    draft = Draft()
    infos = _infos(arrays, draft)
    response_key, cells = _response(arrays, infos)
    num_events = infos[response_key].shape[0] or 0
    sample = _sample(arrays, response_key, num_events, cells)
    columns = _columns(arrays, infos, response_key, num_events, draft)
    numbering = [column for column in columns if GROUP_NAME.search(column.name) and column.whole]
    conditions = _conditions([column for column in columns if column not in numbering], draft)
    energy = _energy(conditions)
    energy_unit = _energy_unit(energy) if energy else ""
    unit = _response_unit(infos[response_key], sample, energy, energy_unit)
    draft.lines += [file_line, f"name = {_quoted(path.stem)}", f"title = {_quoted(path.name)}{CHECK}", ""]
    _draft_response(draft, response_key, unit, sample, cells, num_events)
    names = _names(conditions, energy)
    for name, column in zip(names, conditions, strict=True):
        _draft_condition(draft, name, column, energy_unit if column is energy else None, unit)
    _draft_identity(draft, numbering, num_events)
    if energy is None:
        draft.check.append(
            "no energy among the conditions was recognised: write energy = true in its table if one is; if none, write "
            "bins = true in the table in whose bins metrics are to be computed"
        )
    return draft


def _known_layout(path: Path) -> str | None:
    for adapter in ADAPTERS.values():
        if path.suffix.lower() in adapter.suffixes and adapter.recognises(path):
            try:
                open_events(path, adapter.name)
            except UnreadableFile:
                continue
            return adapter.name
    return None


def _draft_of_layout(name: str, file_line: str) -> Draft:
    adapter = ADAPTERS[name]
    draft = Draft([file_line, f"layout = {_quoted(name)}"])
    draft.found.append(f"the layout is known: {name}, {adapter.title}; the file can be read without a description")
    if adapter.options_class is not NoOptions:
        draft.lines += ["", "# [options]"]
        defaults = vars(adapter.options_class())
        draft.lines += [f"# {option} = {json.dumps(value)}" for option, value in defaults.items()]
        draft.check.append(f"its options have their defaults ({', '.join(defaults)}): remove the # to change them")
    return draft


def _infos(arrays: ArrayFile, draft: Draft) -> dict[str, ArrayInfo]:
    """Arrays of numbers with at least one dimension."""
    infos = {}
    for key in arrays.keys():  # noqa: SIM118
        try:
            info = arrays.info(key)
        except UnreadableFile as error:
            draft.check.append(f"{key} was left out: {error.problems[0].what}")
            continue
        if info.shape and (np.issubdtype(info.dtype, np.number) or info.dtype == bool):
            infos[key] = info
        else:
            draft.found.append(f"{key} was left out: it holds {info.dtype}, shape {info.shape}")
    return infos


def _response(arrays: ArrayFile, infos: dict[str, ArrayInfo]) -> tuple[str, tuple[int, ...]]:
    """Key of the array with most values an event, and its cells along each dimension."""
    shapes: dict[str, tuple[int, ...]] = {}
    for key, info in infos.items():
        if None in info.shape:
            shapes[key] = _even_lists(arrays, key)
        else:
            shapes[key] = tuple(size or 0 for size in info.shape[1:] if size != 1)
    largest = max(shapes, key=lambda key: math.prod(shapes[key]) * (infos[key].shape[0] or 0), default=None)
    if largest is None or math.prod(shapes[largest]) < 2:
        raise UnreadableFile(
            arrays.path,
            Problem(
                f"no array with several numbers an event, the response, was found among {', '.join(infos) or 'none'}",
                'Write the description by hand; in a CSV file cells are a range of columns: key = "first..last"',
            ),
        )
    if infos[largest].shape[0] == 0:
        raise UnreadableFile(arrays.path, Problem("it holds no events", "Give a file with events", largest))
    return largest, shapes[largest]


def _even_lists(arrays: ArrayFile, key: str) -> tuple[int, ...]:
    try:
        return arrays.read(key, 0, 100).shape[1:]
    except UnreadableFile:
        return ()


def _sample(arrays: ArrayFile, key: str, num_events: int, cells: Sequence[int]) -> Floats:
    """The first events, shape (n, V)."""
    rows = max(1, min(num_events, LOOKED_AT_BYTES // (8 * math.prod(cells))))
    return arrays.read(key, 0, rows).reshape(rows, -1).astype(np.float64)


def _columns(
    arrays: ArrayFile, infos: dict[str, ArrayInfo], response: str, num_events: int, draft: Draft
) -> list[_Column]:
    """The arrays of one number an event."""
    columns = []
    for key, info in infos.items():
        if key == response:
            continue
        if info.shape in ((num_events,), (num_events, 1)):
            columns.append(_Column(key, info, arrays.read(key, 0, num_events).reshape(-1).astype(np.float64)))
        else:
            draft.found.append(f"{key} was left out: it has shape {info.shape}, not one number an event")
    return columns


def _conditions(columns: Sequence[_Column], draft: Draft) -> list[_Column]:
    """Those that the generator may be told."""
    conditions = []
    for column in columns:
        reason = _no_condition(column)
        if reason is None:
            conditions.append(column)
        else:
            draft.check.append(
                f"{column.key} was left out: {reason}. Is the generator told it? Then add a table for it"
            )
    return conditions


def _no_condition(column: _Column) -> str | None:
    if len(column.finite) == 0:
        return "it holds no finite value"
    if (column.finite == column.finite[0]).all():
        return f"it is {column.finite[0]:g} in all events"
    return "it seems to be a result of the simulation" if OUTCOME_NAME.search(column.name) else None


def _names(columns: Sequence[_Column], energy: _Column | None) -> list[str]:
    """One for each condition; the last part of the key where that is enough."""
    names: list[str] = []
    for column in columns:
        name = INCIDENT_ENERGY if column is energy else column.name
        taken = [*names, *([INCIDENT_ENERGY] if energy is not None and column is not energy else [])]
        names.append(_bare(column.key) + f"_{len(names)}" if name in taken else name)
    return names


def _bare(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "condition"


def _energy(conditions: Sequence[_Column]) -> _Column | None:
    """The incident energy: of the columns that are called so, the one with "energ" in its name goes first."""
    named = [c for c in conditions if ENERGY_NAME.search(c.name) and (c.finite >= 0).all()]
    return min(named, key=lambda c: "energ" not in c.name.lower(), default=None)


def _energy_unit(energy: _Column) -> str:
    said = _said_unit(energy)
    if said in ENERGY_UNITS:
        return said
    return "GeV" if energy.finite.max() < 5000 else "MeV"


def _said_unit(column: _Column) -> str:
    suffix = ENERGY_SUFFIX.search(column.key)
    if suffix:
        return next(unit for unit in ENERGY_UNITS if unit.lower() == suffix[1].lower())
    return column.info.unit.strip("[] ")


def _response_unit(info: ArrayInfo, sample: Floats, energy: _Column | None, energy_unit: str) -> str:
    """What the file says, else the unit in which less energy is deposited than came in, but not next to nothing."""
    said = info.unit.strip("[] ")
    if said or energy is None:
        return said or "MeV"
    incident = np.nanmean(energy.values[: len(sample)])
    ratio = float(np.nansum(np.where(np.isfinite(sample), sample, 0.0))) / len(sample) / max(float(incident), 1e-300)
    shift = 1 if ratio < 1e-4 else -1 if ratio > 2 else 0
    units = list(ENERGY_UNITS)
    return units[min(max(units.index(energy_unit) + shift, 0), len(units) - 1)]


def _draft_response(draft: Draft, key: str, unit: str, sample: Floats, cells: tuple[int, ...], num_events: int) -> None:
    finite = sample[np.isfinite(sample)]
    lines = ["[response]", f"key = {_quoted(key)}", f"unit = {_quoted(unit)}{CHECK}"]
    if (finite < 0).any():
        lines.append(f"signed = true{CHECK}: there are negative values")
        draft.check.append("the response has negative values: is it signed, or damaged?")
    threshold = _threshold(finite)
    lines.append(f"threshold = {threshold!r}{CHECK}: above it a cell counts as hit [{unit}]")
    names = AXIS_NAMES.get(len(cells), tuple(f"axis_{number}" for number in range(len(cells))))
    for name, number in zip(names, cells, strict=True):
        lines += ["", "[[response.axes]]", f"name = {_quoted(name)}{CHECK}", f"cells = {number}"]
        lines.append('# size = 5.0   # of a cell, or edges = [...]; and its unit = "mm"')
    draft.lines += lines
    shape = " × ".join(map(str, cells))
    draft.found.append(f"{num_events} events; the response is {key}, {shape} cells, the largest array")
    draft.check.append(
        f"is the response in {unit}? What are its axes ({', '.join(names)}), and how large are the cells?"
    )


def _threshold(finite: Floats) -> float:
    """Below all non-zero cells but the hundredth part that is smallest."""
    hit = np.abs(finite[finite != 0])
    return _rounded(float(np.quantile(hit, 0.01)), 1, up=False) if len(hit) else 0.0


def _draft_identity(draft: Draft, numbering: Sequence[_Column], num_events: int) -> None:
    """Numbers of events and runs are written down where several rows share them, and yet there are many."""
    if not numbering:
        return
    keys = [column.key for column in numbering]
    groups = len(np.unique(np.stack([column.values for column in numbering], axis=1), axis=0))
    listed = " and ".join(keys)
    if not FEWEST_GROUPS * num_events <= groups < num_events:
        draft.found.append(f"{listed} was left out: it seems to number events or runs")
        return
    draft.lines += ["", "[identity]", f"keys = {json.dumps(keys)}{CHECK}: rows that share them stay in one split"]
    draft.found.append(f"{num_events} rows share {groups} different values of {listed}: they stay together in a split")


def _draft_condition(draft: Draft, name: str, column: _Column, energy_unit: str | None, response_unit: str) -> None:
    lines = ["", f"[conditions.{name}]", f"key = {_quoted(column.key)}"]
    if energy_unit is not None:
        lines += [f"unit = {_quoted(energy_unit)}{CHECK}", "energy = true", _range_line(column)]
        into = (
            f", converted to {response_unit}" if response_unit in ENERGY_UNITS and response_unit != energy_unit else ""
        )
        draft.found.append(f"{column.key} is the incident energy, {_span(column)} {energy_unit}{into}")
        draft.check.append(f"is {column.key} in {energy_unit}?")
    elif _categories(column):
        lines.append(f"categories = {_categories(column)}")
        draft.found.append(f"{column.key} takes the whole numbers 0 … {_categories(column) - 1}: categories")
    else:
        unit = _unit(column)
        lines += [f"unit = {_quoted(unit)}{CHECK}", _range_line(column)]
        draft.found.append(f"{column.key} is a condition, {_span(column)}")
        draft.check.append(f"is {column.key} in {'no unit' if unit == '1' else unit}? Is the generator told it?")
    if len(column.finite) < len(column.values):
        event = int(np.flatnonzero(~np.isfinite(column.values))[0])
        draft.check.append(f"{column.key} is not finite in some events (the first is {event}): remove them")
    draft.lines += lines


def _categories(column: _Column) -> int:
    """How many; 0 if it is none: all whole numbers from 0 up have to occur."""
    if not column.whole:
        return 0
    values = np.unique(column.values)
    counted = 2 <= len(values) <= MOST_CATEGORIES and values[0] == 0 and values[-1] == len(values) - 1
    return len(values) if counted else 0


def _unit(column: _Column) -> str:
    said = _said_unit(column)
    if said:
        return said
    if ENERGY_NAME.search(column.name):
        return _energy_unit(column)
    if ANGLE_NAME.search(column.name):
        return "rad" if np.abs(column.finite).max() < 2 * math.pi + 0.01 else "deg"
    return "mm" if LENGTH_NAME.search(column.name) else "1"


def _span(column: _Column) -> str:
    return f"{column.finite.min():.4g} … {column.finite.max():.4g}"


def _range_line(column: _Column) -> str:
    low, high = float(column.finite.min()), float(column.finite.max())
    return f"range = [{_rounded(low, 2, up=False)!r}, {_rounded(high, 2, up=True)!r}]{CHECK}"


def _rounded(value: float, digits: int, *, up: bool) -> float:
    """Up or down to so many digits; never on the wrong side of the value."""
    if value == 0:
        return 0.0
    exponent = math.floor(math.log10(abs(value))) - digits + 1
    steps = (math.ceil if up else math.floor)(value / 10.0**exponent)
    rounded = float(f"{steps}e{exponent}")
    if up and rounded < value:
        return float(f"{steps + 1}e{exponent}")
    return float(f"{steps - 1}e{exponent}") if not up and rounded > value else rounded


def _quoted(text: str) -> str:
    """A TOML string: those of JSON are a part of them."""
    return json.dumps(text, ensure_ascii=False)
