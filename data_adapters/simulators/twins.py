"""Conditions of a file that is simulated again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_adapters.options import InvalidOption
from data_adapters.simulators.component import InvalidRequest, Request
from data_adapters.simulators.production import Columns
from data_adapters.splits import identities_with_occurrence, split_of


def check_only_judged(request: Request, only_judged: bool) -> None:
    """Raises: InvalidOption if train events are to be left out of what is no twin."""
    if only_judged and request.twin_of is None:
        raise InvalidOption("option only_judged is true; it takes false unless a twin is made")


def first_rows(request: Request, columns: Columns) -> Columns:
    """The first ``request.events`` rows; all of them for 0.

    Raises: InvalidRequest if there are not so many.
    """
    available = len(next(iter(columns.values())))
    if request.events > available:
        raise InvalidRequest(
            f"{request.events} events were asked for; {request.twin_of} holds {available}: leave --events out for all"
        )
    return {key: values[: request.events or available] for key, values in columns.items()}


def judged_rows(columns: Columns, identifying: Sequence[str]) -> Columns:
    """The events of the validation and test splits, in their order: metrics need no twins of train events.

    Args:
        identifying: Columns that make the identity of an event, as its layout does.
    Raises: InvalidRequest if some of them have the very same conditions as train events: their identities would
        change without those.
    """
    identity = identities_with_occurrence(*(columns[key] for key in identifying))
    rows = np.flatnonzero(split_of(identity) != "train")
    chosen = {key: values[rows] for key, values in columns.items()}
    if not np.array_equal(identities_with_occurrence(*(chosen[key] for key in identifying)), identity[rows]):
        raise InvalidRequest(
            "several events of the file have the very same conditions, so that none can be left out of the twin: set "
            "only_judged to false"
        )
    return chosen
