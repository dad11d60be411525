"""SVG plots of a search, from its record alone.

A status is told by marker and colour (Okabe and Ito's palette, as in ``plots``). Where a search has more trials than a
plot can show, the best and evenly spread others are drawn; ``DRAWN`` says how many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from leaderboard import text
from leaderboard.plots import GENERATED, MUTED, REFERENCE, TWIN, WIDE_RANGE, styled
from leaderboard.records import JsonObject
from leaderboard.studies import StudyRecord, spread_out

STATUS_STYLES = {
    "completed": ("#0072B2", "o"),
    "pruned": ("#E69F00", "v"),
    "diverged": ("#CC79A7", "X"),
    "out_of_memory": ("#000000", "s"),
    "failed": ("#8a8a8a", "P"),
    "preempted": ("#56B4E9", "D"),
    "running": ("#009E73", ">"),
}
DRAWN = {"history": 1000, "slices": 300, "parallel": 150, "curves": 60}
WITH_ERRORS = 150  # trials up to which error bars are drawn
GOLDEN = 0.618034
STRIP = 0.5  # width of the strip of a choice, of the distance between two


@dataclass(frozen=True)
class ParameterAxis:
    """How the values of a hyperparameter lie on an axis.

    Attributes:
        choices: In their order; empty for numbers.
    """

    name: str
    title: str
    choices: tuple[Any, ...]
    low: float
    high: float
    log: bool

    def place(self, value: Any) -> float:
        """Between 0 and 1; NaN for a value that is not on the axis, which leaves a gap."""
        if value is None or (self.choices and value not in self.choices):
            return math.nan
        if self.choices:
            return self.choices.index(value) / (len(self.choices) - 1) if len(self.choices) > 1 else 0.5
        if self.high == self.low:
            return 0.5
        if self.log:
            return math.log(float(value) / self.low) / math.log(self.high / self.low)
        return (float(value) - self.low) / (self.high - self.low)


def parameter_axis(parameter: Mapping[str, Any]) -> ParameterAxis:
    """The axis that holds all branches of a hyperparameter."""
    branches = parameter["branches"]
    choices = [value for branch in branches for value in branch["choices"] or ()]
    ranges = [branch for branch in branches if branch["choices"] is None]
    if not ranges:
        numbers = all(isinstance(value, int | float) for value in choices)
        ordered = sorted(set(choices)) if numbers else list(dict.fromkeys(choices))
        return ParameterAxis(parameter["name"], parameter["title"], tuple(ordered), 0.0, 1.0, log=False)
    numbers_of_choices = [float(value) for value in choices if isinstance(value, int | float)]
    low = min([branch["low"] for branch in ranges] + numbers_of_choices)
    high = max([branch["high"] for branch in ranges] + numbers_of_choices)
    log = low > 0 and any(branch["log"] for branch in ranges)
    return ParameterAxis(parameter["name"], parameter["title"], (), float(low), float(high), log)


def value_label(record: StudyRecord) -> str:
    """What the trials are compared by."""
    name = leading(record)
    if name == "score":
        return "score on validation (lower is better)"
    unit = " [ms]" if name == "generation_time" else ""
    return f"{name.replace('_', ' ')}{unit}, lowest running median"


def leading(record: StudyRecord) -> str:
    """The only objective; the score where there are several."""
    return record["objectives"][0] if len(record["objectives"]) == 1 else "score"


@styled
def history_figure(record: StudyRecord) -> Figure:
    """Each trial's value, the best so far, the default configuration's value and the floor, by number of the trial."""
    trials = record["trial_list"]
    figure = Figure(figsize=(8.4, 3.9), layout="constrained")
    axes = figure.subplots()
    _floor(axes, record)
    drawn = spread_out(trials, DRAWN["history"], _value)
    _markers(axes, drawn, [float(trial["number"]) for trial in drawn])
    if len(drawn) <= WITH_ERRORS:
        _error_bars(axes, drawn)
    scored = [trial for trial in trials if trial["value"] is not None and trial["status"] != "running"]
    if scored:
        best = np.minimum.accumulate([trial["value"] for trial in scored])
        numbers = [trial["number"] for trial in scored]
        kept = np.flatnonzero(np.diff(best, prepend=np.inf) < 0)
        steps = [*(numbers[index] for index in kept), trials[-1]["number"] + 0.5]
        axes.step(steps, [*best[kept], best[-1]], where="post", color=GENERATED, linewidth=1.4, label="best so far")
    first = next((trial for trial in trials if trial["number"] == 0 and trial["value"] is not None), None)
    if first is not None:
        axes.axhline(first["value"], color=REFERENCE, linewidth=1, linestyle=(0, (4, 2)), label=record["default_role"])
    _value_axis(axes, record, [trial["value"] for trial in drawn if trial["value"] is not None])
    axes.set_xlabel("trial, in the order in which they began")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper left", ncols=4)
    return figure


@styled
def importance_figure(record: StudyRecord) -> Figure:
    """Shares of the hyperparameters with 68 % intervals, the largest at the top."""
    weights = record["importance"]["parameters"]
    figure = Figure(figsize=(6.4, 0.9 + 0.28 * len(weights)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(weights))
    axes.barh(places, [100 * weight["share"] for weight in weights], color=TWIN, height=0.62)
    for place, weight in zip(places, weights, strict=True):
        if weight["low"] is not None:
            axes.plot([100 * weight["low"], 100 * weight["high"]], [place, place], color="#1d2126", linewidth=1.4)
    axes.set_yticks(places, [weight["name"] for weight in weights], parse_math=False)
    axes.set_ylim(len(weights) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of the importance [%]")
    return figure


@styled
def parallel_figure(record: StudyRecord) -> Figure:
    """A line for each trial through the values of its varied hyperparameters and its score.

    A hyperparameter that had no effect in a trial leaves a gap.
    """
    columns = [parameter_axis(parameter) for parameter in record["space"] if parameter["varied"]]
    figure = Figure(figsize=(max(6.0, 1.02 * (len(columns) + 1) + 0.6), 4.6))
    axes = figure.add_axes((0.1, 0.27, 0.88, 0.68))
    drawn = [t for t in spread_out(record["trial_list"], DRAWN["parallel"], _value) if t["status"] != "failed"]
    last = _last_column([trial["value"] for trial in drawn if trial["value"] is not None])
    places = np.arange(len(columns) + 1)
    best = min((trial for trial in drawn if trial["value"] is not None), key=_value, default=None)
    completed = sorted((trial for trial in drawn if trial["status"] == "completed"), key=_value)
    shades = {trial["number"]: rank / max(1, len(completed) - 1) for rank, trial in enumerate(completed)}
    for trial in sorted(drawn, key=_value, reverse=True):
        heights = [column.place(trial["parameters"].get(column.name)) for column in columns]
        heights.append(math.nan if trial["value"] is None else last.place(trial["value"]))
        if trial is best:
            axes.plot(places, heights, color=GENERATED, linewidth=2.2, marker="o", markersize=4, zorder=5)
        elif trial["status"] == "completed":
            color = mpl.colormaps["viridis"](0.9 * shades[trial["number"]])
            axes.plot(places, heights, color=color, linewidth=0.9, alpha=0.85, marker=".", markersize=3, zorder=3)
        else:
            axes.plot(places, heights, color="#b4b4b4", linewidth=0.7, linestyle=(0, (3, 2)), zorder=2)
    for place, column in zip(places, [*columns, last], strict=True):
        _upright(axes, float(place), column)
    axes.set_xlim(-0.15, len(columns) + 0.75)
    axes.set_ylim(-0.06, 1.06)
    axes.set_xticks(
        places, [_short(column.title) for column in [*columns, last]], rotation=28, ha="right", fontsize=7.5
    )
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


@styled
def slice_figure(record: StudyRecord, parameter: JsonObject) -> Figure:
    """Value of each trial against one hyperparameter, with its default as a line; choices are strips."""
    column = parameter_axis(parameter)
    name = column.name
    trials = [trial for trial in record["trial_list"] if name in trial["parameters"] and trial["value"] is not None]
    drawn = spread_out(trials, DRAWN["slices"], _value)
    figure = Figure(figsize=(3.6, 3.0), layout="constrained")
    axes = figure.subplots()
    if column.choices:
        widths = STRIP if len(column.choices) > 1 else 0.2
        spots = [_strip(column, trial, widths) for trial in drawn]
        labels = [_tail(_shown(choice), 20) for choice in column.choices]
        slanted: dict[str, Any] = {"rotation": 35, "ha": "right"} if sum(len(label) for label in labels) > 28 else {}
        axes.set_xticks(range(len(labels)), labels, fontsize=7, parse_math=False, **slanted)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.6, len(labels) - 0.4)
        default = column.choices.index(parameter["default"]) if parameter["default"] in column.choices else None
    else:
        spots = [float(trial["parameters"][name]) for trial in drawn]
        default = parameter["default"]
        if column.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=5))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(*_with_margin(column))
    if default is not None:
        axes.axvline(default, color=REFERENCE, linewidth=1, linestyle=(0, (4, 2)))
    _markers(axes, drawn, spots, rug=False)
    best = min(drawn, key=_value, default=None)
    if best is not None:
        spot = spots[drawn.index(best)]
        axes.plot(spot, best["value"], "o", color=GENERATED, markersize=9, fillstyle="none", markeredgewidth=1.6)
    _value_axis(axes, record, [trial["value"] for trial in drawn])
    axes.set_ylabel(leading(record).replace("_", " "))
    axes.set_title(_short(column.title, 46), fontsize=8.5, parse_math=False)
    axes.set_xlabel(name, parse_math=False)
    return figure


@styled
def curves_figure(record: StudyRecord) -> Figure:
    """Running median of the objective against the epoch, with the rungs at which trials are stopped."""
    status = {trial["number"]: trial["status"] for trial in record["trial_list"]}
    values = {trial["number"]: _value(trial) for trial in record["trial_list"]}
    curves = spread_out(record["curves"], DRAWN["curves"], lambda curve: values[curve["number"]])
    figure = Figure(figsize=(8.4, 3.9), layout="constrained")
    axes = figure.subplots()
    for index, rung in enumerate(record["pruner"]["rungs"] if record["pruner"] else ()):
        label = "rung: the worst are stopped" if index == 0 else None
        axes.axvline(rung, color=MUTED, linewidth=0.9, linestyle=":", label=label)
    best = min(curves, key=lambda curve: values[curve["number"]], default=None)
    seen = set()
    for curve in curves:
        kind = status[curve["number"]]
        color, marker = STATUS_STYLES[kind]
        label = None if kind in seen else kind.replace("_", " ")
        seen.add(kind)
        axes.plot(curve["epochs"], curve["values"], color=color, linewidth=0.9, alpha=0.75)
        axes.plot(curve["epochs"][-1:], curve["values"][-1:], marker, color=color, markersize=4.5, label=label)
    if best is not None:
        axes.plot(
            best["epochs"], best["values"], color=GENERATED, linewidth=2, label=f"trial {best['number']}, the best"
        )
    _value_axis(axes, record, [value for curve in curves for value in curve["values"]])
    axes.set_ylabel(f"running median of the {leading(record).replace('_', ' ')}")
    axes.set_xlabel("epoch")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    figure.legend(loc="outside upper left", ncols=5)
    return figure


@styled
def budget_figure(record: StudyRecord) -> Figure:
    """Trials and CPU and GPU time by how the trials ended, each as shares of its whole."""
    parts = record["budget"]
    kinds = {"trials": "trials", "cpu_hours": "CPU time", "gpu_hours": "GPU time"}
    totals = {key: sum(part[key] for part in parts) for key in kinds}
    shown = [key for key in kinds if totals[key] > 0]
    figure = Figure(figsize=(8.4, 0.75 + 0.36 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for place, key in enumerate(shown):
        left = 0.0
        for part in parts:
            share = 100 * part[key] / totals[key]
            color = STATUS_STYLES[part["status"]][0]
            label = part["status"].replace("_", " ") if place == 0 else None
            axes.barh(place, share, left=left, color=color, edgecolor="white", linewidth=0.8, height=0.66, label=label)
            left += share
    axes.set_yticks(range(len(shown)), [kinds[key] for key in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share [%]")
    figure.legend(loc="outside upper left", ncols=7)
    return figure


def _value(trial: JsonObject) -> float:
    return math.inf if trial["value"] is None else float(trial["value"])


def _markers(axes: Axes, trials: Sequence[JsonObject], spots: Sequence[float], *, rug: bool = True) -> None:
    """A marker for each trial; those without a value along the upper edge."""
    for status, (color, marker) in STATUS_STYLES.items():
        chosen = [
            (spot, trial["value"]) for spot, trial in zip(spots, trials, strict=True) if trial["status"] == status
        ]
        if not chosen:
            continue
        label: str | None = status.replace("_", " ")
        face = "none" if status == "pruned" else color
        for with_value in (True, False):
            points = [(spot, value) for spot, value in chosen if (value is not None) == with_value]
            if not points or not (with_value or rug):
                continue
            x = [spot for spot, _ in points]
            y = [value for _, value in points] if with_value else [0.985] * len(points)
            transform = axes.transData if with_value else axes.get_xaxis_transform()
            axes.plot(
                x,
                y,
                marker,
                color=color,
                markerfacecolor=face,
                markersize=4.5,
                label=label,
                transform=transform,
                zorder=3,
            )
            label = None


def _error_bars(axes: Axes, trials: Iterable[JsonObject]) -> None:
    """Of the scores, one path for all, which keeps the file small."""
    known = [t for t in trials if t["value"] is not None and t["value"] == t["score"] and t["score_error"]]
    x = [place for trial in known for place in (trial["number"], trial["number"], math.nan)]
    y = [end for t in known for end in (t["value"] - t["score_error"], t["value"] + t["score_error"], math.nan)]
    axes.plot(x, y, color=MUTED, linewidth=0.8, zorder=2)


def _floor(axes: Axes, record: StudyRecord) -> None:
    floor = record["floor"]
    if floor is None or leading(record) != "score":
        return
    error = floor["error"] or 0.0
    axes.axhspan(floor["value"] - error, floor["value"] + error, color=TWIN, alpha=0.2, linewidth=0)
    axes.axhline(floor["value"], color=TWIN, linewidth=1, label="full-simulation floor")


def _value_axis(axes: Axes, record: StudyRecord, values: Sequence[float]) -> None:
    """Logarithmic where the values lie far apart, else from 0 if that is not far."""
    axes.set_ylabel(value_label(record))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    if not values:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        return
    if min(values) > 0 and max(values) > WIDE_RANGE * min(values):
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)


def _plain_numbers(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: text.significant(value, 2).removesuffix(".0"))
    axis.set_minor_formatter(NullFormatter())


def _last_column(values: Sequence[float]) -> ParameterAxis:
    if not values:
        return ParameterAxis("value", "score", (), 0.0, 1.0, log=False)
    low, high = min(values), max(values)
    return ParameterAxis("value", "score", (), low, high, log=low > 0 and high > WIDE_RANGE * low)


def _upright(axes: Axes, place: float, column: ParameterAxis) -> None:
    """The axis of one column with its values beside it."""
    axes.plot([place, place], [0, 1], color="#444444", linewidth=0.9, zorder=4)
    marks = column.choices or (column.low, column.high)
    for mark in marks:
        axes.annotate(
            _tail(_shown(mark), 16) if column.choices else text.significant(float(mark), 3),
            (place, column.place(mark)),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=6.5,
            va="center",
            zorder=6,
            parse_math=False,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )
    if column.log:
        axes.annotate("log", (place, 1.045), fontsize=6.5, ha="center", va="bottom", color="#5d6670")


def _strip(column: ParameterAxis, trial: JsonObject, width: float) -> float:
    """Place of a trial in the strip of its choice: side by side, and the same at every drawing."""
    aside = (trial["number"] * GOLDEN) % 1 - 0.5
    value = trial["parameters"][column.name]
    return column.choices.index(value) + width * float(aside)


def _with_margin(column: ParameterAxis) -> tuple[float, float]:
    if column.low == column.high:
        return column.low - 1, column.high + 1
    if column.log:
        factor = (column.high / column.low) ** 0.05
        return column.low / factor, column.high * factor
    margin = 0.05 * (column.high - column.low)
    return column.low - margin, column.high + margin


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _tail(words: str, letters: int) -> str:
    """Choices differ in their ends: leaky_relu+softmax, leaky_relu+relu."""
    return words if len(words) <= letters else "…" + words[1 - letters :]


def _short(words: str, letters: int = 24) -> str:
    return words if len(words) <= letters else words[: letters - 1] + "…"
