"""Which entries may be compared, and in what order they stand. Works on records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.records import JsonObject


@dataclass(frozen=True)
class Row:
    """An entry with its rank; None where it is shown without one."""

    rank: int | None
    entry: JsonObject


@dataclass(frozen=True)
class Table:
    """Entries that were judged alike: same detector, scorecard, dataset and preset.

    Attributes:
        ranked: Complete models, best score first.
        unranked: Models that are incomplete or diverged, in the order of their scores.
        references: Baselines and untrained generators, in the order of their scores.
    """

    detector: str
    scorecard: JsonObject
    dataset: JsonObject
    preset: str
    ranked: list[Row]
    unranked: list[Row]
    references: list[Row]

    @property
    def rows(self) -> list[Row]:
        return [*self.ranked, *self.unranked, *self.references]

    @property
    def floor(self) -> JsonObject | None:
        """Score of the full simulation against itself, from the first entry that has one."""
        return next((row.entry["floor"] for row in self.rows if row.entry["floor"] is not None), None)


def comparable_key(entry: JsonObject) -> tuple[str, str, str, str]:
    """Entries are ranked against each other only where this is equal."""
    return entry["detector"], entry["scorecard"]["identity"], entry["dataset"]["sha256"], entry["preset"]


def tables(entries: Sequence[JsonObject]) -> list[Table]:
    """One table for each group of comparable entries, in the order of their keys."""
    groups: dict[tuple[str, str, str, str], list[JsonObject]] = {}
    for entry in entries:
        groups.setdefault(comparable_key(entry), []).append(entry)
    return [_table(groups[key]) for key in sorted(groups)]


def _table(entries: list[JsonObject]) -> Table:
    ordered = sorted(entries, key=_score_order)
    models = [entry for entry in ordered if entry["kind"] == "model"]
    ranked = [entry for entry in models if entry["status"] == "complete" and entry["score"] is not None]
    first = entries[0]
    return Table(
        detector=first["detector"],
        scorecard=first["scorecard"],
        dataset=first["dataset"],
        preset=first["preset"],
        ranked=[Row(rank, entry) for rank, entry in enumerate(ranked, start=1)],
        unranked=[Row(None, entry) for entry in models if entry not in ranked],
        references=[Row(None, entry) for entry in ordered if entry["kind"] != "model"],
    )


def _score_order(entry: JsonObject) -> tuple[bool, float, str]:
    score = entry["score"]
    return score is None, 0.0 if score is None else float(score["value"]), entry["id"]
