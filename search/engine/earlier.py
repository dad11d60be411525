"""What a search takes over from an earlier one: it tries that one's best configurations first."""

from __future__ import annotations

from typing import Any

from data_adapters.registry import UnknownName
from search.engine.ledger import Ledger, TrialEnd
from search.engine.study import StudyError
from search.spaces import Space
from search.spaces.space import OutsideSpace

TAKEN_OVER = 3
Config = dict[str, Any]


def best_configurations(earlier: Ledger, space: Space) -> list[Config]:
    """Of the best trials of an earlier search, which may have had other data or limits, those that the space holds.

    What this search holds fixed is set to its value. The default is left out, because it is tried anyway.

    Raises: StudyError if there is none.
    """
    reached = [(start.config, end) for start, end in earlier.ended if end.objective is not None]
    best = [config for config, _ in sorted(reached, key=lambda trial: _objective(trial[1]))[:TAKEN_OVER]]
    if not best:
        raise StudyError("--learn-from: no trial of that search was evaluated; there is nothing to learn from it")
    held = {name: value for name, value in space.default.items() if name not in space.varied}
    taken: list[Config] = []
    refused = []
    for config in best:
        try:
            fitting = space.validate({**config, **held})
        except (OutsideSpace, UnknownName) as error:
            refused.append(str(error))
            continue
        if fitting != space.default and fitting not in taken:
            taken.append(fitting)
    if not taken and refused:
        raise StudyError(
            f"--learn-from: none of its best configurations lies within this search ({refused[0]}). "
            "Search with the same --preset, or leave --learn-from out"
        )
    return taken


def _objective(end: TrialEnd) -> float:
    assert end.objective is not None, "only evaluated trials are compared"
    return end.objective
