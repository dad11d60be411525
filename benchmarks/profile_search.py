"""Where the time of a trial, or of a whole search, goes.

    python benchmarks/profile_search.py trial atlas-gan --epochs 50
    python benchmarks/profile_search.py trial clic-3dgan --epochs 6
    python benchmarks/profile_search.py search atlas-gan -- --trials 6 --epochs 100 --seeds 2

Of a trial: CPU time of its parts, one thread, and with ``--functions 15`` the functions in which most of it passes
(cProfile). Of a search: wall time of its steps in the process that leads it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from recording import record

from search.engine.plan import Options, make_plan
from search.engine.study import Study
from search.engine.trial import TrialRun
from search.studies import STUDIES

REST = "everything else"
SMALLEST_SHARE = 1e-3  # that is worth a row of the page
STEPS = {
    "ray_session": "start of Ray, and its end",
    "with_base": "model to build on",
    "_measure": "what a trial takes",
    "run_trials": "trials",
    "shortlist": "best trials with fresh noise",
    "train_and_judge": "final trainings, judging on test",
    "write_study": "record of the search",
    "board_pages": "pages",
    "pictures": "pictures for MLflow",
}


class Clock:
    """Time by part; a part within another one counts for itself."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._open = now, [REST]
        self.seconds = {REST: 0.0}
        self._last = now()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside for this part."""
        self._count()
        self._open.append(name)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted."""

        @wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return function(*arguments, **named)

        return counted

    def stop(self) -> dict[str, float]:
        """Seconds of each part, the largest first."""
        self._count()
        return dict(sorted(self.seconds.items(), key=lambda item: -item[1]))

    def _count(self) -> None:
        now = self._now()
        self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._last
        self._last = now


def main() -> None:
    """Profile, and print a table."""
    arguments, given_to_search = sys.argv[1:], []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, given_to_search = arguments[:place], arguments[place + 1 :]
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("what", choices=("trial", "search"))
    flags.add_argument("study", choices=sorted(STUDIES))
    flags.add_argument("--epochs", type=int, default=50, help="of a trial")
    flags.add_argument("--functions", type=int, default=0, help="of a trial: also so many functions")
    given = flags.parse_args(arguments)
    study = STUDIES[given.study]
    with TemporaryDirectory() as folder:
        if given.what == "trial":
            found = _trial(study, given.epochs, given.functions, Path(folder))
        else:
            found = _search(study, given_to_search, Path(folder))
    whole = sum(found.values())
    for name, seconds in found.items():
        print(f"{name:45} {seconds:9.2f} s {100 * seconds / whole:6.1f} %")
        if seconds > SMALLEST_SHARE * whole:
            record(f"{given.what} of {study.name}: {name}", 100 * seconds / whole, "%", better="neither")
    print(f"{'all':45} {whole:9.2f} s")


def _trial(study: Study, epochs: int, functions: int, folder: Path) -> dict[str, float]:
    torch.set_num_threads(1)
    plan = make_plan(study, Options(epochs=epochs), folder, folder / "001", None)
    clock = Clock(time.process_time)
    with clock.part("building the model, reading data"):
        run = TrialRun(plan.setup, 0, plan.space.default, plan.seed)
    model, judge = run.model, run.judge
    model.train_epoch = clock.timed("training", model.train_epoch)  # type: ignore[method-assign]
    model.generate = clock.timed("generating for validation", model.generate)  # type: ignore[method-assign]
    model.save = clock.timed("checkpoints", model.save)  # type: ignore[method-assign]
    judge.judge = clock.timed("judging", judge.judge)  # type: ignore[method-assign]
    profiler = cProfile.Profile()
    if functions:
        profiler.enable()
    while not run.finished:
        run.advance()
    profiler.disable()
    if functions:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(functions)
    return clock.stop()


def _search(study: Study, flags: list[str], folder: Path) -> dict[str, float]:
    from search.engine import cli, session

    clock = Clock(time.perf_counter)
    for name, title in STEPS.items():
        step = getattr(session, name)
        counted = _entered(clock, title, step) if name == "ray_session" else clock.timed(title, step)
        setattr(session, name, counted)
    cli.main(study, [*flags, "--output", str(folder)])
    return clock.stop()


def _entered(clock: Clock, title: str, session: Callable[..., Any]) -> Callable[..., Any]:
    """A context whose beginning and end are counted, and not what happens in it."""

    @contextmanager
    def counted(*arguments: Any) -> Iterator[None]:
        context = session(*arguments)
        with clock.part(title):
            context.__enter__()
        try:
            yield
        finally:
            with clock.part(title):
                context.__exit__(*sys.exc_info())

    return counted


if __name__ == "__main__":
    main()
