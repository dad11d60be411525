"""During a trial, only metrics that are cheap enough for every evaluation are computed; reported ones at its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_adapters.datasets import DatasetFiles
from metrics import METRICS, SCORECARDS
from metrics.discrepancies.component import Metric
from search.engine.trial import TrialRun, TrialSetup
from search.spaces import SPACES


def test_a_trial_computes_what_is_scored_and_nothing_dearer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: set[str] = set()
    for name, metric in METRICS.items():
        monkeypatch.setitem(METRICS._components, name, replace(metric, function=_recorded(metric, computed)))
    setup = TrialSetup(
        model="atlas-vae",
        data=DatasetFiles("atlas-photons-geant4"),
        scorecard="atlas-photons-v1",
        epochs=1,
        evaluate_every=1,
        trials_folder=tmp_path,
    )
    run = TrialRun(setup, 0, dict(SPACES["atlas-vae"].default), seed=1)
    run.advance()
    card = SCORECARDS["atlas-photons-v1"]
    assert run.history[0].score_error is not None
    assert computed == set(card.weights)
    assert {METRICS[name].cost for name in computed} == {"every evaluation"}
    reported = run.reported()
    run.close()
    assert set(reported) == {*card.reported, "excess", "p_value"}
    assert computed == {*card.weights, *card.reported}
    assert "benchmark only" not in {METRICS[name].cost for name in computed}
    assert run.judge.floor is not None
    assert reported["excess"] == pytest.approx(run.history[0].score - run.judge.floor.score.value, rel=1e-4)
    assert 0 < reported["p_value"] <= 1


def _recorded(metric: Metric, computed: set[str]) -> Any:
    def function(*arguments: Any) -> Any:
        computed.add(metric.name)
        return metric.function(*arguments)

    return function
