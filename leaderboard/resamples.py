"""Scores of an entry on resampled test events: what makes entries of different searches comparable event by event.

The events are resampled alike for every entry that is judged on the same data by the same scorecard, so that the
difference of two entries in one resample is a difference on shared events.
"""

# Axes: n seeds, K bootstrap replicas, S half-splits.
from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.records import RESAMPLES_FILE, DamagedEntry, InvalidEntry, JsonObject, entry_folder, read_json

VERSION = 1
SAME_SCORE = 1e-6  # relative; records hold rounded numbers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Resamples:
    """Scores of the completed seeds of one entry.

    Attributes:
        scores: On all test events, shape (n,).
        replicas: In each bootstrap replica of the events, shape (n, K).
        half_splits: On each random half of the events, shape (n, S).
    """

    scores: Array
    replicas: Array
    half_splits: Array


def record_of(entry: JsonObject, resampled: Mapping[int, tuple[Array, Array]]) -> JsonObject | None:
    """What ``resamples.json`` holds; None where the events cannot be resampled, or no seed completed.

    Args:
        entry: The entry that it belongs to.
        resampled: Seed → scores in the bootstrap replicas, shape (K,), and on the half-splits, shape (S,).
    """
    if not resampled or any(len(replicas) < 2 for replicas, _ in resampled.values()):
        return None
    scores = {seed["seed"]: seed["score"] for seed in entry["seeds"]}
    replicas, half_splits = next(iter(resampled.values()))
    return {
        "schema": VERSION,
        **_identity(entry),
        "bootstrap_replicas": len(replicas),
        "half_splits": len(half_splits),
        "seeds": [
            {
                "seed": seed,
                "score": scores[seed],
                "replicas": [_rounded(value) for value in replicas],
                "half_splits": [_rounded(value) for value in half_splits],
            }
            for seed, (replicas, half_splits) in sorted(resampled.items())
        ],
    }


def read_all(board: Path, entries: Iterable[JsonObject]) -> tuple[dict[str, Resamples], list[DamagedEntry]]:
    """Entry id → resamples of those that have some, and what could not be read."""
    found: dict[str, Resamples] = {}
    damaged: list[DamagedEntry] = []
    for entry in entries:
        try:
            resamples = read_resamples(board, entry)
        except InvalidEntry as error:
            damaged.append(DamagedEntry(entry["id"], f"{error}. Shown without a rank"))
            continue
        if resamples is not None:
            found[entry["id"]] = resamples
    return found, damaged


def read_resamples(board: Path, entry: JsonObject) -> Resamples | None:
    """The resamples of an entry; None where it has none.

    Raises: InvalidEntry if they are damaged, or belong to other data, another scorecard or other scores.
    """
    path = entry_folder(board, entry["id"]) / RESAMPLES_FILE
    return parse(read_json(path), entry) if path.exists() else None


def parse(record: JsonObject, entry: JsonObject) -> Resamples:
    """Check a record against the entry that it belongs to.

    Raises: InvalidEntry naming what differs.
    """
    if record.get("schema") != VERSION:
        raise InvalidEntry(
            f"{RESAMPLES_FILE}: schema {record.get('schema')!r} is unknown; version {VERSION} is expected"
        )
    for name, expected in _identity(entry).items():
        if record.get(name) != expected:
            raise InvalidEntry(f"{RESAMPLES_FILE}: {name} is {record.get(name)!r}; the entry has {expected!r}")
    try:
        return _parsed(record, _completed(entry))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidEntry(
            f"{RESAMPLES_FILE}: {error!r} where a list of seeds with their scores is expected"
        ) from error


def _parsed(record: JsonObject, completed: Mapping[int, float]) -> Resamples:
    seeds = {seed["seed"]: seed for seed in record["seeds"]}
    if len(seeds) != len(record["seeds"]) or seeds.keys() != completed.keys():
        raise InvalidEntry(f"{RESAMPLES_FILE}: seeds {sorted(seeds)}; the entry has completed {sorted(completed)}")
    for number, score in completed.items():
        if not math.isclose(seeds[number]["score"], score, rel_tol=SAME_SCORE):
            raise InvalidEntry(
                f"{RESAMPLES_FILE}: seed {number} scores {seeds[number]['score']}; the entry says {score}"
            )
    ordered = [seeds[number] for number in sorted(seeds)]
    return Resamples(
        np.array([seed["score"] for seed in ordered], dtype=np.float64),
        _rows(ordered, "replicas", record["bootstrap_replicas"]),
        _rows(ordered, "half_splits", record["half_splits"]),
    )


def _rows(seeds: Sequence[Mapping[str, Any]], name: str, length: int) -> Array:
    for seed in seeds:
        if length < 2 or len(seed[name]) != length or not all(type(value) in (int, float) for value in seed[name]):
            raise InvalidEntry(
                f"{RESAMPLES_FILE}: seed {seed['seed']} has {len(seed[name])} {name}; "
                f"{length} numbers are expected, 2 at least"
            )
    return np.array([seed[name] for seed in seeds], dtype=np.float64).reshape(len(seeds), length)


def _identity(entry: JsonObject) -> JsonObject:
    return {
        "dataset": entry["dataset"]["sha256"],
        "scorecard": entry["scorecard"]["identity"],
        "num_events": entry["dataset"]["num_events"],
    }


def _completed(entry: JsonObject) -> dict[int, float]:
    return {seed["seed"]: seed["score"] for seed in entry["seeds"] if seed["status"] == "completed"}


def _rounded(value: float) -> float:
    """Seven digits: a tenth of the bytes, and far below the spread of the replicas."""
    return float(json.loads(f"{value:.7g}"))
