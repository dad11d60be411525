"""How dear a component is: the stage from which it is computed.

Where a trial is judged again and again, only what costs next to nothing may be scored. The classes follow from the CPU
time of one judgement of 1000 events on one thread, with the bootstrap replicas of its error where it has them, as
``benchmarks/metric_costs.py`` measures it.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

Cost = Literal["every evaluation", "end of trial", "benchmark only"]
COSTS: tuple[Cost, ...] = get_args(Cost)

# CPU milliseconds. A judgement of the ATLAS-like photons takes 13 ms with errors.
MOST_MS: dict[Cost, float] = {"every evaluation": 10.0, "end of trial": 1000.0, "benchmark only": math.inf}
# Observables of 1000 events of their detector, which may have 65 025 cells: less than it takes to generate them.
MOST_MS_OF_OBSERVABLES: dict[Cost, float] = {
    "every evaluation": 200.0,
    "end of trial": 5000.0,
    "benchmark only": math.inf,
}


def allowed(cost: Cost, milliseconds: float, *, observables: bool = False) -> bool:
    """Whether a component of that class may take so long."""
    return milliseconds <= (MOST_MS_OF_OBSERVABLES if observables else MOST_MS)[cost]
