"""Columns of a CSV file whose first line names them.

A key is a column ("energy"), all columns of a prefix with numbers ("cell" for cell_0, cell_1, … in the order of
their numbers), or a range ("first..last" in the order of the file).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_adapters.formats.component import ArrayInfo, FileFormat, missing_key
from data_adapters.problems import Problem, UnreadableFile

INDEX_ROWS = 100  # every so many events, the place in the file is remembered
DELIMITERS = ",;\t"
RANGE = ".."
NUMBERED = re.compile(r"^(?P<prefix>.*?[^\d_.\s]|)[_.\s]*(?P<numbers>\d+(?:[_.]\d+)*)$")


@dataclass(frozen=True)
class CsvArrays:
    """A table of numbers, with the places of every hundredth line."""

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    num_rows: int
    places: tuple[int, ...] = field(repr=False)

    def keys(self) -> tuple[str, ...]:
        """Numbered columns together as their prefix, the others one by one, in the order of the file."""
        groups = self._groups()
        found: dict[str, None] = {}
        for column in self.columns:
            prefix = _prefix(column)
            found[prefix if prefix is not None and len(groups[prefix]) > 1 else column] = None
        return tuple(found)

    def info(self, key: str) -> ArrayInfo:
        names = self._named(key)
        first = self._table(names, 0, INDEX_ROWS, as_numbers=False)
        types = [_type_of(first[name]) for name in names]
        shape = (self.num_rows,) if names == (key,) else (self.num_rows, len(names))
        return ArrayInfo(shape, np.result_type(*types), INDEX_ROWS)

    def read(self, key: str, start: int, stop: int) -> NDArray[np.generic]:
        names = self._named(key)
        stop = min(stop, self.num_rows)
        values = self._table(names, start, stop, as_numbers=True)[list(names)].to_numpy(np.float64)
        return values[:, 0] if names == (key,) else values

    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for column in self.columns:
            prefix = _prefix(column)
            if prefix is not None:
                groups.setdefault(prefix, []).append(column)
        return groups

    def _named(self, key: str) -> tuple[str, ...]:
        if key in self.columns:
            return (key,)
        first, dots, last = key.partition(RANGE)
        if dots and first in self.columns and last in self.columns[self.columns.index(first) :]:
            return self.columns[self.columns.index(first) : self.columns.index(last) + 1]
        group = self._groups().get(key.rstrip("_. "))
        if group is None:
            raise missing_key(self.path, key, self.keys())
        return tuple(sorted(group, key=_numbers))

    def _table(self, names: tuple[str, ...], start: int, stop: int, *, as_numbers: bool) -> pd.DataFrame:
        if start >= min(stop, self.num_rows):
            return pd.DataFrame({name: pd.Series(dtype=np.float64) for name in names})
        place = start // INDEX_ROWS
        skipped = start - place * INDEX_ROWS
        with self.path.open("rb") as file:
            file.seek(self.places[place])
            try:
                table = pd.read_csv(
                    file,
                    sep=self.delimiter,
                    header=None,
                    names=list(self.columns),
                    usecols=list(names),
                    nrows=skipped + stop - start,
                    dtype=np.float64 if as_numbers else None,
                )
            except ValueError as error:
                raise self._not_a_number(names, start, stop) from error
        return table.iloc[skipped:]

    def _not_a_number(self, names: tuple[str, ...], start: int, stop: int) -> UnreadableFile:
        table = self._table(names, start, stop, as_numbers=False)
        for name in names:
            wrong = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                problem = Problem(
                    f"it holds {table[name].iloc[row]!r}; a number is needed", "Mend this line", name, start + row
                )
                return UnreadableFile(self.path, problem)
        return UnreadableFile(self.path, Problem("not readable as CSV", "Separate the columns by commas"))


def open_csv(path: Path) -> CsvArrays:
    """The table of a file, after a pass over its lines.

    Raises: UnreadableFile if the first line holds no names, a name twice, or a line has another number of columns.
    """
    try:
        with path.open("rb") as file:
            head = file.readline()
            columns, delimiter = _header(path, head)
            places, num_rows = _index(path, file, len(head), len(columns), delimiter)
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, Problem(f"not readable as CSV ({error})", "Save it as UTF-8 text")) from error
    return CsvArrays(path, columns, delimiter, num_rows, places)


def _header(path: Path, line: bytes) -> tuple[tuple[str, ...], str]:
    # numpy.savetxt marks its header with "#"; some programs begin a file with a byte order mark.
    text = line.decode("utf-8-sig").strip().removeprefix("#").strip()
    delimiter = max(DELIMITERS, key=text.count)
    columns = tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter), []))
    if not columns or all(_is_number(name) for name in columns):
        raise UnreadableFile(path, Problem("its first line does not name the columns", "Begin it with their names"))
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise UnreadableFile(path, Problem("two columns have this name", "Rename one", twice[0]))
    return columns, delimiter


def _index(
    path: Path, lines: Iterator[bytes], begin: int, num_columns: int, delimiter: str
) -> tuple[tuple[int, ...], int]:
    mark, places, rows, place = delimiter.encode(), [], 0, begin
    for line in lines:
        if not line.isspace():
            found = line.count(mark) + 1
            if found != num_columns:
                problem = Problem(
                    f"the line has {found} columns; the first line names {num_columns}", "Mend this line", event=rows
                )
                raise UnreadableFile(path, problem)
            if rows % INDEX_ROWS == 0:
                places.append(place)
            rows += 1
        place += len(line)
    return tuple(places), rows


def _type_of(column: pd.Series[Any]) -> np.dtype[Any]:
    """Text only where nothing in it is a number: a wrong value is named when it is read, with its line."""
    if pd.api.types.is_numeric_dtype(column):
        return np.dtype(column.to_numpy().dtype)
    return np.dtype(object if pd.to_numeric(column, errors="coerce").isna().all() else np.float64)


def _prefix(column: str) -> str | None:
    match = NUMBERED.match(column)
    return match["prefix"] if match and match["prefix"] else None


def _numbers(column: str) -> tuple[int, ...]:
    match = NUMBERED.match(column)
    assert match is not None, "only numbered columns are in a group"
    return tuple(int(number) for number in re.split(r"[_.]", match["numbers"]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


CSV = FileFormat("csv", "CSV", (".csv", ".tsv"), 'a column, a prefix ("cell") or a range ("first..last")', open_csv)
