"""The loop of a whole training, with checkpoints and the choice of the epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from models.base import GenerativeModel, TrainingDiverged

SAMPLING_FRACTION_RULE: Final = "best_sampling_fraction_of_last_ten"
Rule = Literal["best_validation", "last", "best_sampling_fraction_of_last_ten"]
LAST_EPOCHS = 10


@dataclass(frozen=True)
class Evaluated:
    """A model looked at on events that it was not trained on; lower is better.

    Attributes:
        sampling_fraction_error: Mean relative error of the sampling fraction; None where the detector has none.
    """

    score: float
    sampling_fraction_error: float | None = None


Evaluate = Callable[[GenerativeModel], Evaluated]
Progress = Callable[[int, dict[str, float], Evaluated | None], None]


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
        evaluate: Looks at the model; None for none.
        every: Evaluate after every so many epochs, and after the last.
        rule: Which epoch is kept, as fixed before the training begins: the one with the best score; the last one; or
            that of the last ten, all of which are evaluated, with the least error of the sampling fraction
            (doi:10.1109/ACCESS.2021.3101946, section V).
        on_progress: Called after every epoch with its number, losses and what was seen (or None).
    Raises: ValueError if there is nothing to train, or the rule needs a score and none is computed;
        TrainingDiverged from the model, or if no score is finite.
    """
    _check_arguments(model, epochs, evaluate, every, rule)
    history: list[dict[str, Any]] = []
    least, best_epoch, seconds = math.inf, 0, 0.0
    while model.epoch < epochs:
        start = time.process_time()
        losses = model.train_epoch()
        seconds += time.process_time() - start
        due = model.epoch % every == 0 or model.epoch == epochs or _compared(rule, model.epoch, epochs)
        evaluated = evaluate(model) if evaluate is not None and due else None
        score = None if evaluated is None else evaluated.score
        history.append({"epoch": model.epoch, "losses": losses, "score": score})
        value = math.inf if evaluated is None else _minimised(rule, evaluated, model.epoch, epochs)
        if value < least:
            least, best_epoch = value, model.epoch
            model.save(checkpoint_folder)
        if on_progress is not None:
            on_progress(model.epoch, losses, evaluated)
    if rule == "last":
        best_epoch = model.epoch
        model.save(checkpoint_folder)
    if best_epoch == 0:
        raise TrainingDiverged(f"no score was finite in {epochs} epochs; lower the learning rate")
    return TrainingOutcome(model.epoch, best_epoch, history, seconds, checkpoint_folder)


def _compared(rule: Rule, epoch: int, epochs: int) -> bool:
    """Whether an epoch is one of those that the rule of the sampling fraction compares."""
    return rule == SAMPLING_FRACTION_RULE and epoch > epochs - LAST_EPOCHS


def _minimised(rule: Rule, evaluated: Evaluated, epoch: int, epochs: int) -> float:
    """By what a rule compares epochs; infinity for one that it does not keep.

    Raises: ValueError if the detector has no sampling fraction.
    """
    if rule == "best_validation":
        return evaluated.score
    if not _compared(rule, epoch, epochs):
        return math.inf
    if evaluated.sampling_fraction_error is None:
        raise ValueError(f"{rule}: the scorecard has no component response; choose another rule")
    return evaluated.sampling_fraction_error


def _check_arguments(model: GenerativeModel, epochs: int, evaluate: Evaluate | None, every: int, rule: Rule) -> None:
    if epochs <= model.epoch:
        raise ValueError(f"the model has {model.epoch} epochs already, {epochs} were asked for; ask for more")
    if every < 1:
        raise ValueError(f"every is {every}; it must be at least 1")
    if rule != "last" and evaluate is None:
        raise ValueError("the best epoch cannot be chosen without a score; give evaluate, or keep the last epoch")
