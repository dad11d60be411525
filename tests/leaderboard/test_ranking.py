"""Who is ranked, who is only shown, and who is not comparable."""

from __future__ import annotations

import pytest

from leaderboard.ranking import tables


def test_models_are_ranked_by_score(make_entry):
    (table,) = tables([make_entry(id=f"e{score}", score=score) for score in (0.9, 0.7, 0.8)])
    assert [(row.rank, row.entry["id"]) for row in table.ranked] == [(1, "e0.7"), (2, "e0.8"), (3, "e0.9")]


@pytest.mark.parametrize("status", ["incomplete", "diverged"])
def test_what_is_not_complete_is_shown_without_rank(make_entry, status):
    (table,) = tables([make_entry(id="good", score=0.9), make_entry(id="best", score=0.1, status=status)])
    assert [row.entry["id"] for row in table.ranked] == ["good"]
    assert [(row.rank, row.entry["id"]) for row in table.unranked] == [(None, "best")]


def test_an_entry_without_score_is_shown(make_entry):
    lost = make_entry(id="lost", status="diverged") | {"score": None}
    (table,) = tables([lost, make_entry(id="a", status="incomplete")])
    assert [row.entry["id"] for row in table.unranked] == ["a", "lost"]


def test_reference_rows_are_not_ranked(make_entry):
    (table,) = tables(
        [
            make_entry(id="floor", kind="baseline", score=0.5),
            make_entry(id="raw", kind="untrained", score=9.0),
            make_entry(id="model", score=0.8),
        ]
    )
    assert [row.entry["id"] for row in table.ranked] == ["model"]
    assert [(row.rank, row.entry["id"]) for row in table.references] == [(None, "floor"), (None, "raw")]
    assert table.floor == {"value": 0.5, "error": 0.01}


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry | {"preset": "paper"},
        lambda entry: entry | {"detector": "another"},
        lambda entry: entry | {"dataset": entry["dataset"] | {"sha256": "0" * 64}},
        lambda entry: entry | {"scorecard": entry["scorecard"] | {"identity": "0" * 64}},
    ],
)
def test_entries_that_were_judged_differently_are_in_different_tables(make_entry, change):
    assert len(tables([make_entry(id="a"), change(make_entry(id="b"))])) == 2


def timed(make_entry, name: str, score: float, milliseconds: float, **changes):
    entry = make_entry(id=name, score=score, **changes)
    timings = entry["cost"]["generation_ms_per_shower"] | {"batch_100": {"median": milliseconds, "spread": 0.1}}
    return entry | {"cost": entry["cost"] | {"generation_ms_per_shower": timings}}


def test_the_pareto_set_is_of_score_and_time(make_entry):
    (table,) = tables(
        [
            timed(make_entry, "slow-and-good", 0.7, 9.0),
            timed(make_entry, "between", 0.8, 2.0),
            timed(make_entry, "beaten", 0.9, 2.0),  # as fast as the one before, and worse
            timed(make_entry, "fast-and-bad", 5.0, 1.0),
            timed(make_entry, "better-and-faster", 0.1, 0.1, status="diverged"),
            timed(make_entry, "baseline", 0.6, 0.1, kind="baseline"),
        ]
    )
    assert [row.entry["id"] for row in table.pareto_set] == ["slow-and-good", "between", "fast-and-bad"]
    assert not any(row.in_pareto_set for row in (*table.unranked, *table.references))


def test_equal_entries_stay_in_the_pareto_set_together(make_entry):
    (table,) = tables([timed(make_entry, name, 0.7, 2.0) for name in ("a", "b")])
    assert len(table.pareto_set) == 2


def test_an_entry_that_was_not_timed_is_in_no_pareto_set(make_entry):
    (table,) = tables([make_entry(id="a", score=0.1, cost=None), timed(make_entry, "b", 0.7, 2.0)])
    assert [row.entry["id"] for row in table.pareto_set] == ["b"]
    (alone,) = tables([make_entry(id="a", cost=None)])
    assert alone.pareto_set == []
