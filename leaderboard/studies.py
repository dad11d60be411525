"""Records of searches, as the board lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict, cast

from leaderboard.records import DamagedEntry, InvalidEntry, read_json, write_atomically

FOLDER = "studies"


class StudyRecord(TypedDict):
    """A search, whether it has ended or not.

    Attributes:
        directory: Name of its folder, not the path.
        status: ``interrupted`` or ``finished``.
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


def write_study(board: Path, record: StudyRecord) -> Path:
    """Write the record of one search in place of its former one; ``name`` and ``directory`` identify it."""
    path = _path(board, record["name"], record["directory"])
    write_atomically(path, json.dumps(record, indent=1, allow_nan=False))
    return path


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


def _read(path: Path) -> StudyRecord:
    record = read_json(path)
    missing = sorted(StudyRecord.__required_keys__ - record.keys())
    if missing:
        raise InvalidEntry(f"{path}: {', '.join(missing)} missing; resume its search, which writes the record again")
    return cast(StudyRecord, record)


def _path(board: Path, name: str, directory: str) -> Path:
    return board / FOLDER / f"{name}-{directory}.json"
