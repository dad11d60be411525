"""Two files compared by a scorecard, without any study: a record, a page with plots, a table."""

# Axes: N reference events, V cells.
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from data_adapters.registry import UnknownName
from leaderboard.pages import render_comparison
from leaderboard.records import JsonObject, write_atomically
from leaderboard.text import NOTHING, component_title, count, significant, with_error
from metrics import METRICS, WHOLE_SAMPLE_METRICS, histograms_for_plots, mean_images, response_against_energy
from metrics.judge import SCORE, Judge
from metrics.judgement import Judgement
from metrics.matching import Matched, match
from metrics.scorecard import Scorecard
from metrics.scorecards import SCORECARDS
from metrics.scorecards.generic import generic_scorecard
from metrics.whole_sample_report import whole_sample_report
from metrics.worth import CONFIDENCE, worth

RECORD_FILE, PAGE_FILE = "comparison.json", "comparison.html"
WHOLE_SAMPLE_HEADER = ("metric of whole samples", "value ± error", "floor", "perfect", "remark")
HEADER = ("metric", "value ± error", "floor", "excess ± error", "p", "worth, events")


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found: a record of plain JSON values, and what the plots show."""

    record: JsonObject
    observables: JsonObject


def compare(
    reference: Events,
    generated: Events,
    twin: Events | None,
    scorecard: Scorecard,
    names: Mapping[str, str | None],
    *,
    whole_sample: bool = False,
) -> Comparison:
    """Judge a generated sample of any conditions.

    Where its conditions are not those of the reference, event by event, or the twin's are not, they are paired with the
    nearest, and the mismatch is stated. Without a twin there is no floor, and so no excess and no p-value.

    Args:
        names: What ``reference``, ``generated`` and ``twin`` are called on the page.
        whole_sample: Whether to add the metrics of whole samples, some of which compare every event with every other.
    Raises: InvalidEvents, ValueError if the samples cannot be compared, or are too small for the scorecard.
    """
    paired = match(reference, generated)
    again = None if twin is None else match(reference, twin)
    judge = Judge(scorecard, reference, None if again is None else reference.with_response(again.response))
    judgement = judge.judge(paired.response)
    null = None if again is None else again.response
    record = {
        "names": dict(names),
        "detector": reference.detector.name,
        "num_events": len(reference),
        "scorecard": scorecard.name,
        "scorecard_identity": scorecard.identity,
        "matching": {"generated": _mismatch(paired), "twin": None if again is None else _mismatch(again)},
        "metrics": list(_rows(judge, judgement)),
        "whole_sample": whole_sample_rows(scorecard, reference, paired.response, null) if whole_sample else [],
        "judgement": judgement.to_json(),
    }
    return Comparison(record, _plots(reference, paired.response, null, scorecard))


def scorecard_of(reference: Events, name: str | None) -> Scorecard:
    """The scorecard of that name; without one the registered one of the detector, or else one that follows from it.

    Raises: UnknownName; InvalidEvents if none can be derived; ValueError if it is of another detector.
    """
    detector = reference.detector
    if name is not None:
        return SCORECARDS[name]
    found = [card for card in SCORECARDS.values() if card.detector == detector.name]
    return found[-1] if found else generic_scorecard(detector, reference.conditions[detector.binning_condition.name])


def read_sample(path: Path, detector: str | None) -> Events:
    """All events of a file.

    Args:
        detector: Name of the detector that it must be of, whose layout it is read in; None for what the file says.
    Raises: UnknownName; UnreadableFile; InvalidEvents if it is of another detector.
    """
    layouts = {dataset.detector.name: dataset.layout for dataset in DATASETS.values()}
    if detector is not None and detector not in layouts:
        raise UnknownName("detector", detector, layouts)
    source = open_events(path, None if detector is None else layouts[detector])
    if detector is not None and source.detector.name != detector:
        raise InvalidEvents(f"{path}: events of {source.detector.name}; {detector} was asked for. Give its files")
    return source.read()


def write_comparison(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write the record and the page; returns their paths."""
    page = render_comparison(comparison.record, comparison.observables, HEADER, WHOLE_SAMPLE_HEADER)
    text = json.dumps(comparison.record, allow_nan=False, ensure_ascii=False, indent=1)
    write_atomically(folder / RECORD_FILE, text)
    write_atomically(folder / PAGE_FILE, page)
    return folder / RECORD_FILE, folder / PAGE_FILE


def table(record: JsonObject) -> list[tuple[str, ...]]:
    """Rows of ``HEADER`` as people read them."""
    return [tuple(row["shown"]) for row in record["metrics"]]


def whole_sample_rows(
    scorecard: Scorecard, reference: Events, response: NDArray[np.float32], twin: NDArray[np.float32] | None
) -> list[JsonObject]:
    """Metrics of whole samples as plain JSON values, with what people read (``shown``) beside them."""
    rows = [row.to_json() for row in whole_sample_report(scorecard, reference, response, twin)]
    return [row | {"shown": _shown_whole_sample(row)} for row in rows]


def _shown_whole_sample(row: JsonObject) -> list[str]:
    metric = WHOLE_SAMPLE_METRICS[row["name"]]
    values = (_signed_with_error(row[name]) if row[name] else NOTHING for name in ("outcome", "floor"))
    return [metric.title, *values, f"{metric.perfect:g}", row["reason"]]


def _mismatch(matched: Matched) -> list[JsonObject]:
    return [part.to_json() for part in matched.mismatch]


def _rows(judge: Judge, judgement: Judgement) -> Iterator[JsonObject]:
    estimates = {SCORE: judgement.score, **judgement.components, **judgement.reported}
    floor = judge.floor
    floors = {} if floor is None else {SCORE: floor.score, **floor.components, **floor.reported}
    excesses = {} if judgement.excess is None else {SCORE: judgement.excess, **judgement.excesses}
    for name, estimate in estimates.items():
        excess = excesses.get(name)
        row: JsonObject = {
            "name": name,
            **estimate.to_json(),
            "floor": floors[name].to_json() if name in floors else None,
            "excess": None if excess is None else excess.to_json(),
            "p_value": judgement.p_values.get(name),
            "worth": None if excess is None else worth(excess, floors[name].value, len(judge.reference)).to_json(),
        }
        yield row | {"shown": _shown(row)}


def _shown(row: JsonObject) -> list[str]:
    excess, found = row["excess"], row["worth"]
    return [
        _title(row["name"]),
        with_error(row),
        with_error(row["floor"]),
        NOTHING if excess is None else _signed_with_error(excess),
        significant(row["p_value"], 2),
        NOTHING if found is None else _worth(found, significant_excess=excess["value"] > CONFIDENCE * excess["error"]),
    ]


def _title(name: str) -> str:
    if name == SCORE:
        return "score"
    short = component_title(name)
    return METRICS[name].title if short == name else short


def _signed_with_error(excess: JsonObject) -> str:
    sign = "−" if excess["value"] < 0 else ""
    return sign + with_error(excess | {"value": abs(excess["value"])})


def _worth(found: JsonObject, *, significant_excess: bool) -> str:
    """The estimate only where there is an excess to speak of; nothing where even its upper limit is below 0."""
    if found["at_least"] is None:
        return NOTHING
    at_least = f"≥ {_rounded(found['at_least'])}"
    return f"{_rounded(found['events'])} ({at_least})" if significant_excess else at_least


def _rounded(number: float) -> str:
    return count(int(float(f"{number:.1e}")))


def _plots(
    reference: Events, response: NDArray[np.float32], twin: NDArray[np.float32] | None, scorecard: Scorecard
) -> JsonObject:
    return {
        "histograms": histograms_for_plots(reference, response, twin, scorecard),
        "images": mean_images(reference, response, scorecard),
        "response": response_against_energy(reference, response, twin, scorecard),
    }
