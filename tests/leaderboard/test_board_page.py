"""The board's page and what lies beside it, from made-up records, some of them hostile."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from leaderboard.board_plots import TimedScore, pareto_figure
from leaderboard.downloads import as_csv, table_name
from leaderboard.metric_definitions import definitions, read_definitions
from leaderboard.pages import build_pages
from leaderboard.published import read_published
from leaderboard.records import InvalidEntry, check_entry_id, write_entry
from leaderboard.rendering import script, script_source, visible
from leaderboard.resamples import record_of

SCRIPT = "<script>alert('x')</script>"
OVERRIDE = "Model \u202egnorw\u202c \x07 \u200b"


def rank(folder, make_resamples, entry, observables):
    """Write an entry together with resamples that make it rankable."""
    entry = entry | {"seeds": [seed | {"score": entry["score"]["value"]} for seed in entry["seeds"]]}
    found = make_resamples(entry)
    seeds = zip(entry["seeds"], found.scores, found.replicas, found.half_splits, strict=True)
    resampled = {}
    for seed, score, replicas, halves in seeds:
        seed["score"] = float(score)
        resampled[seed["seed"]] = (replicas, halves)
    write_entry(folder, entry, observables, record_of(entry, resampled))


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_entry, make_observables, make_resamples):
    """Two that tie, one behind them, one that diverged, and a baseline."""
    folder = tmp_path_factory.mktemp("board")
    nothing = make_observables(histograms=[], images=[], response=[])
    for name, score in (("first", 0.8), ("second", 0.80001), ("third", 2.0)):
        rank(folder, make_resamples, make_entry(id=name, title=f"The {name}", score=score), nothing)
    write_entry(folder, make_entry(id="lost", title="Lost", score=0.1, status="diverged"), nothing)
    write_entry(folder, make_entry(id="mean", title="Mean shower", kind="baseline", score=3.0), nothing)
    build_pages(folder)
    return folder


def index_of(board: Path) -> str:
    return (board / "index.html").read_text(encoding="utf-8")


def row_of(page: str, name: str) -> str:
    (row,) = [row for row in page.split("<tr")[1:] if f"models/{name}.html" in row]
    return row


def test_classes_are_numbered_alike_and_parted_by_a_line(board):
    page = index_of(board)
    rows = [row_of(page, name) for name in ("first", "second", "third")]
    ranks = [re.search(r'data-v="(\d)">\d(?:<span class="small">(.*?)</span>)?', row) for row in rows]
    assert [rank and rank.groups() for rank in ranks] == [
        ("1", "tied with 1"), ("1", "tied with 1"), ("2", None),
    ]  # fmt: skip
    assert ['class="start"' in row for row in rows] == [False, False, True]


def test_a_tie_is_no_victory(board):
    assert re.search(r'class="verdict">No winner: The first has the lowest score', index_of(board))


def test_what_is_not_ranked_says_why(board):
    assert "Not ranked: diverged: the training of at least one seed diverged" in row_of(index_of(board), "lost")


def test_the_only_script_is_ours_and_named_by_the_policy(board):
    page = index_of(board)
    assert page.count("<script") == 1
    assert f"<script>{script('board.js')}</script>" in page
    assert f"script-src {script_source('board.js')};" in page
    for other in (board / "metrics.html", board / "models" / "first.html"):
        text = other.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "script-src 'none'" in text


def test_controls_wait_for_the_script(board):
    page = index_of(board)
    assert re.search(r'<form id="controls"[^>]* hidden>', page)
    assert " hidden" not in page.split('<table class="board"')[1].split("</table>")[0]  # without it all is shown


def test_downloads_hold_the_table_and_do_not_change(board):
    (path,) = (board / "downloads").glob("*.csv")
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [(row["id"], row["class"]) for row in rows] == [
        ("first", "1"), ("second", "1"), ("third", "2"), ("lost", ""), ("mean", ""),
    ]  # fmt: skip
    assert float(rows[2]["score"]) == 2.0
    assert float(rows[2]["ms_batch_100"]) == 0.012
    content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["rows"][2]["difference_lower"] > 0
    assert content["winner"].startswith("No winner")
    assert f"downloads/{path.name}" in index_of(board)
    build_pages(board)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", '=HYPERLINK("x","y")'])
def test_a_title_is_no_formula(title):
    (row,) = csv.DictReader(io.StringIO(as_csv([{"title": title, "score": -1.5}])))
    assert row["title"].startswith("'")
    assert row["score"] == "-1.5"  # numbers stay numbers


def test_names_of_tables_are_harmless_and_differ_with_the_comparison(make_entry, ranked_tables):
    names = []
    for change in ({"detector": "../../etc & co"}, {"preset": "paper"}, {"preset": SCRIPT}):
        (table,) = ranked_tables([make_entry(**change)])
        names.append(table_name(table))
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


def test_a_dataset_whose_test_split_was_never_opened_here_is_flagged(board, tmp_path, make_entry, make_observables):
    assert "Unknown dataset hash" in index_of(board)
    entry = make_entry()
    write_entry(tmp_path, entry, make_observables())
    (tmp_path / "test_openings.jsonl").write_text(json.dumps({"sha256": entry["dataset"]["sha256"]}) + "\n")
    wrong = entry["dataset"] | {"sha256": "e" * 64}
    assert "Unknown dataset hash" not in build_pages(tmp_path).read_text(encoding="utf-8")
    write_entry(tmp_path, make_entry(id="other", dataset=wrong), make_observables())
    page = build_pages(tmp_path).read_text(encoding="utf-8")
    assert page.count("Unknown dataset hash") == 1
    assert "<code>eeeeeeeeeeee</code>" in page
    assert page.count('<table class="board"') == 2  # never in one ranking


def test_hostile_names_are_shown_harmlessly(tmp_path, make_entry, make_observables):
    entry = make_entry(title=f"{SCRIPT} {OVERRIDE} $\\frac$")
    entry["detector"] = f"{SCRIPT}{OVERRIDE}"
    entry["cost"] = entry["cost"] | {"hardware": f'" onmouseover="{SCRIPT}'}
    entry["dataset"] = entry["dataset"] | {"title": OVERRIDE + SCRIPT}
    write_entry(tmp_path, entry, make_observables(histograms=[], images=[], response=[]))
    page = build_pages(tmp_path).read_text(encoding="utf-8")
    model = (tmp_path / "models" / f"{entry['id']}.html").read_text(encoding="utf-8")
    for text in (page, model):
        assert "alert('x')</script>" not in text
        assert not set(text) & set("\u202e\u202c\x07\u200b")
    assert "Model \ufffdgnorw\ufffd" in page
    assert ' onmouseover="' not in page


def test_a_huge_name_is_shortened(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, make_entry(title="W" * 300), make_observables(histograms=[], images=[], response=[]))
    page = build_pages(tmp_path).read_text(encoding="utf-8")
    assert "W" * 109 + "…" in page
    assert "W" * 111 not in page


def test_a_name_that_is_longer_still_is_refused(tmp_path, make_entry, make_observables):
    with pytest.raises(InvalidEntry, match="title"):
        write_entry(tmp_path, make_entry(title="W" * 301), make_observables())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_when_written(tmp_path, make_entry, make_observables, value):
    with pytest.raises(InvalidEntry, match=r"NaN or infinite|not"):
        write_entry(tmp_path, make_entry(score=value), make_observables())


def without(entry, field):
    return {name: value for name, value in entry.items() if name != field}


@pytest.mark.parametrize(
    ("text_of", "reason"),
    [
        (lambda entry: json.dumps(entry).replace("0.8", "NaN", 1), "NaN is no number"),
        (lambda entry: json.dumps(entry).replace("0.8", "1e999", 1), "1e999 is no number"),
        (lambda entry: json.dumps(without(entry, "scorecard")), "&#39;scorecard&#39; is a required property"),
        (lambda entry: json.dumps(entry | {"dataset": entry["dataset"] | {"sha256": "f" * 63}}), "dataset.sha256"),
        (lambda entry: json.dumps(entry | {"id": "../../outside"}), "id:"),
        (lambda entry: json.dumps(entry | {"id": "another"}), "holds the entry another"),
        (lambda entry: json.dumps(entry)[:-20], "could not be read"),
        (lambda _entry: "[" * 100_000, "could not be read"),
    ],
)
def test_a_record_that_is_wrong_is_left_out_with_its_reason(tmp_path, make_entry, make_observables, text_of, reason):
    entry = make_entry(id="good", title="A good one")
    write_entry(tmp_path, entry, make_observables(histograms=[], images=[], response=[]))
    bad = tmp_path / "entries" / "bad"
    bad.mkdir()
    (bad / "entry.json").write_text(text_of(make_entry(id="bad", title="A bad one")))
    page = build_pages(tmp_path).read_text(encoding="utf-8")
    assert "A good one" in page
    assert "A bad one" not in page.split("Records that could not be read")[0]
    assert reason in page.split("Records that could not be read")[1]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["good.html"]
    assert not (tmp_path.parent / "outside.html").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", "..", ".hidden", "A", "", "a" * 82, "a\u202eb"])
def test_a_folder_that_would_escape_is_no_id(name):
    with pytest.raises(InvalidEntry, match="is refused"):
        check_entry_id(name)


def test_visible_keeps_what_people_write():
    assert visible("σ(E)/E ± 1 %\n模型 – naïve") == "σ(E)/E ± 1 %\n模型 – naïve"


def test_published_figures_stand_apart(board):
    page = index_of(board)
    ours, elsewhere = page.split('<section class="elsewhere"')
    assert "proGAN" not in ours
    assert re.search(r"<th scope=\"row\">proGAN</th><td class=\"number\">0.00176</td>", elsewhere)
    assert re.search(r"<th scope=\"row\">CaloINN</th><td class=\"number\">18\u202f821\u202f350</td>", elsewhere)
    for record in read_published():
        assert record["source"]["title"] in page
        assert escape(record["not_comparable"]) in page


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"not_comparable": ""}, "not_comparable"),
        ({"rows": [{"title": "x", "values": {}}]}, "x has"),
        ({"extra": 1}, "extra"),
    ],
)
def test_published_records_are_checked(tmp_path, change, reason):
    record = read_published()[0] | change
    (tmp_path / "some.json").write_text(json.dumps(record))
    with pytest.raises(InvalidEntry, match=reason):
        read_published(tmp_path)


def test_definitions_are_those_of_the_registry():
    """``python -m leaderboard.metric_definitions`` writes them again."""
    assert read_definitions() == definitions()


def test_the_metrics_page_has_definitions_and_floors(board):
    page = (board / "metrics.html").read_text(encoding="utf-8")
    assert "|⟨E/E_inc⟩_G − ⟨E/E_inc⟩_R| / ⟨E/E_inc⟩_R" in page
    floors = page.split('<h2 id="floors">')[1].split("</table>")[0]
    assert "0.500 ± 0.010" in floors
    assert "BMRE 0.200" in floors
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_pareto_plot_connects_and_names_the_set():
    points = [
        TimedScore("slow", 0.5, 0.1, 100.0, 1.0, True),
        TimedScore("fast", 1.0, 0.1, 0.1, 0.01, True),
        TimedScore("beaten", 2.0, 0.1, 50.0, 1.0, False),
    ]
    (axes,) = pareto_figure(points, {"value": 0.4, "error": 0.01}).axes
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"
    assert [text.get_text() for text in axes.texts] == ["fast", "slow"]
    line = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(line.get_xdata()).tolist() == [0.1, 100.0]
    names = axes.get_legend_handles_labels()[1]
    assert names == ["full-simulation floor", "not in the set", "Pareto set"]
    assert len(axes.collections) >= 4  # error bars in both directions, of both groups
