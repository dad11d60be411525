"""The page of a search, from its record."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from leaderboard.pages import build_pages
from leaderboard.records import InvalidEntry
from leaderboard.studies import read_studies, read_study, spread_out, study_text, write_study
from leaderboard.study_page import render_study, tied_sentence
from leaderboard.study_plots import parameter_axis
from tests.leaderboard.study_samples import choice, number, study_record, trial

SCRIPT = "<script>alert('x')</script>"
RESULTS = Path(__file__).parents[2] / "docs" / "results"


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.labels += [value for name, value in attributes if name == "aria-label"]


def parsed(page: str) -> Seen:
    seen = Seen()
    seen.feed(page)
    return seen


@pytest.fixture
def record():
    return study_record()


def test_the_page_of_a_board_lies_beside_the_record(tmp_path, record):
    write_study(tmp_path, record)
    build_pages(tmp_path)
    page = (tmp_path / "studies" / "atlas-gan-007.html").read_text(encoding="utf-8")
    seen = parsed(page)
    assert seen.tags.count("svg") == 5 + 4  # history, curves, importance, parallel, budget; a slice of each varied one
    assert all(label for label in seen.labels)
    assert (
        "Optimisation history of 5 trials (2 completed, 1 pruned); best score 0.800 ± 0.050 in trial 3" in seen.labels
    )
    assert "../index.html" in page
    assert "0.0004 … 0.001" in page
    assert "80 %" in page


def test_nothing_is_fetched_and_nothing_runs(record):
    page = render_study(record, on_board=False)
    assert "script" not in parsed(page).tags
    assert 'src="' not in page
    assert "../index.html" not in page


def test_texts_from_a_record_are_escaped(record):
    record |= {"title": SCRIPT, "command": SCRIPT, "preset": SCRIPT, "default_role": f"{SCRIPT} $\\alpha$"}
    record["trial_list"][1] |= {"detail": SCRIPT, "parameters": {"units": 64, "penalty": SCRIPT}}
    record["space"][2] |= choice("penalty", ["two_sided", SCRIPT], "two_sided", when=SCRIPT) | {"title": f"{SCRIPT} $x"}
    record["learned"][0] |= {"title": SCRIPT, "best": SCRIPT}
    page = render_study(json.loads(study_text(record)), on_board=True)
    assert "script" not in parsed(page).tags
    assert "&lt;script&gt;" in page


def test_a_page_whose_record_stands_is_not_drawn_again(tmp_path, record):
    write_study(tmp_path, record)
    build_pages(tmp_path)
    page = tmp_path / "studies" / "atlas-gan-007.html"
    before = page.stat().st_mtime_ns
    build_pages(tmp_path)
    assert page.stat().st_mtime_ns == before
    write_study(tmp_path, record | {"minutes": 9.0})
    build_pages(tmp_path)
    assert "9.00 min" in page.read_text(encoding="utf-8")


def test_records_of_before_have_a_short_page(tmp_path):
    shutil.copytree(RESULTS / "studies", tmp_path / "studies")
    studies, damaged = read_studies(tmp_path)
    old = [study for study in studies if "version" not in study]
    assert not damaged
    assert all("learned" not in study for study in old)
    build_pages(tmp_path)
    for study in studies:
        page = (tmp_path / "studies" / f"{study['name']}-{study['directory']}.html").read_text(encoding="utf-8")
        assert study["command"].split()[1] in page


def test_a_record_comes_back_as_it_was_written(tmp_path, record):
    write_study(tmp_path, record)
    read = read_study(tmp_path, "atlas-gan", "007")
    assert read == record
    assert read is not None
    assert read["learned"][0]["importance"] == 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3"),
        ({"trial_list": [{"number": 1}]}, "trial_list"),
        ({"minutes": float("nan")}, "NaN"),
        ({"importance": None}, "importance"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_what_is_no_record_is_not_written(tmp_path, record, change, message):
    with pytest.raises(InvalidEntry, match=message):
        write_study(tmp_path, record | change)
    assert not (tmp_path / "studies").exists()


def test_a_record_that_lacks_a_part_is_shown_as_damaged(tmp_path, record):
    del record["learned"]
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "atlas-gan-007.json").write_text(json.dumps(record))
    assert read_studies(tmp_path)[1][0].name == "atlas-gan-007.json"
    assert "learned" in build_pages(tmp_path).read_text(encoding="utf-8")


def test_a_record_under_another_name_leads_to_no_other_file(tmp_path, record):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "harmless.json").write_text(json.dumps(record | {"name": "../../x"}))
    studies, (damaged,) = read_studies(tmp_path)
    assert not studies
    assert "rename the file" in damaged.reason


def test_the_best_trials_are_always_drawn():
    trials = [trial(index, value=1.0 + (index * 37 % 100)) for index in range(100)]
    drawn = spread_out(trials, 20, lambda one: one["value"])
    assert len(drawn) == 20
    assert {1.0 + rank for rank in range(10)} <= {one["value"] for one in drawn}
    assert [one["number"] for one in drawn] == sorted(one["number"] for one in drawn)
    assert max(one["number"] for one in drawn) > 90


def test_an_axis_holds_every_branch_and_leaves_gaps():
    rate = number("rate", 1e-4, 1e-2, 1e-3)
    rate["branches"].append(rate["branches"][0] | {"low": 1e-5})
    axis = parameter_axis(rate)
    assert (axis.low, axis.high, axis.log) == (1e-5, 1e-2, True)
    assert axis.place(1e-2) == pytest.approx(1)
    assert axis.place(None) != axis.place(None)  # NaN
    units = parameter_axis(choice("units", [128, 64, 512], 64))
    assert [units.place(value) for value in (64, 128, 512)] == [0, 0.5, 1]
    assert units.place(32) != units.place(32)


def test_the_cheapest_model_is_a_sentence(record):
    sentence = tied_sentence(record["tied"])
    assert (
        "cheapest model tied with the leader is trial 0: 0.850 ± 0.050, generation time 0.500 ms a shower" in sentence
    )
    assert "instead of 2.00" in sentence
    alone = record["tied"] | {"trials": [3], "cheapest": record["tied"]["leader"]}
    assert tied_sentence(alone).startswith("No other trial is within error of the best")
    itself = record["tied"] | {"cheapest": record["tied"]["leader"]}
    assert "leader is the cheapest itself" in tied_sentence(itself)
