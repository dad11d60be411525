"""One trial: train a configuration, score it on validation, keep its best and its last checkpoint.

``TrialRun`` knows nothing of Ray. ``TrialTrainable`` is the thin class that Ray Tune drives.
"""

from __future__ import annotations

import json
import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray import tune

from data_adapters.datasets import Dataset, DatasetFiles
from data_adapters.events import Events, InvalidEvents
from data_adapters.streaming import EventStream
from leaderboard.records import write_atomically
from metrics.judge import Judge
from metrics.scorecards import scorecard_for
from models.base import GenerativeModel, ShowerGenerator, TrainingDiverged
from models.building import build_model
from models.checkpoint import load_generator
from models.data_parallel import ALONE, Processes
from models.groups import GROUPINGS, Group
from models.storage import holds_checkpoint
from search.engine.attempts import GivenUp, begin_attempt
from search.engine.checkpoint_budget import folder_bytes
from search.engine.data_parallel import ProcessLost, TrainedTogether
from search.engine.group_member import GroupMember, actor_name
from search.engine.ledger import Status
from search.engine.objectives import GENERATION_TIME, SCORE, SCORE_ALONE, Objectives
from search.engine.scheduler import MEDIAN_WINDOW
from search.engine.study import derive_seed

EPOCHS_TIMED = 3
EVENTS_TIMED = 2000  # of a sample that is streamed
TIMINGS = 5  # of a generated sample, where its time is an objective
KEEP_EVERY = 60.0  # seconds of training that a lost worker may cost


@dataclass(frozen=True)
class TrialSetup:
    """What all trials of a study share.

    Attributes:
        streamed_events: Of a sample that is streamed, train on so many events an epoch; None for all.
        objectives: What the search minimises.
        base: Checkpoint of the model that this one is built on, where it is built on one.
        compiled: See ``models.building.build_model``.
        session: Of the search: what runs from one start of it to its end or interruption.
        processes: How many train a trial together.
        group_size: How many trials are trained together, in an actor that has the device.
    """

    model: str
    data: DatasetFiles
    scorecard: str
    epochs: int
    evaluate_every: int
    trials_folder: Path
    threads: int = 1
    device: str = "cpu"
    streamed_events: int | None = None
    objectives: Objectives = SCORE_ALONE
    base: Path | None = None
    compiled: bool = False
    session: str = ""
    processes: int = 1
    group_size: int = 1

    @property
    def own_device(self) -> str:
        """Of a trial's own process."""
        return self.device if self.group_size == 1 else "cpu"

    @property
    def own_threads(self) -> int:
        """Of a trial's own process; the group's has all of them while its members wait."""
        return max(1, self.threads // self.group_size)

    @property
    def timings(self) -> int:
        """How often the generation of one sample is timed."""
        return TIMINGS if GENERATION_TIME in self.objectives.names else 1

    def folder(self, number: int) -> Path:
        return self.trials_folder / f"{number:04d}"


@dataclass(frozen=True)
class Evaluation:
    """One look at validation during training.

    Attributes:
        median_score: Median of the last three scores.
        generation_time: Wall time of one generated shower [ms]; None in searches older than it.
    """

    epoch: int
    score: float
    median_score: float
    score_error: float | None
    components: dict[str, float]
    losses: dict[str, float]
    seconds: float
    showers_per_second: float
    generation_time: float | None = None

    def value(self, objective: str) -> float:
        """What is minimised under this name."""
        return objective_value(objective, self.score, self.components, self.generation_time)


def objective_value(
    objective: str, score: float, components: Mapping[str, float], generation_time: float | None
) -> float:
    """Of all that is known of a generated sample, what is minimised under this name."""
    if objective == GENERATION_TIME:
        assert generation_time is not None, "a search for it has measured it from its first trial on"
        return generation_time
    return score if objective == SCORE else components[objective]


def running_medians(history: Sequence[Evaluation], objective: str) -> list[float]:
    """Median of the last three values of an objective, at every evaluation."""
    values = [evaluation.value(objective) for evaluation in history]
    return [median(values[max(0, end - MEDIAN_WINDOW) : end]) for end in range(1, len(values) + 1)]


def reached(history: Sequence[Evaluation], objectives: Objectives) -> dict[str, float]:
    """Running median of every objective at the evaluation where that of the leading one is lowest.

    All are of one stretch of the training, so that no trial is credited with values that it never had together. Empty
    without an evaluation.
    """
    if not history:
        return {}
    leading = running_medians(history, objectives.leading)
    best = leading.index(min(leading))
    return {name: running_medians(history, name)[best] for name in objectives.names}


def timed_showers(
    generator: GenerativeModel | ShowerGenerator, conditions: Mapping[str, NDArray[np.float64]], seed: int, timings: int
) -> tuple[NDArray[np.float32], float]:
    """Showers at some conditions, shape (N, V), and the wall time of one [ms]: the shortest of equal generations.

    Whatever else the machine does only adds to it.

    Args:
        timings: How often the sample is generated.
    """
    seconds = []
    for _ in range(timings):
        began = time.perf_counter()
        showers = generator.generate(conditions, seed)
        seconds.append(time.perf_counter() - began)
    return showers, 1000 * min(seconds) / len(showers)


@lru_cache(maxsize=2)
def _opened(data: DatasetFiles) -> Dataset:
    return data.open()


@lru_cache(maxsize=1)
def _in_memory(data: DatasetFiles) -> Events:
    return _opened(data).split("train")


def _training_data(setup: TrialSetup, seed: int) -> Events | EventStream:
    """A sample in memory is read once in a process, for all trials."""
    dataset = _opened(setup.data)
    if dataset.train_fits_in_memory:
        return _in_memory(setup.data)
    return dataset.training_stream(seed, setup.data.cache, most=setup.streamed_events, workers=setup.threads)


@lru_cache(maxsize=2)
def validation(data: DatasetFiles, scorecard: str) -> tuple[Events, Judge]:
    """The validation events and their judge, prepared once in a process."""
    dataset = _opened(data)
    reference = dataset.split("validation")
    return reference, Judge(scorecard_for(dataset, scorecard), reference, dataset.twin_split("validation"))


def model_of(setup: TrialSetup, number: int, hyperparameters: dict[str, Any], seed: int) -> GenerativeModel:
    """The model of a trial, ready to train on the study's training split."""
    build = partial(_model_in, setup=setup, hyperparameters=hyperparameters, seed=seed)
    if setup.group_size > 1:
        return GroupMember(actor_name(setup.session, number // setup.group_size), number, partial(build, ALONE))
    return build(ALONE) if setup.processes == 1 else TrainedTogether(build, setup.processes, setup.device)


def _model_in(processes: Processes, setup: TrialSetup, hyperparameters: dict[str, Any], seed: int) -> GenerativeModel:
    train = _training_data(setup, seed)
    return build_model(
        setup.model, hyperparameters, train, seed, setup.device, setup.base, compiled=setup.compiled,
        processes=processes,
    )  # fmt: skip


class TrialRun:
    """Training of one configuration, an evaluation at a time.

    A run whose folder holds a last checkpoint goes on from there; it equals a run that was never
    interrupted.

    Raises: GivenUp if it began at the same epoch too often.
    """

    def __init__(self, setup: TrialSetup, number: int, hyperparameters: dict[str, Any], seed: int) -> None:
        self.setup, self.seed = setup, seed
        self.folder = setup.folder(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = model_of(setup, number, hyperparameters, seed)
        self.history: list[Evaluation] = []
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise

    def _begin(self) -> None:
        self.num_training_events = len(_opened(self.setup.data).rows("train"))
        self.reference, self.judge = validation(self.setup.data, self.setup.scorecard)
        if holds_checkpoint(self.folder / "last"):
            self._continue()
        else:
            (self.folder / "history.jsonl").unlink(missing_ok=True)  # of a start that left no checkpoint
        begin_attempt(self.folder, self.setup.session, self.model.epoch)

    @property
    def best(self) -> Evaluation | None:
        return min(self.history, key=lambda evaluation: evaluation.score, default=None)

    @property
    def objective(self) -> float | None:
        return min(running_medians(self.history, self.setup.objectives.leading), default=None)

    @property
    def finished(self) -> bool:
        return self.model.epoch >= self.setup.epochs

    def advance(self) -> Evaluation:
        """Train to the next evaluation and make it; on the way, keep a checkpoint now and then.

        Raises: TrainingDiverged; OSError if a checkpoint cannot be written.
        """
        start, first = time.perf_counter(), self.model.epoch
        every = self.setup.evaluate_every
        until = min(every * (first // every + 1), self.setup.epochs)
        losses: dict[str, float] = {}
        kept = time.monotonic()
        while self.model.epoch < until:
            losses = self.model.train_epoch()
            if self.model.epoch < until and time.monotonic() - kept > KEEP_EVERY:
                self.model.save(self.folder / "last")
                kept = time.monotonic()
        training_seconds = time.perf_counter() - start
        seen = (until - first) * self.num_training_events
        evaluation = self._evaluate(losses, seen / training_seconds, start)
        self._keep(evaluation)
        return evaluation

    def reported(self) -> dict[str, float]:
        """What the scorecard reports beside the score, of the best checkpoint on the sample that chose it.

        With a twin, also the ``excess`` of the score over the floor, and its ``p_value``.
        """
        best = self.best
        if best is None:
            return {}
        generator = load_generator(self.folder / "best", self.setup.own_device)
        seed = derive_seed(self.seed, "validation", best.epoch)
        judgement = self.judge.judge(generator.generate(self.reference.conditions, seed=seed))
        found = {name: estimate.value for name, estimate in judgement.reported.items()}
        if judgement.excess is not None:
            found |= {"excess": judgement.excess.value, "p_value": judgement.p_values["score"]}
        return found

    def close(self) -> None:
        """The last checkpoint and the other processes serve only to go on with."""
        self.stop()
        shutil.rmtree(self.folder / "last", ignore_errors=True)

    def stop(self) -> None:
        """End the other processes; a new run of the same trial goes on from the last checkpoint."""
        self.model.close()

    def _evaluate(self, losses: dict[str, float], showers_per_second: float, start: float) -> Evaluation:
        seed = derive_seed(self.seed, "validation", self.model.epoch)
        showers, generation_time = timed_showers(self.model, self.reference.conditions, seed, self.setup.timings)
        best = self.best
        try:
            judgement = self.judge.judge(showers, errors=False)
        except InvalidEvents as error:
            raise TrainingDiverged(f"epoch {self.model.epoch}: {error}") from error
        score_error = None
        if best is None or judgement.score.value < best.score:
            score_error = self.judge.judge(showers, reported=False).score.error
        recent = [e.score for e in self.history[1 - MEDIAN_WINDOW :]] + [judgement.score.value]
        return Evaluation(
            epoch=self.model.epoch,
            score=judgement.score.value,
            median_score=median(recent),
            score_error=score_error,
            components={name: estimate.value for name, estimate in judgement.components.items()},
            losses=losses,
            seconds=time.perf_counter() - start,
            showers_per_second=showers_per_second,
            generation_time=generation_time,
        )

    def _keep(self, evaluation: Evaluation) -> None:
        if evaluation.score_error is not None:
            self.model.save(self.folder / "best")
        self.history.append(evaluation)
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(evaluation)) + "\n")
        self.model.save(self.folder / "last")  # of a finished trial, too: its end may not be recorded yet

    def _continue(self) -> None:
        self.model.restore(self.folder / "last")
        self.history = [e for e in read_history(self.folder) if e.epoch <= self.model.epoch]
        lines = "".join(json.dumps(asdict(evaluation)) + "\n" for evaluation in self.history)
        write_atomically(self.folder / "history.jsonl", lines)


def read_history(folder: Path) -> list[Evaluation]:
    """The evaluations of a trial; a torn last line is left out."""
    path = folder / "history.jsonl"
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [Evaluation(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@dataclass(frozen=True)
class Measured:
    """What a trial of a configuration takes: wall time of a whole one [s], size of a checkpoint [bytes]."""

    seconds: float
    checkpoint_bytes: int


def measure_trial(setup: TrialSetup, hyperparameters: dict[str, Any]) -> Measured:
    """What a trial of a configuration takes, from its first epochs."""
    dataset = _opened(setup.data)
    share = 1.0 if dataset.train_fits_in_memory else min(1.0, EVENTS_TIMED / len(dataset.rows("train")))
    with TemporaryDirectory() as folder:
        short = replace(setup, trials_folder=Path(folder), evaluate_every=1, streamed_events=EVENTS_TIMED, group_size=1)
        run = TrialRun(short, 0, hyperparameters, seed=0)
        run.advance()  # the first epoch pays for what is set up once
        per_epoch = _epoch_seconds(run.model)
        per_evaluation = run.advance().seconds - per_epoch
        checkpoint_bytes = folder_bytes(run.folder / "best")
        run.stop()
        if setup.group_size > 1:
            models = [model_of(short, 0, hyperparameters, seed) for seed in range(setup.group_size)]
            per_epoch = _epoch_seconds(GROUPINGS[setup.model].unite(models))
    seconds = setup.epochs * per_epoch / share + setup.epochs / setup.evaluate_every * max(0.0, per_evaluation)
    return Measured(seconds, checkpoint_bytes)


def _epoch_seconds(model: GenerativeModel | Group) -> float:
    """Wall time of an epoch [s]."""
    begin = time.perf_counter()
    for _ in range(EPOCHS_TIMED):
        model.train_epoch()
    return (time.perf_counter() - begin) / EPOCHS_TIMED


class TrialTrainable(tune.Trainable):
    """Runs trials one after the other in one worker (Ray Tune reuses the actor)."""

    def setup(self, config: dict[str, Any], setup: TrialSetup | None = None) -> None:
        assert setup is not None, "tune.with_parameters gives it"
        torch.set_num_threads(setup.own_threads)
        self._run: TrialRun | None = None
        self._setup = setup
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            self._run = self._run or TrialRun(
                self._setup, self._config["number"], self._config["hyperparameters"], self._config["seed"]
            )
            # A finished trial comes again if the search died before it recorded its end.
            evaluation = self._run.history[-1] if self._run.finished else self._run.advance()
        except Exception as error:
            return self._end_with(error)
        reported = {}
        if self._run.finished:
            reported = self._run.reported()
            self._run.stop()
        return {**self._state(), **asdict(evaluation), "reported": reported, "done": self._run.finished}

    def cleanup(self) -> None:
        self._stop()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the run keeps its own checkpoints in the trial's folder."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the run goes on from the trial's folder."""

    @property
    def _folder(self) -> Path:
        return self._setup.folder(self._config["number"])

    def _begin(self, config: dict[str, Any]) -> None:
        self._stop()
        self._config = config

    def _stop(self) -> None:
        """Whatever the trial came to, nothing of it goes on beside this process."""
        if self._run is not None:
            self._run.stop()
        self._run = None
        torch.cuda.empty_cache()  # others may share the GPU; without one it does nothing

    def _end_with(self, error: Exception) -> dict[str, Any]:
        """How a trial ends.

        Raises: the error, where this process cannot go on and another one may: Ray starts it.
        """
        if isinstance(error, ProcessLost) or "CUDA error" in str(error):
            raise error
        if isinstance(error, TrainingDiverged):
            return self._ended("diverged", str(error))
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return self._ended("out_of_memory", str(error))
        if isinstance(error, GivenUp):
            return self._ended(error.status, str(error))
        if isinstance(error, OSError):
            return {**self._state(), "storage_error": f"{error} ({self._folder})", "done": True}
        return self._failed(error)

    def _failed(self, error: Exception) -> dict[str, Any]:
        """The same again would fail again: the trial ends, and the whole story is kept beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        story = self._folder / "error.txt"
        story.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return self._ended("failed", f"{type(error).__name__}: {error}"[:1000] + f" ({story})")

    def _ended(self, status: Status, detail: str) -> dict[str, Any]:
        state = self._state()
        self._stop()
        return {**state, "status": status, "detail": detail, "done": True}

    def _state(self) -> dict[str, Any]:
        """What the ledger will want to know, whatever happens next."""
        if self._run is None:
            return {"number": self._config["number"], "epoch": 0, "objective": None, "best": None}
        best = self._run.best
        return {
            "number": self._config["number"],
            "epoch": self._run.model.epoch,
            "objective": self._run.objective,
            "best": None if best is None else asdict(best),
        }
