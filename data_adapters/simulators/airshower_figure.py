"""The figures of docs/airshower.md, and its table of numbers.

python -m data_adapters.simulators.airshower_figure --docs docs
"""

# Axes: N events, n selected stations, T time bins.
from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from matplotlib.typing import RcKeyType
from numpy.typing import NDArray

from data_adapters.simulators.airshower import (
    DATA,
    SIMULATION,
    AirShowers,
    ShowerArray,
    arrival_probabilities,
    arrival_times,
    integrated,
    mean_signals,
    simulate,
    simulate_again,
    simulate_blocks,
)

EVENTS, SEED = 20_000, 501  # the samples that ship with the project begin with the same events
LATE_DISTANCES_M = (1000.0, 2000.0, 3000.0)
BEGIN, END = "<!-- begin: python -m data_adapters.simulators.airshower_figure -->", "<!-- end -->"
PAPER_ENERGY_EEV = 69.0  # of the event in the paper's figure 5
# Colour-blind-safe, of Okabe and Ito (https://jfly.uni-koeln.de/color/).
DATA_COLOR, SIMULATION_COLOR, MUON_COLOR, CASCADE_COLOR = "#4d4d4d", "#0072B2", "#D55E00", "#009E73"
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fastsim-arena",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8,
}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A value with its statistical error."""

    value: float
    error: float

    def text(self, unit: str = "", scale: float = 1.0) -> str:
        """With the error to one digit: "30.01 ± 0.02 %"."""
        value, error = self.value * scale, self.error * scale
        digits = max(0, -math.floor(math.log10(error)))
        return f"{value:.{digits}f} ± {error:.{digits}f}{unit}"


def distances(parameters: ShowerArray, showers: AirShowers) -> Array:
    """Of the stations from the axis [m], shape (N, 9, 9)."""
    return np.asarray(np.linalg.norm(parameters.positions - showers.core[:, None, None], axis=-1))


class Sums:
    """What the page says of a set, summed over events block by block."""

    def __init__(self, parameters: ShowerArray, events: int, seed: int) -> None:
        self.parameters = parameters
        self.counted, self.expected = np.zeros(2), np.zeros(2)
        self.gaussian: list[Array] = []
        self.energy: list[Array] = []
        self.triggered: list[Array] = []
        self.muon_share: list[Array] = []
        self.limited: list[Array] = []
        for showers in simulate_blocks(parameters, events, seed):
            self._add(showers)

    def _add(self, showers: AirShowers) -> None:
        distance, energy = distances(self.parameters, showers), showers.energy[:, None, None]
        means = mean_signals(self.parameters, energy, distance)
        chosen = (distance > 500) & (distance < 1800) & (means.min(axis=0) > 50)
        numbers = showers.particles[:, chosen] + 0.5  # fractions of particles were cut off
        whole = [
            mean_signals(replace(self.parameters, muon_fraction=share), energy, distance)[component][chosen].sum()
            for component, share in enumerate((1.0, 0.0))
        ]
        self.counted += numbers.sum(axis=1)
        self.expected += whole
        self.gaussian.append(((numbers - means[:, chosen]) / np.sqrt(means[:, chosen])).ravel())
        self.energy.append(showers.energy)
        self.triggered.append(showers.triggered.sum(axis=(1, 2)).astype(float))
        seen = showers.particles * showers.triggered
        self.muon_share.append(seen[0].sum(axis=(1, 2)) / seen.sum(axis=(0, 2, 3)))
        largest = means.sum(axis=0).max(axis=(1, 2))
        self.limited.append((largest > 0.999 * self.parameters.largest_signal_vem).astype(float))

    def muons(self) -> Measured:
        """Share of muons in S0."""
        parts = self.counted / self.expected
        errors = self.parameters.number_spread * np.sqrt(self.counted) / self.expected
        share = parts[0] / parts.sum()
        return Measured(float(share), float(np.hypot(*(errors * [1 - share, share])) / parts.sum()))

    def number_spread(self) -> Measured:
        """Standard deviation of particle numbers over the root of their mean."""
        values = np.concatenate(self.gaussian)
        return Measured(float(values.std()), float(values.std() / np.sqrt(2 * len(values))))


def mean(values: Iterable[Array]) -> Measured:
    """Mean with its error."""
    joined = np.concatenate(list(values))
    return Measured(float(joined.mean()), float(joined.std() / np.sqrt(len(joined))))


def noise(parameters: ShowerArray, spread: bool) -> Measured:
    """Mean, or standard deviation, of a bin without signal [VEM]; both are moved by the clipping at 0."""
    bins = simulate(replace(parameters, signal_vem=0.0, trigger_factor=0.0), 100, SEED).traces.astype(np.float64)
    if spread:
        return Measured(float(bins.std()), float(bins.std() / np.sqrt(2 * bins.size)))
    return Measured(float(bins.mean()), float(bins.std() / np.sqrt(bins.size)))


def noise_free(parameters: ShowerArray, muon_fraction: float) -> ShowerArray:
    """One component alone, as the particles arrived."""
    return replace(parameters, muon_fraction=muon_fraction, noise_vem=0.0, relative_noise=0.0)


def at_distance(parameters: ShowerArray, distance: float, events: int) -> AirShowers:
    """Showers of 50 EeV whose axis has ``distance`` [m] from the central station."""
    core = np.tile([distance, 0.0], (events, 1))
    return simulate_again(parameters, np.full(events, 50.0), core, SEED)


def late(muon_fraction: float, distance: float) -> Measured:
    """Part of the particles that arrive after the end of the trace, at a distance [m]."""
    showers = at_distance(noise_free(DATA, muon_fraction), distance, 1000)
    arrived, all_ = float(integrated(showers.traces)[:, 4, 4].sum()), float(showers.particles[:, :, 4, 4].sum())
    part = 1 - arrived / all_
    return Measured(part, float(np.sqrt(part * (1 - part) / all_)))


def draw_lateral() -> Figure:
    """Muon share and mean signals against distance."""
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    share, signal = figure.subplots(1, 2)
    edges = np.geomspace(150, 3000, 27)
    curve = np.geomspace(50, 3000, 300)
    for parameters, color, marker, label in (
        (DATA, DATA_COLOR, "s", "data, 30 : 70"),
        (SIMULATION, SIMULATION_COLOR, "o", "simulation, 70 : 30"),
    ):
        counts, weights = _in_distance_bins(parameters, edges)
        total = counts.sum(axis=0)
        middle = weights / total
        part = counts[0] / total
        error = parameters.number_spread * np.sqrt(part * (1 - part) / total)
        share.errorbar(middle, part, error, fmt=marker, ms=3.5, color=color, label=label)
        means = mean_signals(parameters, np.array(10.0), curve)
        share.plot(curve, means[0] / means.sum(axis=0), color=color, lw=1)
        for component, (name, style) in enumerate((("muons", "-"), ("electromagnetic", "--"))):
            signal.plot(curve, means[component], style, color=color, lw=1.2, label=f"{label.split(',')[0]}, {name}")
    share.set(xscale="log", xlabel="distance from the axis [m]", ylabel="muon part of the particles", ylim=(0, 1))
    share.set_title("Counted (points) and formula (lines)")
    above_noise = DATA.trigger_vem - DATA.time_bins * DATA.noise_vem
    signal.axhline(above_noise, color="#8a8a8a", lw=0.8, ls=":", label="threshold above noise, data")
    signal.set(xscale="log", yscale="log", xlabel="distance from the axis [m]", ylabel="mean signal [VEM]")
    signal.set_title("10 EeV")
    for axes, place in ((share, "upper left"), (signal, "lower left")):
        _label_metres(axes)
        axes.legend(loc=place, frameon=True, facecolor="white", edgecolor="none", framealpha=1)
    return figure


def _in_distance_bins(parameters: ShowerArray, edges: Array) -> tuple[Array, Array]:
    """Particles of both components, shape (2, bins), and their distances summed, in bins of distance."""
    counts, weights = np.zeros((2, len(edges) - 1)), np.zeros(len(edges) - 1)
    for showers in simulate_blocks(parameters, EVENTS // 4, SEED):
        distance = distances(parameters, showers).ravel()
        numbers = showers.particles.reshape(2, -1)
        counts += [np.histogram(distance, edges, weights=number)[0] for number in numbers]
        weights += np.histogram(distance, edges, weights=distance * numbers.sum(axis=0))[0]
    return counts, weights


def _label_metres(axes: Axes) -> None:
    axes.set_xticks([100, 200, 500, 1000, 2000], ["100", "200", "500", "1000", "2000"])
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_arrival_times() -> Figure:
    """Mean traces of both components at three distances, with the log-normal formula."""
    figure = Figure(figsize=(8.6, 3.0), layout="constrained")
    edges = np.arange(DATA.time_bins + 1) * DATA.bin_width_ns
    middle = (edges[:-1] + edges[1:]) / 2
    for axes, distance in zip(figure.subplots(1, 3, sharex=True), (500.0, 1000.0, 2000.0), strict=True):
        median, delay = arrival_times(DATA, np.array(distance))
        probabilities = arrival_probabilities(DATA, median, delay)
        for component, (color, marker, name) in enumerate(
            ((MUON_COLOR, "o", "muons"), (CASCADE_COLOR, "s", "electromagnetic"))
        ):
            showers = at_distance(noise_free(DATA, 1.0 - component), distance, 300)
            counts = showers.traces[:, 4, 4].sum(axis=0, dtype=np.float64)
            scale = 1e3 / showers.particles[component, :, 4, 4].sum() / DATA.bin_width_ns
            density, error = counts[::2] * scale, np.sqrt(counts[::2]) * scale
            axes.errorbar(middle[::2], density, error, fmt=marker, ms=3, lw=0.8, color=color, label=name)
            axes.stairs(
                probabilities[component] * 1e3 / DATA.bin_width_ns,
                edges,
                color="black",
                lw=0.8,
                zorder=3,
                label="formula" if component else None,
            )
        axes.set(title=f"{distance:.0f} m", xlabel="time after the shower front [ns]", xlim=(0, 2000), ylim=(0, None))
    figure.axes[0].set_ylabel("share of the particles per µs")
    figure.axes[0].legend()
    return figure


def event_of_figure_5() -> tuple[AirShowers, AirShowers]:
    """A pair of data and simulation with nearly the energy of the paper's figure 5."""
    energy = np.concatenate([showers.energy for showers in simulate_blocks(DATA, 1000, SEED)])
    number = int(np.abs(energy - PAPER_ENERGY_EEV).argmin())
    return simulate(DATA, 1, SEED, first=number), simulate(SIMULATION, 1, SEED, first=number)


def draw_event() -> Figure:
    """Signal pattern of one event in data and simulation."""
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    pair = event_of_figure_5()
    top = max(float(integrated(showers.traces).max()) for showers in pair)
    x, y = np.moveaxis(DATA.positions, -1, 0) / 1000
    for axes, showers, name in zip(panels, pair, ("data", "simulation"), strict=True):
        signal, on = integrated(showers.traces)[0], showers.triggered[0]
        axes.scatter(x[~on], y[~on], s=12, facecolors="none", edgecolors="#b0b0b0", lw=0.7)
        size = 30 + 45 * np.log10(signal[on] / 50)
        points = axes.scatter(x[on], y[on], s=size, c=signal[on], norm=LogNorm(50, top), cmap="viridis_r")
        axes.plot(*(showers.core[0] / 1000), "+", color="#D55E00", ms=11, mew=1.6)
        axes.set(title=f"{name}, {showers.energy[0]:.1f} EeV, {on.sum()} stations", xlabel="x [km]", aspect="equal")
    panels[0].set_ylabel("y [km]")
    figure.colorbar(points, ax=panels, label="signal [VEM]", shrink=0.8)
    return figure


def draw_traces() -> Figure:
    """Traces of the station with the largest signal and of a neighbour, data against simulation (figure 5)."""
    figure = Figure(figsize=(8.6, 3.0), layout="constrained")
    data, simulation = event_of_figure_5()
    distance = distances(DATA, data)[0]
    order = np.argsort(distance, axis=None)
    edges = np.arange(DATA.time_bins + 1) * DATA.bin_width_ns
    for axes, station, name in zip(figure.subplots(1, 2), order[:2], ("largest signal", "a neighbour"), strict=True):
        for showers, color, style, label in (
            (data, DATA_COLOR, "-", "data"),
            (simulation, SIMULATION_COLOR, "--", "simulation"),
        ):
            trace = showers.traces.reshape(-1, DATA.time_bins)[station]
            axes.stairs(trace, edges, color=color, ls=style, lw=1.2, label=label)
        axes.set(xlabel="time after the shower front [ns]", xlim=(0, 2000), ylim=(0, None))
        axes.set_title(f"{name}, {distance.flat[station]:.0f} m from the axis, {data.energy[0]:.1f} EeV")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
    figure.axes[0].set_ylabel("signal [VEM / 25 ns]")
    figure.axes[0].legend()
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "lateral": draw_lateral,
    "arrival_times": draw_arrival_times,
    "event": draw_event,
    "traces": draw_traces,
}


def write_page(docs: Path) -> Path:
    """Draw the figures of ``airshower.md`` and write its table anew; returns the page.

    Raises: ValueError if the page has lost the marks around the table.
    """
    page = docs / "airshower.md"
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text.partition(BEGIN)[2]:
        raise ValueError(f"{page}: the marks of the table are missing; put {BEGIN!r} and {END!r} where it belongs")
    before, _, rest = text.partition(BEGIN)
    folder = docs / "airshower"
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            draw().savefig(folder / f"{name}.svg", metadata={"Date": None})
    page.write_text(f"{before}{BEGIN}\n{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")
    return page


def table() -> str:
    """The paper's set-up and ours, measured."""
    rows = [
        ("", "paper", "`airshower-data`", "`airshower-simulation`"),
        ("---",) * 4,
        *set_up_rows(*(Sums(parameters, EVENTS, SEED) for parameters in (DATA, SIMULATION))),
        *late_rows(),
    ]
    caption = f"Measured on {EVENTS} events of each set, seed {SEED}, with statistical errors.\n\n"
    return caption + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def set_up_rows(data: Sums, simulation: Sums) -> list[tuple[str, str, str, str]]:
    """Quantity, the paper's set-up, our data set, our simulation set."""
    both = (data, simulation)

    def each(measure: Callable[[Sums], str]) -> tuple[str, str]:
        first, second = (measure(sums) for sums in both)
        return first, second

    return [
        ("events", "100 000 a set", *each(lambda _: "any number; 1 200 ship with the project")),
        ("primary", "proton, E flat over 1–100 EeV", *each(lambda s: f"mean E {mean(s.energy).text(' EeV')}")),
        ("stations", "9×9, hexagonal grid, 1500 m, at 1400 m", *each(lambda _: "the same")),
        ("trace", "80 bins", *each(lambda _: "80 bins of 25 ns from the shower front")),
        ("muon part of S0", "~30 %, 70 %", *each(lambda s: s.muons().text(" %", 100))),
        (
            "fluctuation of particle numbers [√mean]",
            "halved in the simulation",
            *each(lambda s: s.number_spread().text()),
        ),
        (
            "mean of a bin without signal [VEM]",
            "halved in the simulation",
            *each(lambda s: noise(s.parameters, spread=False).text()),
        ),
        (
            "its standard deviation [VEM]",
            "halved in the simulation",
            *each(lambda s: noise(s.parameters, spread=True).text()),
        ),
        (
            "relative noise of a bin",
            "not given",
            *each(lambda s: f"{s.parameters.relative_noise:.0%}".replace("%", " %")),
        ),
        ("threshold [VEM in a trace]", "not given", *each(lambda s: f"{s.parameters.trigger_vem:.1f}")),
        ("stations triggered in an event", "not given", *each(lambda s: mean(s.triggered).text())),
        (
            "muons among the particles in triggered stations, mean of events",
            "not given",
            *each(lambda s: mean(s.muon_share).text(" %", 100)),
        ),
        ("events at the upper limit of the signal", "not given", *each(lambda s: mean(s.limited).text(" %", 100))),
    ]


def late_rows() -> list[tuple[str, str, str, str]]:
    """Parts of the particles that come after the end of a trace; the same in both sets."""
    rows = []
    for name, fraction in (("muons", 1.0), ("electromagnetic particles", 0.0)):
        parts = ", ".join(late(fraction, distance).text(" %", 100) for distance in LATE_DISTANCES_M)
        where = ", ".join(f"{distance:.0f}" for distance in LATE_DISTANCES_M)
        rows.append((f"{name} after the trace at {where} m", "not given", parts, "the same"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the figures of docs/airshower.md and write its table.")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the pages (default: docs)")
    print(write_page(parser.parse_args().docs))


if __name__ == "__main__":
    main()
