"""Which trials are stopped early: successive halving, at every evaluation, on the running median of the objective."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from itertools import accumulate
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from search.engine.ledger import TrialEnd

OBJECTIVE, EPOCH = "objective", "epoch"
MEDIAN_WINDOW = 3


class MedianHalving(FIFOScheduler):
    """Successive halving with a rung at every evaluation; it starts from the ledger of earlier trials.

    After ``epoch`` epochs, no earlier than the first rung, a trial goes on if the objective that it has reached (its
    lowest running median so far) is among the best of those that came as far; so many of them go on, and always one::

        trials that came to the first rung / reduction factor * first rung / epoch

    That is as many as successive halving (ASHA, arXiv:1810.05934) wants to go on at its rungs. Its asynchronous form
    compares a trial with the others at that rung only, and so it lets more go on than it wants: those that come first,
    and, where proposals get better, most of those that come late. Here only the number of trials at the start counts.

    It looks at running medians on validation, because the score of a GAN jumps from evaluation to evaluation.

    Args:
        epochs: Training of a trial that is never stopped.
        first_rung: Epochs at which a trial can first be stopped; ``epochs`` for never.
        reduction_factor: At the first rung the best one in so many goes on.
        earlier: Trials that an earlier run of this search finished.
    """

    def __init__(self, epochs: int, first_rung: int, reduction_factor: int, earlier: list[TrialEnd]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._epochs, self._first_rung, self._reduction_factor = epochs, max(1, first_rung), reduction_factor
        self._reached: defaultdict[int, list[float]] = defaultdict(list)  # epoch -> objectives, the best one first
        self._arrived: set[str] = set()
        self._stopped: set[str] = set()
        for end in earlier:
            self._remember(end)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Whether the trial goes on; one without an evaluation is left alone."""
        epoch, objective = result[EPOCH], result.get(OBJECTIVE)
        if objective is None or self._goes_on(trial.trial_id, epoch, objective):
            return self.CONTINUE
        if epoch < self._epochs:
            self._stopped.add(trial.trial_id)
        return self.STOP

    def stopped(self, trial_id: str) -> bool:
        """Whether this trial was ended by a rung, and not by reaching its last epoch."""
        return trial_id in self._stopped

    def save(self, checkpoint_path: str) -> None:
        """Nothing: rungs are filled again from the ledger."""

    def _goes_on(self, trial_id: str, epoch: int, objective: float) -> bool:
        if not self._first_rung <= epoch < self._epochs:
            return epoch < self._epochs
        self._arrived.add(trial_id)
        reached = self._reached[epoch]
        better = bisect_left(reached, objective)
        insort(reached, objective)
        return better < max(1, len(self._arrived) * self._first_rung / (self._reduction_factor * epoch))

    def _remember(self, end: TrialEnd) -> None:
        lowest = accumulate((median for _, median in end.history), min)
        for (epoch, _), objective in zip(end.history, lowest, strict=True):
            self._goes_on(f"earlier-{end.number}", epoch, objective)
