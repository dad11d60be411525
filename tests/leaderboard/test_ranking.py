"""Who is ranked, who is only shown, and who is not comparable."""

from __future__ import annotations

import time

import numpy as np
import pytest

from leaderboard.ranking import NO_RESAMPLES, tables


def names(rows) -> list[str]:
    return [row.entry["id"] for row in rows]


def with_seeds(entry, number: int):
    """The same entry with so many completed seeds."""
    seeds = [entry["seeds"][0] | {"seed": seed} for seed in range(number)]
    return entry | {"seeds": seeds, "training": entry["training"] | {"seeds_planned": list(range(number))}}


def test_models_that_differ_are_ranked_by_score(make_entry, ranked_tables):
    (table,) = ranked_tables([make_entry(id=f"e{score}", score=score) for score in (0.9, 0.7, 0.8)])
    assert [(row.rank, row.entry["id"]) for row in table.ranked] == [(1, "e0.7"), (2, "e0.8"), (3, "e0.9")]
    assert table.leader is table.ranked[0]
    assert table.leader.difference is None


def test_entries_that_cannot_be_told_apart_share_a_rank(make_entry, make_resamples):
    entries = [make_entry(id=name, score=score) for name, score in (("a", 0.70), ("b", 0.71), ("c", 0.95))]
    resamples = {entry["id"]: make_resamples(entry, seed_spread=0.03) for entry in entries}
    (table,) = tables(entries, resamples)
    assert [(row.rank, row.entry["id"]) for row in table.ranked] == [(1, "a"), (1, "b"), (2, "c")]
    assert [names(rows) for rows in table.tie_classes] == [["a", "b"], ["c"]]
    tied, beaten = (row.difference for row in table.ranked[1:])
    assert tied is not None
    assert beaten is not None
    assert tied["lower"] < 0 < tied["value"] < tied["upper"]
    assert 0 < beaten["lower"] < beaten["value"] == pytest.approx(0.25)
    assert tied["p_value_adjusted"] > 0.05 > beaten["p_value_adjusted"]
    leader, *others = table.ranked
    for other in others:
        assert other.difference is not None
        assert other.against == {"a": other.difference}
        assert leader.against[other.entry["id"]]["value"] == -other.difference["value"]
        assert leader.against[other.entry["id"]]["lower"] == -other.difference["upper"]
    assert "No winner: " in table.winner_sentence
    assert "1 other cannot be told apart" in table.winner_sentence


def test_the_order_of_the_records_does_not_matter(make_entry, make_resamples):
    entries = [make_entry(id=f"e{number}", score=0.7 + 0.01 * (number // 2)) for number in range(12)]
    resamples = {entry["id"]: make_resamples(entry, seed_spread=0.01) for entry in entries}
    (expected,) = tables(entries, resamples)
    assert 1 < len(expected.tie_classes) < 12
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(entries))
        (table,) = tables([entries[position] for position in order], resamples)
        assert table.ranked == expected.ranked


def test_a_victory_takes_five_seeds(make_entry, make_resamples):
    def sentence(seeds: int) -> str:
        entries = [with_seeds(make_entry(id="a", title="Best", score=0.5), seeds), make_entry(id="b", score=0.9)]
        (table,) = tables(entries, {entry["id"]: make_resamples(entry) for entry in entries})
        assert [row.rank for row in table.ranked] == [1, 2]
        return table.winner_sentence

    assert "no winner is claimed, because it has 4 seeds and 5 are needed" in sentence(4)
    assert sentence(5).startswith("Best wins")


def test_one_alone_wins_against_nobody(make_entry, ranked_tables):
    (table,) = ranked_tables([with_seeds(make_entry(title="Only"), 5)])
    assert table.winner_sentence == "Only is the only ranked model: there is nothing to compare it with."
    assert table.stability is None
    (empty,) = tables([make_entry()], {})
    assert empty.winner_sentence == "No model is ranked yet."
    assert empty.leader is None
    assert empty.best is not None
    assert empty.best.entry["id"] == make_entry()["id"]


def test_stability_is_the_share_of_half_splits_that_the_leader_leads(make_entry, make_resamples):
    entries = [make_entry(id="a", score=0.50), make_entry(id="bb", score=0.51)]
    resamples = {entry["id"]: make_resamples(entry, seed_spread=0.0, event_spread=0.1) for entry in entries}
    (table,) = tables(entries, resamples)
    halves = [resamples[name].half_splits.mean(axis=0) for name in ("a", "bb")]
    share = np.mean(halves[0] < halves[1])
    assert 0 < share < 1
    assert table.stability == pytest.approx({"share": share, "splits": 20, "error": np.sqrt(share * (1 - share) / 20)})


@pytest.mark.parametrize("status", ["incomplete", "diverged"])
def test_what_is_not_complete_is_shown_without_rank(make_entry, ranked_tables, status):
    (table,) = ranked_tables([make_entry(id="good", score=0.9), make_entry(id="best", score=0.1, status=status)])
    assert names(table.ranked) == ["good"]
    (row,) = table.unranked
    assert (row.rank, row.entry["id"]) == (None, "best")
    assert row.remark.startswith(f"{status}: ")


def test_too_few_seeds_have_no_rank(make_entry, ranked_tables):
    (table,) = ranked_tables([make_entry(id="three", score=0.9), with_seeds(make_entry(id="two", score=0.1), 2)])
    assert names(table.ranked) == ["three"]
    assert [row.remark for row in table.unranked] == ["2 seeds; 3 are needed for a rank"]
    assert table.best is table.leader


def test_an_entry_without_resamples_has_no_rank(make_entry, make_resamples):
    with_them, without = make_entry(id="with", score=0.9), make_entry(id="without", score=0.1)
    (table,) = tables([with_them, without], {"with": make_resamples(with_them)})
    assert names(table.ranked) == ["with"]
    assert [row.remark for row in table.unranked] == [NO_RESAMPLES]


def test_entries_that_were_resampled_otherwise_have_no_rank(make_entry, make_resamples):
    entries = [make_entry(id=name) for name in ("a", "b", "c")]
    resamples = {entry["id"]: make_resamples(entry) for entry in entries}
    other = resamples["a"]
    resamples["a"] = type(other)(other.scores, other.replicas[:, :10], other.half_splits)
    (table,) = tables(entries, resamples)
    assert names(table.ranked) == ["b", "c"]
    assert [row.remark for row in table.unranked] == [NO_RESAMPLES]


def test_an_older_version_of_the_scorecard_is_shown_and_not_ranked(make_entry, ranked_tables):
    new = make_entry(id="new")
    newer = new | {"scorecard": new["scorecard"] | {"version": 2, "identity": "d" * 64}}
    old_table, new_table = ranked_tables([make_entry(id="old", score=0.1), newer])
    assert names(new_table.ranked) == ["new"]
    assert old_table.ranked == []
    assert old_table.unranked[0].remark == "judged by version 1 of the scorecard; the newest is 2"


def test_an_entry_without_score_is_shown(make_entry, ranked_tables):
    lost = make_entry(id="lost", status="diverged") | {"score": None}
    (table,) = ranked_tables([lost, make_entry(id="a", status="incomplete")])
    assert names(table.unranked) == ["a", "lost"]
    assert table.best is None


def test_reference_rows_are_not_ranked(make_entry, ranked_tables):
    (table,) = ranked_tables(
        [
            make_entry(id="floor", kind="baseline", score=0.5),
            make_entry(id="raw", kind="untrained", score=9.0),
            make_entry(id="model", score=0.8),
        ]
    )
    assert names(table.ranked) == ["model"]
    assert [(row.rank, row.entry["id"]) for row in table.references] == [(None, "floor"), (None, "raw")]
    assert table.floor == {"value": 0.5, "error": 0.01}


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry | {"preset": "paper"},
        lambda entry: entry | {"detector": "another"},
        lambda entry: entry | {"dataset": entry["dataset"] | {"sha256": "0" * 64}},
        lambda entry: entry | {"dataset": entry["dataset"] | {"num_events": 999}},
        lambda entry: entry | {"scorecard": entry["scorecard"] | {"identity": "0" * 64}},
    ],
)
def test_entries_that_were_judged_differently_are_in_different_tables(make_entry, ranked_tables, change):
    assert len(ranked_tables([make_entry(id="a"), change(make_entry(id="b"))])) == 2


def timed(make_entry, name: str, score: float, milliseconds: float, **changes):
    entry = make_entry(id=name, score=score, **changes)
    timings = entry["cost"]["generation_ms_per_shower"] | {"batch_100": {"median": milliseconds, "spread": 0.1}}
    return entry | {"cost": entry["cost"] | {"generation_ms_per_shower": timings}}


def test_the_pareto_set_is_of_score_and_time(make_entry, ranked_tables):
    (table,) = ranked_tables(
        [
            timed(make_entry, "slow-and-good", 0.7, 9.0),
            timed(make_entry, "between", 0.8, 2.0),
            timed(make_entry, "beaten", 0.9, 2.0),  # as fast as the one before, and worse
            timed(make_entry, "fast-and-bad", 5.0, 1.0),
            timed(make_entry, "better-and-faster", 0.1, 0.1, status="diverged"),
            timed(make_entry, "baseline", 0.6, 0.1, kind="baseline"),
        ]
    )
    assert names(table.pareto_set) == ["slow-and-good", "between", "fast-and-bad"]
    assert not any(row.in_pareto_set for row in (*table.unranked, *table.references))


def test_equal_entries_stay_in_the_pareto_set_together(make_entry, ranked_tables):
    (table,) = ranked_tables([timed(make_entry, name, 0.7, 2.0) for name in ("a", "b")])
    assert len(table.pareto_set) == 2


def test_an_entry_that_was_not_timed_is_in_no_pareto_set(make_entry, ranked_tables):
    (table,) = ranked_tables([make_entry(id="a", score=0.1, cost=None), timed(make_entry, "b", 0.7, 2.0)])
    assert names(table.pareto_set) == ["b"]
    (alone,) = ranked_tables([make_entry(id="a", cost=None)])
    assert alone.pareto_set == []


def test_a_thousand_entries_are_ranked_in_a_moment(make_entry, make_resamples):
    entries = [make_entry(id=f"e{number}", score=0.5 + 0.001 * number) for number in range(1000)]
    resamples = {entry["id"]: make_resamples(entry, seed_spread=0.01) for entry in entries}
    start = time.process_time()
    (table,) = tables(entries, resamples)
    assert time.process_time() - start < 5
    assert len(table.tie_classes) > 5
