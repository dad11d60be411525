"""What is registered, line by line, as ``arena list`` and ``arena metrics list`` print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.discrepancies import METRICS
from metrics.faults import FAULTS
from metrics.observables import OBSERVABLES
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS

COLUMNS = ("name", "cost", "unit", "title")

KINDS: Mapping[str, Mapping[str, Any]] = {
    registry.kind: registry for registry in (METRICS, WHOLE_SAMPLE_METRICS, OBSERVABLES, SCORECARDS, FAULTS)
}


def rows(components: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Name, cost class, unit and title of each component, as far as any of them states such a thing."""
    table = [[str(getattr(component, column, "")) for column in COLUMNS] for component in components.values()]
    stated = [any(cells) for cells in zip(*table, strict=True)]
    return [tuple(cell for cell, shown in zip(row, stated, strict=True) if shown) for row in table]


def lines(components: Mapping[str, Any]) -> list[str]:
    """``rows`` in columns."""
    table = rows(components)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
