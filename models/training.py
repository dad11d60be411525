"""The loop of a whole training, with checkpoints and the choice of the epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.base import GenerativeModel, TrainingDiverged

Rule = Literal["best_validation", "last"]
Evaluate = Callable[[GenerativeModel], float]
Progress = Callable[[int, dict[str, float], float | None], None]


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training did.

    Attributes:
        epochs: Epochs trained in all.
        best_epoch: The epoch in the checkpoint.
        history: One record an epoch: ``epoch``, ``losses`` and ``score`` (None where it was not evaluated).
        seconds: CPU time of the training alone, without evaluations and checkpoints.
        checkpoint: Folder of the checkpoint.
    """

    epochs: int
    best_epoch: int
    history: list[dict[str, Any]]
    seconds: float
    checkpoint: Path


def train(
    model: GenerativeModel,
    *,
    epochs: int,
    evaluate: Evaluate | None = None,
    every: int = 1,
    checkpoint_folder: Path,
    rule: Rule = "last",
    on_progress: Progress | None = None,
) -> TrainingOutcome:
    """Train until ``epochs`` epochs are done, counting those that the model already has.

    Args:
        evaluate: A score of the model, lower is better; None for none.
        every: Evaluate after every so many epochs, and after the last.
        rule: Keep the epoch with the best score, or the last one, as fixed before the training begins.
        on_progress: Called after every epoch with its number, losses and score (or None).
    Raises: ValueError if there is nothing to train, or the rule needs a score and none is computed;
        TrainingDiverged from the model, or if no score is finite.
    """
    _check_arguments(model, epochs, evaluate, every, rule)
    history: list[dict[str, Any]] = []
    best_score, best_epoch, seconds = math.inf, 0, 0.0
    while model.epoch < epochs:
        start = time.process_time()
        losses = model.train_epoch()
        seconds += time.process_time() - start
        due = model.epoch % every == 0 or model.epoch == epochs
        score = evaluate(model) if evaluate is not None and due else None
        history.append({"epoch": model.epoch, "losses": losses, "score": score})
        if score is not None and score < best_score:
            best_score = score
            if rule == "best_validation":
                best_epoch = model.epoch
                model.save(checkpoint_folder)
        if on_progress is not None:
            on_progress(model.epoch, losses, score)
    if rule == "last":
        best_epoch = model.epoch
        model.save(checkpoint_folder)
    if best_epoch == 0:
        raise TrainingDiverged(f"no score was finite in {epochs} epochs; lower the learning rate")
    return TrainingOutcome(model.epoch, best_epoch, history, seconds, checkpoint_folder)


def _check_arguments(model: GenerativeModel, epochs: int, evaluate: Evaluate | None, every: int, rule: Rule) -> None:
    if epochs <= model.epoch:
        raise ValueError(f"the model has {model.epoch} epochs already, {epochs} were asked for; ask for more")
    if every < 1:
        raise ValueError(f"every is {every}; it must be at least 1")
    if rule == "best_validation" and evaluate is None:
        raise ValueError("the best epoch cannot be chosen without a score; give evaluate, or keep the last epoch")
