"""What a search minimises: the score, one of its components, the time of a shower, or several of these at once."""

from __future__ import annotations

from dataclasses import dataclass

from data_adapters.registry import UnknownName
from metrics.scorecard import Scorecard

SCORE, GENERATION_TIME = "score", "generation_time"


@dataclass(frozen=True)
class Objectives:
    """Names of what is minimised, in the order of the scorecard; the combined score unless something else is asked for.

    Each is ``score``, a scored metric of the scorecard (as defined, not divided by its scale), or ``generation_time``:
    wall time of one shower of the validation conditions [ms].
    """

    names: tuple[str, ...] = (SCORE,)

    @property
    def several(self) -> bool:
        """Whether the result is a Pareto set."""
        return len(self.names) > 1

    @property
    def leading(self) -> str:
        """What puts trials into an order: the only objective, or the score where there are several."""
        return SCORE if self.several else self.names[0]

    @property
    def text(self) -> str:
        """As the command line takes them."""
        return ",".join(self.names)


SCORE_ALONE = Objectives()


def objectives_named(text: str | None, scorecard: Scorecard) -> Objectives:
    """Objectives from names divided by commas; None is the score alone.

    The order in which they are named does not matter.

    Raises: UnknownName, with the nearest ones and all of them.
    """
    if text is None:
        return SCORE_ALONE
    known = (SCORE, *scorecard.weights, GENERATION_TIME)
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in known:
            raise UnknownName("objective", name, known)
    return Objectives(tuple(name for name in known if name in asked))
