"""Shape of the signal traces of an air shower: mean trace, rise time, fall time."""

# Axes: N events, S = 9 × 9 stations, n stations of all events that triggered, T time bins, B bins of distance.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.airshower import BIN_WIDTH_NS, STATIONS, TIME, TIME_BINS
from metrics.observables.airshower_array import RING_EDGES_M, has_traces, mean_in_rings, signals, triggered
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample

SOURCE = (
    "arXiv:1802.03325, figure 5, compares traces; rise time from 10 to 50 %, fall time from 50 to 90 % of the signal"
)
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9  # parts of the signal of a station

Floats = NDArray[np.float64]


def trace_shape(sample: Sample) -> Floats:
    """Part of the signal in each time bin, mean over the triggered stations of an event, shape (N, T)."""
    counted = triggered(sample)
    traces = _traces(sample)[counted].astype(np.float64)
    traces /= signals(sample)[counted][:, None]
    num = counted.sum(axis=1)
    starts, filled = np.cumsum(num) - num, num > 0
    shape = np.zeros((len(sample), TIME_BINS))
    if filled.any():
        # The triggered stations of an event follow each other.
        shape[filled] = np.add.reduceat(traces, starts[filled], axis=0) / num[filled, None]
    return shape


def rise_times(sample: Sample) -> Floats:
    """From 10 to 50 % of the signal of each station [ns], shape (N, S); 0 where it has not triggered."""
    return sample.once("rise times", lambda: _between(sample, LOW, MIDDLE))


def fall_times(sample: Sample) -> Floats:
    """From 50 to 90 % of the signal of each station [ns], shape (N, S); 0 where it has not triggered."""
    return sample.once("fall times", lambda: _between(sample, MIDDLE, HIGH))


def _between(sample: Sample, low: float, high: float) -> Floats:
    counted = triggered(sample)
    times = np.zeros(counted.shape)
    cumulative = np.cumsum(_traces(sample)[counted], axis=1, dtype=np.float64)
    times[counted] = crossing_time(cumulative, high) - crossing_time(cumulative, low)
    return times


def crossing_time(cumulative: Floats, part: float) -> Floats:
    """When cumulative traces (n, T) reach that part of their end [ns], shape (n,); linear within a time bin."""
    level = part * cumulative[:, -1:]
    index = (cumulative < level).sum(axis=1, keepdims=True)
    before = np.where(index > 0, np.take_along_axis(cumulative, np.maximum(index - 1, 0), axis=1), 0)
    within = (level - before) / (np.take_along_axis(cumulative, index, axis=1) - before)
    return np.asarray(BIN_WIDTH_NS * (index + within)[:, 0], dtype=np.float64)


def _traces(sample: Sample) -> NDArray[np.float32]:
    return sample.response.reshape(len(sample), STATIONS[0] * STATIONS[1], TIME_BINS)


def mean_rise_time(sample: Sample) -> Floats:
    """Mean over the triggered stations [ns], shape (N,); 0 without any."""
    return _mean(rise_times(sample), sample)


def mean_fall_time(sample: Sample) -> Floats:
    """Mean over the triggered stations [ns], shape (N,); 0 without any."""
    return _mean(fall_times(sample), sample)


def _mean(times: Floats, sample: Sample) -> Floats:
    return np.asarray(times.sum(axis=1) / np.maximum(triggered(sample).sum(axis=1), 1), dtype=np.float64)


def hottest_rise_time(sample: Sample) -> Floats:
    """Of the station with the largest signal [ns], shape (N,); 0 if it has not triggered."""
    hottest = signals(sample).argmax(axis=1)[:, None]
    return np.take_along_axis(rise_times(sample), hottest, axis=1)[:, 0]


def rise_time_profile(sample: Sample) -> Floats:
    """Mean over the triggered stations in each bin of distance to the core [ns], shape (N, B); 0 without any."""
    return mean_in_rings(sample, rise_times(sample), triggered(sample))


OBSERVABLES = (
    Observable("rise_time", "Rise time, mean of the stations", "ns", SOURCE, mean_rise_time),
    Observable("fall_time", "Fall time, mean of the stations", "ns", SOURCE, mean_fall_time),
    Observable("hottest_rise_time", "Rise time of the hottest station", "ns", SOURCE, hottest_rise_time),
    Observable(
        name="trace_shape",
        title="Mean trace",
        unit="1",
        source=SOURCE,
        function=trace_shape,
        edges=TIME.edges,
        edges_unit=TIME.unit,
        x_label="time",
        y_label="Part of the signal of a station",
    ),
    Observable(
        name="rise_time_profile",
        title="Rise time against the distance to the core",
        unit="ns",
        source=SOURCE,
        function=rise_time_profile,
        edges=RING_EDGES_M,
        edges_unit="m",
        x_label="distance to the core",
        y_label="Mean rise time [ns]",
    ),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return OBSERVABLES if has_traces(detector) else ()


AIRSHOWER_TRACE = Family(
    name="airshower_trace",
    title="Mean trace, rise and fall time (air showers)",
    definition=(
        "trace of a station over its signal, mean over the stations of an event with 1 VEM or more; time from 10 to "
        "50 % of the signal (rise) and from 50 to 90 % (fall), mean over these stations, of the hottest station, and "
        "against the distance to the core (0 where no station has triggered)"
    ),
    unit="1, ns",
    detectors="array of 9 × 9 stations with traces, primary energy known",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
