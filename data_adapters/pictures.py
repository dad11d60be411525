"""Pictures of a sample: a few events as the detector sees them, and the spectra of all.

Figures are plain objects: no pyplot, no global state. Colours of Okabe and Ito (https://jfly.uni-koeln.de/color/).
"""

# Axes: N events, V cells, C cells along an axis.
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.typing import RcKeyType
from numpy.typing import NDArray

from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.events import Events
from data_adapters.inspection import (
    COORDINATE,
    SPECTRUM_EDGES,
    Profile,
    Survey,
    response_over_energy,
    with_unit,
)
from data_adapters.source import EventSource
from data_adapters.unfinished import unfinished

LINE = "#4d4d4d"
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
EMPTY = "#f2f2f2"
COLOURS = "viridis"
STYLE: dict[RcKeyType, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 0.8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 7,
}
DPI = 130
PANEL = 2.6  # inches
SPECTRA_COLUMNS = 4
SHOWN_AT = (0.1, 0.5, 0.9)  # quantiles of the energy, or of the sum, whose events are drawn
MOST_TOLD = 3  # numbers of a condition that are shown with an event
FEW_DECADES = 300.0  # ratio of the ends of a logarithmic axis below which it gets numbers at 1, 2, 5
MANY_LAYERS = 8  # with more of them, one event is drawn
MOST_LAYERS = 48
SHOWN_LAYERS = 5  # whose profiles are drawn
SHOWN_TRACKS = 12
SHOWN_STATIONS = 4
DECADES = 5  # of the colour scale, at most
WIDE = 30.0  # ratio of extremes above which a histogram has logarithmic bins
NUM_BINS = 40
ARC_STEPS = 96  # straight pieces of a full circle
NUMBERED_UNIT = "cell"  # of axes of which only the number of cells is known
TIME_UNITS = ("ns", "us", "µs", "ms", "s")

Floats = NDArray[np.float64]
Image = NDArray[np.floating]
Values = NDArray[np.floating] | NDArray[np.integer]


def draw_pictures(source: EventSource, found: Survey, folder: Path) -> list[Path]:
    """Draw ``NAME-events.png`` and ``NAME-spectra.png`` into a folder, which is made; the paths are returned.

    Raises: UnreadableFile; OSError if nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with mpl.rc_context(STYLE):
        for what, figure in (("events", draw_events(source, found)), ("spectra", draw_spectra(source, found))):
            path = folder / f"{source.path.stem}-{what}.png"
            with unfinished(path) as temporary:
                figure.savefig(temporary, dpi=DPI, format="png")
            paths.append(path)
    return paths


def draw_events(source: EventSource, found: Survey) -> Figure:
    """A few events, in the way that suits the geometry."""
    detector = source.detector
    layer = detector.layers[0]
    if detector.quantity == COORDINATE and 3 in layer.shape:
        return _draw_tracks(source)
    if len(detector.layers) > MANY_LAYERS:
        return _draw_many_layers(source, found)
    if len(detector.layers) > 1 or len(layer.axes) == 2:
        return _draw_rows(source, found, len(detector.layers), _draw_layers)
    if len(layer.axes) == 1:
        return _draw_rows(source, found, 1, _draw_line)
    if len(layer.axes) == 3 and layer.axes[2].unit in TIME_UNITS:
        return _draw_rows(source, found, 2, _draw_traces)
    return _draw_rows(source, found, len(_pairs(layer)), _draw_projections)


def draw_spectra(source: EventSource, found: Survey) -> Figure:
    """Histograms of conditions, sums and cells, and mean profiles, with statistical errors."""
    panels = [*_condition_panels(source), *_sum_panels(source, found), *_profile_panels(source, found)]
    rows = math.ceil(len(panels) / SPECTRA_COLUMNS)
    figure = _figure(SPECTRA_COLUMNS, rows)
    figure.suptitle(f"{source.detector.title}: {len(source)} events", x=0.01, ha="left", fontsize=9)
    axes = figure.subplots(rows, SPECTRA_COLUMNS, squeeze=False).ravel()
    for panel, ax in itertools.zip_longest(panels, axes):
        panel(ax) if panel else ax.set_axis_off()
    return figure


Panel = Callable[[Axes], None]
DrawEvent = Callable[[Sequence[Axes], Detector, NDArray[np.float32]], None]


def _figure(columns: float, rows: float) -> Figure:
    return Figure(figsize=(max(columns, 2) * PANEL, rows * PANEL * 0.9 + 0.3), layout="constrained")


def _draw_rows(source: EventSource, found: Survey, columns: int, draw: DrawEvent) -> Figure:
    """Several events below each other, or side by side where one panel shows all of an event."""
    rows = _shown_events(source, found, SHOWN_AT)
    events = source.select(rows)
    shape = (1, len(events)) if columns == 1 else (len(events), 1)
    figure = _figure(1.3 * len(events), 1.2) if columns == 1 else _figure(columns, len(events))
    for number, parts in enumerate(figure.subfigures(*shape, squeeze=False).ravel()):
        axes = [_add_axes(parts, 1, columns, panel, source.detector) for panel in range(columns)]
        told = _told(events, number, rows[number])
        parts.suptitle(told.replace(", ", "\n") if columns == 1 else told, x=0.01, ha="left", fontsize=8)
        draw(axes, source.detector, events.response[number])
    return figure


def _add_axes(figure: FigureBase, rows: int, columns: int, number: int, detector: Detector) -> Axes:
    """The panel of that number; polar where it is for a layer in polar coordinates."""
    polar = len(detector.layers) > number and _is_polar(detector.layers[number])
    return figure.add_subplot(rows, columns, number + 1, projection="polar" if polar else None)


def _shown_events(source: EventSource, found: Survey, quantiles: Sequence[float]) -> NDArray[np.intp]:
    """Events that are not empty, at quantiles of the energy (of the sum, where there is none)."""
    energy = source.detector.energy_condition
    values = found.totals if energy is None else source.conditions[energy.name]
    rows = np.flatnonzero(found.filled)
    if len(rows) == 0:
        return np.array([0])
    order = rows[np.argsort(values[rows], kind="stable")]
    chosen = [int(order[int(quantile * (len(order) - 1))]) for quantile in quantiles]
    return np.array(list(dict.fromkeys(chosen)))


def _told(events: Events, number: int, row: int) -> str:
    """The conditions of an event in a line, without long lists; ``row`` is its place in the file."""
    texts = []
    for condition in events.detector.conditions:
        if math.prod(condition.shape) > MOST_TOLD:
            continue
        values = np.atleast_1d(events.conditions[condition.name][number])
        unit = "" if condition.unit == "1" else f" {condition.unit}"
        texts.append(f"{condition.name} {', '.join(f'{value:.6g}' for value in values)}{unit}")
    return f"event {row}: {', '.join(texts)}"


def _norm(detector: Detector, *images: Image) -> Normalize:
    """One scale of colours for several images: logarithmic, unless values may be negative."""
    high = max(float(np.abs(image).max()) for image in images)
    if detector.signed:
        return Normalize(-high or -1.0, high or 1.0)
    positive = [image[image > 0].min() for image in images if (image > 0).any()]
    if not positive:
        return Normalize(0.0, 1.0)
    low = max(float(min(positive)), high * 10.0**-DECADES)
    return LogNorm(low, high) if low < high else LogNorm(high / 10, high)


def _draw_image(ax: Axes, image: Image, axes: Sequence[Axis], norm: Normalize) -> None:
    """Cells in their places, the first axis (but x before y) to the right; empty ones are grey."""
    if [axis.name for axis in axes] == ["y", "x"]:
        image, axes = image.T, axes[::-1]
    ax.set_facecolor(EMPTY)
    shown = np.ma.masked_equal(image, 0).T
    cmap = COLOURS if isinstance(norm, LogNorm) else "RdBu_r"
    ax.pcolormesh(np.array(axes[0].edges), np.array(axes[1].edges), shown, norm=norm, cmap=cmap, rasterized=True)
    ax.set_xlabel(with_unit(axes[0].name, axes[0].unit))
    ax.set_ylabel(with_unit(axes[1].name, axes[1].unit))
    for direction, axis in ((ax.xaxis, axes[0]), (ax.yaxis, axes[1])):
        if axis.unit == NUMBERED_UNIT:
            direction.set_major_locator(MaxNLocator(5, integer=True))
    if axes[0].unit == axes[1].unit == "mm" and 0.7 < _extent(axes[0]) / _extent(axes[1]) < 1.5:
        ax.set_aspect("equal")


def _extent(axis: Axis) -> float:
    return axis.edges[-1] - axis.edges[0]


def _colour_bar(figure: Any, axes: Sequence[Axes], detector: Detector, norm: Normalize) -> None:
    cmap = COLOURS if isinstance(norm, LogNorm) else "RdBu_r"
    label = with_unit(detector.quantity, detector.unit)
    figure.colorbar(ScalarMappable(norm, cmap), ax=list(axes), label=label, pad=0.01, fraction=0.05, shrink=0.9)


def _draw_layers(axes: Sequence[Axes], detector: Detector, response: NDArray[np.float32]) -> None:
    norm = _norm(detector, response)
    for ax, layer in zip(axes, detector.layers, strict=True):
        _draw_layer(ax, detector, layer, response, norm)
        ax.set_title(layer.name if len(detector.layers) > 1 else "")
    _colour_bar(axes[0].figure, axes, detector, norm)


def _draw_layer(ax: Axes, detector: Detector, layer: Layer, response: NDArray[np.float32], norm: Normalize) -> None:
    image = response[detector.layer_slices[layer.name]].reshape(layer.shape)
    if _is_polar(layer):
        _draw_polar(ax, image, layer.axes, norm)
    elif image.ndim == 2:
        _draw_image(ax, image, layer.axes, norm)
    else:
        _steps(ax, layer.axes[0], image.reshape(layer.shape[0], -1).sum(axis=1), detector)


def _draw_many_layers(source: EventSource, found: Survey) -> Figure:
    """One event, its layers in order, in polar coordinates where they are."""
    detector = source.detector
    rows_shown = _shown_events(source, found, (0.5,))
    events = source.select(rows_shown)
    response, norm = events.response[0], _norm(detector, events.response[0])
    layers = detector.layers[:MOST_LAYERS]
    columns = min(9, len(layers))
    rows = math.ceil(len(layers) / columns)
    figure = Figure(figsize=(columns * 1.3 + 1, rows * 1.5 + 0.4), layout="constrained")
    figure.suptitle(_told(events, 0, rows_shown[0]), x=0.01, ha="left", fontsize=8)
    axes = []
    for number, layer in enumerate(layers):
        ax = _add_axes(figure, rows, columns, number, detector)
        _draw_layer(ax, detector, layer, response, norm)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(layer.name, fontsize=7, pad=3)
        axes.append(ax)
    _colour_bar(figure, axes, detector, norm)
    return figure


def _is_polar(layer: Layer) -> bool:
    return [axis.name for axis in layer.axes] == ["alpha", "r"]


def _draw_polar(ax: Axes, image: Image, axes: Sequence[Axis], norm: Normalize) -> None:
    """Cells in (alpha, r); each is drawn as several, because their borders would be straight."""
    ax.set_facecolor(EMPTY)
    pieces = math.ceil(ARC_STEPS / axes[0].num_cells)
    edges = np.interp(
        np.arange(axes[0].num_cells * pieces + 1) / pieces, np.arange(axes[0].num_cells + 1), axes[0].edges
    )
    shown = np.ma.masked_equal(np.repeat(image, pieces, axis=0), 0).T
    ax.pcolormesh(edges, np.array(axes[1].edges), shown, norm=norm, cmap=COLOURS, rasterized=True)
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(f"{axes[1].name} ≤ {axes[1].edges[-1]:g} {axes[1].unit}")


def _pairs(layer: Layer) -> list[tuple[int, int]]:
    """Pairs of axes on which a volume is projected; at most six."""
    return list(itertools.combinations(range(len(layer.axes)), 2))[:6]


def _draw_projections(axes: Sequence[Axes], detector: Detector, response: NDArray[np.float32]) -> None:
    layer = detector.layers[0]
    volume = response.reshape(layer.shape).astype(np.float64)
    images = []
    for first, second in _pairs(layer):
        others = tuple(axis for axis in range(len(layer.axes)) if axis not in (first, second))
        images.append(volume.sum(axis=others))
    norm = _norm(detector, *images)
    for ax, (first, second), image in zip(axes, _pairs(layer), images, strict=True):
        # Depth, the last axis, runs to the right.
        if second == len(layer.axes) - 1 and len(layer.axes) == 3:
            _draw_image(ax, image.T, (layer.axes[second], layer.axes[first]), norm)
        else:
            _draw_image(ax, image, (layer.axes[first], layer.axes[second]), norm)
    _colour_bar(axes[0].figure, axes, detector, norm)


def _draw_line(axes: Sequence[Axes], detector: Detector, response: NDArray[np.float32]) -> None:
    _steps(axes[0], detector.layers[0].axes[0], response, detector)


def _steps(ax: Axes, axis: Axis, values: Image, detector: Detector) -> None:
    ax.stairs(values, np.array(axis.edges), color=LINE)
    ax.set_xlabel(with_unit(axis.name, axis.unit))
    ax.set_ylabel(with_unit(detector.quantity, detector.unit))


def _draw_traces(axes: Sequence[Axes], detector: Detector, response: NDArray[np.float32]) -> None:
    """The sum of each station, and the traces of the stations with most signal."""
    layer = detector.layers[0]
    traces = response.reshape(layer.shape).astype(np.float64)
    sums = traces.sum(axis=2)
    norm = _norm(detector, sums)
    _draw_image(axes[0], sums, layer.axes[:2], norm)
    axes[0].set_aspect("equal")
    axes[0].set_title("sum of the trace")
    _colour_bar(axes[0].figure, axes[:1], detector, norm)
    time = layer.axes[2]
    for rank, flat in enumerate(np.argsort(sums, axis=None)[::-1][:SHOWN_STATIONS]):
        station = np.unravel_index(flat, sums.shape)
        if sums[station] > 0:
            label = f"station ({station[0]}, {station[1]})"
            axes[1].stairs(traces[station], np.array(time.edges), color=SERIES[rank], label=label)
    axes[1].set_xlabel(with_unit(time.name, time.unit))
    axes[1].set_ylabel(with_unit(detector.quantity, detector.unit))
    axes[1].set_title("stations with most signal")
    if sums.any():
        axes[1].set_yscale("log")
        axes[1].legend()


def _draw_tracks(source: EventSource) -> Figure:
    """The points of the first tracks, in x and y and in z and r; missing points are 0."""
    layer, unit = source.detector.layers[0], source.detector.unit
    events = source.read(0, SHOWN_TRACKS)
    points = events.response.reshape(len(events), *layer.shape)
    points = np.moveaxis(points, 1 + layer.shape.index(3), 2).reshape(len(events), -1, 3)
    figure = _figure(2, 1)
    figure.set_size_inches(8.0, 4.2)
    across, along = figure.subplots(1, 2)
    for number, track in enumerate(points):
        x, y, z = track[track.any(axis=1)].T
        style = {"marker": ".", "markersize": 2, "linestyle": "none", "color": SERIES[number % len(SERIES)]}
        across.plot(x, y, **style)
        along.plot(z, np.hypot(x, y), **style)
    across.set(xlabel=f"x [{unit}]", ylabel=f"y [{unit}]", aspect="equal", title=f"the first {len(events)} tracks")
    along.set(xlabel=f"z [{unit}]", ylabel=f"r [{unit}]")
    figure.suptitle(source.detector.title, x=0.01, ha="left", fontsize=9)
    return figure


def _condition_panels(source: EventSource) -> list[Panel]:
    panels = []
    for condition in source.detector.conditions:
        values = source.conditions[condition.name]
        if condition.categories is not None:
            panels.append(_categories_panel(condition, values))
        elif condition.shape == ():
            panels.append(_histogram_panel(with_unit(condition.name, condition.unit), values))
        elif math.prod(condition.shape) <= MOST_TOLD:
            label = f"{condition.name}, its {values[0].size} numbers"
            panels.append(_histogram_panel(with_unit(label, condition.unit), values.ravel()))
    return panels


def _sum_panels(source: EventSource, found: Survey) -> list[Panel]:
    detector = source.detector
    if detector.quantity == COORDINATE:
        return [_histogram_panel("points of a track", found.filled // 3)]
    panels = [_histogram_panel(with_unit(f"summed {detector.quantity}", detector.unit), found.totals)]
    ratio = response_over_energy(source, found.totals)
    energy = detector.energy_condition
    if ratio is not None and energy is not None:
        unit = "1" if energy.unit == detector.unit else f"{detector.unit}/{energy.unit}"
        panels.append(_histogram_panel(with_unit(f"sum / {energy.name}", unit), ratio))
    limit = f"{detector.threshold:g} {detector.unit}"
    panels.append(_histogram_panel(f"cells above {limit}", found.hits))
    panels.append(_spectrum_panel(detector, found))
    return panels


def _profile_panels(source: EventSource, found: Survey) -> list[Panel]:
    """The layers' profile, and one panel for each name of an axis, with the layers in it."""
    if source.detector.quantity == COORDINATE:
        return []
    label = with_unit(f"mean {source.detector.quantity}", source.detector.unit)
    groups: dict[tuple[bool, str], list[Profile]] = {}
    for profile in found.profiles:
        groups.setdefault((profile.layer == "", profile.axis), []).append(profile)
    return [_profile_panel(_some(profiles), label) for profiles in groups.values()]


def _some(profiles: list[Profile]) -> list[Profile]:
    """A few of many layers, evenly; those of which an axis has one cell say nothing."""
    telling = [profile for profile in profiles if len(profile.mean) > 1] or profiles
    if len(telling) <= SHOWN_LAYERS:
        return telling
    return [telling[round(index)] for index in np.linspace(0, len(telling) - 1, SHOWN_LAYERS)]


def _histogram_panel(label: str, values: Values) -> Panel:
    """Events in bins, with the square root of their number as error."""

    def draw(ax: Axes) -> None:
        edges, logarithmic = _bins(values)
        counts = np.histogram(values, edges)[0]
        centres = np.sqrt(edges[1:] * edges[:-1]) if logarithmic else (edges[1:] + edges[:-1]) / 2
        ax.stairs(counts, edges, color=LINE)
        ax.errorbar(centres, counts, np.sqrt(counts), fmt="none", ecolor=LINE, elinewidth=0.7)
        ax.set_xscale("log" if logarithmic else "linear")
        if logarithmic and edges[-1] < FEW_DECADES * edges[0]:
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set(xlabel=label, ylabel="events per bin", ylim=(0, None))

    return draw


def _bins(values: Values) -> tuple[Floats, bool]:
    low, high = float(values.min()), float(values.max())
    few = high - low <= 10 * NUM_BINS
    counts = np.issubdtype(values.dtype, np.integer) or (few and bool((values == np.floor(values)).all()))
    if low > 0 and high / low > WIDE and not counts:
        return np.geomspace(low * 0.97, high * 1.03, NUM_BINS + 1), True
    if counts:
        width = math.ceil((high - low + 1) / NUM_BINS)
        return np.arange(low, high + width + 1, width) - 0.5, False
    margin = (high - low) * 0.02 or max(abs(high) * 0.1, 0.5)
    start = max(low - margin, 0.0) if low >= 0 else low - margin
    return np.linspace(start, high + margin, NUM_BINS + 1), False


def _categories_panel(condition: Condition, values: Floats) -> Panel:
    def draw(ax: Axes) -> None:
        numbers = np.arange(condition.categories or 0)
        counts = np.array([(values == number).sum() for number in numbers])
        ax.bar(numbers, counts, yerr=np.sqrt(counts), color="#bdbdbd", ecolor=LINE, width=0.7)
        ax.set(xlabel=condition.name, ylabel="events", xticks=numbers)

    return draw


def _spectrum_panel(detector: Detector, found: Survey) -> Panel:
    def draw(ax: Axes) -> None:
        filled = np.flatnonzero(found.spectrum)
        sign = "|" if detector.signed else ""
        ax.set(xlabel=with_unit(f"{sign}{detector.quantity}{sign} of a cell", detector.unit), ylabel="cells per bin")
        if len(filled) == 0:
            return
        counts = found.spectrum[filled[0] : filled[-1] + 1]
        edges = SPECTRUM_EDGES[filled[0] : filled[-1] + 2]
        ax.stairs(counts, edges, color=LINE, baseline=None)
        ax.errorbar(np.sqrt(edges[1:] * edges[:-1]), counts, np.sqrt(counts), fmt="none", ecolor=LINE, elinewidth=0.7)
        ax.set(xscale="log", yscale="log")
        if 0 < detector.threshold < edges[-1]:
            ax.axvline(detector.threshold, color=SERIES[1], linewidth=0.8, label="threshold")
            ax.legend()

    return draw


def _profile_panel(profiles: list[Profile], label: str) -> Panel:
    def draw(ax: Axes) -> None:
        for number, profile in enumerate(profiles):
            centres = (profile.edges[1:] + profile.edges[:-1]) / 2
            colour = LINE if len(profiles) == 1 else SERIES[number]
            ax.stairs(profile.mean, profile.edges, color=colour, label=profile.layer or None, baseline=None)
            ax.errorbar(centres, profile.mean, profile.error, fmt="none", ecolor=colour, elinewidth=0.7)
        if _spans_decades(np.concatenate([profile.mean for profile in profiles])):
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
        ax.set(xlabel=with_unit(profiles[0].axis, profiles[0].unit), ylabel=label)
        if len(profiles) > 1:
            low, high = ax.get_ylim()
            ax.set_ylim(low, high * (high / low) ** 0.4 if ax.get_yscale() == "log" else high + 0.4 * (high - low))
            ax.legend(loc="upper center", ncols=2)

    return draw


def _spans_decades(values: Floats) -> bool:
    positive = values[values > 0]
    return len(positive) > 0 and bool((values >= 0).all()) and float(positive.max() / positive.min()) > WIDE
