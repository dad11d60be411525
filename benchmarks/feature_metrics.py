"""CPU time of FPD, KPD, precision and its kin, and the Wasserstein distance, on one thread.

Beside them, in the same run and in turns: FPD and KPD of JetNet, if it is installed (it is no part of the project:
``pip install jetnet==0.2.5``), and the one-dimensional distances of POT and scipy. The two samples are equal normal
ones, so that a perfect FPD and KPD is 0.

    OMP_NUM_THREADS=1 python benchmarks/feature_metrics.py --events 10000 --features 50 --output feature_metrics.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import ot
from numpy.typing import NDArray
from scipy import stats

from metrics.bootstrap import bootstrap_weights
from metrics.discrepancies.wasserstein import wasserstein_1d
from metrics.whole_sample.frechet import frechet_physics_distance
from metrics.whole_sample.kernel import kernel_physics_distance
from metrics.whole_sample.neighbours import coverage, density, neighbour_outcome, precision, recall

Values = NDArray[np.float64]
REPLICAS = 10


@dataclass
class Timing:
    """Median CPU time [ms] of one call, and what it returned first."""

    quantity: str
    code: str
    milliseconds: float
    value: float


Contestants = dict[tuple[str, str], Callable[[], float]]


def feature_contestants(real: Values, generated: Values) -> Contestants:
    """FPD, KPD and the neighbours of two samples of shape (N, F)."""
    contestants: Contestants = {
        ("FPD", "ours"): lambda: frechet_physics_distance(real, generated, seed=0).value,
        ("KPD", "ours"): lambda: kernel_physics_distance(real, generated, seed=0).value,
    }
    if find_spec("jetnet"):
        evaluation = import_module("jetnet.evaluation")
        code = f"jetnet {version('jetnet')}"
        contestants["FPD", code] = lambda: float(evaluation.fpd(real, generated)[0])
        contestants["KPD", code] = lambda: float(evaluation.kpd(real, generated)[0])
    for quantity in (precision, recall, density, coverage):
        contestants[quantity.__name__, "ours"] = partial(_neighbours, quantity, real, generated)
    return contestants


def _neighbours(quantity: Callable[[Values, Values, int], float], real: Values, generated: Values) -> float:
    return neighbour_outcome(quantity, real, generated, seed=0).value


def wasserstein_contestants(r: Values, g: Values) -> Contestants:
    """The distance of two samples of shape (N,), and the last of ten with weights, as the bootstrap needs them."""
    num, pot = len(r), f"POT {version('pot')}"
    ones, weights = np.ones((1, num)), bootstrap_weights(num, REPLICAS, (0,))
    replicas = f"W1, {REPLICAS} replicas"
    return {
        ("W1", "ours"): lambda: float(wasserstein_1d(r, g, ones)[0]),
        ("W1", f"{pot}, wasserstein_1d"): lambda: float(ot.wasserstein_1d(r, g)),
        ("W1", f"{pot}, emd2_1d"): lambda: float(ot.emd2_1d(r, g, metric="euclidean")),
        ("W1", f"scipy {version('scipy')}"): lambda: float(stats.wasserstein_distance(r, g)),
        (replicas, "ours"): lambda: float(wasserstein_1d(r, g, weights)[-1]),
        (replicas, f"{pot}, wasserstein_1d"): lambda: [float(ot.wasserstein_1d(r, g, w, w)) for w in weights / num][-1],
        (replicas, f"{pot}, emd2_1d"): lambda: [
            float(ot.emd2_1d(r, g, w, w, metric="euclidean")) for w in weights / num
        ][-1],
        (replicas, f"scipy {version('scipy')}"): lambda: [
            float(stats.wasserstein_distance(r, g, w, w)) for w in weights
        ][-1],
    }


def measure(contestants: Contestants, repeats: int) -> list[Timing]:
    """All of them once to warm up, then in turns."""
    values = {name: function() for name, function in contestants.items()}
    spent: dict[tuple[str, str], list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, function in contestants.items():
            start = time.process_time()
            function()
            spent[name].append(1e3 * (time.process_time() - start))
    return [Timing(*name, median(times), values[name]) for name, times in spent.items()]


def report(timings: list[Timing]) -> None:
    ours = {timing.quantity: timing.milliseconds for timing in timings if timing.code == "ours"}
    print(f"{'':18s}{'':28s}{'CPU ms':>10s}{'times ours':>12s}{'value':>14s}")
    for timing in sorted(timings, key=lambda timing: list(ours).index(timing.quantity)):
        ratio = timing.milliseconds / ours[timing.quantity]
        print(
            f"{timing.quantity:18s}{timing.code:28s}{timing.milliseconds:10.2f}{ratio:12.1f}{timing.value:14.6f}",
        )


def record(timings: list[Timing], arguments: argparse.Namespace) -> dict[str, Any]:
    sizes = {name: getattr(arguments, name) for name in ("events", "features", "values", "repeats")}
    return {**sizes, "timings": [asdict(timing) for timing in timings]}


def main() -> None:
    """Measure, print a table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description="CPU time of metrics on features, on one thread.")
    parser.add_argument("--events", type=int, default=10_000, help="events of each sample (default: 10000)")
    parser.add_argument("--features", type=int, default=50, help="features of an event (default: 50)")
    parser.add_argument("--values", type=int, default=100_000, help="values of W1 (default: 100000)")
    parser.add_argument("--repeats", type=int, default=3, help="calls timed of each (default: 3)")
    parser.add_argument("--output", type=Path, help="JSON file for the table")
    arguments = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: CPU times of one thread and of several are not comparable")
    warnings.simplefilter("ignore")  # JetNet recommends 50 000 events
    rng = np.random.default_rng(0)
    shape = (2, arguments.events, arguments.features)
    timings = measure(feature_contestants(*rng.normal(size=shape)), arguments.repeats)
    timings += measure(wasserstein_contestants(*rng.normal(size=(2, arguments.values))), arguments.repeats)
    report(timings)
    if arguments.output:
        arguments.output.write_text(json.dumps(record(timings, arguments), indent=2) + "\n")


if __name__ == "__main__":
    main()
