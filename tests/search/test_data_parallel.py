"""Trials in several processes: a real Ray session, lost processes, two nodes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster
from rich.console import Console
from torch import distributed

import search.atlas_gan
import search.clic_3dgan
from data_adapters.datasets import DatasetFiles
from leaderboard.training import SeedJob, SeedTraining
from search.engine.checkpoint_budget import CheckpointBudget
from search.engine.data_parallel import OtherProcess, TrainedTogether, TrialTasks
from search.engine.final import train_one_seed
from search.engine.interruption import Interruption
from search.engine.ledger import TrialEnd
from search.engine.plan import Options, Plan, begin, make_plan, recorded_options
from search.engine.resources import Places, Request
from search.engine.runner import ENVIRONMENT, ray_session, run_trials
from search.engine.study import Study, StudyError
from search.engine.tracking import Tracker
from search.engine.trial import TrialRun, TrialSetup, TrialTrainable, model_of, read_history
from tests.models.clic_samples import CLIC_3DGAN_CONFIG

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
CONFIG: dict[str, Any] = {**CLIC_3DGAN_CONFIG, "batch_size": 128, "first_step_epochs": 0, "average_decay": 0.9}


def plan_of(tmp_path: Path, study: Study = search.clic_3dgan.STUDY, **options: Any) -> Plan:
    return make_plan(study, Options(**options), tmp_path, tmp_path / study.name / "001", None)


class TestPlan:
    def test_the_number_of_processes_belongs_to_the_search(self, tmp_path: Path) -> None:
        one, two = plan_of(tmp_path), plan_of(tmp_path, processes_per_trial=2)
        assert two.identity == {**one.identity, "processes_per_trial": 2}
        assert (one.setup.processes, two.setup.processes) == (1, 2)

    def test_a_model_of_one_process_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match=r"atlas-gan is trained by one process.*clic-3dgan"):
            plan_of(tmp_path, search.atlas_gan.STUDY, processes_per_trial=2)

    def test_mini_batches_of_fewer_events_than_processes_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="mini-batches of 16 events"):
            plan_of(tmp_path, processes_per_trial=17)
        assert plan_of(tmp_path, processes_per_trial=17, fix={"batch_size": "32"}).setup.processes == 17

    def test_a_resumed_search_keeps_its_processes(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, processes_per_trial=2)
        begin(plan)
        assert recorded_options(plan.folder, Options()).processes_per_trial == 2
        with pytest.raises(StudyError, match="searched with processes_per_trial = 2"):
            recorded_options(plan.folder, Options(processes_per_trial=3))

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


def further_processes() -> list[psutil.Process]:
    """Those that train beside the first process of a trial."""
    return actors("OtherProcess")


def actors(name: str) -> list[psutil.Process]:
    """Processes of this test's Ray actors whose class has this in its name; works in its workers, too."""
    me = psutil.Process()
    raylet = me.parent() if title(me).startswith("ray::") else me
    assert raylet is not None
    found = raylet.children(recursive=True)
    return [process for process in found if title(process).startswith("ray::") and name in title(process)]


def title(process: psutil.Process) -> str:
    """Its command, which Ray replaces by the name of the actor; empty if it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def assert_nothing_left() -> None:
    deadline = time.monotonic() + 30
    while left := further_processes():
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


def run_together(work: Any, *arguments: Any) -> Any:
    """The result of a function that has the place of a trial of two processes."""
    tasks = TrialTasks()
    reference = tasks.submit(Request(1, processes=2), 2, work, *arguments)
    try:
        return ray.get(reference, timeout=300)
    finally:
        tasks.release(reference)


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


def second_epoch(setup: TrialSetup, kind: str) -> str:
    """How this process sees that the other one fails in the second epoch."""
    model = model_of(setup, 0, CONFIG, seed=5)
    assert isinstance(model, TrainedTogether)
    model.train_epoch()
    model._others[0].__ray_call__.remote(hinder, kind)
    try:
        model.train_epoch()
    except (MemoryError, RuntimeError) as error:
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
        raise MemoryError("no room")

    model.step = step


def two_trials_in_one_actor(setup: TrialSetup) -> list[tuple[str, int]]:
    """A trial that diverges, one that is cut short, and how many further processes there are after each step."""
    actor = TrialTrainable.__new__(TrialTrainable)
    config = {**CONFIG, "optimizer": "rmsprop", "generator_learning_rate": 1e6, "discriminator_learning_rate": 1e6}
    actor.setup({"number": 0, "seed": 1, "hyperparameters": config}, setup)
    seen = []
    result = actor.step()
    assert_nothing_left()
    seen.append((result["status"], len(further_processes())))
    actor.reset_config({"number": 1, "seed": 1, "hyperparameters": CONFIG})
    result = actor.step()
    seen.append((result.get("status", "scored"), len(further_processes())))
    actor.cleanup()
    assert_nothing_left()
    return seen


def final_training(job: SeedJob) -> SeedTraining:
    return train_one_seed(job)


@pytest.mark.slow
class TestOneMachine:
    @pytest.fixture(scope="class", autouse=True)
    def session(self, environment: None) -> Iterator[None]:  # noqa: ARG002
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()

    @pytest.mark.parametrize(("kind", "seen"), [("memory", "MemoryError: no room"), ("lost", "ProcessLost")])
    def test_what_ends_another_process_ends_the_training_alike(self, setup: TrialSetup, kind: str, seen: str) -> None:
        assert run_together(second_epoch, setup, kind).startswith(seen)
        assert_nothing_left()

    @pytest.mark.slow
    def test_a_trial_goes_on_bit_for_bit_and_equals_one_of_one_process(self, setup: TrialSetup) -> None:
        history = run_together(whole_trial, setup)
        assert [epoch for epoch, _ in history] == [1, 2]
        assert run_together(interrupted_trial, setup) == history
        alone = whole_trial(replace(setup, processes=1, trials_folder=setup.trials_folder / "alone"))
        for (_, losses), (_, expected) in zip(history, alone, strict=True):
            assert losses == pytest.approx(expected, rel=0.02)
        assert_nothing_left()

    @pytest.mark.slow
    def test_an_actor_takes_one_trial_after_the_other_and_leaves_nothing(self, setup: TrialSetup) -> None:
        assert run_together(two_trials_in_one_actor, setup) == [("diverged", 0), ("scored", 1)]

    @pytest.mark.slow
    def test_a_final_training_counts_the_time_of_all_processes(self, setup: TrialSetup, tmp_path: Path) -> None:
        job = SeedJob(
            "clic-3dgan", CONFIG, 1, 2, 1, "last", setup.data, setup.scorecard, tmp_path / "seed", processes=2
        )
        training = run_together(final_training, job)
        assert training.status == "completed"
        assert training.job["processes"] == 2
        assert [record["epoch"] for record in training.history] == [1, 2]
        alone = train_one_seed(replace(job, processes=1, folder=tmp_path / "alone"))
        assert alone.history[0]["losses"] == pytest.approx(training.history[0]["losses"], rel=0.02)
        assert "processes" not in alone.job
        assert_nothing_left()


def searched(plan: Plan, address: str | None) -> list[TrialEnd]:
    """The ends of the trials of a search, without final trainings."""
    begin(plan)
    with ray_session(address):
        tracker = Tracker(plan.folder / "tracking", plan.tracking_uri, plan.study.name)
        tracker.start("study", plan.name, {}, {})
        places = Places(plan.request, plan.options.concurrent)
        checkpoints = CheckpointBudget(10**12, plan.setup.trials_folder, plan.objectives)
        assert run_trials(plan, plan.ledger, tracker, Console(quiet=True), places, checkpoints, Interruption(), None)
        assert tracker.close(120) == 0
    return [end for _, end in plan.ledger.ended]


class Watch:
    """Looks at the processes of a search from another thread, and may kill one."""

    def __init__(self, checkpoint: Path, *, kill: bool) -> None:
        self.checkpoint, self.kill = checkpoint, kill
        self.killed = 0
        self.parents: set[tuple[int, int]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.2):
            others = further_processes()
            with suppress(psutil.NoSuchProcess):
                self.parents |= {(first.ppid(), other.ppid()) for first in actors("Trainable") for other in others}
            if self.kill and not self.killed and others and self.checkpoint.exists():
                self.killed = others[0].pid
                others[0].kill()


FIXED = {"batch_size": "32", "generator_first_filters": "4", "latent_dim": "16"}


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_a_trial_that_loses_a_process_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    options: dict[str, Any] = {"trials": 1, "epochs": 4, "fix": FIXED, "processes_per_trial": 2}
    disturbed, undisturbed = plan_of(tmp_path / "a", **options), plan_of(tmp_path / "b", **options)
    with Watch(disturbed.setup.folder(0) / "last" / "checkpoint.safetensors", kill=True) as watch:
        (end,) = searched(disturbed, "local")
    assert watch.killed
    (expected,) = searched(undisturbed, "local")
    assert (end.status, end.epochs, end.history) == ("completed", 4, expected.history)
    assert end.components == expected.components
    histories = [read_history(plan.setup.folder(0)) for plan in (disturbed, undisturbed)]
    assert [e.losses for e in histories[0]] == [e.losses for e in histories[1]]
    assert_nothing_left()


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_the_processes_of_a_trial_are_on_different_nodes(tmp_path: Path) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        plan = plan_of(tmp_path, trials=2, epochs=2, fix=FIXED, processes_per_trial=2)
        with Watch(tmp_path, kill=False) as watch:
            ends = searched(plan, cluster.address)
    finally:
        cluster.shutdown()
    assert [end.number for end in ends] == [0, 1]
    assert ends[0].status == "completed"
    assert watch.parents
    assert all(first != other for first, other in watch.parents)
    assert_nothing_left()
