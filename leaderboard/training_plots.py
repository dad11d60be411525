"""Training: validation score against epoch, and each loss in a small drawing, with a line a seed."""

# Axes: P epochs at which they were written down.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.plots import WIDE_RANGE
from leaderboard.svg_axes import Axis, Frame, drawing, fitting, line, path, short, text

WIDTH, HEIGHT = 346, 210
LEFT, RIGHT, TOP, BOTTOM = 62, 334, 26, 166
SCORE_WIDTH, SCORE_HEIGHT = 500, 310
COLOURS = 7  # classes s0 … s6 of plots.css
CIRCLE = 5  # px, around the checkpoint that was taken
MARGIN = 0.06

Array = NDArray[np.float64]


def score_svg(training: Sequence[Mapping[str, Any]]) -> str | None:
    """Validation score against epoch for each seed; the checkpoint that was taken is circled. None without a curve.

    Args:
        training: Of ``observables.json``: ``seed``, ``best_epoch`` and ``history`` with ``epoch`` and ``score``.
    """
    seeds = [seed for seed in training if len(seed["history"]) > 1]
    if not seeds:
        return None
    curves = [np.array([(r["epoch"], r["score"]) for r in seed["history"]], dtype=np.float64).T for seed in seeds]
    epochs, scores = np.hstack(curves)
    right, bottom = SCORE_WIDTH - 16, SCORE_HEIGHT - 46
    frame = Frame(Axis(float(epochs.min()), float(epochs.max()), LEFT, right), _score_axis(scores, bottom, 44))
    content: list[str] = []
    for index, (seed, (x, y)) in enumerate(zip(seeds, curves, strict=True)):
        style, left = f"s s{index % COLOURS}", LEFT + 4 + 84 * index
        taken = x == seed["best_epoch"]
        content += [path(style, line(frame.x(x), frame.y(y)))]
        content += [path(f"{style} c", _circles(frame.x(x[taken]), frame.y(y[taken])))]
        content += [path(style, f"M{left} 29h16"), text(left + 21, 33, f"seed {seed['seed']}", size=11)]
    content += [frame.ticks(6, 5), text(LEFT, 14, "Validation score while training", "t")]
    content += [text((LEFT + right) / 2, SCORE_HEIGHT - 10, "epoch", "m")]
    content += [text(16, (44 + bottom) / 2, "score", "m", upright=True)]
    return drawing(SCORE_WIDTH, SCORE_HEIGHT, "Validation score against epoch, for each seed", content)


def _score_axis(scores: Array, bottom: float, top: float) -> Axis:
    """From 0, unless the scores lie far apart: then logarithmic."""
    low, high = float(scores.min()), float(scores.max())
    if low > 0 and high > WIDE_RANGE * low:
        return Axis(low / 1.2, high * 1.2, bottom, top, logarithmic=True)
    return Axis(min(0.0, low), 1.05 * high or 1.0, bottom, top)


def _circles(x: Array, y: Array) -> str:
    half = f"a{CIRCLE} {CIRCLE} 0 1 0"
    around = f"{half} {2 * CIRCLE} 0{half} -{2 * CIRCLE} 0"
    return "".join(f"M{short(a - CIRCLE)} {short(b)}{around}" for a, b in zip(x, y, strict=True))


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
