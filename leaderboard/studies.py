"""Records of searches: what the board lists, and what the page of a search shows.

Version 2 holds the trials, the space and what was learned from them; older records hold the short part alone and stay
readable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, cast

import jsonschema
from jsonschema.exceptions import best_match

from leaderboard.records import DamagedEntry, InvalidEntry, JsonObject, read_json, write_atomically

FOLDER = "studies"
VERSION = 2
SCHEMA_FILE = Path(__file__).parent / "schema" / "study.schema.json"


class ShortRecord(TypedDict):
    """A search, whether it has ended or not.

    Attributes:
        directory: Name of its folder, not the path.
        status: ``interrupted`` or ``finished``; ``unfinished`` of a search that was looked at from outside, while it
            ran or after it was killed.
        command: What asked for it, without paths.
        minutes: Wall time so far.
        trials: Number of trials by status.
        best_validation: Best score on the validation split; None without one.
    """

    name: str
    title: str
    directory: str
    status: str
    preset: str
    sampler: str
    epochs: int
    command: str
    minutes: float
    trials: dict[str, int]
    best_validation: float | None
    best_validation_error: float | None
    best_trial: int | None


class StudyRecord(ShortRecord, total=False):
    """What version 2 adds, all of it or nothing; ``schema/study.schema.json`` says what each holds.

    Attributes:
        version: Of the record.
        last_sign: When something was last written of the search, UTC.
        default_role: What the configuration of trial 0 is: the paper's, or the preset's defaults.
        objectives: Names of what is minimised.
        pruner: Name, reduction factor and rungs [epochs]; None where no trial is stopped early.
        floor: What full simulation itself scores on the validation split; None where that is not known.
        space: Hyperparameters with distributions, default, published values, conditions, source.
        trial_list: Every trial: number, status, varied parameters that had an effect, scores, epochs, time [s].
        curves: Running medians of the objective by epoch, of some trials.
        budget: Number, wall time, CPU and GPU time [h] of the trials, by status.
        importance: PED-ANOVA of the varied parameters, with the number of trials that it rests on.
        learned: Of each varied parameter the default, the best trial's value, the values of the best tenth of the
            trials and its importance; a value is None where the parameter had no effect.
        tied: The leader, the cheapest trial that cannot be told from it, and by what cost it is the cheapest.
    """

    version: int
    last_sign: str
    default_role: str
    objectives: list[str]
    pruner: JsonObject | None
    floor: JsonObject | None
    space: list[JsonObject]
    trial_list: list[JsonObject]
    curves: list[JsonObject]
    budget: list[JsonObject]
    importance: JsonObject
    learned: list[JsonObject]
    tied: JsonObject | None


def write_study(board: Path, record: StudyRecord) -> Path:
    """Write the record of one search in place of its former one; ``name`` and ``directory`` identify it.

    Raises: InvalidEntry if it does not follow the schema.
    """
    path = _path(board, record["name"], record["directory"])
    write_atomically(path, study_text(record))
    return path


def study_text(record: StudyRecord) -> str:
    """The record as strict JSON: a line for each key, and for each element of a list, so that changes are seen.

    Raises: InvalidEntry if it does not follow the schema, or holds NaN or infinity.
    """
    _check(record)
    try:
        lines = [f" {json.dumps(key)}: {_value(value)}" for key, value in record.items()]
    except ValueError as error:
        raise InvalidEntry(f"a number in the record is NaN or infinite ({error})") from error
    return "{\n" + ",\n".join(lines) + "\n}"


def read_study(board: Path, name: str, directory: str) -> StudyRecord | None:
    """The record of one search; None where there is none yet. Raises: InvalidEntry if it is damaged."""
    path = _path(board, name, directory)
    return _read(path) if path.exists() else None


def read_studies(board: Path) -> tuple[list[StudyRecord], list[DamagedEntry]]:
    """The searches of a board by name, and the records that are none."""
    studies: list[StudyRecord] = []
    damaged: list[DamagedEntry] = []
    for path in sorted((board / FOLDER).glob("*.json")):
        try:
            studies.append(_read(path))
        except InvalidEntry as error:
            damaged.append(DamagedEntry(path.name, str(error)))
    return studies, damaged


def study_file(record: StudyRecord, suffix: str) -> str:
    """Name of a file about a search: ``atlas-gan-001.json``, ``atlas-gan-001.html``."""
    return f"{record['name']}-{record['directory']}{suffix}"


def spread_out(rows: Sequence[JsonObject], most: int, key: Callable[[JsonObject], float]) -> list[JsonObject]:
    """At most so many trials: half of them the best, the others evenly spread; all where there are no more."""
    if len(rows) <= most:
        return list(rows)
    by_value = sorted(rows, key=key)
    best, others = by_value[: most // 2], sorted(by_value[most // 2 :], key=lambda row: int(row["number"]))
    step = len(others) / (most - len(best))
    kept = best + [others[int(index * step)] for index in range(most - len(best))]
    return sorted(kept, key=lambda row: int(row["number"]))


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(row, allow_nan=False)}" for row in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


def _read(path: Path) -> StudyRecord:
    record = cast(StudyRecord, read_json(path))
    missing = sorted(ShortRecord.__required_keys__ - record.keys())
    if missing:
        raise InvalidEntry(f"{path}: {', '.join(missing)} missing; resume its search, which writes the record again")
    try:
        _check(record)
    except InvalidEntry as error:
        raise InvalidEntry(f"{path.name}: {error}; write it again with arena report, or resume its search") from error
    if study_file(record, ".json") != path.name:
        raise InvalidEntry(
            f"{path.name} holds the search {study_file(record, '')}: rename the file to {study_file(record, '.json')}"
        )
    return record


def _check(record: StudyRecord) -> None:
    """Raises: InvalidEntry naming the first field that is wrong."""
    if record.get("version", VERSION) != VERSION:
        raise InvalidEntry(f"version {record['version']!r} of a study's record; version {VERSION} is read here")
    error = best_match(_validator().iter_errors(record))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the record itself"
        raise InvalidEntry(f"{where}: {error.message[:300]}")


def _path(board: Path, name: str, directory: str) -> Path:
    return board / FOLDER / f"{name}-{directory}.json"


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
