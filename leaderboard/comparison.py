"""Two files compared by a scorecard, without any study: a record, a page with plots, a table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.progress import Progress

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS
from data_adapters.detector import Detector
from data_adapters.events import InvalidEvents
from data_adapters.registry import UnknownName
from data_adapters.source import EventSource
from leaderboard.comparison_page import render_comparison
from leaderboard.helix import helix_record
from leaderboard.records import JsonObject, write_atomically
from leaderboard.text import (
    COMPONENT_MEANINGS,
    component_title,
    helix_table,
    signed_with_error,
    significant,
    with_error,
    with_interval,
    worth_in_events,
)
from metrics import METRICS, WHOLE_SAMPLE_METRICS
from metrics.condition_cells import condition_cells
from metrics.histograms import RESPONSE_NAMES, has_response, histograms, images, response_curves
from metrics.judge import SCORE, Judge
from metrics.judgement import Judgement
from metrics.observables.helix_residual import is_alice_track
from metrics.observed_sample import Blocks, ObservedSample, observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecard import Scorecard
from metrics.whole_sample_report import WholeSampleReport, observed_names
from metrics.worth import worth

RECORD_FILE, PAGE_FILE = "comparison.json", "comparison.html"
FEWEST_EVENTS = 50  # that a scorecard wants in a condition bin
WHOLE_SAMPLE_HEADER = ("Metric of whole samples", "Value ± error", "Floor", "Perfect", "Remark")
HEADER = ("Metric", "Value ± error", "Floor", "Excess (95 % interval)", "p", "Worth, events")
MEANINGS = COMPONENT_MEANINGS | {
    SCORE: "weighted mean of the scored metrics, each over its scale",
    "entropic_gromov_wasserstein": "the same as earlier work computed it; not 0 for identical matrices",
    "gromov_wasserstein": "distance of the correlation matrices, whichever observable is which",
    "chi2_ndf": "of histograms and mean profiles; about 1 for full simulation",
    "separation_power": "0 for equal histograms, 1 where they do not overlap",
}


@dataclass(frozen=True)
class Samples:
    """What is compared; ``twin`` is the reference, simulated again."""

    reference: EventSource
    generated: EventSource
    twin: EventSource | None


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found: a record of plain JSON values, and what the plots show."""

    record: JsonObject
    observables: JsonObject


def compare(
    samples: Samples,
    scorecard: Scorecard,
    names: Mapping[str, str | None],
    *,
    whole_sample: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Judge a generated sample of any conditions. Each file is read once, block by block, and a part of its events
    again for metrics of whole samples that look at cells.

    Where its conditions are not those of the reference, event by event, or the twin's are not, they are paired with the
    nearest, and the mismatch is stated. Without a twin there is no floor, and so no excess and no p-value.

    Args:
        names: What ``reference``, ``generated`` and ``twin`` are called, on the page too.
        whole_sample: Whether to add what takes long: metrics of whole samples, some of which compare every event with
            every other, and the entropic discrepancy of earlier work.
        progress: Where steps are shown; nowhere by default.
    Raises: InvalidEvents, ValueError if the samples cannot be compared, or are too small for the scorecard;
        UnreadableFile for values that no detector produces.
    """
    steps = _Steps(progress or Progress(disable=True))
    reference = samples.reference
    paired = PairedSample.of(reference, samples.generated)
    again = None if samples.twin is None else PairedSample.of(reference, samples.twin)
    cells = condition_cells(scorecard, reference.detector, reference.conditions)
    wanted = _observed_names(scorecard, reference.detector, whole_sample=whole_sample)

    def observed(sample: PairedSample, role: str) -> ObservedSample:
        return observe_sample(sample, wanted, cells, steps.reading(names[role] or role, len(sample)))

    r, g = observed(PairedSample.itself(reference), "reference"), observed(paired, "generated")
    floor = None if again is None else observed(again, "twin")
    with steps.one(f"judging by {scorecard.name}"):
        judge = Judge(scorecard, r, floor, reported=unscored_metrics(scorecard, slow=whole_sample))
        judgement = judge.judge(g)
        rows = list(_rows(judge, judgement))
    report = WholeSampleReport(judge.bins, r, g, floor)
    record = {
        "names": dict(names),
        "detector": reference.detector.name,
        "num_events": len(reference),
        "scorecard": scorecard.name,
        "scorecard_identity": scorecard.identity,
        "matching": {"generated": _mismatch(paired), "twin": None if again is None else _mismatch(again)},
        "metrics": rows,
        "whole_sample": whole_sample_rows(report, steps) if whole_sample else [],
        "helix": _helix({"reference": r, "generated": g, "twin": floor}),
        "judgement": judgement.to_json(),
    }
    plots = {
        "histograms": histograms(judge.bins, scorecard_names(scorecard), r, g, floor),
        "images": images(cells, r, g),
        "response": response_curves(scorecard, r, g, floor),
    }
    return Comparison(record, plots)


def unscored_metrics(scorecard: Scorecard, *, slow: bool) -> tuple[str, ...]:
    """Every metric of condition bins that the scorecard can be asked for and does not score.

    Args:
        slow: Whether those are among them that otherwise the benchmark alone computes.
    """
    return tuple(
        name
        for name, metric in METRICS.items()
        if name not in scorecard.weights
        and set(metric.needs) <= set(scorecard.distributions)
        and (slow or metric.cost != "benchmark only")
    )


def _helix(samples: Mapping[str, ObservedSample | None]) -> JsonObject:
    """Distances of points to helices as earlier work reports them; nothing for a detector without tracks."""
    found = {role: sample for role, sample in samples.items() if sample is not None}
    if not all(is_alice_track(sample.detector) for sample in found.values()):
        return {}
    return helix_record({role: (events for _, events in sample.events.blocks()) for role, sample in found.items()})


def scorecard_names(scorecard: Scorecard) -> tuple[str, ...]:
    """Observables that a scorecard looks at."""
    return (*scorecard.distributions, *scorecard.profiles)


def _observed_names(scorecard: Scorecard, detector: Detector, *, whole_sample: bool) -> tuple[str, ...]:
    """Everything that is looked at of the samples."""
    names = observed_names(scorecard, detector) if whole_sample else scorecard_names(scorecard)
    return (*names, *RESPONSE_NAMES) if has_response(detector) else names


class _Steps:
    """Steps of a comparison, as they are shown."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def reading(self, name: str, num_events: int) -> Callable[[Blocks], Blocks]:
        """What blocks of events are led through while they are read and observed."""

        def through(blocks: Blocks) -> Blocks:
            task = self._progress.add_task(f"reading {escape(name)}", total=num_events)
            for which, events in blocks:
                yield which, events
                self._progress.advance(task, len(which))

        return through

    @contextmanager
    def one(self, title: str) -> Iterator[None]:
        """A step of unknown length."""
        task = self._progress.add_task(title, total=None)
        yield
        self._progress.update(task, total=1, completed=1)

    @contextmanager
    def named(self, number: int) -> Iterator[Callable[[str], None]]:
        """So many steps; gives what is told the name of each before it begins."""
        task = self._progress.add_task("", total=number)
        begun = itertools.count()
        yield lambda title: self._progress.update(task, description=title, completed=next(begun))
        self._progress.update(task, completed=number)


def open_samples(reference: Path, generated: Path, twin: Path | None, detector: str | None) -> Samples:
    """The files of a comparison: conditions are read, responses are not.

    Args:
        detector: Name of the detector that they must be of, in whose layout they are read; None for what they say.
    Raises: UnknownName; UnreadableFile; InvalidEvents if they are of another detector, or the reference is too small.
    """
    opened = Samples(
        open_sample(reference, detector),
        open_sample(generated, detector),
        None if twin is None else open_sample(twin, detector),
    )
    if len(opened.reference) < FEWEST_EVENTS:
        raise InvalidEvents(
            f"{reference}: the number of its events is {len(opened.reference)}; a reference needs at least "
            f"{FEWEST_EVENTS}, as a scorecard does in a condition bin: give a larger one"
        )
    return opened


def open_sample(path: Path, detector: str | None) -> EventSource:
    """The events of a file.

    Args:
        detector: As for ``open_samples``.
    Raises: UnknownName; UnreadableFile; InvalidEvents if it is of another detector.
    """
    layouts = {dataset.detector.name: dataset.layout for dataset in DATASETS.values()}
    if detector is not None and detector not in layouts:
        raise UnknownName("detector", detector, layouts)
    source = open_events(path, None if detector is None else layouts[detector])
    if detector is not None and source.detector.name != detector:
        raise InvalidEvents(f"{path}: events of {source.detector.name}; {detector} was asked for. Give its files")
    return source


def write_comparison(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write the record and the page; returns their paths."""
    rows = helix_table(comparison.record["helix"]) if comparison.record["helix"] else []
    page = render_comparison(comparison.record, comparison.observables, HEADER, WHOLE_SAMPLE_HEADER, rows)
    text = json.dumps(comparison.record, allow_nan=False, ensure_ascii=False, indent=1)
    write_atomically(folder / RECORD_FILE, text)
    write_atomically(folder / PAGE_FILE, page)
    return folder / RECORD_FILE, folder / PAGE_FILE


def table(record: JsonObject) -> list[tuple[str, ...]]:
    """Rows of ``HEADER`` as people read them."""
    return [tuple(row["shown"]) for row in record["metrics"]]


def whole_sample_rows(report: WholeSampleReport, steps: _Steps) -> list[JsonObject]:
    """Metrics of whole samples as plain JSON values, with what people read (``shown``) beside them."""
    metrics = list(WHOLE_SAMPLE_METRICS.values())
    with steps.named(report.num_steps(metrics)) as on_step:
        rows = [row.to_json() for row in report.rows(metrics, on_step)]
    return [row | {"shown": _shown_whole_sample(row)} for row in rows]


def _shown_whole_sample(row: JsonObject) -> list[str]:
    metric = WHOLE_SAMPLE_METRICS[row["name"]]
    values = (signed_with_error(row[name]) for name in ("outcome", "floor"))
    return [metric.title, *values, f"{metric.perfect:g}", row["remark"]]


def _mismatch(sample: PairedSample) -> list[JsonObject]:
    return [part.to_json() for part in sample.pairing.mismatch]


def _rows(judge: Judge, judgement: Judgement) -> Iterator[JsonObject]:
    estimates = {SCORE: judgement.score, **judgement.components, **judgement.reported}
    floor = judge.floor
    floors = {} if floor is None else {SCORE: floor.score, **floor.components, **floor.reported}
    excesses = {} if judgement.excess is None else {SCORE: judgement.excess, **judgement.excesses}
    intervals = {name: interval.to_json() for name, interval in judgement.intervals.items()}
    for name, estimate in estimates.items():
        excess = excesses.get(name)
        row: JsonObject = {
            "name": name,
            "meaning": MEANINGS.get(name, ""),
            **estimate.to_json(),
            "floor": floors[name].to_json() if name in floors else None,
            "excess": None if excess is None else excess.to_json(),
            "interval": intervals.get(name),
            "p_value": judgement.p_values.get(name),
            "worth": None if excess is None else worth(excess, floors[name].value, len(judge.reference)).to_json(),
        }
        yield row | {"shown": _shown(row)}


def _shown(row: JsonObject) -> list[str]:
    excess, interval = row["excess"], row["interval"]
    return [
        _title(row["name"]),
        with_error(row),
        with_error(row["floor"]),
        with_interval(excess["value"], interval) if interval else signed_with_error(excess),
        significant(row["p_value"], 2),
        worth_in_events(row["worth"], excess),
    ]


def _title(name: str) -> str:
    short = component_title(name)
    return METRICS[name].title if short == name else short
