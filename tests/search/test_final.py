"""What a search prints when it ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from leaderboard.ranking import Table
from search.engine import final
from search.engine.objectives import SCORE_ALONE


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
        "seeds": [],
        "scorecard": {"identity": "a", "name": "v1", "version": 1},
        "dataset": {"sha256": dataset, "num_events": 10},
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

    def summary(table: Table) -> str:
        shown.append(table)
        return ""

    monkeypatch.setattr(final, "summary_table", summary)
    plan: Any = SimpleNamespace(
        board=tmp_path, folder=Path("001"), study=SimpleNamespace(name="atlas-gan", model="atlas-gan")
    )
    final.board_pages(plan, Console(quiet=True), judged=True)
    assert [[row.entry["id"] for row in table.rows] for table in shown] == [["gan", "mean photon"]]


@pytest.mark.parametrize(
    ("champion", "expected"),
    [({"units": 64}, {"champion": 7, "paper's configuration": 0}), ({"units": 128}, {"paper's configuration": 7})],
)
def test_the_champion_tells_how_many_trials_were_compared(champion: dict[str, Any], expected: dict[str, int]) -> None:
    plan: Any = SimpleNamespace(
        study=SimpleNamespace(
            name="atlas-gan", model="atlas-gan", budget_label="{epochs} epochs", checkpoint_rule="last"
        ),
        objectives=SCORE_ALONE,
        preset=SimpleNamespace(defaults={}),
        space=SimpleNamespace(default={"units": 128}, sha256="a" * 64),
        sampler="tpe",
        seed=1,
        folder=Path("001"),
        preset_name="laptop",
        final_seeds=1,
        epochs=2,
        evaluate_every=1,
        data=None,
        scorecard_name="atlas-photons-v1",
        base=None,
    )
    ledger: Any = SimpleNamespace(ended=[(None, SimpleNamespace(seconds=36.0))] * 7)
    best: Any = SimpleNamespace(config=champion)
    plans = final.final_plans(plan, ledger, best)
    assert {entry.title.split(", ")[1]: entry.study.trials_compared for entry in plans} == expected
