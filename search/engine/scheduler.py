"""Which trials are stopped early: asynchronous successive halving on the running median of the objective."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler

from search.engine.ledger import TrialEnd

MEDIAN, EPOCH = "median_objective", "epoch"
MEDIAN_WINDOW = 3
logging.getLogger("ray.tune.schedulers").setLevel(logging.ERROR)


class MedianHalving(AsyncHyperBandScheduler):
    """ASHA that remembers whom it stopped, and that starts from the ledger of earlier trials.

    It looks at the running median of the last values on validation, because the score of a GAN jumps
    from evaluation to evaluation.

    Args:
        epochs: Training of a trial that is never stopped.
        first_rung: Epochs at which a trial can first be stopped; ``epochs`` for never.
        reduction_factor: At each rung the best one in so many goes on.
        earlier: Trials that an earlier run of this search finished.
    """

    def __init__(self, epochs: int, first_rung: int, reduction_factor: int, earlier: list[TrialEnd]) -> None:
        super().__init__(
            time_attr=EPOCH,
            metric=MEDIAN,
            mode="min",
            max_t=epochs,
            grace_period=max(1, min(first_rung, epochs)),
            reduction_factor=reduction_factor,
        )
        self._epochs = epochs
        self._stopped: set[str] = set()
        for end in earlier:
            self._remember(end)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        decision = str(super().on_trial_result(tune_controller, trial, result))
        if decision == self.STOP and result[EPOCH] < self._epochs:
            self._stopped.add(trial.trial_id)
        return decision

    def stopped(self, trial_id: str) -> bool:
        """Whether this trial was ended by a rung, and not by reaching its last epoch."""
        return trial_id in self._stopped

    def save(self, checkpoint_path: str) -> None:
        """Nothing: rungs are filled again from the ledger."""

    def _remember(self, end: TrialEnd) -> None:
        trial: Any = SimpleNamespace(trial_id=f"earlier-{end.number}")
        controller: Any = None  # ASHA does not look at it
        self.on_trial_add(controller, trial)
        for epoch, median in end.history:
            super().on_trial_result(controller, trial, {EPOCH: epoch, MEDIAN: median})
