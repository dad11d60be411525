"""The champion of a search: the best few trials judged again with fresh noise, before one is chosen.

The lowest of many noisy scores is partly luck. Fresh noise takes the luck of the generated sample
out again; that of the validation split stays, and shows on the test split.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import ray

from models.checkpoint import load_generator
from search.engine.ledger import Ledger
from search.engine.plan import Plan
from search.engine.runner import best_trials
from search.engine.study import derive_seed
from search.engine.trial import TrialSetup, validation

SHORTLISTED = 3
FRESH_SAMPLES = 5


@dataclass(frozen=True)
class Reevaluation:
    """A trial's best checkpoint, judged on validation with fresh noise.

    ``score`` is the mean over the samples, ``spread`` its standard error from sample to sample.
    """

    number: int
    config: dict[str, Any]
    first_score: float
    score: float
    spread: float


def shortlist(plan: Plan, ledger: Ledger) -> list[Reevaluation]:
    """The best few trials, best first; empty if no trial has a score."""
    candidates = best_trials(ledger, SHORTLISTED)
    judge_again = ray.remote(_scores).options(num_cpus=plan.options.cpus_per_trial)
    pending = [judge_again.remote(plan.setup, start.number, start.seed) for start, _ in candidates]
    results = []
    for (start, end), scores in zip(candidates, ray.get(pending), strict=True):
        spread = stdev(scores) / math.sqrt(len(scores))
        results.append(Reevaluation(start.number, start.config, end.score or 0.0, mean(scores), spread))
    results.sort(key=lambda result: result.score)
    _write(plan.folder / "shortlist.json", results)
    return results


def _scores(setup: TrialSetup, number: int, seed: int) -> list[float]:
    generator = load_generator(setup.folder(number) / "best")
    reference, judge = validation(setup.data, setup.scorecard)
    samples = (
        generator.generate(reference.conditions, derive_seed(seed, "fresh", index)) for index in range(FRESH_SAMPLES)
    )
    return [judge.judge(sample, errors=False).score.value for sample in samples]


def _write(path: Path, results: list[Reevaluation]) -> None:
    path.write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
