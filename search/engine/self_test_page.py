"""The page of the documentation on the self-test of the metrics, from its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leaderboard.records import JsonObject
from leaderboard.self_test_records import read_calibration, read_records, whole_sample_table
from leaderboard.text import component_title, count, significant
from search.engine.markdown import markdown_table

FIGURE = "metric_tests/calibration.svg"
INTRODUCTION = """
# What the metrics notice

The metrics are tested with full simulation that was made worse on purpose: `arena metrics list` names the faults. Three
simulations of the same particles change roles from draw to draw: one is the reference, one the twin that gives the
floor, and the third gets the fault. A draw counts as noticed if the p-value of the excess over the floor is below 0.01;
numbers are draws noticed of {draws}, smaller samples first. What a metric was meant to notice in the largest sample, in
nine draws of ten, was written down before the test ran (`metrics/self_test_expected.py`): those numbers are **bold**,
and ~~struck out~~ where it was missed. In the row "none" nothing is wrong.

Made again by

    arena metrics selftest --whole-sample
    arena metrics selftest --files tests/metrics/samples/photons_{{reference,twin,fresh}}.h5 --sizes 400 2000 10000

which fails if anything else is missed, and takes any three files of one's own. Beside the score and its components
stand separation power and mean χ²/ndf, by which others judge.
"""
WHOLE_SAMPLE = """
Metrics of whole samples: how much farther from perfect than the floor, in standard errors, with all events; one draw.
"""
CALIBRATION = """
## Are the p-values right?

p-values of full simulation must be uniform. {draws} draws of {events} photons, none of them in two draws, were judged
that were simulated three times; Kolmogorov–Smirnov p-values: {tests}. Made again by
`python benchmarks/metric_calibration.py`.

![Share of the draws below each p-value]({figure})
"""


def self_test_page() -> str:
    """Every record, and the calibration of the p-values."""
    records, calibration = read_records(), read_calibration()
    tests = ", ".join(
        f"{component_title(name)} {significant(p, 2)}" for name, p in calibration["kolmogorov_smirnov"].items()
    )
    parts = [INTRODUCTION.format(draws=records[0]["draws"])]
    for record in records:
        parts += [_heading(record), markdown_table(_header(record), _rows(record)), *_whole_sample(record)]
    draws, events = calibration["draws"], calibration["events"]
    parts.append(CALIBRATION.format(draws=draws, events=events, tests=tests, figure=FIGURE))
    return "\n".join(parts)


def _heading(record: JsonObject) -> str:
    sizes = ", ".join(count(events) for events in record["sizes"])
    return f"## {record['title']}\n\n`{record['scorecard']}` on {record['dataset']}; {sizes} events in a draw.\n"


def _header(record: JsonObject) -> Sequence[str]:
    return ("fault", "strength", *(component_title(metric) for metric in record["metrics"]))


def _rows(record: JsonObject) -> Iterator[Sequence[str]]:
    for fault in record["faults"]:
        strength = "" if fault["strength"] is None else f"{fault['strength']:g} {fault['strength_unit']}"
        cells = (_cell(record, fault["name"], metric) for metric in record["metrics"])
        yield (f"{fault['title']} `{fault['name']}`", strength, *cells)


def _cell(record: JsonObject, fault: str, metric: str) -> str:
    rows = [row for row in record["rows"] if (row["fault"], row["metric"]) == (fault, metric)]
    numbers = [str(row["noticed"]) for row in rows]
    if rows[-1]["expected"]:
        mark = "~~" if rows[-1]["missed"] else "**"
        numbers[-1] = f"{mark}{numbers[-1]}{mark}"
    return " · ".join(numbers)


def _whole_sample(record: JsonObject) -> Iterator[str]:
    if "whole_sample" in record:
        yield WHOLE_SAMPLE
        header, *rows = whole_sample_table(record)
        yield markdown_table([name.replace("_", " ") for name in header], rows)
