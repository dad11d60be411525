"""SVG plots from the numbers of ``observables.json`` and of entries.

Drawn on white cards with the colour-blind-safe palette of Okabe and Ito (https://jfly.uni-koeln.de/color/):
reference grey, generated vermilion, second full simulation blue. Figures are plain objects: no
pyplot, no global state.
"""

# Axes: B bins, E energies.
from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from matplotlib.typing import RcKeyType
from numpy.typing import NDArray

from leaderboard import text
from leaderboard.records import JsonObject

REFERENCE, GENERATED, TWIN, MUTED = "#4d4d4d", "#D55E00", "#0072B2", "#8a8a8a"
DISTANCE_STYLES = ((GENERATED, "o"), (REFERENCE, "s"), (TWIN, "^"))
SERIES_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDE_RANGE = 20  # largest over smallest score above which the axis is logarithmic
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",  # text stays text: small files, and legible to search and screen readers
    "svg.hashsalt": "fastsim-arena",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 0.8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "mathtext.fontset": "dejavusans",
}
COORDINATES = re.compile(r' (?:d|x|y)="[^"]*"')
LONG_NUMBER = re.compile(r"-?\d+\.\d+")

Array = NDArray[np.float64]
P = ParamSpec("P")


@dataclass(frozen=True)
class Series:
    """Content of B bins with standard errors; NaN where there is none."""

    values: Array
    errors: Array


@dataclass(frozen=True)
class Panel:
    """A histogram or mean profile of the reference, a generated sample and, where there is one, the twin.

    Attributes:
        edges: B + 1 bin edges.
    """

    title: str
    x_label: str
    y_label: str
    edges: Array
    reference: Series
    generated: Series
    twin: Series | None


@dataclass(frozen=True)
class Quantiles:
    """A few points of a cumulative distribution: shares in 0 … 1 and the values below which they lie."""

    shares: Array
    values: Array


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with this file's style, and leave matplotlib's own untouched."""

    def with_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return with_style


def to_svg(figure: Figure, label: str) -> str:
    """The figure as an ``<svg>`` element for an HTML page, as wide as its container.

    Args:
        label: What a screen reader says; plain text.
    """
    buffer = io.StringIO()
    # Ids follow from content and salt: a salt of its own keeps the plots of one page apart.
    with mpl.rc_context(STYLE | {"svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = buffer.getvalue()
    svg = compact(svg[svg.index("<svg") :])
    width = figure.get_figwidth() * 96
    opening = (
        f'<svg role="img" aria-label="{html.escape(label)}" style="width:100%;max-width:{width:.0f}px;height:auto"'
    )
    return re.sub(r'<svg((?: [\w:]+="[^"]*")*)', lambda match: opening + _without_size(match.group(1)), svg, count=1)


def compact(svg: str) -> str:
    """The same drawing in a third of the characters; the page's style sheet gives the font."""
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = COORDINATES.sub(lambda match: _short_numbers(match.group()), svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?| transform=\"rotate\(-0 [^\"]*\"", "", svg)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    names = {name for pair in used for name in pair}
    svg = re.sub(r' id="([^"]+)"', lambda match: match.group() if match.group(1) in names else "", svg)
    svg = re.sub(r">\s+<", "><", svg)
    return re.sub(r"<g></g>", "", re.sub(r"<g><(path|use)([^<>]*)/></g>", r"<\1\2/>", svg))


@styled
def score_figure(rows: Sequence[tuple[str, JsonObject]], floor: JsonObject | None) -> Figure:
    """Score with its error of each labelled entry, best at the top, with the full-simulation floor as a line."""
    figure = Figure(figsize=(8.4, 0.9 + 0.32 * max(len(rows), 1)), layout="constrained")
    axes = figure.subplots()
    if floor is not None:
        axes.axvspan(floor["value"] - floor["error"], floor["value"] + floor["error"], color=TWIN, alpha=0.15, lw=0)
        axes.axvline(floor["value"], color=TWIN, linewidth=1, label="full-simulation floor")
        axes.legend(loc="upper right")
    for height, (_, entry) in enumerate(rows):
        counted = entry["kind"] == "model" and entry["status"] == "complete"
        axes.errorbar(
            entry["score"]["value"],
            height,
            xerr=entry["score"]["error"],
            fmt="o" if counted else "D",
            color=GENERATED if counted else MUTED,
            markerfacecolor=GENERATED if counted else "white",
            markersize=5,
            elinewidth=1.2,
            capsize=2,
        )
    axes.set_yticks(range(len(rows)), [label for label, _ in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if _far_apart([entry["score"]["value"] for _, entry in rows]):
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
    else:
        axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("combined score on the test split (lower is better)")
    return figure


@styled
def distance_figure(curves: Mapping[str, Quantiles], x_label: str) -> Figure:
    """Share of events whose nearest event is closer than a distance, for each labelled set of distances.

    The first is of generated to training events; where it lies left of the second, to held-out ones, there are copies.
    """
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.subplots()
    for (label, curve), (color, marker) in zip(curves.items(), DISTANCE_STYLES, strict=False):
        axes.plot(curve.values, curve.shares, color=color, marker=marker, markersize=4, linewidth=1.1, label=label)
    axes.set_title("Nearest events, among as many training as held-out ones")
    axes.set_xlabel(x_label)
    axes.set_ylabel("share of events that are closer")
    if _far_apart([float(value) for curve in curves.values() for value in curve.values]):
        axes.set_xscale("log")
        _plain_numbers(axes.xaxis)
    else:
        axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left")
    return figure


def _far_apart(scores: Sequence[float]) -> bool:
    return min(scores) > 0 and max(scores) > WIDE_RANGE * min(scores)


def _plain_numbers(axis: Axis) -> None:
    """1000, not 10³, on a logarithmic axis."""
    axis.set_major_formatter(lambda value, _: text.significant(value, 2))
    axis.set_minor_formatter(NullFormatter())


def _short_numbers(attribute: str) -> str:
    """Tenths of a point are finer than a screen."""
    short = LONG_NUMBER.sub(lambda match: f"{float(match.group()):.1f}".removesuffix(".0"), attribute)
    return re.sub(r"\s*([A-Za-z]) ", r"\1", re.sub(r"\s+", " ", short[1:])).join((" ", ""))


def _without_size(attributes: str) -> str:
    return re.sub(r' (?:width|height)="[^"]*"', "", attributes)
