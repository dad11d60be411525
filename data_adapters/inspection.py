"""What is in a sample: ranges, energies, sparsity and mean shapes, from one pass over its events."""

# Axes: N events, n events of a block, V cells, C cells along an axis, B bins.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from data_adapters.detector import Condition, Detector, Layer
from data_adapters.source import EventSource
from data_adapters.splits import SPLITS, split_of

# Cells are counted in bins of these edges, ten a decade, in the unit of the detector; empty ends are cut.
SPECTRUM_EDGES = np.logspace(-12, 12, 241)
COORDINATE = "coordinate"
MANY_VALUES = 20  # more different values of a condition than this are a range
BLOCK_EVENTS = 2000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """Mean of what the cells along an axis hold, shape (C,), with its standard error.

    ``layer`` is the name of the layer; "" where the axis counts the layers themselves.
    """

    layer: str
    axis: str
    unit: str
    edges: Floats
    mean: Floats
    error: Floats


@dataclass(frozen=True)
class Survey:
    """A whole sample in a few numbers.

    Attributes:
        totals: Sum of the response of each event, float64, shape (N,).
        hits: Cells above the threshold of each event, shape (N,).
        filled: Cells that are not 0, of each event, shape (N,).
        low, high: Extremes of the response.
        spectrum: Number of cells with |response| in each of the B bins of ``SPECTRUM_EDGES``.
    """

    totals: Floats
    hits: NDArray[np.int64]
    filled: NDArray[np.int64]
    low: float
    high: float
    spectrum: NDArray[np.int64]
    profiles: tuple[Profile, ...]


class _ProfileSum:
    """Sums and squares of what the cells along one axis hold."""

    def __init__(self, detector: Detector, layer: Layer, axis: int) -> None:
        self.layer, self.axis = layer, axis
        self._slice = detector.layer_slices[layer.name]
        self._other = tuple(number + 1 for number in range(len(layer.axes)) if number != axis)
        self._sum = np.zeros(layer.shape[axis])
        self._squares = np.zeros(layer.shape[axis])

    def add(self, response: NDArray[np.float32]) -> None:
        cells = response[:, self._slice].reshape(len(response), *self.layer.shape)
        along = cells.sum(axis=self._other, dtype=np.float64)
        self._sum += along.sum(axis=0)
        self._squares += (along**2).sum(axis=0)

    def profile(self, num_events: int) -> Profile:
        axis = self.layer.axes[self.axis]
        mean, error = _mean_and_error(self._sum, self._squares, num_events)
        return Profile(self.layer.name, axis.name, axis.unit, np.array(axis.edges), mean, error)


class _LayerSum:
    """Sums and squares of what the layers hold."""

    def __init__(self, detector: Detector) -> None:
        self._slices = list(detector.layer_slices.values())
        self._sum, self._squares = np.zeros(len(self._slices)), np.zeros(len(self._slices))

    def add(self, response: NDArray[np.float32]) -> None:
        along = np.stack([response[:, part].sum(axis=1, dtype=np.float64) for part in self._slices], axis=1)
        self._sum += along.sum(axis=0)
        self._squares += (along**2).sum(axis=0)

    def profile(self, num_events: int) -> Profile:
        mean, error = _mean_and_error(self._sum, self._squares, num_events)
        return Profile("", "layer", "number", np.arange(len(mean) + 1, dtype=np.float64) - 0.5, mean, error)


def survey(source: EventSource, console: Console) -> Survey:
    """Look at all events, in blocks.

    Raises: UnreadableFile, naming file, key and event, for values that no detector produces.
    """
    detector = source.detector
    sums: list[_ProfileSum | _LayerSum] = [_LayerSum(detector)] if len(detector.layers) > 1 else []
    sums += [_ProfileSum(detector, layer, axis) for layer in detector.layers for axis in range(len(layer.axes))]
    totals, hits, filled, extremes = [], [], [], []
    spectrum = np.zeros(len(SPECTRUM_EDGES) - 1, dtype=np.int64)
    for start, stop in blocks(source, console, "reading"):
        response = source.read(start, stop).response
        totals.append(response.sum(axis=1, dtype=np.float64))
        hits.append((np.abs(response) > detector.threshold).sum(axis=1))
        filled.append(np.count_nonzero(response, axis=1))
        extremes += [float(response.min()), float(response.max())]
        spectrum += np.histogram(np.abs(response[response != 0]), SPECTRUM_EDGES)[0]
        for item in sums:
            item.add(response)
    profiles = tuple(item.profile(len(source)) for item in sums)
    return Survey(
        np.concatenate(totals),
        np.concatenate(hits),
        np.concatenate(filled),
        min(extremes),
        max(extremes),
        spectrum,
        profiles,
    )


def blocks(source: EventSource, console: Console, what: str) -> Iterator[tuple[int, int]]:
    """First event and end of each block, with a progress bar on a terminal."""
    rows = min(source.block_rows, BLOCK_EVENTS)
    starts = range(0, len(source), rows)
    for start in track(starts, f"{what} {source.path.name}", console=console, disable=not console.is_terminal):
        yield start, min(start + rows, len(source))


def facts(source: EventSource, found: Survey) -> list[tuple[str, str]]:
    """What is said of a sample, as pairs of a word and a text."""
    detector = source.detector
    lines = [
        ("layout", source.layout),
        ("detector", f"{detector.name}: {detector.title}"),
        ("events", f"{len(source)} ({_size(source.nbytes)} of responses in memory)"),
        ("cells", f"{detector.num_cells}"),
    ]
    lines += _layer_lines(detector)
    for condition in detector.conditions:
        lines.append(("condition", describe_condition(condition, source.conditions[condition.name])))
    lines += _response_lines(source, found)
    split = split_of(source.identity)
    groups = len(np.unique(source.identity))
    independent = "" if groups == len(source) else f"; {groups} independent of each other"
    lines.append(("splits", ", ".join(f"{name} {(split == name).sum()}" for name in SPLITS) + independent))
    if source.auxiliary:
        lines.append(("also", ", ".join(f"{name} {values.shape}" for name, values in source.auxiliary.items())))
    return lines


def response_over_energy(source: EventSource, totals: Floats) -> Floats | None:
    """Summed response over the energy of each event, shape (N,); None where there is no such energy."""
    energy = source.detector.energy_condition
    if energy is None or source.detector.quantity == COORDINATE:
        return None
    values = source.conditions[energy.name]
    return np.divide(totals, values, out=np.zeros_like(totals), where=values > 0)


def with_unit(quantity: str, unit: str) -> str:
    """A quantity and its unit, as an axis of a plot is labelled."""
    return quantity if unit in ("1", "") else f"{quantity} [{unit}]"


def describe_condition(condition: Condition, values: Floats) -> str:
    """Range or values of a condition in a sample."""
    name = with_unit(condition.name, condition.unit)
    different = np.unique(values)
    if condition.categories is not None:
        counts = ", ".join(f"{int(value)}: {int((values == value).sum())}" for value in different)
        return f"{name}: {condition.categories} categories ({counts})"
    if condition.shape:
        return f"{name}: {values[0].size} numbers, {values.min():.5g} … {values.max():.5g}"
    number = f", {len(different)} different values" if len(different) <= MANY_VALUES else ""
    return f"{name}: {values.min():.5g} … {values.max():.5g}{number}{_marks(condition)}"


def _marks(condition: Condition) -> str:
    marks = ["the energy"] if condition.energy else []
    marks += ["metrics in its bins"] if condition.bins else []
    return f" ({', '.join(marks)})" if marks else ""


def _layer_lines(detector: Detector) -> list[tuple[str, str]]:
    """The layers; many equal ones are said together."""
    texts: dict[str, list[str]] = {}
    for layer in detector.layers:
        axes = " × ".join(f"{axis.name} {axis.num_cells}" for axis in layer.axes)
        ranges = ", ".join(
            with_unit(f"{axis.name} {axis.edges[0]:.4g} … {axis.edges[-1]:.4g}", axis.unit) for axis in layer.axes
        )
        texts.setdefault(f"{axes} ({ranges})", []).append(layer.name)
    lines = []
    for text, names in texts.items():
        called = names[0] if len(names) == 1 else f"{len(names)} layers ({names[0]} … {names[-1]})"
        lines.append(("layer", f"{called}: {text}"))
    return lines


def _response_lines(source: EventSource, found: Survey) -> list[tuple[str, str]]:
    detector, num_cells = source.detector, source.detector.num_cells
    empty = int((found.filled == 0).sum())
    unit = detector.unit
    lines = [
        ("response", f"{with_unit(detector.quantity, unit)}: {found.low:.5g} … {found.high:.5g} in a cell"),
        ("", f"{1 - found.filled.mean() / num_cells:.1%} of the cells are empty, {empty} events altogether"),
        ("", f"{found.hits.mean():.1f} cells of an event ({found.hits.mean() / num_cells:.1%}) are above "
             f"{detector.threshold:g} {unit}"),
    ]  # fmt: skip
    if detector.quantity != COORDINATE:
        lines.append(("sum", f"{_spread(found.totals)} {unit} an event"))
    ratio = response_over_energy(source, found.totals)
    if ratio is not None:
        lines.append(("sum/energy", _spread(ratio) + _ratio_unit(detector)))
    return lines


def _ratio_unit(detector: Detector) -> str:
    energy = detector.energy_condition
    return "" if energy is None or energy.unit == detector.unit else f" {detector.unit}/{energy.unit}"


def _spread(values: Floats) -> str:
    return f"mean {values.mean():.5g}, standard deviation {values.std():.3g}, {values.min():.5g} … {values.max():.5g}"


def _mean_and_error(total: Floats, squares: Floats, number: int) -> tuple[Floats, Floats]:
    mean = total / number
    variance = np.maximum(squares / number - mean**2, 0.0)
    return mean, np.sqrt(variance / number)


def _size(number: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number //= 1000
    return f"{number} TB"
