"""Whether the leaderboard's intervals cover, and how often its classes claim a winner that is none.

    python benchmarks/tie_classes.py

First with made-up entries whose true scores are known, through the code that ranks real ones; then with photons of
the full simulation, made worse in two known ways and judged on disjoint draws of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy import stats

from data_adapters.adapters import open_events
from leaderboard.resamples import Resamples
from leaderboard.tie_classes import CONFIDENCE, WINNER_SEEDS, Sample, differences, tie_classes
from metrics.faults import FAULTS
from metrics.judge import HALF_SPLITS, Judge
from metrics.scorecards import SCORECARDS

REPLICAS = 100  # of the judge
BOARDS = 1000  # made-up boards for each line
SAMPLES = Path(__file__).resolve().parent.parent / "tests" / "metrics" / "samples"
DRAWS, EVENTS = 100, 100

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """How scores fluctuate; standard deviations.

    Attributes:
        seeds: From training to training.
        shared: With the test events, alike for all entries.
        own: With the test events, of each entry by itself.
        heavy_tails: Seeds follow Student's t with 3 degrees of freedom instead of a normal distribution.
    """

    name: str
    seeds: float
    shared: float
    own: float
    heavy_tails: bool = False


WORLDS = (
    World("seeds alone", 1.0, 0.0, 0.0),
    World("seeds as much as events", 1.0, 3.0, 1.0),
    World("events alone", 0.0, 3.0, 1.0),
    World("mostly events", 0.2, 3.0, 1.0),
    World("seeds, heavy tails", 1.0, 0.0, 0.0, heavy_tails=True),
    World("seeds as much as events, heavy tails", 1.0, 3.0, 1.0, heavy_tails=True),
)


def board(world: World, truth: Array, seeds: list[int], generator: np.random.Generator) -> list[Resamples]:
    """Entries of known true scores, judged once on events that they share."""
    draws = 1 + REPLICAS  # the test events, and their replicas
    shared = world.shared * generator.normal(size=draws)
    entries = []
    for score, number in zip(truth, seeds, strict=True):
        own = world.own * generator.normal(size=draws)
        trainings = world.seeds * _of_seeds(world, number, generator)
        observed = score + trainings + shared[0] + own[0]
        replicas = observed[:, None] + shared[1:] + own[1:]
        entries.append(Resamples(observed, replicas, np.empty((number, 0))))
    return entries


def _of_seeds(world: World, number: int, generator: np.random.Generator) -> Array:
    if not world.heavy_tails:
        return generator.normal(size=number)
    of_unit_variance: Array = generator.standard_t(3, size=number) / np.sqrt(3)
    return of_unit_variance


def boards(world: World, truth: Array, seeds: list[int], label: str) -> Iterator[list[Resamples]]:
    """Many of them."""
    generator = np.random.default_rng(len(truth) + sum(seeds))
    for _ in track(range(BOARDS), label, transient=True):
        yield board(world, truth, seeds, generator)


def coverage() -> None:
    """How often the interval of a difference holds the true one."""
    print("| fluctuations | 3 and 3 seeds | 5 and 5 seeds | 3 and 5 seeds |\n|---|---|---|---|")
    for world in WORLDS:
        shares = [_coverage(world, seeds) for seeds in ([3, 3], [5, 5], [3, 5])]
        print(f"| {world.name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")


def _coverage(world: World, seeds: list[int]) -> float:
    covered = 0
    for a, b in boards(world, np.array([0.0, 1.0]), seeds, f"coverage, {world.name}"):
        found = differences(Sample.of([b]), Sample.of([a]))
        covered += int(found.lower[0] <= 1.0 <= found.upper[0])
    return covered / BOARDS


def false_winners() -> None:
    """How often a board claims a winner although another entry is as good, and what else its classes get wrong."""
    print("| entries | fluctuations | all equal: a winner | all equal: several classes | two best equal: a winner |")
    print("|---|---|---|---|---|")
    for number in (2, 5, 20):
        for world in WORLDS[1:5]:
            equal = np.zeros(number)
            two_best = np.concatenate([[0.0, 0.0], np.linspace(1, 10, number - 2)])
            seeds = [WINNER_SEEDS] * number
            shares = [
                _share(world, equal, seeds, lambda classes: len(classes[0]) == 1),
                _share(world, equal, seeds, lambda classes: len(classes) > 1),
                _share(world, two_best, seeds, lambda classes: len(classes[0]) == 1),
            ]
            print(f"| {number} | {world.name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")


def power() -> None:
    """How far ahead the best of five must be to be claimed the winner, and how often that is another one."""
    print("| ahead by (σ of a seed) | claimed the winner | another one claimed |\n|---|---|---|")
    for ahead in (0.5, 1.0, 2.0, 4.0, 8.0):
        truth = np.array([0.0, *[ahead] * 4])
        seeds = [WINNER_SEEDS] * 5
        right = _share(WORLDS[1], truth, seeds, lambda classes: classes[0] == [0])
        wrong = _share(WORLDS[1], truth, seeds, lambda classes: len(classes[0]) == 1 and classes[0] != [0])
        print(f"| {ahead:g} | {100 * right:.1f} % | {100 * wrong:.1f} % |")


def _share(world: World, truth: Array, seeds: list[int], wanted: Callable[[list[list[int]]], bool]) -> float:
    found = boards(world, truth, seeds, f"{len(truth)} entries, {world.name}")
    return sum(wanted(tie_classes(entries)) for entries in found) / BOARDS


def photons() -> None:
    """Differences of judged samples on disjoint draws of events: their spread, their stated error, their coverage.

    The truth is the mean over the draws: scores depend on the number of events, so that it is that of draws of a
    hundred, as entries are ranked on equally many events.
    """
    card = replace(SCORECARDS["atlas-photons-v1"], condition_bins=(1024.0, 2048.0))
    reference, twin, fresh = (
        open_events(SAMPLES / f"photons_{name}.h5").read() for name in ("reference", "twin", "fresh")
    )
    generator = np.random.default_rng(0)
    samples = {
        "as it is": fresh.response,
        "energies scaled": FAULTS["energy_scale"].function(fresh, 0.05, generator).astype(np.float32),
        "resolution widened": FAULTS["wider_resolution"].function(fresh, 0.10, generator).astype(np.float32),
    }
    replicas: dict[str, list[tuple[float, Array]]] = {name: [] for name in samples}
    for number in track(range(DRAWS), "photons", transient=True):
        rows = np.arange(number * EVENTS, (number + 1) * EVENTS)
        judge = Judge(card, reference.select(rows), twin.select(rows), replicas=REPLICAS)
        for name, response in samples.items():
            score = judge.judge(response[rows], errors=False).score.value
            replicas[name].append((score, judge.resampled_scores(response[rows])[0]))
    print("| difference | spread over draws | stated error, median | coverage |\n|---|---|---|---|")
    for a, b in (("energies scaled", "as it is"), ("energies scaled", "resolution widened")):
        _print_photons(f"{a} − {b}", replicas[a], replicas[b])


def _print_photons(label: str, a: list[tuple[float, Array]], b: list[tuple[float, Array]]) -> None:
    values = np.array([first[0] - second[0] for first, second in zip(a, b, strict=True)])
    errors = np.array([(first[1] - second[1]).std(ddof=1) for first, second in zip(a, b, strict=True)])
    half = stats.t.ppf((1 + CONFIDENCE) / 2, REPLICAS - 1) * errors
    covered = np.mean(np.abs(values - values.mean()) <= half)
    print(f"| {label} | {values.std(ddof=1):.3f} | {np.median(errors):.3f} | {100 * covered:.0f} % |")


def main() -> None:
    """Print all tables."""
    print(f"{BOARDS} boards a line, {REPLICAS} replicas ({HALF_SPLITS} half-splits play no part here)\n")
    for table in (coverage, false_winners, power, photons):
        table()
        print()


if __name__ == "__main__":
    main()
