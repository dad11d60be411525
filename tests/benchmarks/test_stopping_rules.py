"""Stopping rules replayed on curves of which it is known what is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import stopping_rules as rules


def write(folder: Path, histories: list[list[tuple[int, float]]]) -> None:
    piece = {"histories": histories, "trials": ["completed"] * (len(histories) - 1) + ["preempted"]}
    (folder / "random-1.json").write_text(json.dumps(piece), encoding="utf-8")


def parallel(number: int) -> list[list[tuple[int, float]]]:
    """Curves that never cross, and one that was cut short."""
    curves = [[(20 * step, 5.0 + level - step / 100) for step in range(1, 26)] for level in range(number)]
    return [*curves, curves[0][:3]]


def test_curves_are_what_trials_had_reached(tmp_path: Path) -> None:
    write(tmp_path, [[(20, 3.0), (40, 1.0), (60, 2.0), (80, 9.0)], [(20, 1.0)]])
    epochs, curves, evaluations = rules.read_curves(tmp_path)
    assert list(epochs) == [20, 40, 60, 80]
    assert curves.tolist() == [[3.0, 2.0, 2.0, 2.0]]
    assert evaluations == 5


def test_where_curves_never_cross_stopping_early_gains_most(tmp_path: Path) -> None:
    write(tmp_path, parallel(20))
    lines = rules.tables(tmp_path)
    assert "| 60 epochs | 1.00 | 1, 2 of 20 |" in lines
    share = {cells[0]: cells[-1] for line in lines if len(cells := line.strip("| ").split(" | ")) == 4}
    assert share["none"] == "100 %"
    early, late = (
        int(share[f"halving at every evaluation, from {first}, one in 3"].split()[0])
        for first in ("a ninth", "a third")
    )
    assert early <= late < 80


def test_a_replay_makes_as_many_evaluations_as_a_search(tmp_path: Path) -> None:
    write(tmp_path, parallel(4))
    epochs, curves, evaluations = rules.read_curves(tmp_path)
    assert evaluations == 4 * 25 + 3
    reached = rules._replays(rules._halving(500, 100, 2), epochs, curves, evaluations)
    assert reached.shape == (rules.REPLAYS, evaluations)
    assert (np.diff(reached, axis=1) <= 0).all()


@pytest.mark.parametrize("content", [None, {"trials": ["completed"]}])
def test_without_curves_there_are_no_tables(tmp_path: Path, content: dict[str, list[str]] | None) -> None:
    if content is not None:
        (tmp_path / "random-1.json").write_text(json.dumps(content), encoding="utf-8")
    assert rules.tables(tmp_path) == []
