"""How much each hyperparameter has to do with which trials are the best: PED-ANOVA.

PED-ANOVA (arXiv:2304.10255) compares the distribution of a parameter among the best trials with that among all of them;
for conditional spaces (arXiv:2601.20800) it does so within the trials in which the parameter has an effect, and counts
whether it has one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from leaderboard.records import JsonObject
from search.engine.ledger import Ledger, TrialEnd
from search.spaces import Space

Floats = NDArray[np.float64]

METHOD = "PED-ANOVA"
LEAST_TRIALS = 20  # below, the best trials are too few to have a distribution
BEST_SHARE, LEAST_BEST = 0.1, 5
RESAMPLES, RESAMPLED_TRIALS, FEWEST_RESAMPLES = 50, 10_000, 10
INTERVAL = (16, 84)  # per cent


def importance(space: Space, ledger: Ledger) -> JsonObject:
    """Shares of the varied parameters, which add up to 1, the largest first, with 68 % intervals from a bootstrap.

    A stopped trial counts with the value that it had reached; a diverged one is worse than all others. Those that
    failed for another reason say nothing. No interval where a bootstrap of so many trials takes too long.
    """
    trials = _trials(space, ledger)
    record: JsonObject = {
        "method": METHOD,
        "trials": len(trials),
        "best_trials": 0,
        "resamples": 0,
        "reason": None,
        "parameters": [],
    }
    if len(trials) < LEAST_TRIALS:
        reason = f"{len(trials)} trials ended with a value or diverged; at least {LEAST_TRIALS} are needed"
        return record | {"reason": reason}
    names = [name for name in space.varied if any(name in trial.params for trial in trials)]
    quantile = max(BEST_SHARE, LEAST_BEST / len(trials))
    shares = _shares(trials, names, quantile)
    resampled = _resampled(trials, names, quantile)
    low, high = np.percentile(resampled, INTERVAL, axis=0) if len(resampled) else (None, None)
    parameters: list[JsonObject] = [
        {
            "name": name,
            "share": round(float(shares[index]), 5),
            "low": None if low is None else round(float(low[index]), 5),
            "high": None if high is None else round(float(high[index]), 5),
        }
        for index, name in enumerate(names)
    ]
    parameters.sort(key=lambda parameter: -parameter["share"])
    best = math.ceil(quantile * len(trials))
    return record | {"best_trials": best, "resamples": len(resampled), "parameters": parameters}


def _trials(space: Space, ledger: Ledger) -> list[FrozenTrial]:
    """Trials as Optuna takes them, under the names of the parameters: what differs between branches are the ranges."""
    ended = [(start, end) for start, end in ledger.ended if _says_something(end)]
    reached = [end.objective for _, end in ended if end.objective is not None and end.status != "diverged"]
    if not reached:
        return []
    worst = max(reached) + 1.0
    trials = []
    for start, end in ended:
        active = space.active_branches(start.config)
        trials.append(
            create_trial(
                state=TrialState.COMPLETE,
                value=worst if end.status == "diverged" or end.objective is None else end.objective,
                params={name: start.config[name] for name in active},
                distributions={name: branch.distribution for name, branch in active.items()},
            )
        )
    return trials


def _says_something(end: TrialEnd) -> bool:
    return end.status == "diverged" or (end.status in ("completed", "pruned") and end.objective is not None)


def _shares(trials: Sequence[FrozenTrial], names: Sequence[str], quantile: float) -> Floats:
    """Shape (parameters,)."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    study.add_trials(trials)
    present = [name for name in names if any(name in trial.params for trial in trials)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that had an effect in one trial only: they count for nothing
        found = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile), params=present, normalize=False
        )
    values = np.array([found.get(name, 0.0) for name in names])
    total = values.sum()
    return values / total if total > 0 else values


def _resampled(trials: Sequence[FrozenTrial], names: Sequence[str], quantile: float) -> Floats:
    """Shares of as many trials drawn with replacement, again and again; shape (resamples, parameters)."""
    resamples = min(RESAMPLES, RESAMPLED_TRIALS // len(trials))
    if resamples < FEWEST_RESAMPLES:
        return np.empty((0, len(names)))
    generator = np.random.default_rng(0)
    found = []
    for _ in range(resamples):
        drawn = [trials[index] for index in generator.integers(len(trials), size=len(trials))]
        found.append(_shares(drawn, names, quantile))
    return np.array(found)
