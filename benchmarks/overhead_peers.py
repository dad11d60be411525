"""Wall time of a short trial in this project, in bare Ray Tune and in Optuna alone: same space, same trainable.

    python benchmarks/overhead_peers.py --trials 200

The trainable builds a mean shower from the training events, looks at it once, and judges it on validation, its best
checkpoint once more with all that is reported, as a trial of a search does. Bare Ray Tune has its default settings,
once with reused actors and once without; it is given the searcher OptunaSearch. Optuna runs the trials one after the
other in one process. Each run is a process of its own; medians of warm trials, and over interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import optuna
from ray import tune
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch
from recording import record
from trial_overhead import STUDY, WARM_AFTER, searched

from search.engine.plan import Options, make_plan
from search.engine.trial import TrialRun, TrialSetup


def main() -> None:
    """Measure and print, or be one of the runs."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--trials", type=int, default=200)
    flags.add_argument("--new-actors", type=int, default=15, help="trials of Ray Tune without reused actors")
    flags.add_argument("--rounds", type=int, default=1)
    flags.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    given = flags.parse_args()
    if min(given.trials, given.new_actors) < 3:
        flags.error("a way needs at least 3 trials: the first ones warm up")
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            times = WAYS[given.one](given.trials, Path(folder))
        print(json.dumps(times))
        return
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(given.rounds):
        for way in WAYS:
            trials = given.new_actors if way == NEW_ACTORS else given.trials
            print(f"{trials} trials, {way} …", flush=True)
            found[way].append(median(_warm(_apart(way, trials))))
    ours = median(found[PLATFORM])
    for way, times in found.items():
        print(f"{way:42} {median(times):7.3f} s a warm trial, {ours / median(times):6.2f} times in ours")
        if way != PLATFORM:
            record(f"{way}, over ours", median(times) / ours, "times", better="higher", peer=way)
    record("this project, a warm trial", ours, "s")


def _apart(way: str, trials: int) -> list[float]:
    """Times at which trials ended in a process of its own [s]."""
    command = [sys.executable, __file__, "--one", way, "--trials", str(trials)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(f"{way} failed:\n{answer.stderr[-4000:]}")  # else it is Ray's line for every checkpoint
    times: list[float] = json.loads(answer.stdout.splitlines()[-1])
    return times


def _warm(ends: list[float]) -> list[float]:
    first = min(WARM_AFTER, len(ends) // 2)
    return [later - earlier for earlier, later in zip(ends[first:], ends[first + 1 :], strict=False)]


def _platform(trials: int, folder: Path) -> list[float]:
    plan = make_plan(STUDY, Options(trials=trials, concurrent=1), folder, folder / "001", None)
    searched(plan)
    return sorted(path.stat().st_mtime for path in plan.setup.trials_folder.glob("*/history.jsonl"))


def _setup(folder: Path) -> TrialSetup:
    return make_plan(STUDY, Options(), folder, folder / "001", None).setup


def _trained(setup: TrialSetup, number: int) -> float:
    """What every way does in a trial. Returns: Its score."""
    run = TrialRun(setup, number, {}, seed=number)
    score = run.advance().score
    run.reported()  # what is recorded beside the score of every trial that reaches its end
    return score


class BareTrainable(tune.Trainable):
    """The trial of a user who has read Ray Tune's documentation."""

    def setup(self, config: dict[str, Any], trial_setup: TrialSetup | None = None) -> None:
        del config
        assert trial_setup is not None
        self._trial_setup = trial_setup

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        del new_config
        return True

    def step(self) -> dict[str, Any]:
        number = time.monotonic_ns()  # a folder of its own
        return {"score": _trained(self._trial_setup, number), "ended": time.time(), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """The run has written its own."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing is gone on with."""


def _nothing(trial: optuna.Trial) -> dict[str, Any]:
    """The empty space."""
    del trial
    return {}


def _bare_tune(trials: int, folder: Path, *, reuse: bool) -> list[float]:
    proposals = OptunaSearch(_nothing, metric="score", mode="min", sampler=optuna.samplers.RandomSampler())
    search = ConcurrencyLimiter(proposals, max_concurrent=1)
    results = tune.Tuner(
        tune.with_parameters(BareTrainable, trial_setup=_setup(folder)),
        tune_config=tune.TuneConfig(
            metric="score", mode="min", search_alg=search, num_samples=trials, reuse_actors=reuse
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "ray"), verbose=0),
    ).fit()
    last = [results[number].metrics or {} for number in range(len(results))]
    return sorted(float(metrics["ended"]) for metrics in last)


def _optuna_alone(trials: int, folder: Path) -> list[float]:
    setup, ends = _setup(folder), []

    def objective(trial: optuna.Trial) -> float:
        score = _trained(setup, trial.number)
        ends.append(time.time())
        return score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(sampler=optuna.samplers.RandomSampler()).optimize(objective, n_trials=trials)
    return ends


PLATFORM, NEW_ACTORS = "this project", "Ray Tune, default settings"
WAYS: dict[str, Callable[[int, Path], list[float]]] = {
    PLATFORM: _platform,
    "Ray Tune, reused actors": partial(_bare_tune, reuse=True),
    NEW_ACTORS: partial(_bare_tune, reuse=False),
    "Optuna in one process": _optuna_alone,
}


if __name__ == "__main__":
    main()
