"""What a search prints when it ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from leaderboard.ranking import Table
from search.engine import final


def entry(name: str, dataset: str, kind: str, study: str = "atlas-gan") -> dict[str, Any]:
    return {
        "id": name,
        "title": name,
        "kind": kind,
        "status": "complete",
        "score": {"value": 1.0, "error": 0.1},
        "cost": None,
        "comparisons": [],
        "study": {"name": study, "directory": "001"},
        "model": {"name": study if kind == "model" else "mean-shower"},
        "detector": dataset,
        "scorecard": {"identity": "a"},
        "dataset": {"sha256": dataset},
        "preset": "laptop",
    }


def test_a_search_shows_its_own_table_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        entry("gan", "photons", "model"),
        entry("mean photon", "photons", "baseline"),
        entry("other gan", "pions", "model", study="lhcb-single-track"),
        entry("mean pion", "pions", "baseline"),
    ]
    shown: list[Table] = []
    monkeypatch.setattr(final, "read_board", lambda _board: SimpleNamespace(entries=entries))
    monkeypatch.setattr(final, "build_pages", lambda board: board / "index.html")
    monkeypatch.setattr(final, "summary_table", lambda table: shown.append(table) or "")
    plan: Any = SimpleNamespace(
        board=tmp_path, folder=Path("001"), study=SimpleNamespace(name="atlas-gan", model="atlas-gan")
    )
    final.board_pages(plan, Console(quiet=True), judged=True)
    assert [[row.entry["id"] for row in table.rows] for table in shown] == [["gan", "mean photon"]]
