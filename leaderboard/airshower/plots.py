"""Figures 2 to 7 of arXiv:1802.03325, for our samples and models."""

# Axes: N events, E bins of energy, T time bins.
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from data_adapters.layouts.airshower import STATIONS, TIME
from leaderboard.airshower.energy_study import ENERGY_EDGES_EEV, Resolution
from leaderboard.airshower.refiner_study import EventTraces
from leaderboard.airshower.wgan_study import PATTERN_ENERGIES_EEV, WganStudy
from leaderboard.plots import GENERATED, REFERENCE, SERIES_COLORS, TWIN, styled

TOLD, TRUE = "energy told [EeV]", "true energy [EeV]"
PERCENT_TICKS = (2, 5, 10, 20, 50)
MOST_POINTS = 1500  # of a scatter plot, to keep its file small
STUDY_MARKERS = "os^D"

Floats = NDArray[np.float64]


@styled
def patterns_figure(study: WganStudy) -> Figure:
    """Generated patterns after the first epoch (above) and after the last."""
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    all_axes = figure.subplots(2, len(PATTERN_ENERGIES_EEV))
    norm = LogNorm(50, 1e5)
    for row, patterns, when in ((0, study.early, "1 epoch"), (1, study.late, f"{len(study.steps)} epochs")):
        for column, energy in enumerate(PATTERN_ENERGIES_EEV):
            axes = all_axes[row, column]
            signals = patterns[column].reshape(STATIONS)
            image = axes.imshow(np.ma.masked_equal(signals.T, 0), norm=norm, origin="lower", cmap="viridis")
            axes.set(xticks=[], yticks=[])
            axes.set_title(f"{energy:.0f} EeV, {when}")
    figure.colorbar(image, ax=all_axes, label="signal of a station [VEM]", extend="both")
    return figure


@styled
def reconstruction_figure(study: WganStudy) -> Figure:
    """Energy told against the energy that three networks and samples give back."""
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    panels = (
        ("generated, constrainer", study.by_constrainer, GENERATED),
        ("generated, independent AixNet", study.by_judge, TWIN),
        ("data, independent AixNet", study.data_by_judge, REFERENCE),
    )
    for axes, (title, energy, color) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        _against(axes, study.energy, energy, color, TOLD)
        axes.set_title(f"{title}\ncorrelation {np.corrcoef(study.energy, energy)[0, 1]:.3f}")
    figure.axes[0].set_ylabel("energy reconstructed [EeV]")
    return figure


@styled
def energy_study_figure(studies: Mapping[str, Resolution]) -> Figure:
    """Figure 6 (a) to (c) as scatter plots; bias and resolution in bins of energy."""
    figure = Figure(figsize=(8.6, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 6)
    for column, (key, color) in enumerate(zip("abc", SERIES_COLORS, strict=False)):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        _against(axes, studies[key].true, studies[key].reconstructed, color, TRUE)
        axes.set_title(f"({key}) " + studies[key].label.replace(", ", ",\n"))
        axes.set_ylabel("energy reconstructed [EeV]" if column == 0 else "")
    for place, name, title in (
        (grid[1, :3], "bias", "Bias: mean of (E_rec − E) / E [%]"),
        (grid[1, 3:], "resolution", "Resolution: its standard deviation [%]"),
    ):
        axes = figure.add_subplot(place)
        _in_bins(axes, studies, name)
        axes.set_title(title)
    figure.axes[-1].set_yscale("log")
    figure.axes[-1].set_yticks(PERCENT_TICKS, labels=[str(tick) for tick in PERCENT_TICKS])
    figure.axes[-1].yaxis.set_minor_formatter(NullFormatter())
    figure.axes[-2].axhline(0, color=REFERENCE, linewidth=0.6)
    figure.axes[-2].legend()
    return figure


@styled
def losses_figure(steps: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]], unit: str) -> Figure:
    """Losses against the steps of the generator; a panel each.

    Args:
        panels: Title to curves, by their labels.
        unit: Of what the steps are.
    """
    figure = Figure(figsize=(max(2.9 * len(panels), 4.3), 2.9), layout="constrained")
    for axes, (title, curves) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True):
        for (label, values), color in zip(curves.items(), SERIES_COLORS, strict=False):
            axes.plot(steps, values, color=color, linewidth=1.2, label=label)
        axes.set(xlabel=unit, title=title)
        axes.axhline(0, color=REFERENCE, linewidth=0.6)
        axes.legend()
    return figure


@styled
def traces_figure(event: EventTraces) -> Figure:
    """Traces of one shower in two stations: data, simulation, refined simulation."""
    figure = Figure(figsize=(8.6, 3.0), layout="constrained")
    edges = np.array(TIME.edges)
    names = ("largest signal", "next largest")
    for station, (axes, name) in enumerate(zip(figure.subplots(1, len(names)), names, strict=True)):
        data, simulation, refined = event.traces[:, station]
        axes.stairs(data, edges, color=REFERENCE, linewidth=1.2, label="data")
        axes.stairs(simulation, edges, color=REFERENCE, linewidth=1.0, linestyle=":", label="simulation")
        axes.plot((edges[1:] + edges[:-1]) / 2, refined, "o", color=TWIN, markersize=2.5, label="refined simulation")
        axes.set(xlabel=f"time [{TIME.unit}]", ylabel="signal [VEM]", xlim=(edges[0], edges[-1]), ylim=(0, None))
        axes.set_title(f"{name}, {event.energy:.1f} EeV")
    figure.axes[0].legend()
    return figure


def _against(axes: Axes, true: Floats, reconstructed: Floats, color: str, label: str) -> None:
    few = slice(None, MOST_POINTS)
    axes.plot(true[few], reconstructed[few], ".", color=color, markersize=2, alpha=0.5, rasterized=True)
    ends = (0, ENERGY_EDGES_EEV[-1] * 1.15)
    axes.plot(ends, ends, color=REFERENCE, linewidth=0.8)
    axes.set(xlim=ends, ylim=ends, xlabel=label, aspect="equal")


def _in_bins(axes: Axes, studies: Mapping[str, Resolution], name: str) -> None:
    edges = np.array(ENERGY_EDGES_EEV)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    for (key, study), color, marker in zip(studies.items(), SERIES_COLORS, STUDY_MARKERS, strict=False):
        values, errors = 100 * getattr(study, name), 100 * getattr(study, f"{name}_error")
        axes.errorbar(
            middle, values, errors, half, fmt=marker, color=color, markersize=4, label=f"({key}) {study.label}"
        )
    axes.set(xlabel=TRUE, xlim=(0, edges[-1]))
