"""Every metric of whole samples for one generated sample, with what full simulation gets."""

# Axes: N events, V cells, F features.
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events
from metrics.condition_bin import ConditionBin, condition_bins
from metrics.condition_cells import condition_cells
from metrics.observables import observables_of
from metrics.observed_sample import ObservedSample, observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecard import Scorecard
from metrics.whole_sample import WHOLE_SAMPLE_METRICS, Outcome, SamplePair, WholeSampleMetric
from metrics.whole_sample.component import FeatureMetric, FeaturePair, Kept

MOST_CELLS = 3 * 2**23  # of the events of one sample whose cells are looked at: 96 MB
EVENTS_SEED = 0  # of their choice; the same for every sample

Indices = NDArray[np.intp]
Computed = tuple[Outcome | None, str]  # the outcome, or None and the reason


@dataclass(frozen=True)
class WholeSampleRow:
    """One metric of a generated sample.

    Attributes:
        outcome: None where it cannot be computed; ``reason`` then says why.
        floor: The same of the twin; None without one, or where it cannot be computed.
        reason: Why outcome or floor are missing; empty where nothing failed.
    """

    name: str
    outcome: Outcome | None
    floor: Outcome | None
    reason: str = ""

    @property
    def remark(self) -> str:
        """The reason, or what the metric says about its own value (``Outcome.details["remark"]``), or both."""
        own = "" if self.outcome is None else str(self.outcome.details.get("remark", ""))
        return " ".join(part for part in (self.reason, own) if part)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "outcome": None if self.outcome is None else self.outcome.to_json(),
            "floor": None if self.floor is None else self.floor.to_json(),
            "reason": self.reason,
            "remark": self.remark,
        }


def whole_sample_report(
    scorecard: Scorecard,
    reference: Events,
    generated_response: NDArray[np.float32],
    twin_response: NDArray[np.float32] | None,
    seed: int = 0,
) -> list[WholeSampleRow]:
    """Every registered metric; those that do not apply to the detector or the sample give their reason.

    Args:
        generated_response: At the conditions of the reference, shape (N, V); ``twin_response`` too.
    Raises: InvalidEvents for a response that cannot be judged.
    """
    names = observed_names(scorecard, reference.detector)

    def observed(response: NDArray[np.float32]) -> ObservedSample:
        return observe_sample(PairedSample.in_memory(reference, response), names)

    r, g = observed(reference.response), observed(generated_response)
    twin = None if twin_response is None else observed(twin_response)
    bins = condition_bins(scorecard, condition_cells(scorecard, reference.detector, reference.conditions), r.values)
    return WholeSampleReport(bins, r, g, twin, seed).rows(list(WHOLE_SAMPLE_METRICS.values()))


def observed_names(scorecard: Scorecard, detector: Detector) -> tuple[str, ...]:
    """Observables that the scorecard and these metrics need of such a detector."""
    of_metrics = [name for metric in WHOLE_SAMPLE_METRICS.values() for name in _observables(metric, detector)]
    return tuple(dict.fromkeys((*scorecard.distributions, *scorecard.profiles, *of_metrics)))


def _observables(metric: WholeSampleMetric, detector: Detector) -> tuple[str, ...]:
    """Of a metric; none where the detector does not have them all, and the metric does not apply."""
    wanted = metric.observables if isinstance(metric, FeatureMetric) else ()
    return wanted if set(wanted) <= set(observables_of(detector)) else ()


class WholeSampleReport:
    """Metrics of samples that have been observed; what several of them need is computed once.

    Metrics that look at cells are given at most 25 million of them: of larger samples events drawn at random, the same
    of each sample, as their remark says.

    Args:
        bins: Condition bins of the scorecard.
        reference, generated, twin: Observed with ``observed_names``; None without a twin.
        seed: Of everything random in the metrics.
    """

    def __init__(
        self,
        bins: Sequence[ConditionBin],
        reference: ObservedSample,
        generated: ObservedSample,
        twin: ObservedSample | None,
        seed: int = 0,
    ) -> None:
        self.bins, self.reference, self.generated, self.twin, self.seed = bins, reference, generated, twin, seed
        self._looked_at, self._kept = _LookedAt(reference), Kept(reference)

    def rows(
        self, metrics: Sequence[WholeSampleMetric], on_step: Callable[[str], None] = lambda _step: None
    ) -> list[WholeSampleRow]:
        """All of these metrics, first of the generated sample, then of the twin, so that cells of one are in memory.

        What a metric refuses with a ValueError is the reason; other errors are raised.

        Args:
            on_step: Told in words what is computed next, ``num_steps`` times.
        """
        outcomes = self._computed(metrics, self.generated, on_step, "")
        floors = {} if self.twin is None else self._computed(metrics, self.twin, on_step, ", floor")
        return [_row(metric.name, outcomes[metric.name], floors.get(metric.name)) for metric in metrics]

    def row(self, metric: WholeSampleMetric) -> WholeSampleRow:
        """One of them."""
        (row,) = self.rows([metric])
        return row

    def num_steps(self, metrics: Sequence[WholeSampleMetric]) -> int:
        return len(metrics) * (1 if self.twin is None else 2)

    def _computed(
        self, metrics: Sequence[WholeSampleMetric], sample: ObservedSample, on_step: Callable[[str], None], what: str
    ) -> dict[str, Computed]:
        """Metrics of one sample; what they share is kept as long."""
        features = feature_pair(self.bins, self.reference, sample, self._kept)
        pairs = _Pairs(features, sample, self._looked_at)
        found = {}
        for metric in metrics:
            on_step(metric.title + what)
            reason = metric.applies(self.reference)
            found[metric.name] = self._outcome(metric, pairs) if reason is None else (None, reason)
        return found

    def _outcome(self, metric: WholeSampleMetric, pairs: _Pairs) -> Computed:
        if isinstance(metric, FeatureMetric):
            return _computed(metric, metric.function, pairs.features, self.seed)
        outcome, reason = _computed(metric, metric.function, pairs.cells, self.seed)
        return _with_remark(outcome, self._looked_at.remark), reason


def _row(name: str, computed: Computed, of_floor: Computed | None) -> WholeSampleRow:
    outcome, reason = computed
    if of_floor is None:
        return WholeSampleRow(name, outcome, None, reason)
    floor, without_floor = of_floor
    if without_floor and without_floor != reason:
        reason = " ".join(part for part in (reason, f"No floor: {without_floor}.") if part)
    return WholeSampleRow(name, outcome, floor, reason)


class _LookedAt:
    """Reference events whose cells are looked at; they are read when a metric asks for them."""

    def __init__(self, reference: ObservedSample) -> None:
        self._reference = reference

    @cached_property
    def which(self) -> Indices:
        number, most = len(self._reference), MOST_CELLS // self._reference.detector.num_cells
        if number <= most:
            return np.arange(number)
        return np.sort(np.random.default_rng(EVENTS_SEED).permutation(number)[:most])

    @cached_property
    def events(self) -> Events:
        return self._reference.events.select(self.which)

    @cached_property
    def kept(self) -> Kept:
        return Kept(self.events)

    @property
    def remark(self) -> str:
        """Empty where all events are looked at."""
        number, all_of_them = len(self.which), len(self._reference)
        return "" if number == all_of_them else f"Of {number} of the {all_of_them} events, drawn at random."


class _Pairs:
    """A sample beside the reference, as the two kinds of metrics are given it."""

    def __init__(self, features: FeaturePair, sample: ObservedSample, looked_at: _LookedAt) -> None:
        self.features, self._sample, self._looked_at = features, sample, looked_at

    @cached_property
    def cells(self) -> SamplePair:
        which, features = self._looked_at.which, self.features
        return SamplePair(
            self._looked_at.events,
            features.bins[which],
            features.reference_features[which],
            features.generated_features[which],
            self._sample.events.select(which),
            kept_of_reference=self._looked_at.kept,
        )


def feature_pair(
    bins: Sequence[ConditionBin], reference: ObservedSample, generated: ObservedSample, kept_of_reference: Kept
) -> FeaturePair:
    """What these metrics are given: distributions of the scorecard, standardised in each condition bin."""
    names = bins[0].distributions
    shape = len(reference), len(names)
    number, of_r, of_g = np.empty(len(reference), dtype=np.intp), np.empty(shape), np.empty(shape)
    for index, condition_bin in enumerate(bins):
        events = condition_bin.events
        number[events] = index
        columns = np.stack([reference.values[name][events] for name in names], axis=1)
        mean = columns.mean(axis=0)
        of_r[events] = (columns - mean) / condition_bin.scale
        of_g[events] = (
            np.stack([generated.values[name][events] for name in names], axis=1) - mean
        ) / condition_bin.scale
    return FeaturePair(
        reference,
        number,
        of_r,
        of_g,
        reference_observables=reference.values,
        generated_observables=generated.values,
        kept_of_reference=kept_of_reference,
    )


def _computed(
    metric: WholeSampleMetric, function: Callable[[Any, int], Outcome], pair: FeaturePair, seed: int
) -> Computed:
    if len(pair.reference) < metric.smallest_sample:
        return None, f"{len(pair.reference)} events; it needs {metric.smallest_sample}"
    try:
        outcome = function(pair, seed)
    except ValueError as error:
        return None, str(error)
    return (outcome, "") if math.isfinite(outcome.value) else (None, f"the value is {outcome.value}")


def _with_remark(outcome: Outcome | None, remark: str) -> Outcome | None:
    if outcome is None or not remark:
        return outcome
    own = outcome.details.get("remark")
    return replace(outcome, details=outcome.details | {"remark": f"{own} {remark}" if own else remark})
