"""Which metric notices which fault at which number of events: full simulation made worse, and judged.

Roles change from draw to draw: of three simulations of the same particles, one is the reference, one the twin that
gives the floor, and the third gets the fault. So no draw tests a metric with the sample that defined its floor.
"""

# Axes: N events.
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.condition_cells import condition_cells
from metrics.faults import faults_of
from metrics.judge import SCORE, Judge
from metrics.scorecard import Scorecard

ALPHA = 0.01  # a fault counts as noticed if the p-value is below
POWER = 0.9  # the part of the draws in which a fault is to be noticed
DRAWS = 12  # each order of the three simulations twice
NO_FAULT = "none"
UNSCORED = ("separation_power", "chi2_ndf")  # what others judge by, for comparison

ThreeSimulations = tuple[Events, Events, Events]


@dataclass(frozen=True)
class Power:
    """How often one metric noticed one fault.

    Attributes:
        fault: Name; ``none`` for full simulation, which is to be noticed in one draw of a hundred.
        metric: ``score``, or a metric.
        events: In each draw, over all condition bins.
        noticed: Draws with a p-value below α.
    """

    fault: str
    metric: str
    events: int
    draws: int
    noticed: int

    @property
    def power(self) -> float:
        return self.noticed / self.draws

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def self_test(
    scorecard: Scorecard,
    simulations: ThreeSimulations,
    sizes: Sequence[int],
    *,
    draws: int = DRAWS,
    done: Callable[[], None] = lambda: None,
) -> list[Power]:
    """Power of the score, its components and ``UNSCORED`` for every fault of the detector, and for none.

    Args:
        simulations: The same particles three times, in the same order.
        sizes: Numbers of events to draw, without replacement.
        done: Called after each p-value; there are ``num_judgements`` of them.
    Raises: ValueError if a size leaves too few events in a condition bin.
    """
    return [
        power
        for events in sizes
        for power in _at_size(scorecard, simulations, min(events, len(simulations[0])), draws, done)
    ]


def num_judgements(simulations: ThreeSimulations, sizes: Sequence[int], draws: int = DRAWS) -> int:
    """How often ``self_test`` judges a sample."""
    return len(sizes) * draws * (1 + len(faults_of(simulations[0].detector)))


def sizes_for(scorecard: Scorecard, reference: Events) -> tuple[int, ...]:
    """All events, and half of them where that leaves enough in every condition bin."""
    cells = condition_cells(scorecard, reference.detector, reference.conditions)
    smallest = len(reference) if scorecard.cells else int(np.bincount(cells.number).min())
    return (len(reference) // 2, len(reference)) if smallest // 2 >= scorecard.smallest_sample else (len(reference),)


def _at_size(
    scorecard: Scorecard, simulations: ThreeSimulations, events: int, draws: int, done: Callable[[], None]
) -> Iterator[Power]:
    faults = (NO_FAULT, *faults_of(simulations[0].detector))
    noticed = {fault: dict.fromkeys((SCORE, *scorecard.weights, *UNSCORED), 0) for fault in faults}
    for number in range(draws):
        judge, generated = _draw(scorecard, simulations, events, number)
        for fault in faults:
            p_values = judge.p_values(_with_fault(generated, fault, number), seed=number, unscored=UNSCORED)
            for metric, p_value in p_values.items():
                noticed[fault][metric] += p_value < ALPHA
            done()
    for fault, counts in noticed.items():
        yield from (Power(fault, metric, events, draws, count) for metric, count in counts.items())


def _draw(scorecard: Scorecard, simulations: ThreeSimulations, events: int, number: int) -> tuple[Judge, Events]:
    orders = list(itertools.permutations(range(3)))
    rows = _rows(scorecard, simulations[0], events, np.random.default_rng(number))
    reference, twin, generated = (simulations[index].select(rows) for index in orders[number % len(orders)])
    return Judge(scorecard, reference, twin, replicas=0), generated


def _rows(scorecard: Scorecard, sample: Events, events: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """As large a part of every condition bin that the scorecard lists; of all events where bins follow from them."""
    if scorecard.cells:
        return np.sort(rng.choice(len(sample), size=events, replace=False))
    number = condition_cells(scorecard, sample.detector, sample.conditions).number
    bins = [np.flatnonzero(number == index) for index in range(number.max() + 1)]
    chosen = [rng.choice(rows, size=max(1, len(rows) * events // len(sample)), replace=False) for rows in bins]
    return np.sort(np.concatenate(chosen))


def _with_fault(events: Events, fault: str, seed: int) -> NDArray[np.float32]:
    return events.response if fault == NO_FAULT else faults_of(events.detector)[fault].inject(events, seed=seed)
