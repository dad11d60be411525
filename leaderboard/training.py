"""One seed of a final training: a plain job that any process can run, and its result.

In the job's folder: ``seed.json`` once it has ended; before that ``progress.json`` and the model's state that
it names, from which an interrupted training goes on; ``checkpoint-<first epoch>/`` of each uninterrupted
stretch.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from data_adapters.datasets import Dataset, DatasetFiles
from data_adapters.events import Events, InvalidEvents
from leaderboard.records import InvalidEntry, JsonObject, read_json, write_atomically
from metrics.judge import Judge
from metrics.scorecard import Scorecard
from metrics.scorecards import scorecard_for
from models.base import GenerativeModel, TrainingDiverged
from models.building import build_model
from models.data_parallel import ALONE, Processes
from models.storage import hash_of
from models.training import LAST_EPOCHS, SAMPLING_FRACTION_RULE, Evaluated, Rule, train

RESULT_FILE, PROGRESS_FILE = "seed.json", "progress.json"
KEEP_EVERY = 60.0  # seconds of training that a lost process may cost

SeedStatus = Literal["completed", "diverged", "failed"]
Progress = Callable[[int, dict[str, float], Evaluated | None], None]


@dataclass(frozen=True)
class SeedJob:
    """A final training with one seed.

    Attributes:
        config: Hyperparameters by name.
        epochs: Epochs in all; 0 for a generator that is not trained, and for models without training.
        evaluate_every: Epochs between two scores on the validation split.
        checkpoint_rule: See ``models.training.Rule``; stated before the training begins.
        folder: Where everything of this seed is written; no other job writes there.
        base: Checkpoint of the model that this one is built on, where it is built on one.
        compiled: See ``models.building.build_model``.
        processes: How many train it together.
    """

    model_name: str
    config: Mapping[str, Any]
    seed: int
    epochs: int
    evaluate_every: int
    checkpoint_rule: Rule
    dataset: DatasetFiles
    scorecard: str
    folder: Path
    device: str = "cpu"
    base: Path | None = None
    compiled: bool = False
    processes: int = 1

    @property
    def epochs_done(self) -> int:
        """As far as its folder tells, while it runs."""
        path = self.folder / PROGRESS_FILE
        with suppress(OSError, InvalidEntry):
            return int(read_json(path)["history"][-1]["epoch"]) if path.exists() else 0
        return 0

    def identity(self) -> JsonObject:
        """What the result depends on, as JSON; where it is stored does not count."""
        further: JsonObject = {} if self.base is None else {"base": hash_of(self.base)}
        if self.processes > 1:
            further["processes"] = self.processes
        return {
            "model": self.model_name,
            "config": dict(self.config),
            "seed": self.seed,
            "epochs": self.epochs,
            "evaluate_every": self.evaluate_every,
            "checkpoint_rule": self.checkpoint_rule,
            "dataset": self.dataset.name,
            "file": None if self.dataset.file is None else self.dataset.file.name,
            "scorecard": self.scorecard,
            **further,
        }


@dataclass(frozen=True)
class SeedTraining:
    """What became of a job.

    Attributes:
        job: What it depended on (``SeedJob.identity`` and the hash of the dataset).
        checkpoint: Name of the checkpoint's folder inside the job's; None unless completed.
        best_epoch: Epoch of that checkpoint.
        validation_score: Its score on the validation split; None where it was not evaluated.
        history: ``epoch``, ``losses`` and ``score`` of each epoch.
        train_cpu_s: CPU seconds of training and its evaluations, in all processes.
        num_parameters: ``generate`` and ``train``.
        detail: Why it did not complete; else empty.
        trained_range: Condition → least and largest value in the training sample, in the unit of the detector.
    """

    job: JsonObject
    seed: int
    status: SeedStatus
    folder: Path
    checkpoint: str | None = None
    best_epoch: int | None = None
    validation_score: float | None = None
    history: list[JsonObject] = field(default_factory=list)
    train_cpu_s: float | None = None
    num_parameters: dict[str, int] = field(default_factory=lambda: {"generate": 0, "train": 0})
    showers: int = 0
    detail: str = ""
    trained_range: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def checkpoint_folder(self) -> Path:
        """Raises: ValueError for a training that did not complete."""
        if self.checkpoint is None:
            raise ValueError(f"seed {self.seed} has no checkpoint: it {self.status} ({self.detail})")
        return self.folder / self.checkpoint


def seed_model(job: SeedJob, processes: Processes = ALONE) -> GenerativeModel:
    """The model of a job, ready for its first epoch."""
    events = job.dataset.open().training_sample(job.seed, job.dataset.cache)
    return build_model(
        job.model_name, job.config, events, job.seed, job.device, job.base, compiled=job.compiled, processes=processes
    )


def train_seed(
    job: SeedJob, on_progress: Progress | None = None, build: Callable[[SeedJob], GenerativeModel] = seed_model
) -> SeedTraining:
    """Train from scratch, scored on the validation split; goes on where an interrupted run stopped.

    A job whose result is in its folder is not run again. A training that diverges is a result.

    Args:
        build: Builds the model; by default for this process alone.
    Raises: ValueError if the folder holds another job; whatever the dataset or the model raises otherwise.
    """
    dataset = job.dataset.open()
    identity = job.identity() | {"dataset_sha256": dataset.sha256}
    finished = read_seed(job.folder)
    if finished is not None:
        _check_same_job(job.folder, identity, finished.job)
        return finished
    model = build(job)
    started = SeedTraining(
        identity,
        job.seed,
        "completed",
        job.folder,
        num_parameters=model.parameter_counts(),
        showers=len(dataset.rows("train")),
        trained_range=_range_of(dataset),
    )
    if job.epochs == 0:
        return _untrained(model, started)
    evaluate = ValidationScore(dataset.split("validation"), scorecard_for(dataset, job.scorecard), job.seed)
    try:
        return _Run(job, model, evaluate, started, on_progress).finish()
    finally:
        model.close()


def _range_of(dataset: Dataset) -> dict[str, tuple[float, float]]:
    rows = dataset.rows("train")
    conditions = {name: values[rows] for name, values in dataset.source.conditions.items()}
    return {name: (float(values.min()), float(values.max())) for name, values in conditions.items()}


def failed_seed(job: SeedJob, detail: str) -> SeedTraining:
    """A seed whose process was lost or raised; not stored, so that the job may be tried again."""
    return SeedTraining(job.identity(), job.seed, "failed", job.folder, detail=detail[:2000])


def read_seed(folder: Path) -> SeedTraining | None:
    """The result in a folder; None if the job has not ended. Raises: InvalidEntry if it is damaged."""
    if not (folder / RESULT_FILE).is_file():
        return None
    record = read_json(folder / RESULT_FILE)
    limits = {name: (low, high) for name, (low, high) in record.get("trained_range", {}).items()}
    return SeedTraining(**{**record, "folder": folder, "trained_range": limits})


class ValidationScore:
    """Score of a model on the validation split, with fresh noise in every epoch."""

    def __init__(self, validation: Events, scorecard: Scorecard, seed: int) -> None:
        self.validation = validation
        self.seed = seed
        self.judge = Judge(scorecard, validation, None)

    def __call__(self, model: GenerativeModel) -> Evaluated:
        """Raises: TrainingDiverged if the model generates what no detector can measure."""
        noise_seed = 1_000_003 * (self.seed + 1) + model.epoch
        try:
            response = model.generate(self.validation.conditions, seed=noise_seed)
            judgement = self.judge.judge(response, errors=False)
        except InvalidEvents as error:
            raise TrainingDiverged(f"epoch {model.epoch}: {error}") from error
        sampling_fraction = judgement.components.get("response")
        return Evaluated(judgement.score.value, None if sampling_fraction is None else sampling_fraction.value)


class _Run:
    """A training in stretches: each begins where the last interruption left the model."""

    def __init__(
        self,
        job: SeedJob,
        model: GenerativeModel,
        evaluate: ValidationScore,
        started: SeedTraining,
        on_progress: Progress | None,
    ) -> None:
        self.job, self.model, self.evaluate, self.started = job, model, evaluate, started
        self.on_progress = on_progress
        self.history: list[JsonObject] = []
        self.stretches: list[int] = []  # epochs at which a stretch began
        self.state = ""  # folder of the model's state that progress.json names
        self.seconds_before = 0.0
        self.clock = time.process_time()
        self.kept_at = time.monotonic()

    def finish(self) -> SeedTraining:
        self._resume()
        self.stretches.append(self.model.epoch)
        self.clock = time.process_time()
        try:
            self._train(self.job.folder / _checkpoint_name(self.model.epoch))
            result = self._chosen()
        except TrainingDiverged as error:
            result = replace(self.started, status="diverged", detail=str(error))
        result = _store(replace(result, history=self.history, train_cpu_s=self._seconds()))
        self._discard(self.state)
        return result

    def _train(self, checkpoint: Path) -> None:
        train(
            self.model,
            epochs=self.job.epochs,
            evaluate=self.evaluate,
            every=self.job.evaluate_every,
            checkpoint_folder=checkpoint,
            rule=self.job.checkpoint_rule,
            on_progress=self._after_epoch,
        )

    def _after_epoch(self, epoch: int, losses: dict[str, float], evaluated: Evaluated | None) -> None:
        record: JsonObject = {"epoch": epoch, "losses": losses, "score": None if evaluated is None else evaluated.score}
        if evaluated is not None and self.job.checkpoint_rule == SAMPLING_FRACTION_RULE:
            record["sampling_fraction_error"] = evaluated.sampling_fraction_error
        self.history.append(record)
        if epoch < self.job.epochs and (evaluated is not None or time.monotonic() - self.kept_at > KEEP_EVERY):
            self._keep(epoch)
        if self.on_progress is not None:
            self.on_progress(epoch, losses, evaluated)

    def _keep(self, epoch: int) -> None:
        """The state first, then the file that names it: an interruption at any moment leaves a whole pair."""
        old, self.state = self.state, f"state-{epoch}"
        self.model.save(self.job.folder / self.state)
        progress = {
            "job": self.started.job,
            "state": self.state,
            "history": self.history,
            "stretches": self.stretches,
            "seconds": self._seconds(),
        }
        write_atomically(self.job.folder / PROGRESS_FILE, json.dumps(progress, allow_nan=False))
        self._discard(old)
        self.kept_at = time.monotonic()

    def _discard(self, state: str) -> None:
        if state:
            shutil.rmtree(self.job.folder / state, ignore_errors=True)

    def _resume(self) -> None:
        if not (self.job.folder / PROGRESS_FILE).is_file():
            return
        progress = read_json(self.job.folder / PROGRESS_FILE)
        _check_same_job(self.job.folder, self.started.job, progress["job"])
        self.state = progress["state"]
        self.model.restore(self.job.folder / self.state)
        self.history, self.seconds_before = progress["history"], progress["seconds"]
        self.stretches = progress["stretches"]

    def _seconds(self) -> float:
        return self.seconds_before + time.process_time() - self.clock + self.model.cpu_seconds_elsewhere

    def _chosen(self) -> SeedTraining:
        scored = [record for record in self.history if record["score"] is not None]
        best = scored[-1]
        if self.job.checkpoint_rule == "best_validation":
            best = min(scored, key=lambda record: float(record["score"]))
        if self.job.checkpoint_rule == SAMPLING_FRACTION_RULE:
            last = [record for record in scored if record["epoch"] > self.job.epochs - LAST_EPOCHS]
            best = min(last, key=lambda record: float(record["sampling_fraction_error"]))
        stretch = max(start for start in self.stretches if start < best["epoch"])
        return replace(
            self.started,
            checkpoint=_checkpoint_name(stretch),
            best_epoch=best["epoch"],
            validation_score=best["score"],
        )


def _untrained(model: GenerativeModel, started: SeedTraining) -> SeedTraining:
    name = _checkpoint_name(0)
    model.save(started.folder / name)
    return _store(replace(started, checkpoint=name, best_epoch=0, train_cpu_s=0.0))


def _store(training: SeedTraining) -> SeedTraining:
    content = asdict(training) | {"folder": None}
    write_atomically(training.folder / RESULT_FILE, json.dumps(content, allow_nan=False))
    return training


def _checkpoint_name(first_epoch: int) -> str:
    return f"checkpoint-{first_epoch}"


def _check_same_job(folder: Path, expected: JsonObject, stored: JsonObject) -> None:
    plain = json.loads(json.dumps(expected))
    differing = [key for key, value in plain.items() if stored.get(key) != value]
    if differing:
        raise ValueError(
            f"{folder} holds another training: {', '.join(differing)} differ. Give this one another folder"
        )
