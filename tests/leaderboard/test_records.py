"""Entries on disk: what is written can be read, what is wrong is refused, what stands is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from leaderboard import records
from leaderboard.records import EntryExists, InvalidEntry, read_board, read_entry, write_entry

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "entries"


def incomplete(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"status": "incomplete", "seeds": entry["seeds"][:2]}


def test_what_is_written_is_read(tmp_path, make_entry, make_observables):
    folder = write_entry(tmp_path, make_entry(), make_observables())
    assert sorted(path.name for path in folder.iterdir()) == ["entry.json", "observables.json"]
    assert read_entry(tmp_path, make_entry()["id"]) == make_entry()
    assert records.read_observables(tmp_path, make_entry()["id"]) == make_observables()
    assert [path.name for path in (tmp_path / "entries").iterdir()] == [folder.name]  # no scratch is left


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_not_finite_is_written(tmp_path, make_entry, make_observables, number):
    with pytest.raises(InvalidEntry, match="NaN or infinite"):
        write_entry(tmp_path, make_entry(z=number), make_observables())
    with pytest.raises(InvalidEntry, match="NaN or infinite"):
        write_entry(tmp_path, make_entry(), make_observables(seed=number))
    assert read_board(tmp_path).entries == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_that_is_not_finite_is_read(tmp_path, make_entry, make_observables, number):
    folder = write_entry(tmp_path, make_entry(z=123.25), make_observables())
    text = (folder / "entry.json").read_text()
    (folder / "entry.json").write_text(text.replace("123.25", number))
    with pytest.raises(InvalidEntry, match=f"{number} is no number"):
        read_entry(tmp_path, folder.name)


@pytest.mark.parametrize("name", ["../evil", "a/b", "/etc", "", ".", "..", "Upper", "a" * 82, "-x", "a\n", "ä"])
def test_an_id_escapes_no_folder(tmp_path, make_entry, make_observables, name):
    with pytest.raises(InvalidEntry):
        write_entry(tmp_path, make_entry(id=name), make_observables())
    with pytest.raises(InvalidEntry, match="refused"):
        records.entry_folder(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "the entry itself"),
        ({"kind": "winner"}, "kind"),
        ({"schema": 3}, "schema"),
        ({"schema": 2}, "the entry itself: 'units' is a required property"),
        ({"test_openings": 0}, "test_openings"),
        ({"score_": None}, "the entry itself"),
        ({"floor": {"value": 1.0, "error": -0.1}}, "floor.error"),
    ],
)
def test_the_message_names_the_field(make_entry, change, field):
    with pytest.raises(InvalidEntry, match=f"^{field}"):
        records.check_entry(make_entry(**change))


def test_every_field_is_required(make_entry):
    for name in make_entry():
        entry = make_entry()
        del entry[name]
        with pytest.raises(InvalidEntry, match=f"'{name}' is a required property"):
            records.check_entry(entry)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/entry.json")), ids=lambda path: path.parent.name)
def test_the_documented_records_are_valid(path):
    records.check_entry(records.read_json(path))


def test_there_are_documented_records():
    assert list(RESULTS.glob("*/entry.json"))


def test_what_is_optional_may_be_there_or_not(make_entry, make_measured_entry):
    records.check_entry(make_measured_entry())
    for name in make_measured_entry().keys() - make_entry().keys():
        entry = make_measured_entry()
        del entry[name]
        records.check_entry(entry)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"p_value": 1.1}, "p_value"),
        ({"worth": {"events": -1.0, "at_least": None}}, "worth"),
        ({"whole_sample": {"seed": 1, "metrics": []}}, "whole_sample"),
        ({"memorisation": {"seed": 1, "reason": "", "unit": "MeV", "found": {}}}, "memorisation"),
    ],
)
def test_what_is_optional_is_checked(make_measured_entry, change, field):
    with pytest.raises(InvalidEntry, match=f"^{field}"):
        records.check_entry(make_measured_entry(**change) | change)


@pytest.mark.parametrize("directory", ["/home/someone/runs/1", "\\\\server\\x", "C:\\runs", "~/runs"])
def test_no_absolute_path_enters_a_record(make_entry, directory):
    entry = make_entry()
    with pytest.raises(InvalidEntry, match=r"study\.directory"):
        records.check_entry(entry | {"study": entry["study"] | {"directory": directory}})


def test_an_entry_is_never_overwritten(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, make_entry(score=0.8), make_observables())
    with pytest.raises(EntryExists, match="another id"):
        write_entry(tmp_path, make_entry(score=0.1), make_observables())
    assert read_entry(tmp_path, make_entry()["id"])["score"]["value"] == 0.8


def test_an_incomplete_entry_is_completed_by_the_same_one(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, incomplete(make_entry()), make_observables())
    write_entry(tmp_path, make_entry(), make_observables(seed=2))
    assert read_entry(tmp_path, make_entry()["id"])["status"] == "complete"
    assert records.read_observables(tmp_path, make_entry()["id"])["seed"] == 2
    with pytest.raises(EntryExists, match="is complete"):
        write_entry(tmp_path, make_entry(), make_observables())


def test_an_incomplete_entry_is_not_completed_by_another_one(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, incomplete(make_entry()), make_observables())
    other = make_entry()
    other["model"] = other["model"] | {"config": {"learning_rate": 1.0}}
    with pytest.raises(EntryExists, match=r"model\.config differ"):
        write_entry(tmp_path, other, make_observables())


def test_a_damaged_entry_is_not_overwritten(tmp_path, make_entry, make_observables):
    folder = write_entry(tmp_path, make_entry(), make_observables())
    (folder / "entry.json").write_text("{")
    with pytest.raises(EntryExists, match="damaged"):
        write_entry(tmp_path, make_entry(), make_observables())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 1}', "\x00", "[" * 100_000])
def test_damaged_entries_are_reported_and_the_others_read(tmp_path, make_entry, make_observables, content):
    write_entry(tmp_path, make_entry(), make_observables())
    broken = write_entry(tmp_path, make_entry(id="broken"), make_observables())
    (broken / "entry.json").write_text(content)
    board = read_board(tmp_path)
    assert [entry["id"] for entry in board.entries] == [make_entry()["id"]]
    assert [entry.name for entry in board.damaged] == ["broken"]


def test_an_entry_in_a_folder_of_another_name_is_damaged(tmp_path, make_entry, make_observables):
    folder = write_entry(tmp_path, make_entry(), make_observables())
    folder.rename(folder.with_name("renamed"))
    (damaged,) = read_board(tmp_path).damaged
    assert "rename the folder back" in damaged.reason


def test_a_board_that_is_not_there_is_empty(tmp_path):
    board = read_board(tmp_path / "nowhere")
    assert (board.entries, board.damaged, board.test_openings) == ([], [], {})


def test_openings_are_counted_for_each_dataset(tmp_path):
    lines = [json.dumps({"sha256": name}) for name in ("x", "y", "x")]
    (tmp_path / records.TEST_OPENINGS).write_text("\n".join([*lines, "half a li", "3", '{"other": 1}']))
    assert records.count_test_openings(tmp_path) == {"x": 2, "y": 1}


def test_ids_are_readable_and_differ_with_the_content():
    first = records.entry_id("atlas-gan", "Laptop / 10 min", {"seed": 0})
    assert first.startswith("atlas-gan.laptop-10-min.")
    assert first == records.entry_id("atlas-gan", "Laptop / 10 min", {"seed": 0})
    assert first != records.entry_id("atlas-gan", "Laptop / 10 min", {"seed": 1})
    assert records.entry_id("m" * 200, "../..", {})  # a valid id whatever the words are


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "file.json"
    records.write_atomically(path, "old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leaderboard.records.os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        records.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
