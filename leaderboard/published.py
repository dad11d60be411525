"""Figures that others published: shown apart from the board, because they were measured on other data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
from jsonschema.exceptions import best_match

from leaderboard.records import InvalidEntry, JsonObject, read_json

FOLDER = Path(__file__).parent / "published"
SCHEMA_FILE = Path(__file__).parent / "schema" / "published.schema.json"


def read_published(folder: Path = FOLDER) -> list[JsonObject]:
    """One record for each source, in the order of their names.

    Raises: InvalidEntry naming file and field of a record that does not follow the schema.
    """
    return [_checked(path) for path in sorted(folder.glob("*.json"))]


def _checked(path: Path) -> JsonObject:
    record = read_json(path)
    error = best_match(_validator().iter_errors(record))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the record itself"
        raise InvalidEntry(f"{path.name}: {where}: {error.message[:300]}")
    columns = [column["name"] for column in record["columns"]]
    for row in record["rows"]:
        if list(row["values"]) != columns:
            raise InvalidEntry(f"{path.name}: {row['title']} has {', '.join(row['values'])}; expected {columns}")
    return record


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
