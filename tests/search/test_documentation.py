"""The documentation says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from search.engine import documentation
from search.engine.metrics_page import metrics_page
from search.engine.self_test_page import self_test_page
from search.spaces import SPACES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + sorted(ROOT.glob("docs/*.md"))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("data.md", documentation.data_page),
        ("hyperparameters.md", documentation.hyperparameters),
        ("metrics.md", metrics_page),
        ("metric_tests.md", self_test_page),
    ],
    ids=["data", "hyperparameters", "metrics", "metric_tests"],
)
def test_generated_pages_are_up_to_date(page: str, text: documentation.PageText) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == documentation.MADE_BY + text(), "run `make docs`"


def test_the_results_are_those_of_the_records() -> None:
    expected = documentation.MADE_BY + documentation.results(ROOT / "docs" / "results")
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == expected, "run `make docs`"


def test_every_hyperparameter_of_the_tables_is_documented() -> None:
    text = documentation.hyperparameters()
    for space in SPACES.values():
        for parameter in space.parameters:
            assert f"| `{parameter.name}` |" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_search_of_the_readme_is_the_one_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (trials,) = re.findall(r"--trials (\d+)", makefile)
    assert f"`make search` runs {trials} trials" in (ROOT / "README.md").read_text(encoding="utf-8").replace("\n", " ")
