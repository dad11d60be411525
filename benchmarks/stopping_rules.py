"""What stopping trials early can gain, on the learning curves that random search trained to the end.

    python benchmarks/stopping_rules.py docs/efficiency/atlas-vae

Searches are replayed: each draws curves at random, with replacement, and stops them by a rule, until it has made as
many evaluations as a search of the study. Every evaluation counts the same. Proposals do not get better in a replay, so
that the rules alone are compared. Means over replays are geometric.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import mean, median
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from search.engine.scheduler import EPOCH, MEDIAN_WINDOW, OBJECTIVE, MedianHalving

REPLAYS = 400
Rule = Callable[[], TrialScheduler]
Curves = NDArray[np.float64]  # (trials, evaluations): objective reached after each evaluation


def main() -> None:
    """Print both tables."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("folder", type=Path, help="of the pieces of a study")
    print("\n".join(tables(flags.parse_args().folder)))


def tables(folder: Path) -> list[str]:
    """Lines of Markdown; none without pieces of random search that kept their curves."""
    epochs, curves, budget = read_curves(folder)
    if not len(curves):
        return []
    return [*_correlations(epochs, curves), "", *_rules(epochs, curves, budget)]


def read_curves(folder: Path) -> tuple[NDArray[np.int_], Curves, int]:
    """Epochs of the evaluations, curves of all trials that random search completed, evaluations of a search."""
    curves, made, epochs = [], [], np.array([], dtype=int)
    for file in sorted(folder.glob("random-[0-9]*.json")):
        piece = json.loads(file.read_text(encoding="utf-8"))
        histories = piece.get("histories", [])
        whole = [history for history, how in zip(histories, piece["trials"], strict=False) if how == "completed"]
        for history in whole:
            epochs = np.array([epoch for epoch, _ in history])
            curves.append(reached([score for _, score in history]))
        made += [sum(map(len, histories))] if histories else []
    return epochs, np.array(curves), round(mean(made)) if made else 0


def reached(scores: Sequence[float]) -> list[float]:
    """Lowest running median so far, after each score."""
    medians = (median(scores[max(0, end - MEDIAN_WINDOW) : end]) for end in range(1, len(scores) + 1))
    return list(accumulate(medians, min))


def _correlations(epochs: NDArray[np.int_], curves: Curves) -> list[str]:
    best = np.argsort(curves[:, -1])[: max(1, len(curves) // 10)]
    lines = [
        "| after | rank correlation with the end | rank of the trials that end in the best tenth |",
        "|---|---|---|",
    ]
    for share in (0.12, 0.2, 0.36, 0.6):
        column = int(np.searchsorted(epochs, share * epochs[-1]))
        ranks = _ranks(curves[:, column])
        correlation = np.corrcoef(ranks, _ranks(curves[:, -1]))[0, 1]
        places = ", ".join(str(1 + rank) for rank in sorted(ranks[best]))
        lines.append(f"| {epochs[column]} epochs | {correlation:.2f} | {places} of {len(curves)} |")
    return lines


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int_]:
    return np.argsort(np.argsort(values))


def _rules(epochs: NDArray[np.int_], curves: Curves, budget: int) -> list[str]:
    last = int(epochs[-1])
    alone = _replays(FIFOScheduler, epochs, curves, budget)
    goal = _middle(alone)[-1]
    rules: dict[str, Rule] = {}
    for name, earliest, factor in (("a ninth", 1 / 9, 3), ("a fifth", 1 / 5, 2), ("a third", 1 / 3, 3)):
        first = int(epochs[np.searchsorted(epochs, earliest * last)])
        rules[f"ASHA from {name} of the epochs, one in {factor}"] = _asha(last, first, factor)
        rules[f"halving at every evaluation, from {name}, one in {factor}"] = _halving(last, first, factor)
    lines = ["| rule | trials | ends at | reaches the end of search without stopping after |", "|---|---|---|---|"]
    for name, rule in {"none": FIFOScheduler, **rules}.items():
        middle = _middle(_replays(rule, epochs, curves, budget))
        there = np.flatnonzero(middle <= goal)
        share = f"{100 * (1 + there[0]) / budget:.0f} %" if len(there) else "not at all"
        lines.append(f"| {name} | {_trials(rule, epochs, curves, budget):.0f} | {middle[-1]:.3f} | {share} |")
    return lines


def _middle(reached: NDArray[np.float64]) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = np.exp(np.log(reached).mean(axis=0))
    return middle


def _asha(last: int, first: int, factor: int) -> Rule:
    return lambda: AsyncHyperBandScheduler(
        EPOCH, OBJECTIVE, "min", max_t=last, grace_period=first, reduction_factor=factor
    )


def _halving(last: int, first: int, factor: int) -> Rule:
    return lambda: MedianHalving(last, first, factor, [])


def _replays(rule: Rule, epochs: NDArray[np.int_], curves: Curves, budget: int) -> NDArray[np.float64]:
    """Best objective after each evaluation of each replay, shape (REPLAYS, budget)."""
    return np.array([_replay(rule(), epochs, curves, budget, Random(seed))[0] for seed in range(REPLAYS)])  # noqa: S311


def _trials(rule: Rule, epochs: NDArray[np.int_], curves: Curves, budget: int) -> float:
    return median(_replay(rule(), epochs, curves, budget, Random(seed))[1] for seed in range(20))  # noqa: S311


def _replay(
    scheduler: TrialScheduler, epochs: NDArray[np.int_], curves: Curves, budget: int, random: Random
) -> tuple[NDArray[np.float64], int]:
    """Best objective after each evaluation, and the number of trials."""
    values: list[float] = []
    trials = 0
    controller: Any = None  # pruners do not look at it
    while len(values) < budget:
        trial: Any = SimpleNamespace(trial_id=str(trials))
        trials += 1
        scheduler.on_trial_add(controller, trial)
        for epoch, objective in zip(epochs, random.choice(curves), strict=True):
            values.append(float(objective))
            result = {EPOCH: int(epoch), OBJECTIVE: float(objective)}
            if scheduler.on_trial_result(controller, trial, result) == TrialScheduler.STOP:
                break
    return np.minimum.accumulate(values[:budget]), trials


if __name__ == "__main__":
    main()
