"""Whether an entry can be had again: one seed trained anew from the record alone, and judged on the same events.

Rounding differs between processors and library versions, and training amplifies it: the same seed then is as good as
another one. So the score need not be equal; it must be one that the recorded seeds make likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from data_adapters.datasets import DatasetFiles
from data_adapters.registry import UnknownName
from leaderboard.benchmark import Benchmark
from leaderboard.provenance import code_state
from leaderboard.records import JsonObject
from leaderboard.training import Progress, SeedJob, train_seed
from metrics.estimate import Estimate
from metrics.scorecards import scorecard_for
from models import MODELS
from models.storage import hash_of

CONFIDENCE = 0.95


class CannotReplay(ValueError):
    """The record, the data or the code do not allow it; the message says what differs."""


@dataclass(frozen=True)
class Replay:
    """A seed, as it was recorded and as it came out again.

    Attributes:
        allowed: By how much the new score may differ from the mean of the recorded ones.
    """

    seed: int
    recorded: Estimate
    mean: float
    found: Estimate
    allowed: float

    @property
    def is_same(self) -> bool:
        """Whether the score is the recorded one, to the last digit that was written."""
        return self.found.value == self.recorded.value

    @property
    def agrees(self) -> bool:
        """Equal, or as near as another seed would be in 95 of 100 cases."""
        return self.is_same or abs(self.found.value - self.mean) <= self.allowed


def replay_job(entry: JsonObject, data: DatasetFiles, seed: int | None, base: Path | None, folder: Path) -> SeedJob:
    """The training that a record describes.

    Args:
        seed: One of the entry's completed seeds; None for the one with the median score.
        base: Checkpoint that the model is built on, where it is built on one.
    Raises: CannotReplay naming what the record lacks, or what differs from it.
    """
    _check_record(entry)
    _check_data(entry, data)
    _check_base(entry, base)
    training = entry["training"]
    return SeedJob(
        model_name=entry["model"]["name"],
        config=entry["model"]["config"],
        seed=_seed(entry, seed),
        epochs=training["epochs"],
        evaluate_every=training["evaluate_every"],
        checkpoint_rule=training["checkpoint_rule"],
        dataset=data,
        scorecard=entry["scorecard"]["name"],
        folder=folder,
        base=base,
    )


def replay(
    entry: JsonObject,
    board: Path,
    job: SeedJob,
    on_progress: Progress | None = None,
    on_step: Callable[[str, str], None] = lambda _title, _step: None,
) -> Replay:
    """Train and judge; the opening of the test split is counted on the board.

    Args:
        board: Where the opening is written down.
        job: Of ``replay_job``.
    Raises: CannotReplay if the training does not complete; whatever it raises itself.
    """
    result = train_seed(job, on_progress)
    benchmark = Benchmark(board, job.dataset, job.scorecard, f"replay of {entry['id']}", on_step)
    judgement = benchmark.judge_seed(result)
    if judgement is None:
        raise CannotReplay(f"seed {job.seed} {result.status} this time: {result.detail}; it had completed")
    recorded = next(seed for seed in entry["seeds"] if seed["seed"] == job.seed)
    scores = [seed["score"] for seed in _completed(entry)]
    return Replay(
        job.seed,
        Estimate(recorded["score"], recorded["error"]),
        float(np.mean(scores)),
        judgement.score,
        allowed_difference(scores, recorded["error"]),
    )


def allowed_difference(scores: list[float], error: float) -> float:
    """Half the 95 % prediction interval for another seed, around the mean of n seeds: ``t · s · √(1 + 1/n)``.

    Of one seed alone the spread is not known: then twice the statistical error of its score stands for it, in
    quadrature for both trainings.
    """
    number = len(scores)
    if number < 2:
        return float(stats.norm.ppf((1 + CONFIDENCE) / 2) * error * math.sqrt(2))
    spread = float(np.std(scores, ddof=1))
    factor = float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1))
    return factor * spread * math.sqrt(1 + 1 / number)


def remarks(entry: JsonObject) -> list[str]:
    """What is not as it was when the entry was made, and may change its score."""
    commit, dirty = code_state(Path(__file__).parent)
    then = entry["provenance"]["code_commit"]
    found = []
    if commit != then:
        found.append(f"made by the code of commit {(then or 'unknown')[:12]}; this is {(commit or 'unknown')[:12]}")
    if dirty or entry["provenance"]["code_dirty"]:
        found.append("the code is, or was, changed since its commit")
    return found


def _check_record(entry: JsonObject) -> None:
    if entry["provenance"].get("origin") == "submitted":
        raise CannotReplay(f"{entry['id']} was submitted: its events were generated elsewhere, nothing can be trained")
    if entry["kind"] != "model":
        raise CannotReplay(f"{entry['id']} is a {entry['kind']} to read scores by; models are replayed")
    if "evaluate_every" not in entry["training"]:
        raise CannotReplay(
            f"{entry['id']} follows version {entry['schema']} of the records, which does not hold when the model was "
            "evaluated: benchmark its configuration again (arena benchmark)"
        )
    if entry["training"]["processes"] > 1:
        raise CannotReplay(f"{entry['id']} was trained by {entry['training']['processes']} processes together")
    if entry["model"]["name"] not in MODELS:
        raise UnknownName("model", entry["model"]["name"], MODELS)


def _check_data(entry: JsonObject, data: DatasetFiles) -> None:
    dataset = data.open()
    recorded = entry["dataset"]["sha256"]
    if dataset.sha256 != recorded:
        raise CannotReplay(
            f"the files of {dataset.name} have the hash {dataset.sha256[:12]}…; the entry was made with "
            f"{recorded[:12]}…. Restore them, or name the right files with --data"
        )
    identity = scorecard_for(dataset, entry["scorecard"]["name"]).identity
    if identity != entry["scorecard"]["identity"]:
        raise CannotReplay(
            f"the scorecard {entry['scorecard']['name']} is {identity[:12]}… here; the entry was judged by "
            f"{entry['scorecard']['identity'][:12]}…. Take the code of commit {entry['provenance']['code_commit']}"
        )


def _check_base(entry: JsonObject, base: Path | None) -> None:
    wanted = entry["training"]["base_sha256"]
    if wanted is None and base is None:
        return
    if base is None:
        raise CannotReplay(f"{entry['id']} is built on a trained model: give its checkpoint with --base FOLDER")
    found = hash_of(base)
    if found != wanted:
        expected = "no base" if wanted is None else f"{wanted[:12]}…"
        raise CannotReplay(f"--base {base} has the hash {found[:12]}…; the entry was made with {expected}")


def _seed(entry: JsonObject, wanted: int | None) -> int:
    completed = _completed(entry)
    numbers = [seed["seed"] for seed in completed]
    if not completed:
        raise CannotReplay(f"{entry['id']} has no completed seed: there is nothing to compare with")
    if wanted is None:
        ordered = sorted(completed, key=lambda seed: float(seed["score"]))
        return int(ordered[(len(ordered) - 1) // 2]["seed"])
    if wanted not in numbers:
        raise CannotReplay(f"{entry['id']} has no completed seed {wanted}; it has {', '.join(map(str, numbers))}")
    return wanted


def _completed(entry: JsonObject) -> list[JsonObject]:
    return [seed for seed in entry["seeds"] if seed["status"] == "completed"]
