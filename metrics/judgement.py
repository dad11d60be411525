"""The verdict on one generated sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from metrics.estimate import Estimate
from metrics.intervals import Interval


@dataclass(frozen=True)
class Judgement:
    """Score and components of a generated sample, averaged over the condition bins.

    Attributes:
        scorecard: Name of the scorecard; ``scorecard_identity`` its hash.
        score: Combined score, lower is better.
        components: Scored metrics, as defined, not divided by their scales.
        reported: Metrics shown beside the score.
        excess: Score minus the floor (full simulation at the same conditions), with the error of the
            difference; None without a twin.
        excesses: The same of each scored metric; empty without a twin.
        z: Excess over its error; None without a twin, without errors, or where the error is 0 and the excess is not.
            It is not a standard normal number but smaller: for full simulation (photons of two energies with 50, 100
            and 200 events each, 100 draws) its root mean square was 0.83, 0.74 and 0.77, and |z| > 2 came in 1 draw of
            100. Near zero the error is too large, for what ``excess_interval`` says; with a shifted energy scale z
            fluctuated by 1.00, 0.90 and 0.97 about its mean. For what is significant see ``p_values``, ``intervals``.
        intervals: 95 % intervals of the excess of score and scored metrics (``metrics.intervals``). Empty without a
            twin, with fewer than 39 replicas, where nothing can be drawn (one event in each condition bin), or where
            they were not asked for.
        p_values: Of score and scored metrics: how probable full simulation is to lie as far above the floor
            (``Judge.p_values``); empty without a twin or where they were not asked for.
        by_energy: One entry for each condition bin: ``energy`` (the value that stands for it, in the unit of the
            condition), ``label``, and for ``score`` and every metric ``{"value", "error"}``.
        chi2: One entry for each observable and condition bin: ``observable``, ``energy``, ``chi2``, ``ndf``,
            ``p_value``; none in a bin with a single event.
        merged_bins: Bins of all histograms and profiles that were lost by merging.
    """

    scorecard: str
    scorecard_identity: str
    score: Estimate
    components: dict[str, Estimate]
    reported: dict[str, Estimate]
    excess: Estimate | None
    z: float | None
    by_energy: list[dict[str, Any]]
    chi2: list[dict[str, Any]]
    merged_bins: int
    excesses: dict[str, Estimate] = field(default_factory=dict)
    p_values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; numbers are finite, and what was not estimated is None."""
        return {
            "scorecard": self.scorecard,
            "scorecard_identity": self.scorecard_identity,
            "score": self.score.to_json(),
            "components": {name: estimate.to_json() for name, estimate in self.components.items()},
            "reported": {name: estimate.to_json() for name, estimate in self.reported.items()},
            "excess": None if self.excess is None else self.excess.to_json(),
            "excesses": {name: estimate.to_json() for name, estimate in self.excesses.items()},
            "intervals": {name: interval.to_json() for name, interval in self.intervals.items()},
            "z": self.z,
            "p_values": self.p_values,
            "by_energy": self.by_energy,
            "chi2": self.chi2,
            "merged_bins": self.merged_bins,
        }
