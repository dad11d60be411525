"""How numbers are written, and the table for the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from leaderboard import text
from leaderboard.summary import comparison_sentences, summary_rows, summary_table


@pytest.mark.parametrize(
    ("value", "error", "written"),
    [
        (1.23456, 0.0456, "1.235 ± 0.046"),
        (1234.5, 67.0, "1234 ± 67"),
        (1234.5, 678.0, "1234 ± 678"),
        (0.5, 0.0, "0.5000"),
        (0.5, None, "0.5000"),
        (0.0, 0.001, "0.0000 ± 0.0010"),
        (-0.31, 0.02, "-0.310 ± 0.020"),
        (0.30961, 0.0996, "0.31 ± 0.10"),
    ],
)
def test_with_error(value, error, written):
    assert text.with_error({"value": value, "error": error}) == written


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (None, 3, "–"),
        (0, 3, "0"),
        (0.012345, 3, "0.0123"),
        (12345.6, 3, "12346"),
        (1e-9, 3, "1.00e-09"),
        (99.99, 3, "100"),
    ],
)
def test_significant(value, digits, written):
    assert text.significant(value, digits) == written


def test_signed_and_count():
    assert text.signed(-2.345) == "−2.3"
    assert text.signed(12.0) == "+12"
    assert text.count(50_000) == "50\u202f000"
    assert text.gev(65536.0) == "65.5 GeV"


def printed(table, width=140) -> str:
    file = io.StringIO()
    Console(width=width, file=file).print(summary_table(table))
    return file.getvalue()


def test_the_summary_names_best_paper_and_references(make_entry, ranked_tables):
    paper = make_entry(id="paper", title="ATLAS GAN, as published", score=0.9)
    paper["model"] = paper["model"] | {"config": paper["model"]["paper_config"]}
    champion = make_entry(score=0.7) | {
        "comparisons": [
            {
                "with": "paper",
                "title": paper["title"],
                "difference": -0.2,
                "error": 0.05,
                "standard_errors": -4.0,
                "seeds": 3,
            }
        ]
    }
    (table,) = ranked_tables(
        [
            paper,
            champion,
            make_entry(id="other", title="Second best", score=0.8),
            make_entry(id="mean", title="Mean shower [of each energy]", kind="baseline", score=3.0),
            make_entry(id="raw", title="Untrained", kind="untrained", score=30.0),
            make_entry(id="floor", title="Full simulation", kind="baseline", score=0.5),
        ]
    )
    assert [label for label, _ in summary_rows(table)] == [
        "best: ATLAS GAN, best of the search",
        "paper: ATLAS GAN, as published",
        "Untrained",
        "Mean shower [of each energy]",
        "Full simulation",
    ]
    shown = printed(table)
    assert "0.700 ± 0.030" in shown
    assert "Mean shower [of each energy]" in shown  # brackets are no markup
    (sentence,) = comparison_sentences(table)  # of ranked models, what their ranks follow from
    assert "0.2000 (0.1972 … 0.2028) better (lower) than ATLAS GAN, as published (95 % interval" in sentence


def test_what_is_not_ranked_is_compared_as_its_record_says(make_entry):
    comparison = {
        "with": "paper", "title": "ATLAS GAN, as published", "difference": -0.2, "error": 0.05,
        "standard_errors": -4.0, "seeds": 3,
    }  # fmt: skip
    entry = make_entry() | {"comparisons": [comparison]}
    (sentence,) = text.comparison_sentences(entry, {})
    assert "0.200 ± 0.050 better (lower) than ATLAS GAN, as published, 4.0 standard errors" in sentence
    (sentence,) = text.comparison_sentences(entry, {"paper": {"value": 0.1, "lower": -0.1, "upper": 0.3}})
    assert "0.10 (−0.10 … 0.30) worse (higher) than" in sentence
    assert sentence.endswith(": a tie")
    (sentence,) = text.comparison_sentences(entry, {"paper": {"value": -0.1, "lower": -0.3, "upper": 0.1}})
    assert "0.10 (−0.10 … 0.30) better (lower) than" in sentence


def test_what_the_champion_was_compared_with_is_in_the_summary(make_entry, ranked_tables):
    others = [make_entry(id=name, title=name, score=score) for name, score in (("defaults", 0.9), ("another", 0.8))]
    compared = {
        "with": "defaults", "title": "defaults", "difference": -0.2, "error": 0.1, "standard_errors": 2.0, "seeds": 3,
    }  # fmt: skip
    (table,) = ranked_tables([make_entry(score=0.7) | {"comparisons": [compared]}, *others])
    assert [label for label, _ in summary_rows(table)] == ["best: ATLAS GAN, best of the search", "defaults"]


def test_the_summary_says_what_is_not_complete(make_entry, ranked_tables):
    entry = make_entry(title="Paper", status="diverged") | {"score": None, "components": {}}
    entry["model"] = entry["model"] | {"config": entry["model"]["paper_config"]}
    (table,) = ranked_tables([entry])
    assert "paper: Paper (diverged)" in printed(table)
    assert comparison_sentences(table) == []


def test_no_column_of_the_summary_is_cut_off_in_a_narrow_terminal(make_entry, ranked_tables):
    values = {"bmre": 2.94, "helix_residual": 25502.0, "wasserstein": 5738.0, "correlation": 0.526}
    components = {name: {"value": value, "error": 0.01} for name, value in values.items()}
    entry = make_entry(title="ALICE track generators, defaults of the laptop preset", score=2853.0)
    (table,) = ranked_tables([entry | {"components": components}])
    shown = printed(table, width=80)
    assert "Correlation" in shown
    assert "0.526" in shown
