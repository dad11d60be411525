"""The cheapest trial that cannot be told from the best one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

TIED = 1.96  # standard errors of the difference


@dataclass(frozen=True)
class Candidate:
    """A trial's value on validation with its standard error, and what it costs."""

    number: int
    value: float
    error: float
    cost: float = 0.0


@dataclass(frozen=True)
class Tied:
    """The leader, the cheapest of those tied with it (perhaps itself), and the numbers of all of them."""

    leader: Candidate
    cheapest: Candidate
    numbers: list[int]
    cost: str
    unit: str


def cheapest_tied(
    leader: Candidate,
    candidates: Sequence[Candidate],
    most: int,
    generation_time: Callable[[int], float | None],
    epoch_time: Callable[[int], float],
) -> Tied:
    """Among the candidates within error of the leader, the one that generates fastest.

    Errors are combined as if they were independent. They share the validation events, so that this calls too many
    trials tied rather than too few.

    Args:
        most: So many tied candidates at most are looked at, the lowest values first.
        generation_time: Of a trial, [ms] a shower; None where it is not known.
        epoch_time: Of a trial, [s]; the cost where the generation time of one of them is not known.
    """
    tied = sorted((one for one in candidates if _is_tied(one, leader)), key=lambda one: (one.value, one.number))[:most]
    if leader.number not in [one.number for one in tied]:
        tied = [leader, *tied[: most - 1]]
    times = {one.number: generation_time(one.number) for one in tied}
    known = {number: time for number, time in times.items() if time is not None}
    by_generation = len(known) == len(tied)
    costs = known if by_generation else {one.number: epoch_time(one.number) for one in tied}
    priced = [replace(one, cost=costs[one.number]) for one in tied]
    return Tied(
        leader=next(one for one in priced if one.number == leader.number),
        cheapest=min(priced, key=lambda one: (one.cost, one.value)),
        numbers=sorted(one.number for one in priced),
        cost="generation time" if by_generation else "training time",
        unit="ms a shower" if by_generation else "s an epoch",
    )


def _is_tied(one: Candidate, leader: Candidate) -> bool:
    return one.value - leader.value <= TIED * math.hypot(one.error, leader.error)
