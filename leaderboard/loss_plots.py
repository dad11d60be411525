"""Losses while training, one small drawing a loss with a line a seed."""

# Axes: P epochs at which they were written down.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.plots import WIDE_RANGE
from leaderboard.svg_axes import Axis, Frame, drawing, fitting, line, path, text

WIDTH, HEIGHT = 346, 210
LEFT, RIGHT, TOP, BOTTOM = 62, 334, 26, 166
COLOURS = 7  # classes s0 … s6 of plots.css
MARGIN = 0.06

Array = NDArray[np.float64]


def loss_svgs(training: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each loss that was recorded against the epoch, as ``<svg>`` elements; none of losses with less than two points.

    Args:
        training: Of ``observables.json``: ``seed`` and ``history`` with ``epoch`` and ``losses``.
    """
    names = dict.fromkeys(name for seed in training for record in seed["history"] for name in record.get("losses", {}))
    curves = {name: [_curve(seed["history"], name) for seed in training] for name in names}
    return [_drawn(name, lines) for name, lines in curves.items() if any(len(epochs) > 1 for epochs, _ in lines)]


def _curve(history: Sequence[Mapping[str, Any]], name: str) -> tuple[Array, Array]:
    points = [(record["epoch"], record["losses"][name]) for record in history if name in record.get("losses", {})]
    epochs, losses = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return epochs, losses


def _drawn(name: str, curves: Sequence[tuple[Array, Array]]) -> str:
    epochs, losses = (np.concatenate(values) for values in zip(*curves, strict=True))
    frame = Frame(Axis(float(epochs.min()), float(epochs.max()), LEFT, RIGHT), _height(losses))
    lines = [
        path(f"s s{index % COLOURS}", line(frame.x(x), frame.y(y))) for index, (x, y) in enumerate(curves) if len(x)
    ]
    title = name.replace("_", " ")
    words = [
        text(LEFT, 14, title, "t", size=fitting(title, 12, RIGHT - LEFT)),
        text((LEFT + RIGHT) / 2, HEIGHT - 8, "epoch", "m"),
    ]
    return drawing(WIDTH, HEIGHT, f"Loss {title} against epoch, for each seed", [*lines, frame.ticks(5, 4), *words])


def _height(losses: Array) -> Axis:
    low, high = float(losses.min()), float(losses.max())
    if low > 0 and high > WIDE_RANGE * low:
        return Axis(low / 1.2, high * 1.2, BOTTOM, TOP, logarithmic=True)
    margin = MARGIN * (high - low) or 0.5
    return Axis(low - margin, high + margin, BOTTOM, TOP)
