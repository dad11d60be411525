"""A histogram or mean profile with the ratio of generated to full simulation below it."""

# Axes: B bins.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.plots import Panel, Series
from leaderboard.svg_axes import (
    Axis,
    Frame,
    bands,
    bars,
    dots,
    drawing,
    fitting,
    path,
    steps,
    text,
    triangles,
)

RATIO_LIMITS = (0.4, 1.6)
WIDTH, HEIGHT = 346, 306
LEFT, RIGHT, TOP, MIDDLE, BELOW, BOTTOM = 66, 328, 24, 186, 198, 262
EQUAL_FACTORS = 1e-3  # edges are written with six digits
CROWDED = 60  # bins beyond which points are drawn smaller

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ratios:
    """Generated over reference in B bins, NaN where the reference is empty, and both relative errors."""

    values: Array
    errors: Array
    reference_errors: Array


def ratio_svg(panel: Panel, label: str) -> str:
    """The plot as an ``<svg>`` element.

    The reference is a line with its statistical error as a band, generated points have error bars, the twin is dashed.
    Below: the ratio in ``RATIO_LIMITS``, with triangles for what lies outside and nothing where the reference is empty.
    """
    x = x_axis(panel.edges)
    low, high = _range(panel)
    upper = Frame(x, Axis(low, high, MIDDLE, TOP))
    lower = Frame(x, Axis(*RATIO_LIMITS, BOTTOM, BELOW))
    size = "c" if len(panel.edges) > CROWDED else ""
    return drawing(WIDTH, HEIGHT, label, [*_above(panel, upper, size), *_below(panel, lower, size)])


def x_axis(edges: Array) -> Axis:
    """Logarithmic where each edge is the same multiple of the one before, as those of spectra and thresholds are."""
    return Axis(float(edges[0]), float(edges[-1]), LEFT, RIGHT, logarithmic=_spaced_by_factors(edges))


def centres_of(edges: Array) -> Array:
    """Where the points of the bins are drawn: in the middle of what one sees."""
    if _spaced_by_factors(edges):
        return np.asarray(np.sqrt(edges[1:] * edges[:-1]), dtype=np.float64)
    return np.asarray((edges[1:] + edges[:-1]) / 2, dtype=np.float64)


def ratios(panel: Panel) -> Ratios:
    """What the lower panel shows; each error is that of its sample alone, over the reference."""
    reference, generated = panel.reference, panel.generated
    return Ratios(
        _over(generated.values, reference.values),
        _over(generated.errors, reference.values),
        _over(reference.errors, reference.values),
    )


def _above(panel: Panel, frame: Frame, size: str) -> list[str]:
    x, y = frame.x, frame.y
    edges, centres = x(panel.edges), x(centres_of(panel.edges))
    reference, generated = panel.reference, panel.generated
    y_size = fitting(panel.y_label, 11, MIDDLE - TOP + 14)
    twin = "" if panel.twin is None else path("w", steps(edges, y(panel.twin.values)))
    return [
        path("b", bands(edges, y(_low(reference)), y(_high(reference)))),
        path("r", steps(edges, y(reference.values))),
        twin,
        path("g", bars(centres, y(_low(generated)), y(_high(generated)))),
        path(f"d{size}", dots(centres, y(generated.values))),
        frame.ticks(5, 4, name_x=False),
        text(LEFT, 14, panel.title, "t", size=fitting(panel.title, 12, RIGHT - LEFT + 16)),
        text(16, (TOP + MIDDLE) / 2, panel.y_label, "m", size=y_size, upright=True),
    ]


def _below(panel: Panel, frame: Frame, size: str) -> list[str]:
    low, high = RATIO_LIMITS
    x, y = frame.x, frame.y
    edges, centres = x(panel.edges), x(centres_of(panel.edges))
    found = ratios(panel)
    band_low, band_high = (y(np.clip(1 + sign * found.reference_errors, low, high)) for sign in (-1, 1))
    inside = (found.values >= low) & (found.values <= high)
    shown = np.where(inside, found.values, np.nan)
    one = float(y(np.array([1.0]))[0])
    return [
        path("b", bands(edges, band_low, band_high)),
        path("o", f"M{LEFT} {one:.1f}H{RIGHT}"),
        path("g", bars(centres, y(np.maximum(shown - found.errors, low)), y(np.minimum(shown + found.errors, high)))),
        path(f"d{size}", dots(centres, y(shown))),
        path("v", triangles(centres[found.values > high], BELOW + 8, upwards=True)),
        path("v", triangles(centres[found.values < low], BOTTOM - 8, upwards=False)),
        frame.ticks(5, 3),
        text((LEFT + RIGHT) / 2, HEIGHT - 9, panel.x_label, "m", size=fitting(panel.x_label, 12, RIGHT - LEFT + 30)),
        text(16, (BELOW + BOTTOM) / 2, "ratio", "m", upright=True),
    ]


def _range(panel: Panel) -> tuple[float, float]:
    """From 0 to a little above the highest error bar; further down where something is negative."""
    samples: list[Series] = [panel.reference, panel.generated, *([] if panel.twin is None else [panel.twin])]
    lowest = min(0.0, *(float(np.min(_low(series))) for series in samples))
    highest = max(0.0, *(float(np.max(_high(series))) for series in samples))
    return (1.1 * lowest, 1.1 * highest) if highest > lowest else (0.0, 1.0)


def _low(series: Series) -> Array:
    """Lower end of the error bars; fractions and means that are never negative end at 0."""
    low = series.values - series.errors
    return low if (series.values < 0).any() else np.maximum(low, 0.0)


def _high(series: Series) -> Array:
    return series.values + series.errors


def _over(numerator: Array, denominator: Array) -> Array:
    nothing = np.full_like(numerator, np.nan)
    return np.asarray(np.divide(numerator, denominator, out=nothing, where=denominator > 0), dtype=np.float64)


def _spaced_by_factors(edges: Array) -> bool:
    if edges[0] <= 0 or edges[-1] < 10 * edges[0]:
        return False
    factors = edges[1:] / edges[:-1]
    return bool(np.ptp(factors) < EQUAL_FACTORS * (factors.mean() - 1))
