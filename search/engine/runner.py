"""Runs the trials of a plan on Ray Tune and writes each end into the ledger."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import ray
from joblib import cpu_count
from ray import tune
from rich.console import Console

from models.groups import GROUPINGS
from search.engine.attempts import MOST_ATTEMPTS, read_attempts
from search.engine.checkpoint_budget import CheckpointBudget
from search.engine.group_member import Groups
from search.engine.interruption import Interruption
from search.engine.ledger import SCORED, Ledger, Status, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE, Objectives
from search.engine.pareto import in_order, pareto_set, trial_key
from search.engine.plan import Plan
from search.engine.progress import Display, clock
from search.engine.resources import Places, request_for
from search.engine.sampler import Alike, Budget, LedgerSearch
from search.engine.scheduler import EPOCH, MedianHalving
from search.engine.study import StudyError
from search.engine.tracking import Tracker
from search.engine.trial import TrialTrainable, reached, read_history, running_medians

RETRIES_WITHOUT_LIMIT = -1  # how often is decided here: see attempts.py and on_trial_recover
FAILURES_AT_FIRST = 5  # trials that fail before any reached a score: it is not their hyperparameters
SHOW_EVERY = 0.5
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
    # How many trials there are is decided by the places; none of them waits for the one before it to start.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
}
LOCAL = "local"
MLFLOW_STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "diverged": "FAILED", "preempted": "KILLED"}


def cluster_address(given: str | None) -> str:
    """Where Ray is: as given, of the environment, or one of this process."""
    return given or os.environ.get("RAY_ADDRESS") or LOCAL


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """A Ray cluster: the one at ``address`` or of the environment, or a private one on this machine."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for chatty in ("ray", "ray.tune"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # A lost worker is part of the display, and no reason for pages of traceback.
    logging.getLogger("ray.tune.execution").setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = cluster_address(address)
    if address == LOCAL:
        _start_own_ray()
    else:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    listen_to_ctrl_c()
    try:
        yield
    finally:
        ray.shutdown()


def _start_own_ray() -> None:
    """A Ray of this process, with the CPUs that it may use, and for this process alone.

    On Linux some of Ray's servers listen to all networks, whatever they are told: the token in ~/.ray, which Ray makes
    where there is none, keeps others out. An address of the loopback network keeps a laptop's search alive when the
    network changes.
    """
    ray.init(
        address=LOCAL,
        num_cpus=cpu_count(),  # of a batch job's share, where Ray counts those of the machine
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address="127.0.0.2" if sys.platform == "linux" else None,
    )
    with suppress(FileNotFoundError):  # it is elsewhere, if RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH says so
        (Path.home() / ".ray" / "auth_token").chmod(0o600)


def listen_to_ctrl_c() -> None:
    """Raise KeyboardInterrupt on SIGINT.

    Ray Tune leaves its own handler behind, which swallows the first one; and a shell starts what runs in the
    background with SIGINT ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run_trials(
    plan: Plan,
    ledger: Ledger,
    tracker: Tracker,
    console: Console,
    places: Places,
    checkpoints: CheckpointBudget,
    interruption: Interruption,
    deadline: Callable[[], float] | None,
) -> bool:
    """Run trials until the budget is spent.

    Args:
        places: How many run at a time.
        checkpoints: What the checkpoints of ended trials may take.
        interruption: Where this search must be stopped in a hurry, it records what was running.
        deadline: Time (``time.monotonic``) at which running trials are stopped; asked again and again.
    Returns: False if the user interrupted the search.
    Raises: StudyError if it had to stop, for instance because results could not be written; what was recorded stays.
    """
    budget = Budget(plan.trials, None if deadline is None else deadline())
    groups = _groups(plan, ledger)
    alike = None if groups is None else Alike(plan.options.group_size, GROUPINGS[plan.study.model].own)
    search = LedgerSearch(
        plan.space, ledger, budget, plan.sampler, plan.seed, plan.objectives, places, alike, plan.first_trials
    )
    scheduler = MedianHalving(
        plan.epochs,
        plan.first_rung,
        plan.study.reduction_factor,
        [end for _, end in ledger.ended if end.status != "preempted"],
    )
    with Display(console, "search") as display:
        observer = SearchObserver(plan, ledger, search, scheduler, tracker, display, checkpoints, groups, deadline)
        observer.show()
        interruption.last_words.append(observer.record_interrupted)
        tune.Tuner(
            tune.with_resources(tune.with_parameters(TrialTrainable, setup=plan.setup), _resources(plan)),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=scheduler,
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=f"run-{int(time.time() * 1000)}",
                storage_path=str((plan.folder / "ray").resolve()),
                callbacks=[observer],
                stop=observer.stopper,
                failure_config=tune.FailureConfig(max_failures=RETRIES_WITHOUT_LIMIT),
                verbose=0,
            ),
        ).fit()
        listen_to_ctrl_c()
        observer.record_interrupted()
        observer.show(now=True)
        interruption.last_words.remove(observer.record_interrupted)
    if observer.stopped_because:
        raise StudyError(
            f"stopped, because {observer.stopped_because}. "
            f"Nothing that was recorded is lost: mend that, then go on with --resume {plan.folder}"
        )
    return not observer.interrupted


def _groups(plan: Plan, ledger: Ledger) -> Groups | None:
    """The groups that trials are trained in, if they are."""
    if plan.options.group_size == 1:
        return None
    last = None if plan.trials is None else plan.trials - 1
    return Groups(
        plan.request,
        plan.study.model,
        plan.session,
        last,
        lambda: [start.number for start, end in ledger.ended if end.status != "preempted"],
    )


def _resources(plan: Plan) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory] | tune.PlacementGroupFactory:
    """What each trial asks Ray for; the same for all, unless the study says that some take more."""
    if not plan.study.more_gpus:
        return tune.PlacementGroupFactory(plan.request.bundles, strategy="PACK")
    request, more = plan.request, plan.study.more_gpus  # Ray Tune pickles the function: it must not hold the plan
    return lambda config: tune.PlacementGroupFactory(
        request_for(request, more, config["hyperparameters"]).bundles, strategy="PACK"
    )


def _trial_name(trial: Any) -> str:
    """Ray Tune pickles this with every trial, so it must not hold on to anything (a plan holds the dataset)."""
    return f"trial-{trial.trial_id}"


class _Deadline(tune.Stopper):
    """Ends everything at the deadline, or when going on makes no sense."""

    def __init__(self, observer: SearchObserver) -> None:
        self._observer = observer

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray Tune pickles what it is given; nothing of it is read back

    def stop_all(self) -> bool:
        return bool(self._observer.stopped_because) or self._observer.past_deadline


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
        checkpoints: CheckpointBudget,
        groups: Groups | None,
        deadline: Callable[[], float] | None,
    ) -> None:
        self._groups = groups
        self._plan, self._ledger, self._search, self._scheduler = plan, ledger, search, scheduler
        self._tracker, self._display, self._deadline = tracker, display, deadline
        self._checkpoints = checkpoints
        self._ending = threading.RLock()  # an interruption in a hurry comes from another thread
        self._workers_lost: Counter[int] = Counter()
        self._shown = 0.0
        self._began = time.monotonic()
        self._running: dict[int, tuple[str, float]] = {}
        self._epochs: dict[int, int] = {}
        self.stopped_because = ""
        self.interrupted = False
        self.stopper = _Deadline(self)

    @property
    def past_deadline(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # as above: the ledger is the memory

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        start = self._search.start_of(trial.trial_id)
        if self._groups is not None:
            self._groups.begin(start.number)
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
        if "storage_error" in result:
            self._stop_for(f"results could not be written: {result['storage_error']}")
            return  # left unfinished: it goes on when there is room again
        status: Status = result.get("status") or self._scored_status(trial.trial_id, result)
        self._end(start, status, result.get("detail", ""))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = self._search.start_of(trial.trial_id).number
        self._workers_lost[number] += 1
        begun = len(read_attempts(self._plan.setup.folder(number), self._plan.session))
        if self._workers_lost[number] - begun >= MOST_ATTEMPTS:
            self._stop_for(f"workers end before they begin trial {number}: {_last_line(trial)}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(self._search.start_of(trial.trial_id), "failed", _last_line(trial))

    def record_interrupted(self) -> None:
        """Trials that were running when the search stopped: they can go on later."""
        self.interrupted = not self.past_deadline and (bool(self._running) or not self._search.finished)
        for number, (trial_id, _) in list(self._running.items()):
            start = self._search.start_of(trial_id)
            if start.number == number and not self.stopped_because:
                self._end(start, "preempted", "stopped with the search; goes on with --resume")

    def show(self, *, now: bool = False) -> None:
        """Update the display, if the last time is a while ago or ``now`` says so."""
        if not now and time.monotonic() - self._shown < SHOW_EVERY:
            return
        self._shown = time.monotonic()
        ended = [end for _, end in self._ledger.ended]
        done, target = len(ended), self._plan.trials
        counts = f"{done}{f'/{target}' if target else ''} trials done · {len(self._running)} running"
        pruned = sum(end.status == "pruned" for end in ended)
        failed = sum(end.status not in SCORED for end in ended)
        counts += f" · {pruned} pruned" + (f" · {failed} failed or diverged" if failed else "")
        lost = self._workers_lost.total()
        counts += f" · {lost} lost workers replaced" if lost else ""
        self._display.update(
            self._share(), f"{counts} · {_best_text(self._ledger, self._plan.objectives)} · {self._time_left()}"
        )

    def _scored_status(self, trial_id: str, result: dict[str, Any]) -> Status:
        if result.get(EPOCH, 0) >= self._plan.epochs:
            return "completed"
        return "pruned" if self._scheduler.stopped(trial_id) else "preempted"

    def _stop_for(self, reason: str) -> None:
        self.stopped_because = self.stopped_because or reason

    def _end(self, start: TrialStart, status: Status, detail: str) -> None:
        with self._ending:
            if start.number in self._running:
                self._record_end(start, status, detail)

    def _record_end(self, start: TrialStart, status: Status, detail: str) -> None:
        seconds = time.monotonic() - self._running.pop(start.number, ("", time.monotonic()))[1]
        setup = self._plan.setup
        end = trial_end(setup.folder(start.number), start.number, status, seconds, detail, setup.objectives)
        try:
            self._ledger.record_end(end)
        except OSError as error:
            self._stop_for(f"results could not be written: {error} ({self._ledger.path})")
            return
        if status != "preempted":
            shutil.rmtree(setup.folder(start.number) / "last", ignore_errors=True)
        self._search.tell(end)
        if self._groups is not None:
            self._groups.end(start.number)
        for evaluation in read_history(setup.folder(start.number)):  # the search may have died before it heard of one
            result = {**asdict(evaluation), "reported": {}}
            self._tracker.metrics(trial_key(start.number), evaluation.epoch, tracked_metrics(result))
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
        self._checkpoints.enforce(self._ledger)
        self._check_failures()
        self.show()

    def _check_failures(self) -> None:
        ends = [end for _, end in self._ledger.ended]
        if len(ends) >= FAILURES_AT_FIRST and all(end.status == "failed" for end in ends):
            self._stop_for(f"the first {len(ends)} trials all failed, the last with: {ends[-1].detail}")

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


def _last_line(trial: Any) -> str:
    """Of a trial's error."""
    return str(trial.get_error() or "the worker was lost").strip().splitlines()[-1][:1000]


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
