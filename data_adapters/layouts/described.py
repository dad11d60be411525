"""Adapter for files of any layout that a TOML beside them describes (``data_adapters.description``)."""

# Axes: N events, n events that were asked for, V cells.
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapter import Adapter
from data_adapters.description import SUFFIX, Column, Description, read_description
from data_adapters.detector import Detector
from data_adapters.formats.component import ArrayFile, ArrayInfo
from data_adapters.formats.registry import open_arrays
from data_adapters.options import NoOptions
from data_adapters.problems import Problem, UnreadableFile, refuse_values
from data_adapters.source import EventSource
from data_adapters.splits import identities, identities_with_occurrence

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DescribedResponse:
    """Reads rows of an array as float32, flattened to (n, V)."""

    arrays: ArrayFile
    key: str
    num_cells: int

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        values = self.arrays.read(self.key, start, stop)
        values = values.reshape(len(values), -1)
        if values.shape[1] != self.num_cells:
            problem = Problem(
                f"it has {values.shape[1]} values; the axes make {self.num_cells} cells",
                "Mend [[response.axes]]",
                self.key,
                start,
            )
            raise UnreadableFile(self.arrays.path, problem)
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return values.astype(np.float32, copy=False)


def open_described(description: Description, file: Path | None = None) -> EventSource:
    """The events of a described file, or of another file that is described alike.

    Raises: UnreadableFile for everything that does not fit the description, with key and event.
    """
    file = file or description.file
    arrays = open_arrays(file)
    num_events = _check_arrays(arrays, description)
    columns, problems = _read_columns(arrays, description.columns, num_events)
    refuse_values(file, problems)
    detector = description.detector
    if description.identity_keys:
        keys = [_floats(arrays, key, num_events) for key in description.identity_keys]
        identity = identities(*_single_columns(keys))
    else:
        identity = identities_with_occurrence(*_single_columns(columns.values())) if columns else _numbered(num_events)
    return EventSource(
        path=file,
        layout=DESCRIBED.name,
        detector=detector,
        conditions=columns,
        identity=identity,
        read_response=DescribedResponse(arrays, description.response_key, detector.num_cells),
        response_key=description.response_key,
        chunk_rows=arrays.info(description.response_key).chunk_rows,
        files=(file, description.path),
    )


def _check_arrays(arrays: ArrayFile, description: Description) -> int:
    """Number of events, after shape, type and length of all arrays were looked at."""
    response = description.response_key
    checks: dict[str, Callable[[ArrayInfo], Problem | None]] = {
        column.key: _condition_check(column) for column in description.columns
    }
    checks |= {key: _identity_check(key) for key in description.identity_keys}
    checks[response] = _response_check(response, description.detector)
    problems: list[Problem] = []
    lengths: dict[str, int] = {}
    for key, check in checks.items():
        try:
            info = arrays.info(key)
        except UnreadableFile as error:
            problems += error.problems
            continue
        wrong = _not_numbers(key, info) or check(info)
        problems += [wrong] if wrong else []
        lengths[key] = info.shape[0] or 0 if info.shape else 0
    problems += _length_problems(lengths, response)
    if problems:
        raise UnreadableFile(arrays.path, *problems)
    return lengths[response]


def _not_numbers(key: str, info: ArrayInfo) -> Problem | None:
    if np.issubdtype(info.dtype, np.number) or info.dtype == bool:
        return None
    return Problem(f"it holds {info.dtype}; numbers are needed", "Convert it to float32", key)


def _response_check(key: str, detector: Detector) -> Callable[[ArrayInfo], Problem | None]:
    shape = detector.layers[0].shape

    def check(info: ArrayInfo) -> Problem | None:
        sizes = info.shape[1:]
        if (
            sizes == (None,)
            or sizes == (detector.num_cells,)
            or tuple(s for s in sizes if s != 1) == _without_ones(shape)
        ):
            return None
        axes = " × ".join(f"{axis.name} {axis.num_cells}" for axis in detector.layers[0].axes)
        return Problem(
            f"it has shape {info.shape}; the axes {axes} need (events, {', '.join(map(str, shape))}) "
            f"or (events, {detector.num_cells})",
            "Mend [[response.axes]]: one for each dimension after the events, in this order",
            key,
        )

    return check


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _condition_check(column: Column) -> Callable[[ArrayInfo], Problem | None]:
    shape = column.condition.shape

    def check(info: ArrayInfo) -> Problem | None:
        if info.shape[1:] == shape or (shape == () and info.shape[1:] == (1,)):
            return None
        wanted = ", ".join(["events", *map(str, shape)])
        mend = f"Mend key or shape in [conditions.{column.condition.name}]"
        return Problem(f"it has shape {info.shape}; ({wanted}) is needed", mend, column.key)

    return check


def _identity_check(key: str) -> Callable[[ArrayInfo], Problem | None]:
    def check(info: ArrayInfo) -> Problem | None:
        if len(info.shape) == 1 or info.shape[1:] == (1,):
            return None
        return Problem(f"it has shape {info.shape}; (events) is needed", "Mend keys in [identity]", key)

    return check


def _length_problems(lengths: dict[str, int], response: str) -> list[Problem]:
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
        return [Problem(f"the arrays differ in length: {listed}", "Each needs one row an event")]
    if lengths.get(response) == 0:
        return [Problem("it holds no events", "Give a file with events", response)]
    return []


def _read_columns(
    arrays: ArrayFile, columns: tuple[Column, ...], num_events: int
) -> tuple[dict[str, Floats], list[Problem]]:
    """The conditions in the units of the detector, and those of them that are outside of what the description says."""
    values: dict[str, Floats] = {}
    problems: list[Problem] = []
    for column in columns:
        raw = _floats(arrays, column.key, num_events).reshape(num_events, *column.condition.shape)
        values[column.condition.name] = column.converted(raw)
        wrong = _value_problem(column, raw, values[column.condition.name])
        problems += [wrong] if wrong else []
    return values, problems


def _value_problem(column: Column, raw: Floats, values: Floats) -> Problem | None:
    condition = column.condition
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
    if condition.categories is not None:
        wrong |= values != np.round(values)
    if not wrong.any():
        return None
    first = tuple(int(index) for index in np.argwhere(wrong)[0])
    events = int(wrong.reshape(len(wrong), -1).any(axis=1).sum())
    unit = "" if column.unit == "1" else f" {column.unit}"
    return Problem(
        f"it holds {raw[first]:.9g}{unit}; {_allowed(condition.categories, low, high, condition.unit)} "
        f"({events} of {len(values)} events are outside)",
        f"Remove these events, or mend unit and range in [conditions.{condition.name}]",
        column.key,
        first[0],
    )


def _allowed(categories: int | None, low: float, high: float, unit: str) -> str:
    if categories is not None:
        return f"whole numbers from 0 to {categories - 1} are categories"
    limits = [f"at least {low:g} {unit}"] if math.isfinite(low) else []
    limits += [f"at most {high:g} {unit}"] if math.isfinite(high) else []
    return f"it must be {' and '.join(['finite', *limits])}"


def _floats(arrays: ArrayFile, key: str, num_events: int) -> Floats:
    values = arrays.read(key, 0, num_events).astype(np.float64)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _single_columns(columns: Iterable[Floats]) -> list[Floats]:
    flat = [values.reshape(len(values), -1) for values in columns]
    return [values[:, index] for values in flat for index in range(values.shape[1])]


def _numbered(num_events: int) -> NDArray[np.uint64]:
    return identities(np.arange(num_events))


def _open(path: Path, _options: NoOptions) -> EventSource:
    description = read_description(path)
    if not isinstance(description, Description):
        raise UnreadableFile(path, Problem(f"it names the layout {description.layout!r}", "Open it without --layout"))
    return open_described(description)


DESCRIBED = Adapter(
    name="described",
    title="Any HDF5, NPZ, ROOT or CSV file, described by a TOML beside it",
    layout="what the description says: the array of the response, its axes, the conditions (arena data describe FILE)",
    suffixes=(SUFFIX,),
    recognises=lambda path: path.suffix.lower() == SUFFIX,
    open=_open,
    source="written by whoever made the file",
)
