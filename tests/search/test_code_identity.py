"""A search knows with which code it ran."""

from __future__ import annotations

from search.engine.code_identity import LIBRARIES, changes, code_identity


def test_what_decides_a_score_is_part_of_it() -> None:
    identity = code_identity()
    for name in ("models/wgan.py", "metrics/judge.py", "data_adapters/splits.py", "search/engine/trial.py", *LIBRARIES):
        assert name in identity
    assert "leaderboard/pages.py" not in identity


def test_changes_are_named() -> None:
    before = {"models/a.py": "1", "models/b.py": "1", "torch": "2.13.0"}
    now = {"models/a.py": "2", "models/c.py": "1", "torch": "2.14.0"}
    assert changes(before, now) == [
        "models/b.py is gone", "models/c.py is new", "models/a.py changed", "torch 2.13.0 became 2.14.0",
    ]  # fmt: skip
    assert changes(now, now) == []
