"""p-values of full simulation, which are to be uniform, as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from leaderboard.plots import REFERENCE, SERIES_COLORS, styled
from leaderboard.text import component_title

# Largest distance of a distribution of n uniform values to the diagonal in 99 of 100 cases, times √n (Kolmogorov 1933).
KOLMOGOROV_99 = 1.628


@styled
def calibration_figure(p_values: Mapping[str, Sequence[float]]) -> Figure:
    """Share of the draws below each p-value, for the score and its components, with the band of 99 % about uniform."""
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    number = len(next(iter(p_values.values())))
    diagonal = np.array([0.0, 1.0])
    width = KOLMOGOROV_99 / np.sqrt(number)
    axes.fill_between(diagonal, diagonal - width, diagonal + width, color=REFERENCE, alpha=0.15, linewidth=0)
    axes.plot(diagonal, diagonal, color=REFERENCE, linewidth=1, label="uniform, 99 % band")
    for (name, values), color in zip(p_values.items(), SERIES_COLORS, strict=False):
        shares = np.arange(1, number + 1) / number
        axes.step(np.sort(values), shares, where="post", color=color, linewidth=1.2, label=component_title(name))
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="p-value of full simulation", ylabel="share of draws below")
    axes.set_title(f"{number} draws of full simulation, judged")
    axes.legend(loc="upper left")
    return figure
