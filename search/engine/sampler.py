"""Which configuration is tried next: Optuna through Ray Tune's OptunaSearch, fed from the ledger."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import gcd, inf
from random import Random
from typing import Any, cast

import optuna
from optuna.trial import TrialState, create_trial
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from search.engine.ledger import Ledger, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE, Objectives
from search.engine.study import SamplerName, StudyError, derive_seed
from search.spaces import Space

OBJECTIVE = "objective"
ANYWHERE = 3  # one trial in so many is drawn at random, whatever was learned


@dataclass(frozen=True)
class Budget:
    """When no further trial is proposed: after so many trials, or past a time (``time.monotonic``)."""

    trials: int | None
    propose_until: float | None = None

    def allows(self, started: int) -> bool:
        if self.trials is not None and started >= self.trials:
            return False
        return self.propose_until is None or time.monotonic() < self.propose_until


@dataclass(frozen=True)
class Alike:
    """So many trials in a row are one group: what is not ``own`` they take over from the first of them."""

    size: int
    own: tuple[str, ...]


class LedgerSearch(OptunaSearch):
    """OptunaSearch whose memory is the ledger.

    Trial 0 is the space's default (the paper's optimum), and ``first_trials`` follow it. Trials that an
    interrupted search left behind come next, then what Optuna proposes, or the next point of the paper's
    grid.

    TPE begins when there are more trials than hyperparameters, and every third one is still drawn at random, as
    in BOHB (arXiv:1807.01774): what learns fast at first is not always what ends best.

    Optuna is told of a stopped trial what it had reached, which is no better than what it would have come to.
    As pruned it would be worse than every completed one, also than a first trial that nothing could stop. A
    diverged one is told as pruned without a value, so that it counts as worst, a failed one as failed.

    No more trials are alive at a time than there are places; these may change while the search runs.

    With several objectives Optuna is told the value of each of them, and TPE ranks trials by domination. It learns more
    from the dozens of trials of a search than evolution does (NSGA-II), which draws its first 50 at random.
    """

    def __init__(
        self,
        space: Space,
        ledger: Ledger,
        budget: Budget,
        sampler: SamplerName,
        seed: int,
        objectives: Objectives = SCORE_ALONE,
        places: Callable[[], float] = lambda: inf,
        alike: Alike | None = None,
        first_trials: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._first_trials = first_trials
        self._alike = alike
        self._hyperparameters = space
        self._places = places
        self._alive: set[str] = set()
        self._ledger = ledger
        self._budget = budget
        self._study_seed = seed
        self._objectives = objectives
        self._unfinished = [start for start in ledger.unfinished if budget.allows(start.number)]
        self._starts: dict[str, TrialStart] = {}
        self._running: dict[int, optuna.Trial] = {}
        self._learns = sampler == "tpe"
        self._startup = startup_trials(space)
        self.finished = False
        grid = grid_order(space, seed) if sampler == "grid" else None
        self._grid = None if grid is None else islice(grid, max(ledger.next_number - 1 - len(first_trials), 0), None)
        super().__init__(
            space=partial(_suggest, space),
            metric=list(objectives.names) if objectives.several else OBJECTIVE,
            mode=["min"] * len(objectives.names) if objectives.several else "min",
            sampler=_optuna_sampler(sampler, seed, ledger, self._startup),
        )
        for start, end in ledger.ended:
            if end.status != "preempted":
                self.optuna_study.add_trial(frozen_trial(space, start.config, _as_told(end), objectives))

    @property
    def optuna_study(self) -> optuna.Study:
        return cast(optuna.Study, self._ot_study)  # made where a space is given

    def start_of(self, trial_id: str) -> TrialStart:
        """The trial that Ray Tune runs under this identifier."""
        return self._starts[trial_id]

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Configuration, number and seed of the next trial.

        FINISHED when the budget is spent, None while no place is free.
        """
        if len(self._alive) >= self._places():
            return None
        start = self._unfinished.pop(0) if self._unfinished else self._propose()
        if start is None:
            self.finished = True
            return cast(dict[str, Any], Searcher.FINISHED)  # a word, where Ray's signature knows configurations only
        self._starts[trial_id] = start
        self._alive.add(trial_id)
        self._ledger.record_start(start)
        return {"number": start.number, "seed": start.seed, "hyperparameters": start.config}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Running medians reach Optuna when the trial ends, all together."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A place is free. The ledger, and not Ray Tune's last result, says how the trial ended: see ``tell``."""
        self._alive.discard(trial_id)

    def tell(self, end: TrialEnd) -> None:
        """Let Optuna learn from a trial that ended."""
        trial = self._running.pop(end.number, None)
        if end.status == "preempted":
            return  # it goes on when the search is resumed
        end = _as_told(end)
        start = self._ledger[end.number].start
        if trial is None:
            self.optuna_study.add_trial(frozen_trial(self._hyperparameters, start.config, end, self._objectives))
            return
        for epoch, median in _reported(end, self._objectives).items():
            trial.report(median, epoch)
        self.optuna_study.tell(trial, optuna_values(end, self._objectives), state=optuna_state(end))

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray Tune pickles its searcher; nothing of it is read back

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger is the memory."""

    def _propose(self) -> TrialStart | None:
        number = self._ledger.next_number
        if not self._budget.allows(number):
            return None
        config = self._config(number)
        return None if config is None else TrialStart(number, config, derive_seed(self._study_seed, "trial", number))

    def _config(self, number: int) -> dict[str, Any] | None:
        if number == 0:
            return self._hyperparameters.default
        if number <= len(self._first_trials):
            return dict(self._first_trials[number - 1])
        if self._grid is not None:
            return next(self._grid, None)
        shared = self._shared(number)
        if shared:
            self.optuna_study.enqueue_trial(shared)
        with self._sampler_of(number):
            self._running[number] = self.optuna_study.ask()
            return self._hyperparameters.suggest(self._running[number])

    @contextmanager
    def _sampler_of(self, number: int) -> Iterator[None]:
        """Optuna's sampler, or random draws for some of the trials that would learn from others."""
        study = self.optuna_study
        sampler = study.sampler
        if self._learns and number > self._startup and number % ANYWHERE == 0:
            study.sampler = _random_sampler(derive_seed(self._study_seed, "anywhere", number))
        try:
            yield
        finally:
            study.sampler = sampler

    def _shared(self, number: int) -> dict[str, Any]:
        """What a trial takes over from the first of its group, by Optuna's names."""
        if self._alike is None or number % self._alike.size == 0:
            return {}
        space, first = self._hyperparameters, self._ledger[number - number % self._alike.size].start.config
        shared = [parameter.name for parameter in space.parameters if parameter.name not in self._alike.own]
        branches = space.active_branches(first)
        return {space[name].optuna_name(branches[name]): first[name] for name in shared if name in branches}


def grid_order(space: Space, seed: int) -> Iterator[dict[str, Any]]:
    """The paper's grid, but for the default, in a random order without repetition.

    The order is that of a linear congruence with a step that has no factor in common with the
    size, because listing billions of points to shuffle them is out of the question.

    Raises: StudyError if the grid is empty.
    """
    size, random = space.grid_size, Random(seed)  # noqa: S311 -- an order of points, not a secret
    if size == 0:
        raise StudyError("none of the paper's grid lies within the limits of this search: use --sampler random")
    first = random.randrange(size)
    step = next(s for s in iter(lambda: random.randrange(1, size + 1), 0) if gcd(s, size) == 1)
    points = (space.grid_point((first + index * step) % size) for index in range(size))
    return (point for point in points if point != space.default)


def _as_told(end: TrialEnd) -> TrialEnd:
    return replace(end, status="completed") if end.status == "pruned" else end


def optuna_state(end: TrialEnd) -> TrialState:
    """The state under which Optuna learns of a trial."""
    if end.status == "completed":
        return TrialState.COMPLETE
    return TrialState.PRUNED if end.status in ("pruned", "diverged") else TrialState.FAIL


def optuna_values(end: TrialEnd, objectives: Objectives) -> list[float] | None:
    """What Optuna learns that a trial reached; nothing unless it was completed."""
    if optuna_state(end) is not TrialState.COMPLETE:
        return None
    if objectives.several:
        return [end.values[name] for name in objectives.names]
    assert end.objective is not None, "a completed trial was evaluated"
    return [end.objective]


def _reported(end: TrialEnd, objectives: Objectives) -> dict[int, float]:
    """Running medians by epoch; Optuna takes none where there are several objectives."""
    return {} if objectives.several else dict(end.history)


def _suggest(space: Space, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    return space.suggest(trial)


def startup_trials(space: Space) -> int:
    """Trials without which TPE learns nothing: more than there are hyperparameters (BOHB, section 3.2)."""
    return len(space.varied) + 1


def _random_sampler(seed: int) -> optuna.samplers.RandomSampler:
    return optuna.samplers.RandomSampler(seed=seed % 2**32)


def _optuna_sampler(name: SamplerName, seed: int, ledger: Ledger, startup: int) -> optuna.samplers.BaseSampler:
    # A resumed search must not draw the same random numbers again.
    sampler_seed = derive_seed(seed, "sampler", ledger.next_number)
    if name != "tpe":
        return _random_sampler(sampler_seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # group: for conditional spaces
        return optuna.samplers.TPESampler(
            seed=sampler_seed % 2**32, multivariate=True, group=True, constant_liar=True, n_startup_trials=startup
        )


def frozen_trial(
    space: Space,
    config: dict[str, Any],
    end: TrialEnd,
    objectives: Objectives,
    user_attrs: dict[str, Any] | None = None,
) -> optuna.trial.FrozenTrial:
    """An ended trial as Optuna knows it: its state, what was active of its configuration, its running medians."""
    active = space.optuna_parameters(config)
    return create_trial(
        state=optuna_state(end),
        values=optuna_values(end, objectives),
        params={name: value for name, (value, _) in active.items()},
        distributions={name: distribution for name, (_, distribution) in active.items()},
        intermediate_values=_reported(end, objectives),
        user_attrs=user_attrs,
    )
