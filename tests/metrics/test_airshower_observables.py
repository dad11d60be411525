"""Observables of air showers: stations and traces set by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.layouts.airshower import AIRSHOWER_ARRAY_DETECTOR, AIRSHOWER_PATTERN_DETECTOR
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from data_adapters.simulators.airshower import ShowerArray
from metrics.observables.airshower_array import RING_EDGES_M, core, station_positions
from metrics.observables.airshower_signal import AIRSHOWER_SIGNAL
from metrics.observables.airshower_trace import AIRSHOWER_TRACE, crossing_time
from metrics.observables.component import Observable
from metrics.observables.sample import Sample

DATA, PATTERNS, SIMULATION = (
    DATASETS[f"airshower-{name}"].split("validation") for name in ("data", "data-patterns", "simulation")
)
HEIGHT = 1500 * np.sqrt(0.75)  # between columns


def of(detector: Detector) -> dict[str, Observable]:
    return {o.name: o for family in (AIRSHOWER_SIGNAL, AIRSHOWER_TRACE) for o in family.of(detector)}


def events_of(response: np.ndarray, energy: float = 1.0) -> Events:
    detector = AIRSHOWER_PATTERN_DETECTOR if response.ndim == 3 else AIRSHOWER_ARRAY_DETECTOR
    conditions = {"incident_energy": np.full(len(response), energy)}
    flat = response.reshape(len(response), -1).astype(np.float32)
    return Events(detector, conditions, flat, np.arange(len(response), dtype=np.uint64))


def values_of(events: Events) -> dict[str, np.ndarray]:
    sample = Sample(events)
    return {name: observable.function(sample) for name, observable in of(events.detector).items()}


def pattern(stations: dict[tuple[int, int], float]) -> np.ndarray:
    signals = np.zeros((1, 9, 9))
    for place, signal in stations.items():
        signals[0, *place] = signal
    return signals


def test_detectors_that_have_them() -> None:
    signal, trace = (set(of(d)) for d in (AIRSHOWER_PATTERN_DETECTOR, AIRSHOWER_ARRAY_DETECTOR))
    assert trace - signal == {"rise_time", "fall_time", "hottest_rise_time", "trace_shape", "rise_time_profile"}
    assert {"total_signal", "hottest_signal", "lateral_falloff", "neighbour_correlation"} <= signal
    assert not of(ATLAS_PHOTONS)


def test_positions_are_those_of_the_simulation() -> None:
    np.testing.assert_allclose(station_positions(), ShowerArray().positions.reshape(-1, 2))


def test_one_station() -> None:
    values = values_of(events_of(pattern({(4, 5): 990.0}), energy=10.0))
    assert values["total_signal"][0] == pytest.approx(2)  # log10(1 + 99)
    assert values["hottest_signal"][0] == pytest.approx(2)
    assert values["hottest_fraction"][0] == 1
    assert values["num_triggered"][0] == 1
    # Column 5 is one beside the middle and shifted by half a spacing.
    assert (values["core_x"][0], values["core_y"][0]) == pytest.approx((750, HEIGHT))
    assert values["hottest_distance"][0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(np.flatnonzero(values["signal_spectrum"][0]), [9])  # 512 … 1024
    assert values["lateral_falloff"][0, 0] == pytest.approx(np.log10(991))
    assert not values["lateral_falloff"][0, 1:].any()


def test_core_lies_between_the_stations() -> None:
    equal = values_of(events_of(pattern({(4, 4): 100.0, (5, 4): 100.0})))
    assert (equal["core_x"][0], equal["core_y"][0]) == pytest.approx((750, 0), abs=1e-9)
    assert equal["hottest_distance"][0] == pytest.approx(750)
    unequal = values_of(events_of(pattern({(4, 4): 1000.0, (5, 4): 100.0})))
    assert unequal["core_x"][0] == pytest.approx(1500 / (1 + 10**0.3))
    assert unequal["hottest_fraction"][0] == pytest.approx(10 / 11)


def test_lateral_falloff_is_the_mean_over_stations() -> None:
    """Around the middle there are 6 stations at 1500 m, 6 at 2598 m and 6 at 3000 m: rings 2, 3 and 4."""
    distance = np.linalg.norm(station_positions(), axis=1).reshape(1, 9, 9)
    signals = np.select([distance < 1, distance < 1600, distance < 2700], [9999.0, 99.0, 9.0], 0.0)
    falloff = values_of(events_of(signals))["lateral_falloff"][0]
    np.testing.assert_allclose(falloff[:5], [4, 0, 2, 1, 0], atol=1e-6)
    assert len(falloff) == len(RING_EDGES_M) - 1


def test_stations_beyond_the_last_ring_are_in_it() -> None:
    signals = pattern({(0, 0): 1e7, (8, 8): 9.0})  # the far corner: more than the 9.75 km of the last edge
    falloff = values_of(events_of(signals))["lateral_falloff"][0]
    assert falloff[-1] > 0


def test_neighbour_correlation() -> None:
    """Compared with NumPy's coefficient over pairs that are listed here by their distance."""
    signals = np.random.default_rng(0).lognormal(3, 2, (1, 9, 9))
    positions, logs = station_positions(), np.log10(1 + signals.astype(np.float32).astype(float)).ravel()
    pairs = [(i, j) for i in range(81) for j in range(81) if 0 < np.hypot(*(positions[i] - positions[j])) < 1501]
    assert len(pairs) == 2 * (72 + 8 * 17)  # along columns 9 × 8, between columns 8 × 17
    first, second = np.array(pairs).T
    expected = np.corrcoef(logs[first], logs[second])[0, 1]
    assert values_of(events_of(signals))["neighbour_correlation"][0] == pytest.approx(expected)
    smooth = np.exp(-np.linalg.norm(positions, axis=1) / 2000).reshape(1, 9, 9) * 1e4
    assert values_of(events_of(smooth))["neighbour_correlation"][0] > 0.8


def test_signals_outside_the_octaves() -> None:
    spectrum = values_of(events_of(pattern({(0, 0): 0.9, (1, 0): 1.0, (2, 0): 2.0, (3, 0): 1e9})))["signal_spectrum"]
    np.testing.assert_array_equal(np.flatnonzero(spectrum[0]), [0, 1, 23])


def test_times_of_a_flat_trace() -> None:
    traces = np.zeros((1, 9, 9, 80))
    traces[0, 4, 4, 10:30] = 1.0  # 250 to 750 ns
    values = values_of(events_of(traces))
    assert values["rise_time"][0] == pytest.approx(200)  # 40 % of 500 ns
    assert values["fall_time"][0] == pytest.approx(200)
    assert values["hottest_rise_time"][0] == pytest.approx(200)
    np.testing.assert_allclose(values["trace_shape"][0], np.repeat([0, 0.05, 0], [10, 20, 50]))


def test_every_station_counts_alike_in_the_mean_trace() -> None:
    traces = np.zeros((3, 9, 9, 80))
    traces[0, 4, 4, 5] = 1e6
    traces[0, 4, 5, 6] = 10.0
    traces[0, 0, 0, 7] = 0.5  # below 1 VEM: not triggered
    traces[2, 3, 3, :4] = 100.0
    values = values_of(events_of(traces))
    assert values["trace_shape"][0, [5, 6, 7]] == pytest.approx([0.5, 0.5, 0])
    assert not values["trace_shape"][1].any()
    assert values["trace_shape"][2, :5] == pytest.approx([0.25, 0.25, 0.25, 0.25, 0])
    assert values["rise_time"] == pytest.approx([10, 0, 40])  # 40 % of 25 ns, and of 100 ns
    assert values["fall_time"] == pytest.approx([10, 0, 40])


def test_crossing_time_is_linear_within_a_bin() -> None:
    cumulative = np.cumsum([[2.0, 0.0, 6.0, 2.0]], axis=1)
    for part, expected in ((0.1, 12.5), (0.2, 25.0), (0.5, 62.5), (0.9, 87.5)):
        assert crossing_time(cumulative, part)[0] == pytest.approx(expected)


@pytest.mark.parametrize("response", [np.zeros((2, 9, 9)), np.zeros((2, 9, 9, 80)), np.full((1, 9, 9), 5.0)])
def test_events_without_signal_or_without_shape(response: np.ndarray) -> None:
    values = values_of(events_of(response))
    assert all(np.isfinite(column).all() and column.dtype == np.float64 for column in values.values())
    assert values["neighbour_correlation"][0] == pytest.approx(0)
    if not response.any():
        assert values["total_signal"][0] == values["num_triggered"][0] == 0
        corner = (-6000, -4 * HEIGHT)  # an outlier: cores of full simulation lie within 750 m
        assert (values["core_x"][0], values["core_y"][0]) == pytest.approx(corner)


@pytest.mark.parametrize("events", [DATA, PATTERNS, SIMULATION], ids=["data", "patterns", "simulation"])
def test_full_simulation(events: Events) -> None:
    values = values_of(events)
    for name, column in values.items():
        observable = of(events.detector)[name]
        width = () if observable.kind == "distribution" else (len(observable.edges) - 1,)
        assert column.shape == (len(events), *width)
        assert np.isfinite(column).all()
        assert column.dtype == np.float64
        part = observable.function(Sample(events.select(np.arange(3, 8))))
        # Up to rounding: how many events are summed at once depends on the processor.
        np.testing.assert_allclose(part, column[3:8], rtol=1e-12, atol=1e-12, err_msg=name)
    distance = np.linalg.norm(core(Sample(events)) - events.auxiliary["core"].astype(np.float64), axis=1)
    assert np.sqrt((distance**2).mean()) < 200
    np.testing.assert_allclose(
        values["num_triggered"], (events.response.reshape(len(events), 81, -1).sum(2) > 0).sum(1)
    )


def test_patterns_have_the_signals_of_the_traces() -> None:
    traces, patterns = values_of(DATA), values_of(PATTERNS)
    for name, column in patterns.items():
        np.testing.assert_allclose(column, traces[name], rtol=1e-5, atol=1e-3, err_msg=name)


def test_simulation_has_more_muons() -> None:
    """At the same energies: the published example's simulated trace rises faster, and muons fall off more slowly."""
    data, simulation = values_of(DATA), values_of(SIMULATION)
    assert simulation["hottest_rise_time"].mean() < data["hottest_rise_time"].mean() - 5
    assert simulation["num_triggered"].mean() == pytest.approx(16.0, abs=0.7)
    assert data["num_triggered"].mean() == pytest.approx(10.0, abs=0.5)
    far = simulation["lateral_falloff"].mean(axis=0) - data["lateral_falloff"].mean(axis=0)
    assert far[0] < 0 < far[3]
    np.testing.assert_allclose(data["trace_shape"].sum(axis=1), 1, rtol=1e-5)


def test_mirrored_patterns_are_noticed() -> None:
    """Rows and columns are not alike in a triangular grid."""
    transposed = PATTERNS.with_response(
        np.ascontiguousarray(PATTERNS.response.reshape(-1, 9, 9).transpose(0, 2, 1)).reshape(-1, 81)
    )
    change = values_of(transposed)["neighbour_correlation"] - values_of(PATTERNS)["neighbour_correlation"]
    assert abs(change.mean()) > 3 * change.std() / np.sqrt(len(change))
