"""Mean response and resolution against the energy of the particles, with their ratio to the full simulation below."""

# Axes: E energies.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard import text as words
from leaderboard.plots import Series
from leaderboard.svg_axes import Axis, Frame, bars, dots, drawing, fitting, path, squares, text, triangles

WIDTH, HEIGHT = 500, 350
LEFT, RIGHT, TOP, MIDDLE, BELOW, BOTTOM = 74, 484, 44, 204, 222, 300
MARGIN, SIDE_BY_SIDE = 0.08, 9.0  # of the range; px between the samples, so that error bars do not hide each other
MEV_PER_EEV = 1e12
SMALLEST_IN_EEV = 0.1
SAMPLES = {"reference": "full simulation", "generated": "generated", "floor": "simulated again"}
TITLES = {"mean": "Mean response", "resolution": "Energy resolution"}

Array = NDArray[np.float64]


def response_svg(curve: Mapping[str, Any]) -> str:
    """One of the curves of ``observables.json`` as an ``<svg>`` element.

    Raises: KeyError, ValueError for what is no curve.
    """
    samples = _samples(curve)
    unit, mev = energy_unit(float(min(curve["energy_mev"])))
    energies = np.array(curve["energy_mev"], dtype=np.float64) / mev
    x = Axis(0.8 * float(energies.min()), 1.25 * float(energies.max()), LEFT, RIGHT, logarithmic=True)
    of_reference = {role: _over(series, samples["reference"]) for role, series in samples.items()}
    upper = Frame(x, _axis(samples, MIDDLE, TOP))
    lower = Frame(x, _axis(of_reference, BOTTOM, BELOW, around=1.0))
    one = float(lower.y(np.array([1.0]))[0])
    title, y_label = TITLES.get(curve["quantity"], str(curve["quantity"])), str(curve["y_label"])
    x_label = str(curve.get("x_label", "incident energy"))  # as in records from before it was written down
    content = [
        path("q", f"M{LEFT} {one:.1f}H{RIGHT}"),
        *(_drawn(samples, upper, energies) + _drawn(of_reference, lower, energies)),
        upper.ticks(6, 7, name_x=False),
        lower.ticks(6, 3),
        text(LEFT, 14, title, "t"),
        _legend(samples),
        text(16, (TOP + MIDDLE) / 2, y_label, "m", size=fitting(y_label, 12, MIDDLE - TOP + 40), upright=True),
        text(16, (BELOW + BOTTOM) / 2, "ratio", "m", upright=True),
        text((LEFT + RIGHT) / 2, HEIGHT - 12, f"{x_label} [{unit}]", "m"),
    ]
    return drawing(WIDTH, HEIGHT, f"{title} against the {x_label}, and its ratio to the full simulation", content)


def furthest(curve: Mapping[str, Any]) -> str:
    """The largest relative deviation of the generated sample from the reference, in words."""
    samples = _samples(curve)
    reference, generated = samples["reference"], samples["generated"]
    deviation = generated.values - reference.values
    known = reference.values > 0
    relative = np.divide(deviation, reference.values, out=np.zeros_like(deviation), where=known)
    index = int(np.abs(relative).argmax())
    spread = float(np.hypot(reference.errors[index], generated.errors[index]))
    worth = f", {words.significant(abs(float(deviation[index])) / spread, 2)} standard errors" if spread else ""
    percent = words.signed(100 * float(relative[index]))
    return f"Furthest from full simulation at {energy_label(float(curve['energy_mev'][index]))}: {percent} %{worth}"


def energy_unit(energy_mev: float) -> tuple[str, float]:
    """GeV or EeV, whichever suits an energy [MeV], and how many MeV it is."""
    return ("EeV", MEV_PER_EEV) if energy_mev > SMALLEST_IN_EEV * MEV_PER_EEV else ("GeV", 1000.0)


def energy_label(energy_mev: float) -> str:
    """An energy given in MeV with three significant digits and the unit that suits it."""
    unit, mev = energy_unit(energy_mev)
    return f"{words.significant(energy_mev / mev, 3)} {unit}"


def _samples(curve: Mapping[str, Any]) -> dict[str, Series]:
    return {
        role: Series(np.array(curve[role], dtype=np.float64), np.array(curve[f"{role}_error"], dtype=np.float64))
        for role in SAMPLES
        if curve[role] is not None
    }


def _over(series: Series, reference: Series) -> Series:
    known = reference.values > 0
    values, errors = (
        np.divide(part, reference.values, out=np.full_like(part, np.nan), where=known)
        for part in (series.values, series.errors)
    )
    return Series(values, errors)


def _axis(samples: Mapping[str, Series], start: float, stop: float, around: float | None = None) -> Axis:
    """Around all error bars, and ``around`` where it is given."""
    ends = [series.values + sign * series.errors for series in samples.values() for sign in (-1, 1)]
    values = np.concatenate([*ends, [] if around is None else [around]])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = MARGIN * (high - low) or 0.5
    return Axis(low - margin, high + margin, start, stop)


def _drawn(samples: Mapping[str, Series], frame: Frame, energies: Array) -> list[str]:
    content: list[str] = []
    for index, (role, series) in enumerate(samples.items()):
        x = frame.x(energies) + SIDE_BY_SIDE * (index - (len(samples) - 1) / 2)
        low, high = (frame.y(series.values + sign * series.errors) for sign in (-1, 1))
        content += [path(f"l {role}", bars(x, low, high)), _marks(role, x, frame.y(series.values))]
    return content


def _marks(role: str, x: Array, y: Array) -> str:
    """Squares of the reference, dots of the generated sample, triangles of the twin."""
    if role == "reference":
        return path("k reference", squares(x, y))
    if role == "generated":
        return path("d", dots(x, y))
    known = ~np.isnan(y)
    return path(
        "k floor", "".join(triangles([a], b + 4, upwards=True) for a, b in zip(x[known], y[known], strict=True))
    )


def _legend(samples: Mapping[str, Series]) -> str:
    content, left = [], float(LEFT + 4)
    for role in samples:
        content += [_marks(role, np.array([left]), np.array([28.0])), text(left + 9, 32, SAMPLES[role], size=11)]
        left += 130
    return "".join(content)
