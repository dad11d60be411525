"""Which entries may be compared, and in what order they stand. Works on records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.pareto import non_dominated
from leaderboard.records import JsonObject


@dataclass(frozen=True)
class Row:
    """An entry with its rank; None where it is shown without one.

    Attributes:
        in_pareto_set: Whether no other ranked entry is as good in the score and in the time of generating a shower, and
            better in one of them. Values are compared, not their errors.
        remark: Why an entry has no rank; empty where that follows from its status.
        difference: Its paired difference of the score to the leader: ``value``, ``lower``, ``upper``,
            ``p_value_adjusted``; None of the leader, and where nothing was compared.
    """

    rank: int | None
    entry: JsonObject
    in_pareto_set: bool = False
    remark: str = ""
    difference: JsonObject | None = None


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
    def pareto_set(self) -> list[Row]:
        """Ranked entries that none of the others beats in score and generation time."""
        return [row for row in self.ranked if row.in_pareto_set]

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
    pareto_set = _pareto_set(ranked)
    first = entries[0]
    return Table(
        detector=first["detector"],
        scorecard=first["scorecard"],
        dataset=first["dataset"],
        preset=first["preset"],
        ranked=[Row(rank, entry, entry["id"] in pareto_set) for rank, entry in enumerate(ranked, start=1)],
        unranked=[Row(None, entry) for entry in models if entry not in ranked],
        references=[Row(None, entry) for entry in ordered if entry["kind"] != "model"],
    )


def _pareto_set(ranked: Sequence[JsonObject]) -> set[str]:
    """Ids of the entries that none beats in score and generation time, batches of 100; those not timed are left out."""
    timed = [entry for entry in ranked if entry["cost"] is not None]
    if not timed:
        return set()
    values = [
        (entry["score"]["value"], entry["cost"]["generation_ms_per_shower"]["batch_100"]["median"]) for entry in timed
    ]
    return {entry["id"] for entry, kept in zip(timed, non_dominated(np.array(values)), strict=True) if kept}


def _score_order(entry: JsonObject) -> tuple[bool, float, str]:
    score = entry["score"]
    return score is None, 0.0 if score is None else float(score["value"]), entry["id"]
