"""Resampled scores as records: what belongs to an entry is read, what does not is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from leaderboard.records import EntryExists, InvalidEntry, write_entry
from leaderboard.resamples import read_all, read_resamples, record_of


@pytest.fixture
def entry(make_entry):
    made = make_entry()
    seeds = [seed | {"score": 0.8 + 0.01 * seed["seed"]} for seed in made["seeds"]]
    return made | {"seeds": seeds}


@pytest.fixture
def record(entry):
    generator = np.random.default_rng(0)
    resampled = {seed: (generator.normal(0.8, 0.1, 10), generator.normal(0.8, 0.1, 6)) for seed in range(3)}
    return record_of(entry, resampled)


def test_what_is_written_is_read(tmp_path, entry, record, make_observables):
    write_entry(tmp_path, entry, make_observables(), record)
    found = read_resamples(tmp_path, entry)
    assert found is not None
    assert found.scores == pytest.approx([0.80, 0.81, 0.82])
    assert found.replicas.shape == (3, 10)
    assert found.half_splits.shape == (3, 6)
    assert found.replicas[1] == pytest.approx(record["seeds"][1]["replicas"])


def test_an_entry_may_have_none(tmp_path, entry, make_observables):
    write_entry(tmp_path, entry, make_observables())
    assert read_resamples(tmp_path, entry) is None
    assert read_all(tmp_path, [entry]) == ({}, [])


def test_without_replicas_or_seeds_nothing_is_recorded(entry):
    assert record_of(entry, {}) is None
    assert record_of(entry, {0: (np.empty(0), np.ones(6))}) is None


CHANGES = {
    "dataset": lambda record: record | {"dataset": "0" * 64},
    "scorecard": lambda record: record | {"scorecard": "0" * 64},
    "num_events": lambda record: record | {"num_events": 12},
    "schema 99": lambda record: record | {"schema": 99},
    "completed": lambda record: record | {"seeds": record["seeds"][:2]},
    "completed [0": lambda record: record | {"seeds": [record["seeds"][0]] * 3},
    "seed 0 scores 0.1": lambda record: first(record, score=0.1),
    "seed 0 has 9 replicas": lambda record: first(record, replicas=[0.8] * 9),
    "seed 0 has 10 replicas; 10 numbers": lambda record: first(record, replicas=["0.8"] * 10),
    "seed 0 has 6 half_splits; 6 numbers": lambda record: first(record, half_splits=[True] * 6),
    "2 at least": lambda record: record | {"half_splits": 0},
    "a list of seeds": lambda record: record | {"seeds": 3},
    "list of seeds with": lambda record: record | {"seeds": [[]] * 3},
    "too large": lambda record: first(record, replicas=[10**400] * 10),
}


def first(record, **changes):
    return record | {"seeds": [record["seeds"][0] | changes, *record["seeds"][1:]]}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_belong_to_the_entry_is_refused(tmp_path, entry, record, make_observables, message):
    folder = write_entry(tmp_path, entry, make_observables())
    (folder / "resamples.json").write_text(json.dumps(CHANGES[message](record)))
    with pytest.raises(InvalidEntry, match=message.replace("[", r"\[")):
        read_resamples(tmp_path, entry)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_are_finite(tmp_path, entry, record, make_observables, number):
    folder = write_entry(tmp_path, entry, make_observables())
    (folder / "resamples.json").write_text(json.dumps(first(record, replicas=["x"])).replace('"x"', number))
    with pytest.raises(InvalidEntry, match="could not be read"):
        read_resamples(tmp_path, entry)


def test_damaged_ones_leave_the_others_alone(tmp_path, entry, record, make_observables):
    write_entry(tmp_path, entry, make_observables(), record)
    other = entry | {"id": "other.1"}
    folder = write_entry(tmp_path, other, make_observables(), record)
    (folder / "resamples.json").write_text("{")
    found, damaged = read_all(tmp_path, [entry, other])
    assert list(found) == [entry["id"]]
    assert [each.name for each in damaged] == ["other.1"]
    assert "Shown without a rank" in damaged[0].reason


def test_they_stand_with_their_entry(tmp_path, entry, record, make_observables):
    write_entry(tmp_path, entry, make_observables(), record)
    with pytest.raises(EntryExists):
        write_entry(tmp_path, entry, make_observables(), first(record, score=0.8))
    found = read_resamples(tmp_path, entry)
    assert found is not None
    assert found.scores[0] == pytest.approx(0.8)
