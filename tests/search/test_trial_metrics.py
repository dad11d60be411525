"""During a trial, only metrics that are cheap enough for every evaluation are computed."""

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
    run.close()
    assert run.history[0].score_error is not None
    assert computed == set(SCORECARDS["atlas-photons-v1"].weights)
    assert {METRICS[name].cost for name in computed} == {"every evaluation"}


def _recorded(metric: Metric, computed: set[str]) -> Any:
    def function(*arguments: Any) -> Any:
        computed.add(metric.name)
        return metric.function(*arguments)

    return function
