"""The champion of a search: the best few trials judged again with fresh noise, before one is chosen.

Of a Pareto set, the best are those with the lowest combined score. The lowest of many noisy scores is partly luck.
Fresh noise takes the luck of the generated sample out again; that of the validation split stays, and shows on the test
split.
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
from search.engine.ledger import Ledger, TrialEnd
from search.engine.objectives import GENERATION_TIME
from search.engine.plan import Plan
from search.engine.runner import best_trials
from search.engine.study import derive_seed
from search.engine.trial import TrialSetup, objective_value, timed_showers, validation

SHORTLISTED = 3
FRESH_SAMPLES = 5


@dataclass(frozen=True)
class Reevaluation:
    """A trial's best checkpoint, judged on validation with fresh noise.

    Attributes:
        objective: What orders the trials: the only objective, or the score where there are several.
        first_value: What the search found.
        value: Mean over the fresh samples; ``spread`` is its standard error from sample to sample.
    """

    number: int
    config: dict[str, Any]
    objective: str
    first_value: float
    value: float
    spread: float


def shortlist(plan: Plan, ledger: Ledger) -> list[Reevaluation]:
    """The best few trials, best first; empty if no trial has a score."""
    candidates, leading = best_trials(ledger, SHORTLISTED, plan.objectives), plan.objectives.leading
    judge_again = ray.remote(_fresh_values).options(
        num_cpus=plan.options.cpus_per_trial,
        num_gpus=plan.options.gpus_per_trial if leading == GENERATION_TIME else 0,
    )
    pending = [judge_again.remote(plan.setup, start.number, start.seed) for start, _ in candidates]
    results = []
    for (start, end), values in zip(candidates, ray.get(pending), strict=True):
        spread = stdev(values) / math.sqrt(len(values))
        first = _first_value(end, leading)
        results.append(Reevaluation(start.number, start.config, leading, first, mean(values), spread))
    results.sort(key=lambda result: result.value)
    _write(plan.folder / "shortlist.json", results)
    return results


def _first_value(end: TrialEnd, leading: str) -> float:
    """Of the best checkpoint, which is what is judged again; a time has no checkpoint."""
    if leading == GENERATION_TIME:
        return end.values[leading]
    return objective_value(leading, end.score or 0.0, end.components, None)


def _fresh_values(setup: TrialSetup, number: int, seed: int) -> list[float]:
    leading = setup.objectives.leading
    device = setup.device if leading == GENERATION_TIME else "cpu"
    generator = load_generator(setup.folder(number) / "best", device)
    reference, judge = validation(setup.data, setup.scorecard)
    values = []
    for index in range(FRESH_SAMPLES):
        fresh = derive_seed(seed, "fresh", index)
        sample, generation_time = timed_showers(generator, reference.conditions, fresh, setup.timings)
        judgement = judge.judge(sample, errors=False)
        components = {name: estimate.value for name, estimate in judgement.components.items()}
        values.append(objective_value(leading, judgement.score.value, components, generation_time))
    return values


def _write(path: Path, results: list[Reevaluation]) -> None:
    path.write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
