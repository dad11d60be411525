"""Runs the trials of a plan on Ray Tune and writes each end into the ledger."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from rich.console import Console

from search.engine.data_parallel import trial_resources
from search.engine.ledger import SCORED, Ledger, Status, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE, Objectives
from search.engine.pareto import in_order, pareto_set, trial_key
from search.engine.plan import Plan
from search.engine.progress import Display, clock
from search.engine.sampler import Budget, LedgerSearch
from search.engine.scheduler import EPOCH, MedianHalving
from search.engine.study import StudyError
from search.engine.tracking import Tracker
from search.engine.trial import TrialTrainable, reached, read_history, running_medians

WORKER_RETRIES = 2
ENVIRONMENT = {
    # Its loggers write a folder of files for every trial; the ledger and MLflow hold all of it.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",  # its table of every result: the display has its own
    # A diverged trial reports no score.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # The monitor's kill would end the whole run; the kernel's looks like a lost worker, which is retried.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}
MLFLOW_STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "diverged": "FAILED", "preempted": "KILLED"}


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """A Ray cluster: the one at ``address`` or of the environment, or a private one on this machine."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for chatty in ("ray", "ray.tune"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    ray.init(
        address=address,
        log_to_driver=False,
        configure_logging=False,
        include_dashboard=False if address == "local" else None,
    )
    # Batch systems end a job with SIGTERM; Ray Tune stops in order on SIGINT only.
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    listen_to_ctrl_c()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        ray.shutdown()


def listen_to_ctrl_c() -> None:
    """Raise KeyboardInterrupt on SIGINT.

    Ray Tune leaves its own handler behind, which swallows the first one; and a shell starts what runs in the
    background with SIGINT ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def slots(plan: Plan) -> int:
    """How many trials run at the same time.

    Raises: StudyError if not even one can: Ray would wait for ever.
    """
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    options = plan.options
    cpus, gpus = int(resources.get("CPU", 0)), float(resources.get("GPU", 0))
    possible = cpus // options.cpus_per_trial  # processes
    if options.gpus_per_trial:
        per_gpu = int(1 / options.gpus_per_trial) if options.gpus_per_trial <= 1 else 0
        by_gpu = int(gpus) * per_gpu if per_gpu else int(gpus // options.gpus_per_trial)
        possible = min(possible, by_gpu)
    possible //= options.processes_per_trial
    if possible < 1:
        each = f", for each of its {options.processes_per_trial} processes" if options.processes_per_trial > 1 else ""
        raise StudyError(
            f"a trial asks for {options.cpus_per_trial} CPUs and {options.gpus_per_trial:g} GPUs{each}; this cluster "
            f"has {cpus} CPUs and {gpus:g} GPUs in all. Ask for less with --cpus-per-trial and --gpus-per-trial"
            f"{', or --processes-per-trial' if each else ''}"
        )
    return min(possible, options.concurrent or possible)


def run_trials(
    plan: Plan, ledger: Ledger, tracker: Tracker, console: Console, deadline: Callable[[], float] | None
) -> bool:
    """Run trials until the budget is spent.

    Args:
        deadline: Time (``time.monotonic``) at which running trials are stopped; asked again and again.
    Returns: False if the user interrupted the search.
    Raises: StudyError if results could not be written; what was recorded stays.
    """
    budget = Budget(plan.trials, None if deadline is None else deadline())
    search = LedgerSearch(plan.space, ledger, budget, plan.sampler, plan.seed, plan.objectives)
    scheduler = MedianHalving(
        plan.epochs,
        plan.first_rung,
        plan.study.reduction_factor,
        [end for _, end in ledger.ended if end.status != "preempted"],
    )
    with Display(console, "search") as display:
        observer = SearchObserver(plan, ledger, search, scheduler, tracker, display, deadline)
        observer.show()
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(TrialTrainable, setup=plan.setup),
                trial_resources(
                    plan.options.cpus_per_trial, plan.options.gpus_per_trial, plan.options.processes_per_trial
                ),
            ),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=slots(plan),
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=f"run-{int(time.time() * 1000)}",
                storage_path=str((plan.folder / "ray").resolve()),
                callbacks=[observer],
                stop=observer.stopper,
                failure_config=tune.FailureConfig(max_failures=WORKER_RETRIES),
                verbose=0,
            ),
        ).fit()
        listen_to_ctrl_c()
        observer.record_interrupted()
    if observer.storage_error:
        raise StudyError(
            f"stopped, because results could not be written: {observer.storage_error}. "
            f"Nothing that was recorded is lost: make room, then go on with --resume {plan.folder}"
        )
    return not observer.interrupted


def _trial_name(trial: Any) -> str:
    """Ray Tune pickles this with every trial, so it must not hold on to anything (a plan holds the dataset)."""
    return f"trial-{trial.trial_id}"


class _Deadline(tune.Stopper):
    """Ends everything at the deadline, or when results can no longer be written."""

    def __init__(self, observer: SearchObserver) -> None:
        self._observer = observer

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray Tune pickles what it is given; nothing of it is read back

    def stop_all(self) -> bool:
        return bool(self._observer.storage_error) or self._observer.past_deadline


class SearchObserver(tune.Callback):
    """Sees every result of Ray Tune: ledger, sampler, MLflow and display learn of it here."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        search: LedgerSearch,
        scheduler: MedianHalving,
        tracker: Tracker,
        display: Display,
        deadline: Callable[[], float] | None,
    ) -> None:
        self._plan, self._ledger, self._search, self._scheduler = plan, ledger, search, scheduler
        self._tracker, self._display, self._deadline = tracker, display, deadline
        self._began = time.monotonic()
        self._running: dict[int, tuple[str, float]] = {}
        self._epochs: dict[int, int] = {}
        self.storage_error = ""
        self.interrupted = False
        self.stopper = _Deadline(self)

    @property
    def past_deadline(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # as above: the ledger is the memory

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        start = self._search.start_of(trial.trial_id)
        if start.number not in self._running:
            self._running[start.number] = (trial.trial_id, time.monotonic())
            self._tracker.start(
                trial_key(start.number),
                f"trial {start.number:03d}" + (f" ({self._plan.first_trial})" if start.number == 0 else ""),
                {**start.config, "seed": start.seed},
                {"trial": str(start.number)},
                parent="study",
            )
        self.show()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number = result["number"]
        self._epochs[number] = result[EPOCH]
        if "score" in result:
            self._tracker.metrics(trial_key(number), result[EPOCH], tracked_metrics(result))
        self.show()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result
        start = self._search.start_of(trial.trial_id)
        if result.get("status") == "failed" and result["detail"]:
            self.storage_error = self.storage_error or result["detail"]
            return  # left unfinished: it goes on when there is room again
        status: Status = result.get("status") or self._scored_status(trial.trial_id, result)
        self._end(start, status, result.get("detail", ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = str(trial.get_error() or "the worker was lost").strip()
        self._end(self._search.start_of(trial.trial_id), "failed", error.splitlines()[-1][:1000])

    def record_interrupted(self) -> None:
        """Trials that were running when the search stopped: they can go on later."""
        self.interrupted = not self.past_deadline and (bool(self._running) or not self._search.finished)
        for number, (trial_id, _) in list(self._running.items()):
            start = self._search.start_of(trial_id)
            if start.number == number and not self.storage_error:
                self._end(start, "preempted", "stopped with the search; goes on with --resume")

    def show(self) -> None:
        """Update the display."""
        ended = [end for _, end in self._ledger.ended]
        done, target = len(ended), self._plan.trials
        counts = f"{done}{f'/{target}' if target else ''} trials done · {len(self._running)} running"
        pruned = sum(end.status == "pruned" for end in ended)
        failed = sum(end.status not in SCORED for end in ended)
        counts += f" · {pruned} pruned" + (f" · {failed} failed or diverged" if failed else "")
        self._display.update(
            self._share(), f"{counts} · {_best_text(self._ledger, self._plan.objectives)} · {self._time_left()}"
        )

    def _scored_status(self, trial_id: str, result: dict[str, Any]) -> Status:
        if result.get(EPOCH, 0) >= self._plan.epochs:
            return "completed"
        return "pruned" if self._scheduler.stopped(trial_id) else "preempted"

    def _end(self, start: TrialStart, status: Status, detail: str) -> None:
        seconds = time.monotonic() - self._running.pop(start.number, ("", time.monotonic()))[1]
        setup = self._plan.setup
        end = trial_end(setup.folder(start.number), start.number, status, seconds, detail, setup.objectives)
        try:
            self._ledger.record_end(end)
        except OSError as error:
            self.storage_error = f"{error} ({self._ledger.path})"
            return
        if status != "preempted":
            shutil.rmtree(setup.folder(start.number) / "last", ignore_errors=True)
        self._search.tell(end)
        reached_values = {f"objective.{name}": value for name, value in end.values.items()}
        self._tracker.metrics(
            trial_key(start.number),
            end.epochs,
            {"best_score": end.score, "objective": end.objective, **reached_values},
        )
        self._tracker.end(
            trial_key(start.number), MLFLOW_STATUS.get(status, "FAILED"), {"status": status, "detail": detail}
        )
        self._epochs.pop(start.number, None)
        self.show()

    def _share(self) -> float:
        if self._plan.trials is None and self._deadline is not None:
            passed = time.monotonic() - self._began
            return min(1.0, passed / max(1.0, self._deadline() - self._began))
        running = sum(self._epochs.values()) / self._plan.epochs
        return min(1.0, (len(self._ledger.ended) + running) / (self._plan.trials or 1))

    def _time_left(self) -> str:
        passed, share = time.monotonic() - self._began, self._share()
        if self._deadline is not None:
            return f"{clock(self._deadline() - time.monotonic())} left"
        return f"about {clock(passed / share - passed)} left" if share > 0.05 else f"{clock(passed)} passed"


def trial_end(
    folder: Path, number: int, status: Status, seconds: float, detail: str, objectives: Objectives = SCORE_ALONE
) -> TrialEnd:
    """What the ledger keeps of a trial, from the evaluations in its folder."""
    history = read_history(folder)
    best = min(history, key=lambda evaluation: evaluation.score, default=None)
    medians = running_medians(history, objectives.leading)
    return TrialEnd(
        number=number,
        status=status,
        epochs=history[-1].epoch if history else 0,
        seconds=round(seconds, 3),
        score=best.score if best else None,
        score_error=best.score_error if best else None,
        objective=min(medians, default=None),
        best_epoch=best.epoch if best else None,
        components=best.components if best else {},
        history=[(evaluation.epoch, value) for evaluation, value in zip(history, medians, strict=True)],
        detail=detail,
        values=reached(history, objectives),
    )


def tracked_metrics(result: dict[str, Any]) -> dict[str, float | None]:
    """What MLflow shows against the epoch: scores, components, losses, speed; what is reported, at the end."""
    return {
        "score": result["score"],
        "median_score": result["median_score"],
        "score_error": result["score_error"],
        "showers_per_second": result["showers_per_second"],
        "generation_time": result["generation_time"],
        **{f"component.{name}": value for name, value in result["components"].items()},
        **{f"loss.{name}": value for name, value in result["losses"].items()},
        **{f"reported.{name}": value for name, value in result["reported"].items()},
    }


def best_trials(ledger: Ledger, number: int, objectives: Objectives) -> list[tuple[TrialStart, TrialEnd]]:
    """The trials with the lowest objective; with several, those of the Pareto set with the lowest score."""
    return (pareto_set(ledger, objectives) if objectives.several else in_order(ledger))[:number]


def _best_text(ledger: Ledger, objectives: Objectives) -> str:
    ranked = best_trials(ledger, len(ledger.trials), objectives)
    if not ranked:
        return "no score yet"
    if objectives.several:
        return f"Pareto set of {len(ranked)}"
    if objectives != SCORE_ALONE:
        return f"lowest {objectives.text} {ranked[0][1].objective:.4g} (trial {ranked[0][1].number})"
    best = min((end for _, end in ranked), key=lambda end: end.score or 0.0)
    return f"best {best.score:.3f} ± {best.score_error or 0:.3f} (trial {best.number})"
