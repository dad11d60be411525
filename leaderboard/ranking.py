"""Which entries may be compared, in what classes they stand, and who leads. Works on records alone.

Classes follow from the records of a table, not from how a page is sorted or filtered (docs/ranking.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from leaderboard import text
from leaderboard.pareto import non_dominated
from leaderboard.records import JsonObject
from leaderboard.resamples import Resamples
from leaderboard.tie_classes import FEWEST_SEEDS, WINNER_SEEDS, Sample, differences, leading_share, tie_classes

NO_RESAMPLES = "its scores on the resampled test events of this table are not recorded: benchmark it again"


@dataclass(frozen=True)
class Row:
    """An entry with its rank; None where it is shown without one.

    Attributes:
        rank: Number of its tie class.
        in_pareto_set: Whether no other ranked entry is as good in the score and in the time of generating a shower, and
            better in one of them. Values are compared, not their errors.
        remark: Why it is not ranked, in words; else empty.
        difference: Of a ranked entry to the leader: ``value``, the Holm-adjusted 95 % interval from ``lower`` to
            ``upper``, and ``p_value_adjusted``; None of the leader itself.
        against: Id of another entry → this one minus that one, as ``difference``: of the leader to all that are
            ranked, of all others to the leader.
    """

    rank: int | None
    entry: JsonObject
    in_pareto_set: bool = False
    remark: str = ""
    difference: JsonObject | None = None
    against: Mapping[str, JsonObject] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Entries that were judged alike: same detector, scorecard, dataset, number of events and preset.

    Attributes:
        ranked: Complete models, class by class, in each the best score first.
        unranked: Models that are not ranked, in the order of their scores.
        references: Baselines and untrained generators, in the order of their scores.
        winner_sentence: Who leads, and whether that is a victory.
        stability: ``share`` of ``splits`` random halves of the test events in which the leader leads, with its
            binomial ``error``; None without a second ranked entry.
    """

    detector: str
    scorecard: JsonObject
    dataset: JsonObject
    preset: str
    ranked: list[Row]
    unranked: list[Row]
    references: list[Row]
    winner_sentence: str = ""
    stability: JsonObject | None = field(default=None)

    @property
    def rows(self) -> list[Row]:
        return [*self.ranked, *self.unranked, *self.references]

    @property
    def tie_classes(self) -> list[list[Row]]:
        """Ranked rows, class by class; the anchor first."""
        classes: dict[int | None, list[Row]] = {}
        for row in self.ranked:
            classes.setdefault(row.rank, []).append(row)
        return list(classes.values())

    @property
    def leader(self) -> Row | None:
        """Anchor of the first class."""
        return self.ranked[0] if self.ranked else None

    @property
    def best(self) -> Row | None:
        """The leader; without one, the best complete model, whether or not it could be ranked."""
        complete = (row for row in self.unranked if row.entry["status"] == "complete" and row.entry["score"])
        return self.leader or next(complete, None)

    @property
    def pareto_set(self) -> list[Row]:
        """Ranked entries that none of the others beats in score and generation time."""
        return [row for row in self.ranked if row.in_pareto_set]

    @property
    def floor(self) -> JsonObject | None:
        """Score of the full simulation against itself, from the first entry that has one."""
        return next((row.entry["floor"] for row in self.rows if row.entry["floor"] is not None), None)


Key = tuple[str, str, str, int, str]


def comparable_key(entry: JsonObject) -> Key:
    """Entries are ranked against each other only where this is equal."""
    dataset = entry["dataset"]
    return entry["detector"], entry["scorecard"]["identity"], dataset["sha256"], dataset["num_events"], entry["preset"]


def tables(entries: Sequence[JsonObject], resamples: Mapping[str, Resamples]) -> list[Table]:
    """One table for each group of comparable entries, in the order of their keys.

    Args:
        entries: In any order: the ranking does not depend on it.
        resamples: By entry id (``leaderboard.resamples.read_all``); an entry without is not ranked.
    """
    groups: dict[Key, list[JsonObject]] = {}
    for entry in entries:
        groups.setdefault(comparable_key(entry), []).append(entry)
    newest = _newest_scorecards(entries)
    return [_table(groups[key], resamples, newest) for key in sorted(groups)]


def _newest_scorecards(entries: Sequence[JsonObject]) -> dict[tuple[str, str], int]:
    """Dataset hash and scorecard's name → highest version on the board."""
    newest: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = entry["dataset"]["sha256"], entry["scorecard"]["name"]
        newest[key] = max(newest.get(key, 0), entry["scorecard"]["version"])
    return newest


def _table(
    entries: list[JsonObject], resamples: Mapping[str, Resamples], newest: Mapping[tuple[str, str], int]
) -> Table:
    ordered = sorted(entries, key=_score_order)
    models = [entry for entry in ordered if entry["kind"] == "model"]
    first = entries[0]
    resamples = _resampled_alike(models, resamples)
    version = newest[first["dataset"]["sha256"], first["scorecard"]["name"]]
    remarks = {entry["id"]: _why_not_ranked(entry, resamples, version) for entry in models}
    eligible = [entry for entry in models if not remarks[entry["id"]]]
    ranked = _ranked(eligible, resamples)
    return Table(
        detector=first["detector"],
        scorecard=first["scorecard"],
        dataset=first["dataset"],
        preset=first["preset"],
        ranked=ranked,
        unranked=[Row(None, entry, remark=remarks[entry["id"]]) for entry in models if remarks[entry["id"]]],
        references=[Row(None, entry) for entry in ordered if entry["kind"] != "model"],
        winner_sentence=winner_sentence(ranked),
        stability=_stability(ranked, resamples),
    )


def _resampled_alike(models: list[JsonObject], resamples: Mapping[str, Resamples]) -> dict[str, Resamples]:
    """Those with as many replicas and half-splits as most; others have no resample in common with them."""
    found = {entry["id"]: resamples[entry["id"]] for entry in models if entry["id"] in resamples}
    shapes = Counter((each.replicas.shape[1], each.half_splits.shape[1]) for each in found.values())
    usual = max(shapes, key=lambda shape: (shapes[shape], shape), default=None)
    return {name: each for name, each in found.items() if (each.replicas.shape[1], each.half_splits.shape[1]) == usual}


def _why_not_ranked(entry: JsonObject, resamples: Mapping[str, Resamples], newest_version: int) -> str:
    """In words; empty for an entry that is ranked."""
    completed = text.completed_seeds(entry)
    if entry["status"] != "complete" or entry["score"] is None:
        return f"{entry['status']}: {text.STATUS_MEANINGS[entry['status']].split(':')[0]}"
    if entry["scorecard"]["version"] < newest_version:
        return f"judged by version {entry['scorecard']['version']} of the scorecard; the newest is {newest_version}"
    if completed < FEWEST_SEEDS:
        return f"{completed} seed{'' if completed == 1 else 's'}; {FEWEST_SEEDS} are needed for a rank"
    return "" if entry["id"] in resamples else NO_RESAMPLES


def _ranked(entries: list[JsonObject], resamples: Mapping[str, Resamples]) -> list[Row]:
    """Rows class by class."""
    if not entries:
        return []
    samples = [resamples[entry["id"]] for entry in entries]
    classes = tie_classes(samples)
    leader = classes[0][0]
    others = [position for members in classes for position in members if position != leader]
    found = _differences_to_leader(samples, others, leader)
    pareto_set = _pareto_set(entries)
    ids = [entry["id"] for entry in entries]
    against = {position: {ids[leader]: difference} for position, difference in found.items()}
    against[leader] = {ids[position]: _turned(difference) for position, difference in found.items()}
    return [
        Row(number, entries[position], ids[position] in pareto_set, "", found.get(position), against[position])
        for number, members in enumerate(classes, start=1)
        for position in members
    ]


def _turned(difference: JsonObject) -> JsonObject:
    """The difference the other way round."""
    return difference | {
        "value": -difference["value"], "lower": -difference["upper"], "upper": -difference["lower"],
    }  # fmt: skip


def _differences_to_leader(samples: Sequence[Resamples], others: list[int], leader: int) -> dict[int, JsonObject]:
    if not others:
        return {}
    found = differences(Sample.of([samples[position] for position in others]), Sample.of([samples[leader]]))
    columns = zip(others, found.values, found.lower, found.upper, found.p_values, strict=True)
    return {
        position: {
            "value": float(value),
            "lower": float(lower),
            "upper": float(upper),
            "p_value_adjusted": float(p_value),
        }
        for position, value, lower, upper, p_value in columns
    }


def winner_sentence(ranked: Sequence[Row]) -> str:
    """Who leads, and whether that is a victory: alone in its class, over another one, with seeds enough."""
    if not ranked:
        return "No model is ranked yet."
    leader, first = ranked[0], [row for row in ranked if row.rank == 1]
    title = leader.entry["title"]
    seeds = text.completed_seeds(leader.entry)
    if len(ranked) == 1:
        return f"{title} is the only ranked model: there is nothing to compare it with."
    if len(first) > 1:
        number = len(first) - 1
        return (
            f"No winner: {title} has the lowest score, but {number} other{'' if number == 1 else 's'} "
            "cannot be told apart from it at 95 % confidence."
        )
    if seeds < WINNER_SEEDS:
        return (
            f"{title} leads, and differs from every other ranked model at 95 % confidence; "
            f"no winner is claimed, because it has {seeds} seeds and {WINNER_SEEDS} are needed for that."
        )
    return f"{title} wins: it differs from every other ranked model at 95 % confidence."


def _stability(ranked: Sequence[Row], resamples: Mapping[str, Resamples]) -> JsonObject | None:
    samples = [resamples[row.entry["id"]] for row in ranked]
    share = leading_share(samples, 0)
    if share is None or samples[0].half_splits.shape[1] == 0:
        return None
    splits = samples[0].half_splits.shape[1]
    return {"share": share, "splits": splits, "error": float(np.sqrt(share * (1 - share) / splits))}


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
