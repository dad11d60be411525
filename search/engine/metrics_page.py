"""The page of the documentation on observables, metrics and scorecards, from what they state about themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from data_adapters.datasets import DATASETS
from data_adapters.detector import Detector
from metrics import METRICS, OBSERVABLES, SCORECARDS, WHOLE_SAMPLE_METRICS
from metrics.cost import MOST_MS, MOST_MS_OF_OBSERVABLES
from metrics.discrepancies.component import Metric
from metrics.observables.component import Family
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1 as BORROWED
from metrics.scorecards.generic import EVENTS_IN_A_BIN, MOST_BINS
from metrics.whole_sample import WholeSampleMetric
from search.engine.markdown import markdown_table

INTRODUCTION = f"""
# Metrics

Definitions, in the words of the code. They need no study: any two files are judged by

    arena metrics compare REFERENCE GENERATED --twin TWIN --out FOLDER

which prints a table, and writes `comparison.json` and a page with plots, `comparison.html`. The twin, full simulation
of the same particles again, gives the floor: without one there is no excess over it, no p-value, and no number of
events that the sample is worth. Events at other conditions than the reference's are paired with the nearest, and the
mismatch is stated. `arena metrics list` and `arena metrics show NAME` say what there is.
[What the metrics notice](metric_tests.md) was tested by injected faults.

R is the reference, G the generated sample, E_inc the incident energy, Σ a sum over cells where nothing else is said.
What a component costs decides when it is computed first:

| computed | what | CPU time of a judgement of 1000 events | of observables |
|---|---|---|---|
| every evaluation | what may be scored: a trial computes nothing else | {MOST_MS["every evaluation"]:g} ms at most | \
{MOST_MS_OF_OBSERVABLES["every evaluation"]:g} ms at most |
| end of trial | what may be reported beside a score, of trained models | {MOST_MS["end of trial"]:g} ms at most | \
{MOST_MS_OF_OBSERVABLES["end of trial"]:g} ms at most |
| benchmark only | slower ones, and all that look at whole samples | any | any |

The times include the bootstrap replicas of the error; `OMP_NUM_THREADS=1 python benchmarks/metric_costs.py` measures
them ([what it printed](../benchmarks/README.md#metrics)).
"""

OBSERVABLES_INTRODUCTION = """
## Observables

What is computed from each shower. A family holds one observable for each layer, axis or threshold of a detector:
distributions (one number per event) and profiles (values along an axis, of which the mean over events is compared). The
smallest sample is in a condition bin.
"""

METRICS_INTRODUCTION = """
## Metrics

Computed in each bin of the conditions and averaged over the bins, with an error from a bootstrap over events. The
smallest sample is in a condition bin.
"""

WHOLE_SAMPLE_INTRODUCTION = """
## Metrics of whole samples

Computed once, by the benchmark and by `arena metrics compare --whole-sample`. Features are the distributions of the
scorecard, each minus the mean and over the standard deviation of the reference in its condition bin. The smallest
sample is of all events.
"""

ANY_OTHER_DETECTOR = f"""
## Any other detector

A detector without a scorecard of its own gets one that follows from its axes: response (summed response over energy),
fraction of cells above the threshold, centre and width of the energy along every axis, and the mean profile along every
axis; other real conditions count through their correlations with these. Bins lie between quantiles of the energy of the
validation events, {MOST_BINS} at most and with {EVENTS_IN_A_BIN} events or more, or are the energies themselves where
there are few. Weights and scales are those of `{BORROWED.name}`: scores of different detectors are not to be compared.
"""


class Defined(Protocol):
    """What observables and all metrics state."""

    @property
    def name(self) -> str: ...
    @property
    def definition(self) -> str: ...
    @property
    def source(self) -> str: ...


def metrics_page() -> str:
    """Observables, metrics and scorecards as registered."""
    parts = [
        INTRODUCTION,
        OBSERVABLES_INTRODUCTION,
        markdown_table(
            ("name", "what", "unit", "detectors", "smallest sample", "computed"),
            map(_family_row, OBSERVABLES.values()),
        ),
        _definitions(OBSERVABLES.values()),
        "### By detector\n",
        markdown_table(("detector", "families, with their number of observables"), _detector_rows()),
        METRICS_INTRODUCTION,
        _metric_table(METRICS.values()),
        _definitions(METRICS.values()),
        WHOLE_SAMPLE_INTRODUCTION,
        _metric_table(WHOLE_SAMPLE_METRICS.values()),
        _definitions(WHOLE_SAMPLE_METRICS.values()),
        *map(_scorecard, SCORECARDS.values()),
        ANY_OTHER_DETECTOR,
    ]
    return "\n".join(parts)


def _family_row(family: Family) -> tuple[str, ...]:
    return (
        f"`{family.name}`",
        family.title,
        family.unit,
        family.detectors,
        f"{family.smallest_sample} events",
        family.cost,
    )


def _metric_table(metrics: Iterable[Metric] | Iterable[WholeSampleMetric]) -> str:
    header = ("name", "what", "unit", "better", "perfect", "smallest sample", "computed")
    return markdown_table(header, map(_metric_row, metrics))


def _metric_row(metric: Metric | WholeSampleMetric) -> tuple[str, ...]:
    return (
        f"`{metric.name}`",
        metric.title,
        metric.unit,
        metric.direction.replace("_", " "),
        f"{metric.perfect:g}",
        f"{metric.smallest_sample} events",
        metric.cost,
    )


def _definitions(components: Iterable[Defined]) -> str:
    """A paragraph for each: formulas are too long for a table."""
    lines = [f"- **`{c.name}`**: {_sentence(c.definition)} *Source: {_sentence(c.source)}*" for c in components]
    return "\n".join(["Definitions and sources:\n", *lines, ""])


def _sentence(text: str) -> str:
    escaped = text.replace("<", "&lt;").replace("*", "\\*")
    return escaped if escaped.endswith(".") else f"{escaped}."


def _detector_rows() -> Iterator[tuple[str, str]]:
    detectors: dict[str, Detector] = {dataset.detector.name: dataset.detector for dataset in DATASETS.values()}
    for name, detector in detectors.items():
        found = {family.name: len(family.of(detector)) for family in OBSERVABLES.values()}
        yield f"`{name}`", ", ".join(f"`{family}` {count}" for family, count in found.items() if count)


def _scorecard(card: Scorecard) -> str:
    rows = ((f"`{name}`", f"{weight:g}", f"{card.scales[name]:.4g}") for name, weight in card.weights.items())
    return "\n".join(
        [
            f"\n## Scorecard `{card.name}`\n\n{card.title}.\n",
            "score = Σ w · c / s over its components, the weights adding up to 1.\n",
            markdown_table(("component c", "weight w", "scale s"), rows),
            f"Distributions: {_names(card.distributions)}.\n",
            f"Profiles: {_names(card.profiles)}.\n",
            f"Reported beside the score: {_names(card.reported)}.\n",
        ]
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
