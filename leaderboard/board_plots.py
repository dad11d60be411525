"""Plots of a whole table: scores, and fidelity against generation time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from leaderboard import text
from leaderboard.plots import GENERATED, MUTED, TWIN, WIDE_RANGE, styled
from leaderboard.records import JsonObject

LABEL_STEPS = ((6, 5, "left", "bottom"), (6, -6, "left", "top"))


@dataclass(frozen=True)
class TimedScore:
    """A ranked entry: score with error, and milliseconds a shower with spread."""

    label: str
    score: float
    score_error: float
    milliseconds: float
    spread: float
    in_pareto_set: bool


@styled
def pareto_figure(entries: Sequence[TimedScore], floor: JsonObject | None) -> Figure:
    """Score against generation time; what nothing beats in both is connected and named."""
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    axes = figure.subplots()
    if floor is not None:
        axes.axhspan(floor["value"] - floor["error"], floor["value"] + floor["error"], color=TWIN, alpha=0.15, lw=0)
        axes.axhline(floor["value"], color=TWIN, linewidth=1, label="full-simulation floor")
    chosen = sorted((entry for entry in entries if entry.in_pareto_set), key=lambda entry: entry.milliseconds)
    others = [entry for entry in entries if not entry.in_pareto_set]
    axes.step(
        [entry.milliseconds for entry in chosen],
        [entry.score for entry in chosen],
        where="post",
        color=GENERATED,
        linewidth=1,
        linestyle=(0, (4, 2)),
    )
    for group, color, marker, filling, label in (
        (others, MUTED, "s", "white", "not in the set"),
        (chosen, GENERATED, "o", GENERATED, "Pareto set"),
    ):
        if group:
            axes.errorbar(
                [entry.milliseconds for entry in group],
                [entry.score for entry in group],
                yerr=[entry.score_error for entry in group],
                xerr=[entry.spread for entry in group],
                fmt=marker,
                color=color,
                markerfacecolor=filling,
                markersize=5,
                elinewidth=1,
                label=label,
            )
    for number, entry in enumerate(chosen):
        right, up, horizontal, vertical = LABEL_STEPS[number % len(LABEL_STEPS)]
        axes.annotate(
            entry.label,
            (entry.milliseconds, entry.score),
            (right, up),
            textcoords="offset points",
            ha=horizontal,
            va=vertical,
            fontsize=8,
            parse_math=False,
        )
    if _wide([entry.milliseconds for entry in entries]):
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
    if _wide([entry.score for entry in entries]):
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)
    axes.margins(x=0.12, y=0.12)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("generation [CPU ms a shower, one thread, batches of 100]")
    axes.set_ylabel("score on the test split (lower is better)")
    axes.legend()
    return figure


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > WIDE_RANGE * min(values)


def _plain_numbers(axis: Axis) -> None:
    """1000, not 10³."""
    axis.set_major_formatter(lambda value, _: text.significant(value, 2))
    axis.set_minor_formatter(NullFormatter())
