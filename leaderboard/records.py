"""Leaderboard entries as JSON records.

An entry is a folder ``<board>/entries/<entry id>/`` with ``entry.json`` (numbers and provenance,
checked against ``schema/entry.schema.json``), ``observables.json`` (what the plots show) and, of
what is ranked, ``resamples.json`` (its scores on resampled events). A record that stands is not
edited; only an incomplete one may be completed. What cannot be read is reported and shown, and
never stops the others from being read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
from jsonschema.exceptions import best_match

JsonObject = dict[str, Any]

SCHEMA_VERSION = 2  # version 1 is read, too: what it lacks is optional
SCHEMA_FILE = Path(__file__).parent / "schema" / "entry.schema.json"
ENTRY_FILE, OBSERVABLES_FILE, RESAMPLES_FILE = "entry.json", "observables.json", "resamples.json"
ENTRIES = "entries"
TEST_OPENINGS = "test_openings.jsonl"
ENTRY_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}")

# What makes two records one and the same entry: all that was decided before the test split was seen.
_IDENTITY = ("id", "kind", "preset", "detector")
_NESTED_IDENTITY = (
    ("model", "name"),
    ("model", "config"),
    ("dataset", "sha256"),
    ("scorecard", "identity"),
    ("training", "epochs"),
    ("training", "checkpoint_rule"),
    ("training", "seeds_planned"),
)


class InvalidEntry(ValueError):
    """A record that does not follow the schema; the message names the field."""


class EntryExists(ValueError):
    """There already is an entry of this id; the message says what to do."""


@dataclass(frozen=True)
class DamagedEntry:
    """An entry that could not be read: its folder's name and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Board:
    """What lies in a board's folder.

    Attributes:
        entries: Readable entries in the order of their ids.
        damaged: The others.
        test_openings: Dataset sha256 → how often its test split was opened for this board.
    """

    entries: list[JsonObject]
    damaged: list[DamagedEntry]
    test_openings: dict[str, int]


def entry_id(model_name: str, label: str, identity: Mapping[str, Any]) -> str:
    """A readable id that differs for different contents: ``<model>.<label>.<8 hex digits>``.

    Args:
        label: What distinguishes it for people, such as the study or the preset.
        identity: Everything that makes the entry this one (configuration, dataset, budget …), as JSON.
    """
    digest = hashlib.sha256(_dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    words = [re.sub(r"[^a-z0-9-]+", "-", part.lower()).strip("-") for part in (model_name, label)]
    readable = ".".join(word for word in words if word)[:70].strip(".-")
    return check_entry_id(f"{readable}.{digest}")


def check_entry_id(name: str) -> str:
    """The id itself.

    Raises: InvalidEntry if it could not be a folder's name of ours (so ``../x`` escapes nothing).
    """
    if not ENTRY_ID.fullmatch(name):
        raise InvalidEntry(
            f"the entry id {name!r} is refused: use 1 to 81 lower-case letters, digits, dots and dashes, "
            "a letter or digit first"
        )
    return name


def entry_folder(board: Path, name: str) -> Path:
    """Folder of an entry. Raises: InvalidEntry for an id that is no slug."""
    return board / ENTRIES / check_entry_id(name)


def check_entry(entry: Mapping[str, Any]) -> None:
    """Raises: InvalidEntry naming the first field that is wrong, or a number that is not finite."""
    error = best_match(_validator().iter_errors(entry))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the entry itself"
        raise InvalidEntry(f"{where}: {error.message[:300]} (schema version {SCHEMA_VERSION})")
    _dumps(entry)


def write_entry(board: Path, entry: JsonObject, observables: JsonObject, resamples: JsonObject | None = None) -> Path:
    """Write a new entry, or complete an incomplete one; returns its folder.

    A new entry appears as a whole or not at all (a temporary folder, renamed).

    Args:
        resamples: Of ``leaderboard.resamples``; None for what is not ranked.
    Raises: InvalidEntry if it does not follow the schema or holds NaN or infinity;
        EntryExists if the id is taken.
    """
    check_entry(entry)
    texts = {OBSERVABLES_FILE: _dumps(observables), ENTRY_FILE: _dumps(entry, indent=1)}
    if resamples is not None:
        texts = {RESAMPLES_FILE: _dumps(resamples), **texts}
    folder = entry_folder(board, entry["id"])
    if folder.exists():
        _check_completes(board, entry)
        for name, text in texts.items():  # entry.json last: until then the incomplete one stands
            write_atomically(folder / name, text)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as scratch:
        staged = Path(scratch) / "entry"
        staged.mkdir()
        for name, text in texts.items():
            write_atomically(staged / name, text)
        _claim(staged, folder)
    return folder


def read_entry(board: Path, name: str) -> JsonObject:
    """One entry, checked.

    Raises: InvalidEntry if the file is missing, damaged, of another schema or holds NaN.
    """
    entry = read_json(entry_folder(board, name) / ENTRY_FILE)
    check_entry(entry)
    if entry["id"] != name:
        raise InvalidEntry(f"the folder {name} holds the entry {entry['id']}: rename the folder back")
    return entry


def read_observables(board: Path, name: str) -> JsonObject:
    """What the plots of an entry show. Raises: InvalidEntry if the file is missing or damaged."""
    return read_json(entry_folder(board, name) / OBSERVABLES_FILE)


def read_board(board: Path) -> Board:
    """Every entry of a board; damaged ones are listed with their reason."""
    entries: list[JsonObject] = []
    damaged: list[DamagedEntry] = []
    root = board / ENTRIES
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for folder in folders:
        if folder.name.startswith("."):
            continue  # being written
        try:
            entries.append(read_entry(board, folder.name))
        except InvalidEntry as error:
            damaged.append(DamagedEntry(folder.name, str(error)))
    return Board(entries, damaged, count_test_openings(board))


def count_test_openings(board: Path) -> dict[str, int]:
    """Dataset sha256 → number of lines in the board's log of openings (unreadable lines count for none)."""
    counts: dict[str, int] = {}
    log = board / TEST_OPENINGS
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    for line in lines:
        try:
            sha256 = str(json.loads(line)["sha256"])
        except (ValueError, KeyError, TypeError):
            continue
        counts[sha256] = counts.get(sha256, 0) + 1
    return counts


def read_json(path: Path) -> JsonObject:
    """A JSON object of finite numbers.

    Raises: InvalidEntry if there is no such file, it is no JSON object, or holds NaN or infinity.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidEntry(f"{path.name} could not be read: {reason}") from error
    if not isinstance(content, dict):
        raise InvalidEntry(f"{path.name} holds a {type(content).__name__}; a JSON object is expected")
    return content


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock file, made where it is missing, against other processes; waits for them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _claim(staged: Path, folder: Path) -> None:
    try:
        staged.rename(folder)
    except OSError as error:
        if folder.exists():
            raise EntryExists(f"the entry {folder.name} was written by someone else meanwhile; read theirs") from error
        raise


def _check_completes(board: Path, entry: JsonObject) -> None:
    name = entry["id"]
    try:
        standing = read_entry(board, name)
    except InvalidEntry as error:
        raise EntryExists(
            f"the entry {name} exists but is damaged ({error}): move {ENTRIES}/{name} away, then write again"
        ) from error
    if standing["status"] != "incomplete":
        raise EntryExists(
            f"the entry {name} exists and is {standing['status']}: records are not overwritten. "
            f"Give the new one another id, or move {ENTRIES}/{name} away"
        )
    differing = _differences(standing, entry)
    if differing:
        raise EntryExists(
            f"the incomplete entry {name} is another one: {', '.join(differing)} differ. Give the new one another id"
        )


def _differences(standing: JsonObject, entry: JsonObject) -> list[str]:
    flat = [key for key in _IDENTITY if standing[key] != entry[key]]
    return flat + [f"{outer}.{key}" for outer, key in _NESTED_IDENTITY if standing[outer][key] != entry[outer][key]]


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that a record may hold")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_constant(text)  # 1e999 is infinity to float()


def _dumps(content: Mapping[str, Any], **options: Any) -> str:
    try:
        return json.dumps(content, allow_nan=False, ensure_ascii=False, **options)
    except ValueError as error:
        raise InvalidEntry(f"a number in the record is NaN or infinite ({error}): record it as diverged") from error
