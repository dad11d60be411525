"""What the platform costs per trial beyond training, and its memory: trials that train for nothing.

The model is the mean shower (one look at the training events), the space is empty. Everything else is as in a
search: Ray Tune with reused actors, sampler, pruner, evaluation on validation, checkpoints, ledger, MLflow.

    python benchmarks/trial_overhead.py --trials 100
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread

import psutil
import torch
from recording import record
from rich.console import Console

from search.engine.checkpoint_budget import CheckpointBudget, folder_bytes, size
from search.engine.interruption import Interruption
from search.engine.plan import Options, Plan, begin, make_plan
from search.engine.resources import Places
from search.engine.runner import ray_session, run_trials
from search.engine.study import Preset, Study
from search.engine.tracking import Tracker
from search.engine.trial import TrialRun, read_history
from search.spaces import Space

WARM_AFTER = 10  # trials; by then the actors have loaded data and libraries
REPORTS = 7
PRESET = Preset(epochs=1, evaluate_every=1, trials=1)
STUDY = Study(
    name="overhead",
    title="Trials that train for nothing",
    dataset="atlas-photons-geant4",
    model="mean-shower",
    space=Space("mean-shower", ()),
    scorecard="atlas-photons-v1",
    budget_label="{epochs} epochs",
    laptop=PRESET,
    paper=PRESET,
    sampler="random",
)


class PeakMemory:
    """Largest resident memory of this process and of any worker that runs trials, looked at in the background.

    ``over_time`` is that of this process, every half second.
    """

    def __init__(self) -> None:
        self.driver, self.trial = 0, 0
        self.over_time: list[int] = []
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.5):
            self.over_time.append(me.memory_info().rss)
            self.driver = max(self.driver, self.over_time[-1])
            for process in me.children(recursive=True):
                self._look(process)

    def _look(self, process: psutil.Process) -> None:
        try:
            if "Trainable" in " ".join(process.cmdline()):
                self.trial = max(self.trial, process.memory_info().rss)
        except psutil.Error:
            return  # it has just ended


def main() -> None:
    """Run the trials and print what they cost."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("--trials", type=int, default=100)
    given = flags.parse_args()
    with TemporaryDirectory() as folder:
        plan = make_plan(STUDY, Options(trials=given.trials, concurrent=1), Path(folder), Path(folder) / "001", None)
        with PeakMemory() as memory:
            wall, delivery, left = searched(plan)
        _report(plan, wall, delivery, left, memory)


def searched(plan: Plan) -> tuple[float, float, int]:
    """Run the trials of a plan. Returns: Wall time of them and of MLflow after them [s], and records not delivered."""
    begin(plan)
    with ray_session(None):
        tracker = Tracker(plan.folder / "tracking", plan.tracking_uri, STUDY.name)
        tracker.start("study", plan.name, {}, {})
        start = time.perf_counter()
        places = Places(plan.request, plan.options.concurrent)
        checkpoints = CheckpointBudget(10**12, plan.setup.trials_folder, plan.objectives)
        run_trials(plan, plan.ledger, tracker, Console(quiet=True), places, checkpoints, Interruption(), None)
        wall = time.perf_counter() - start
        begin_delivery = time.perf_counter()
        left = tracker.close(120)
        return wall, time.perf_counter() - begin_delivery, left


def _report(plan: Plan, wall: float, delivery: float, left: int, memory: PeakMemory) -> None:
    folders = sorted(plan.setup.trials_folder.iterdir())
    ends = sorted((folder / "history.jsonl").stat().st_mtime for folder in folders)
    warm = [later - earlier for earlier, later in zip(ends[WARM_AFTER:], ends[WARM_AFTER + 1 :], strict=False)]
    evaluation = median(read_history(folder)[0].seconds for folder in folders[WARM_AFTER:])
    print(f"{len(folders)} trials, one at a time, {wall:.1f} s with start-up; first result not counted below")
    reporting = _reporting(plan, len(folders))
    platform = median(warm) - evaluation - reporting
    print(f"warm trial, wall          median {median(warm):.3f} s (from one result to the next)")
    print(f"  of it training + judging  {evaluation:.3f} s (scores, and the error of the best one)")
    print(f"  of it judging once more   {reporting:.3f} s (the best checkpoint: errors, floor, p-value, whole samples)")
    print(f"  of it the platform        {platform:.3f} s (Ray, sampler, checkpoints, ledger, spool)")
    record("platform, per warm trial", platform, "s")
    record("warm trial", median(warm), "s")
    record("driver's memory", memory.driver / 2**20, "MiB")
    record("trial's memory", memory.trial / 2**20, "MiB")
    print(f"  the first, the last 100   {median(warm[:100]):.3f} s, {median(warm[-100:]):.3f} s")
    print(f"MLflow after the last trial {delivery:.1f} s, {left} records left")
    print(f"peak memory               driver {memory.driver / 2**20:.0f} MiB, trial {memory.trial / 2**20:.0f} MiB")
    half = memory.over_time[len(memory.over_time) // 2]
    print(f"  driver at half the time {half / 2**20:.0f} MiB")
    sizes = {name: size(folder_bytes(plan.folder / name)) for name in ("trials", "tracking", "ray")}
    print(f"on disk                   {sizes}, ledger {size((plan.folder / 'ledger.jsonl').stat().st_size)}")


def _reporting(plan: Plan, number: int) -> float:
    """Wall time of what is recorded of a trial's best checkpoint once the trial has ended [s]."""
    torch.set_num_threads(plan.setup.own_threads)
    run = TrialRun(plan.setup, number, {}, seed=number)
    run.advance()
    seconds = []
    for _ in range(REPORTS):
        began = time.perf_counter()
        run.reported()
        seconds.append(time.perf_counter() - began)
    run.close()
    return median(seconds)


if __name__ == "__main__":
    main()
