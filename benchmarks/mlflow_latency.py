"""What MLflow takes for each record of a search, as the number of recorded trials grows.

Trials are recorded as a search records them: a run starts with its configuration, reports its evaluations, ends.
Each record is delivered before the next one is written.

    python benchmarks/mlflow_latency.py --trials 10000
    python benchmarks/mlflow_latency.py --trials 1000 --tracking-uri http://127.0.0.1:5000
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import optuna
from recording import record as record_number
from rich.progress import track

from search.engine.tracking import Delivery, Tracker
from search.spaces import SPACES

SPACE = SPACES["atlas-gan"]
SCORES = ("score", "bmre", "response", "wasserstein", "correlation")
EVALUATIONS = 4
WINDOW = 100  # trials that a row looks at


class Timed:
    """Writes records and delivers each at once; keeps the seconds that this took, by kind of record."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.writer = Tracker(folder / "tracking", "", "latency")  # without an address: nothing is sent behind our back
        self._delivery = Delivery(folder / "tracking", uri)
        self.seconds: dict[str, list[float]] = {"start": [], "evaluation": [], "end": []}

    def deliver(self, kind: str) -> None:
        """Send what was just written."""
        start = time.perf_counter()
        self._delivery.run()
        self.seconds[kind].append(time.perf_counter() - start)
        if self._delivery.refused:
            raise RuntimeError(f"MLflow refused a record: {self._delivery.refused[0]}")

    def row(self, trials: int) -> str:
        """The medians of the last trials."""
        start, evaluation, end = (median(self.seconds[kind][-WINDOW:]) for kind in ("start", "evaluation", "end"))
        whole = start + EVALUATIONS * evaluation + end
        record_number(f"records of a trial after {trials} trials", 1000 * whole, "ms")
        return f"{trials:6d}  {1000 * start:8.1f}  {1000 * evaluation:10.1f}  {1000 * end:6.1f}  {1 / whole:14.1f}"


def main() -> None:
    """Print the median milliseconds of each kind of record, at growing numbers of trials."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("--trials", type=int, default=1000)
    flags.add_argument("--tracking-uri", help="default: SQLite in a temporary folder")
    given = flags.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = {WINDOW, 1000, 3000, 10_000, given.trials}
    with TemporaryDirectory() as folder:
        timed = Timed(Path(folder) / "001", given.tracking_uri or f"sqlite:///{folder}/mlflow.db")
        timed.writer.start("study", "latency", {}, {})
        timed.deliver("start")
        print("trials     start  evaluation     end  trials a second (milliseconds a record, medians)")
        for number in track(range(1, given.trials + 1), "recording", transient=True):
            record(timed, number)
            if number in rows:
                print(timed.row(number), flush=True)


def record(timed: Timed, number: int) -> None:
    """A trial, from its start to its end."""
    key = f"t{number:06d}"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    timed.writer.start(key, key, SPACE.suggest(study.ask()), {"arena.kind": "trial"}, "study")
    timed.deliver("start")
    for step in range(1, EVALUATIONS + 1):
        timed.writer.metrics(key, step, dict.fromkeys(SCORES, 1.0 / step))
        timed.deliver("evaluation")
    timed.writer.end(key, "FINISHED", {"arena.status": "completed"})
    timed.deliver("end")


if __name__ == "__main__":
    main()
