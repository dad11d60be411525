"""Trials in several processes: a real Ray session, lost processes, two nodes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster
from torch import distributed

import search.atlas_gan
import search.clic_3dgan
from data_adapters.datasets import DatasetFiles
from leaderboard.training import SeedJob
from models.base import GenerativeModel, TrainingDiverged
from search.engine.cli import main
from search.engine.data_parallel import OtherProcess, ProcessLost, TrainedTogether, TrialPlaces
from search.engine.final import _train_seed
from search.engine.ledger import Ledger
from search.engine.plan import Options, make_plan
from search.engine.runner import ENVIRONMENT
from search.engine.study import StudyError
from search.engine.trial import TrialRun, TrialSetup, estimate_seconds, model_of, read_history
from tests.models.clic_samples import CLIC_3DGAN_CONFIG

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
CONFIG: dict[str, Any] = {**CLIC_3DGAN_CONFIG, "batch_size": 128, "first_step_epochs": 0, "average_decay": 0.9}


def plan_of(tmp_path: Path, study: Any = search.clic_3dgan.STUDY, **options: Any) -> Any:
    return make_plan(study, Options(**options), tmp_path, tmp_path / study.name / "001", None)


class TestPlan:
    def test_the_number_of_processes_belongs_to_the_search(self, tmp_path: Path) -> None:
        one, two = plan_of(tmp_path), plan_of(tmp_path, processes_per_trial=2)
        assert two.identity == {**one.identity, "processes_per_trial": 2}
        assert (one.setup.processes, two.setup.processes) == (1, 2)

    def test_a_model_of_one_process_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="atlas-gan is trained by one process.*clic-3dgan"):
            plan_of(tmp_path, search.atlas_gan.STUDY, processes_per_trial=2)

    def test_mini_batches_of_fewer_events_than_processes_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="mini-batches of 16 events"):
            plan_of(tmp_path, processes_per_trial=17)
        assert plan_of(tmp_path, processes_per_trial=17, fix={"batch_size": "32"}).setup.processes == 17

    def test_shares_of_a_gpu_and_no_process_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="each process needs a whole GPU"):
            plan_of(tmp_path, processes_per_trial=2, gpus_per_trial=0.5)
        with pytest.raises(StudyError, match="--processes-per-trial is 0"):
            plan_of(tmp_path, processes_per_trial=0)


@pytest.fixture
def setup(tmp_path: Path) -> TrialSetup:
    return TrialSetup(
        model="clic-3dgan",
        data=DatasetFiles("clic-electrons-coarse"),
        scorecard="clic-electrons-coarse-v1",
        epochs=2,
        evaluate_every=1,
        trials_folder=tmp_path / "trials",
        processes=2,
    )


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


def run_together(work: Any, *arguments: Any) -> Any:
    """The result of a function that runs with two processes, and what it leaves behind: no actor."""
    places = TrialPlaces(1, 0.0, 2)
    reference = places.submit(work, *arguments)
    try:
        return ray.get(reference, timeout=300)
    finally:
        places.release(reference)


def whole_trial(setup: TrialSetup) -> list[tuple[int, dict[str, float]]]:
    run = TrialRun(setup, 0, CONFIG, seed=5)
    while not run.finished:
        run.advance()
    run.close()
    assert not distributed.is_initialized()
    return [(evaluation.epoch, evaluation.losses) for evaluation in run.history]


def interrupted_trial(setup: TrialSetup) -> list[tuple[int, dict[str, float]]]:
    run = TrialRun(setup, 1, CONFIG, seed=5)
    run.advance()
    run.stop()
    again = TrialRun(setup, 1, CONFIG, seed=5)
    assert again.model.epoch == 1
    again.advance()
    again.close()
    return [(evaluation.epoch, evaluation.losses) for evaluation in again.history]


def test_a_trial_goes_on_bit_for_bit_and_equals_one_of_one_process(session: None, setup: TrialSetup) -> None:  # noqa: ARG001
    history = run_together(whole_trial, setup)
    assert [epoch for epoch, _ in history] == [1, 2]
    assert run_together(interrupted_trial, setup) == history
    alone = whole_trial(replace(setup, processes=1, trials_folder=setup.trials_folder / "alone"))
    for (_, losses), (_, expected) in zip(history, alone, strict=True):
        assert losses == pytest.approx(expected, rel=0.02)
    assert_nothing_left()


def assert_nothing_left() -> None:
    deadline = time.monotonic() + 20
    while others := [p for p in psutil.process_iter(["cmdline"]) if is_another(p)]:
        assert time.monotonic() < deadline, others
        time.sleep(0.2)


def is_another(process: psutil.Process) -> bool:
    """Whether it is one of the further processes of a trial of this session."""
    return "OtherProcess" in " ".join(process.info["cmdline"] or [])


def failing_epoch(setup: TrialSetup, kind: str) -> str:
    """Trains an epoch, lets the other process fail in the second one, and says how this one saw it."""
    model = model_of(setup, CONFIG, seed=5)
    assert isinstance(model, TrainedTogether)
    model.train_epoch()
    (other,) = model._others
    try:
        other.__ray_call__.remote(hinder, kind)
        model.train_epoch()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        model.close()
    return "nothing"


def hinder(process: OtherProcess, kind: str) -> None:
    """Makes the process's next mini-batch fail."""
    model: Any = process._model

    def step(_batch: Any) -> Any:
        if kind == "lost":
            os.kill(os.getpid(), signal.SIGKILL)
        raise {"memory": MemoryError("no room"), "diverged": TrainingDiverged("of one process")}[kind]

    model.step = step


@pytest.mark.parametrize(
    ("kind", "seen"), [("memory", "MemoryError"), ("diverged", "TrainingDiverged"), ("lost", "ProcessLost")]
)
def test_what_ends_another_process_ends_the_training_alike(
    session: None,  # noqa: ARG001
    setup: TrialSetup,
    kind: str,
    seen: str,
) -> None:
    began = time.monotonic()
    assert run_together(failing_epoch, setup, kind).startswith(seen)
    assert time.monotonic() - began < 120
    assert_nothing_left()
