"""Presets: what each study trains, on what, and that the papers' sizes really train."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from metrics.scorecards import SCORECARDS
from models import MODELS
from models.base import GenerativeModel
from models.building import build_model, check_detector
from models.network_model import NetworkModel
from search.engine.study import Preset, Study
from search.studies import STUDIES

STEPS = 2
every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
every_preset = pytest.mark.parametrize("name", ["laptop", "paper"])


def dataset_name(study: Study, preset: Preset) -> str:
    return preset.dataset or study.dataset


@every_study
@every_preset
def test_a_preset_is_whole(study: Study, name: Any) -> None:
    preset = study.preset(name)
    detector = DATASETS[dataset_name(study, preset)].detector
    check_detector(MODELS[study.model], detector)
    assert SCORECARDS[preset.scorecard or study.scorecard].detector == detector.name
    assert study.space_at(preset).varied, "there is nothing to search"
    assert "{epochs}" in study.budget_label


@every_study
def test_the_paper_preset_is_the_papers(study: Study) -> None:
    """Nothing of the paper's optimum is changed at the paper's size."""
    assert study.paper.defaults == {}
    assert study.space_at(study.paper).default == study.space.default


@every_study
def test_the_model_of_a_built_on_study_is_that_of_the_other(study: Study) -> None:
    assert MODELS[study.model].built_on == (None if study.built_on is None else study.built_on.model)


def base_of(study: Study, folder: Path) -> Path | None:
    """The model that it is built on, at the paper's size, untrained."""
    if study.built_on is None:
        return None
    base = study.built_on
    events = DATASETS[dataset_name(base, base.paper)].split("train")
    build_model(base.model, base.space_at(base.paper).default, events, 1).save(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
@every_study
def test_the_papers_networks_take_real_training_steps(study: Study, tmp_path: Path) -> None:
    events = DATASETS[dataset_name(study, study.paper)].split("train")
    config = study.space_at(study.paper).default
    model = build_model(study.model, config, events, 1, base=base_of(study, tmp_path / "base"))
    model.save(tmp_path / "before")
    losses = _train_a_little(model)
    assert losses
    assert all(np.isfinite(value) for value in losses)
    model.save(tmp_path / "after")
    few = {name: values[:2] for name, values in events.conditions.items()}
    generated = model.generate(few, seed=1)
    assert generated.shape == (2, events.detector.num_cells)
    assert np.isfinite(generated).all()
    assert (tmp_path / "before" / "checkpoint.safetensors").read_bytes() != (
        tmp_path / "after" / "checkpoint.safetensors"
    ).read_bytes()


def _train_a_little(model: GenerativeModel) -> list[float]:
    """Two generator updates; an epoch of the models that make no single ones."""
    if not isinstance(model, NetworkModel):
        return list(model.train_epoch().values())
    step: Callable[[Any], dict[str, Any]] = model.step
    batches = islice(chain.from_iterable(model.batches() for _ in range(STEPS)), STEPS)
    return [float(value) for batch in batches for value in step(batch).values()]
