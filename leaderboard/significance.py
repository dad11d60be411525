"""How far the seeds of an entry lie above full simulation: excess over the floor, its probability, its worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from leaderboard.combine import combine_seeds
from leaderboard.records import JsonObject
from metrics.estimate import Estimate
from metrics.judge import SCORE
from metrics.judgement import Judgement
from metrics.worth import worth


def significance(judgements: Sequence[Judgement], floor: Judgement | None, num_events: int) -> dict[str, JsonObject]:
    """``excess``, ``p_value`` and ``worth`` of the score and of each component, as an entry holds them.

    The excess is combined as the values are (``combine_seeds``). The p-value is the largest of the seeds': an entry
    differs significantly from full simulation if all of its seeds do. That holds however the seeds depend on each
    other, and they do, through the test events and the twin that they share. The worth is that of the combined excess.

    Args:
        judgements: Of each completed seed.
        floor: What the twin gets; without one, or without a seed, the result is empty.
        num_events: Test events, N.
    """
    if floor is None or not judgements:
        return {}
    floors = {SCORE: floor.score, **floor.components}
    return {name: _of_one(name, judgements, floors[name].value, num_events) for name in floors}


def _of_one(name: str, judgements: Sequence[Judgement], floor: float, num_events: int) -> JsonObject:
    excess = combine_seeds([_excess(judgement, name) for judgement in judgements])
    return {
        "excess": asdict(excess),
        "p_value": max(
            (judgement.p_values[name] for judgement in judgements if name in judgement.p_values), default=None
        ),
        "worth": worth(excess, floor, num_events).to_json(),
    }


def _excess(judgement: Judgement, name: str) -> Estimate:
    if name != SCORE:
        return judgement.excesses[name]
    if judgement.excess is None:
        raise AssertionError("where there is a floor, a judgement has an excess")
    return judgement.excess
