"""What grows with the number of recorded trials: the ledger, the sampler's and the pruner's work, the driver's memory.

Trials of the ATLAS WGAN-GP's whole space are recorded with made-up scores, as a long search leaves them; a search that
goes on is then asked for the next trials.

    python benchmarks/search_scale.py --trials 100 1000 10000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import optuna
import psutil
from recording import record as record_number

from search.engine.checkpoint_budget import size
from search.engine.ledger import Ledger, TrialEnd, TrialStart
from search.engine.objectives import SCORE_ALONE
from search.engine.pareto import in_order
from search.engine.sampler import Budget, LedgerSearch
from search.engine.scheduler import MedianHalving
from search.spaces import SPACES
from search.studies import STUDIES

SPACE = SPACES["atlas-gan"]
EVALUATIONS, EPOCHS = 39, 975
STUDY = STUDIES["atlas-gan"]
SUGGESTIONS = 20
FIRST_RUNG = round(EPOCHS * STUDY.first_rung)
PRUNED = 0.6  # share of trials that end at the first rung

Result = TypeVar("Result")


def record(path: Path, trials: int) -> None:
    """A ledger as a search leaves it. It is written at once, without a sync to disk for each line."""
    random = Random(1)  # noqa: S311 -- no secret
    suggestions = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    ledger = Ledger(path)
    ledger._append = partial(_write, path)  # type: ignore[method-assign]
    for number in range(trials):
        config = SPACE.suggest(suggestions.ask())
        score = random.lognormvariate(0.5, 0.8)
        evaluations = round(EVALUATIONS * STUDY.first_rung) if random.random() < PRUNED else EVALUATIONS
        every = EPOCHS // EVALUATIONS
        history = [(every * (i + 1), score * (1 + 3 / (i + 1))) for i in range(evaluations)]
        ledger.record_start(TrialStart(number, config, random.getrandbits(63)))
        status = "completed" if evaluations == EVALUATIONS else "pruned"
        last, median_score = history[-1]
        components = dict.fromkeys(("bmre", "response", "wasserstein", "correlation"), score)
        ledger.record_end(
            TrialEnd(number, status, last, 60.0, score, 0.02, median_score, last, components, history)  # type: ignore[arg-type]
        )


def _write(path: Path, line: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of CPU time of this thread, and the result."""
    start = time.thread_time()
    result = work()
    return time.thread_time() - start, result


def main() -> None:
    """Print a table, a row for each number of trials."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    given = flags.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("trials   ledger    read   sampler: rebuild   suggest   pruner: rebuild   order   memory")
    for trials in given.trials:
        with TemporaryDirectory() as folder:
            print(row(Path(folder) / "ledger.jsonl", trials), flush=True)


def row(path: Path, trials: int) -> str:
    """What a search with so many recorded trials costs its driver."""
    record(path, trials)
    before = psutil.Process().memory_info().rss
    read, ledger = timed(lambda: Ledger(path))
    budget = Budget(None)
    rebuild, search = timed(lambda: LedgerSearch(SPACE, ledger, budget, "tpe", 1, SCORE_ALONE))
    suggest = median(timed(partial(search.suggest, f"t{number}"))[0] for number in range(SUGGESTIONS))
    ends = [end for _, end in ledger.ended]
    pruner, _ = timed(lambda: MedianHalving(EPOCHS, FIRST_RUNG, STUDY.reduction_factor, ends))
    order, _ = timed(lambda: in_order(ledger))
    memory = psutil.Process().memory_info().rss - before
    record_number(f"a suggestion after {trials} trials", 1000 * suggest, "ms")
    record_number(f"sampler rebuilt after {trials} trials", rebuild, "s")
    return (
        f"{trials:6d}  {size(path.stat().st_size):>7s}  {read:5.2f} s        {rebuild:7.2f} s  {1000 * suggest:5.0f} ms"
        f"        {pruner:7.2f} s  {1000 * order:3.0f} ms   {size(max(0, memory))}"
    )


if __name__ == "__main__":
    main()
