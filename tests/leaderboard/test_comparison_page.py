"""The page of a comparison, and the axes of its plots."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.comparison import HEADER, WHOLE_SAMPLE_HEADER
from leaderboard.comparison_page import render_comparison
from leaderboard.text import signed_with_error

# ---------------------------------------------------------------- the page


def record_of(**changes: Any) -> dict[str, Any]:
    estimate = {"value": 0.3, "error": 0.1}
    row = {"name": "score", "meaning": "mean <of> parts", "shown": ["Score", "0.30 ± 0.10", "–", "–", "–", "–"]}
    return {
        "names": {"reference": "R.h5", "generated": "G & co.h5", "twin": None},
        "detector": "made-up",
        "num_events": 1234,
        "scorecard": "made-up-v1",
        "matching": {"generated": [], "twin": None},
        "metrics": [row],
        "whole_sample": [],
        "judgement": {"components": {}, "by_energy": [{"label": "1 GeV", "score": estimate}]},
    } | changes


def page_of(record: dict[str, Any]) -> str:
    nothing: dict[str, Any] = {"histograms": [], "images": [], "response": []}
    return render_comparison(record, nothing, HEADER, WHOLE_SAMPLE_HEADER)


def test_a_page_without_plots_twin_or_images() -> None:
    page = page_of(record_of())
    assert "G &amp; co.h5 against R.h5" in page
    assert "mean &lt;of&gt; parts" in page
    assert "no twin was given" in page
    assert "Mean showers" not in page
    assert "Response against energy" not in page
    assert "Metrics of whole samples" not in page


def test_remarks_of_metrics_are_shown() -> None:
    row = {"name": "x", "shown": ["Classifier AUC", "0.5 ± 0.1", "–", "0.5", "It notices a fault."]}
    page = page_of(record_of(whole_sample=[row]))
    assert "Metrics of whole samples" in page
    assert "It notices a fault." in page


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (-0.12, 0.05, "−0.120 ± 0.050"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (0.12, 0.05, "0.120 ± 0.050"),
        (-3.0, None, "−3.000"),
    ],
)
def test_a_minus_stands_only_before_what_is_not_zero(value: float, error: float | None, shown: str) -> None:
    assert signed_with_error({"value": value, "error": error}) == shown
