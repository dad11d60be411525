"""The self-test as a command, its records, and the page about it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_adapters.adapters import open_events
from leaderboard import self_test
from leaderboard.pages import build_pages
from leaderboard.self_test_page import render_self_test
from leaderboard.self_test_records import RECORDS, read_calibration, read_records
from metrics import FAULTS, SCORECARDS
from metrics.self_test_expected import EXPECTED, SHORTFALLS
from search.engine.arena import main

PHOTONS = [
    Path(__file__).parents[1] / "metrics" / "samples" / f"photons_{n}.h5" for n in ("reference", "twin", "fresh")
]
FEW = ("selftest", "--files", *PHOTONS, "--sizes", 100, 120, "--draws", 2)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["metrics", *map(str, arguments)])
    return int(exit_.value.code or 0)


def expect(monkeypatch: pytest.MonkeyPatch, noticed: dict[str, tuple[str, ...]]) -> None:
    card = "atlas-photons-v1"
    monkeypatch.setitem(EXPECTED, card, replace(EXPECTED[card], noticed=noticed))


def test_three_files_are_tested_without_a_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(monkeypatch, {"collapsed_conditions": ("bmre",)})
    assert run(*FEW, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "10200 events of atlas-photons at 1.02 GeV, 2.05 GeV, 2 draws" in printed
    record = json.loads((tmp_path / "atlas-photons-v1.120.json").read_text())
    assert record["sizes"] == [100, 120]
    expected = [row for row in record["rows"] if row["expected"]]
    assert [(row["fault"], row["metric"], row["events"]) for row in expected] == [("collapsed_conditions", "bmre", 120)]
    assert expected[0]["noticed"] == 2
    page = (tmp_path / "self_test.html").read_text()
    assert "with 100 · 120 events" in page
    assert "index.html" not in page  # no board lies beside it


def test_what_was_expected_and_missed_fails_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(monkeypatch, {"transposed_axes": ("response",)})
    assert run(*FEW, "--out", tmp_path) == 1
    said = capsys.readouterr()
    assert "missed: atlas-photons-v1: response noticed transposed_axes in 0 of 2 draws of 120 events" in said.err
    assert "0 (missed)" in said.out
    assert "expected missed" in (tmp_path / "self_test.html").read_text()


def test_wrong_commands_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("selftest", "--scorecard", "atlas-photon-v1", "--out", out) == 2
    assert "atlas-photons-v1" in capsys.readouterr().err
    assert run("selftest", "--sizes", 100, "--out", out) == 2
    assert "--sizes needs --files" in capsys.readouterr().err
    assert run("selftest", "--draws", 0, "--out", out) == 2
    assert run("selftest", "--files", *PHOTONS, "--sizes", 60, "--draws", 1, "--out", out) == 2
    assert "needs 50 reference events in every condition bin" in capsys.readouterr().err
    assert run("selftest", "--files", *PHOTONS[:2], tmp_path / "nowhere.h5", "--out", out) == 2
    assert "nowhere.h5" in capsys.readouterr().err
    assert not out.exists()


def test_other_particles_are_refused() -> None:
    from rich.console import Console

    first, second, third = (open_events(path).read() for path in PHOTONS)
    card = self_test.present_bins(SCORECARDS["atlas-photons-v1"], first)
    assert card.condition_bins == (1024.0, 2048.0)
    order = np.array([1, 0, *range(2, len(third))])
    with pytest.raises(ValueError, match="the same particles in the same order"):
        self_test.run_self_test_on(card, (first, second, third.select(order)), [100], 1, Console(stderr=True))


def test_records_that_ship_are_of_the_scorecards_and_faults_of_today() -> None:
    records = read_records()
    whole = {
        record["scorecard"]: record for record in records if record["dataset"] == EXPECTED[record["scorecard"]].dataset
    }
    assert list(whole) == list(SCORECARDS)
    for name, record in whole.items():
        assert record["identity"] == SCORECARDS[name].identity
        assert {fault["name"] for fault in record["faults"]} <= {"none", *FAULTS}
        missed = {(record["dataset"], row["fault"], row["metric"]) for row in record["rows"] if row["missed"]}
        assert missed == {shortfall for shortfall in SHORTFALLS if shortfall[0] == record["dataset"]}
        assert self_test.missed(record) == []


def test_with_ten_thousand_photons_everything_expected_is_noticed() -> None:
    record = json.loads((RECORDS / "atlas-photons-v1.10000.json").read_text())
    expected = [row for row in record["rows"] if row["expected"]]
    assert len(expected) == sum(map(len, EXPECTED["atlas-photons-v1"].noticed.values()))
    assert not any(row["missed"] for row in expected)


def test_the_board_has_a_page_about_its_metrics(tmp_path: Path) -> None:
    index = build_pages(tmp_path)
    assert 'href="metrics.html"' in index.read_text()
    page = (tmp_path / "metrics.html").read_text()
    for name in SCORECARDS:
        assert name in page
    assert "Are the p-values right?" in page
    assert "<svg" in page


def test_page_escapes_what_a_record_says() -> None:
    record = read_records()[0] | {"dataset": "<script>alert(1)</script>"}
    page = render_self_test([record], None, on_board=False)
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_p_values_of_full_simulation_are_uniform_on_record() -> None:
    calibration = read_calibration()
    assert calibration["draws"] >= 100
    assert min(calibration["kolmogorov_smirnov"].values()) > 0.01
    assert all(len(values) == calibration["draws"] for values in calibration["p_values"].values())
