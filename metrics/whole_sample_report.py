"""Every metric of whole samples for one generated sample, with what full simulation gets."""

# Axes: N events, F features.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.condition_bin import condition_bins
from metrics.condition_cells import condition_cells
from metrics.observables import observe
from metrics.scorecard import Scorecard
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome, SamplePair, WholeSampleMetric


@dataclass(frozen=True)
class WholeSampleRow:
    """One metric of a generated sample.

    Attributes:
        outcome: None where it cannot be computed; ``reason`` then says why.
        floor: The same of the twin; None without one.
    """

    name: str
    outcome: Outcome | None
    floor: Outcome | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "outcome": None if self.outcome is None else self.outcome.to_json(),
            "floor": None if self.floor is None else self.floor.to_json(),
            "reason": self.reason,
        }


def whole_sample_report(
    scorecard: Scorecard,
    reference: Events,
    generated_response: NDArray[np.float32],
    twin_response: NDArray[np.float32] | None,
    seed: int = 0,
) -> list[WholeSampleRow]:
    """Every registered metric; those that do not apply to the detector or the size of the sample give their reason.

    Args:
        generated_response: At the conditions of the reference, shape (N, V); ``twin_response`` too.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    pair = sample_pair(scorecard, reference, generated_response)
    null = None if twin_response is None else sample_pair(scorecard, reference, twin_response)
    return [_row(metric, pair, null, seed) for metric in WHOLE_SAMPLE_METRICS.values()]


def sample_pair(scorecard: Scorecard, reference: Events, response: NDArray[np.float32]) -> SamplePair:
    """What these metrics are given: distributions of the scorecard, standardised in each condition bin."""
    generated = reference.with_response(response)
    r, g = (observe(events, (*scorecard.distributions, *scorecard.profiles)) for events in (reference, generated))
    bins = condition_bins(scorecard, condition_cells(scorecard, reference.detector, reference.conditions), r)
    shape = len(reference), len(scorecard.distributions)
    number, of_r, of_g = np.empty(len(reference), dtype=np.intp), np.empty(shape), np.empty(shape)
    for index, condition_bin in enumerate(bins):
        events = condition_bin.events
        number[events] = index
        columns = np.stack([r[name][events] for name in scorecard.distributions], axis=1)
        mean = columns.mean(axis=0)
        of_r[events] = (columns - mean) / condition_bin.scale
        of_g[events] = (
            np.stack([g[name][events] for name in scorecard.distributions], axis=1) - mean
        ) / condition_bin.scale
    return SamplePair(reference, generated, number, of_r, of_g)


def _row(metric: WholeSampleMetric, pair: SamplePair, null: SamplePair | None, seed: int) -> WholeSampleRow:
    reason = metric.applies(pair.reference)
    if reason is None and len(pair.reference) < metric.smallest_sample:
        reason = f"{len(pair.reference)} events; it needs {metric.smallest_sample}"
    if reason is not None:
        return WholeSampleRow(metric.name, None, None, reason)
    floor = None if null is None else metric.function(null, seed)
    return WholeSampleRow(metric.name, metric.function(pair, seed), floor)
