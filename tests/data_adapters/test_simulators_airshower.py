"""The air-shower parameterisation against its formulas, written down a second time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from data_adapters.options import InvalidOption
from data_adapters.registry import UnknownName
from data_adapters.simulators import airshower, airshower_figure
from data_adapters.simulators.airshower import (
    AIRSHOWER_DATA,
    AIRSHOWER_SIMULATION,
    DATA,
    SIMULATION,
    AirShowers,
    ShowerArray,
    integrated,
    simulate,
)
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.production import OutputExists

SAMPLES = Path(airshower.__file__).parents[1] / "samples"

SETS = pytest.mark.parametrize("parameters", [DATA, SIMULATION], ids=["data", "simulation"])
ONLY_MUONS = replace(DATA, muon_fraction=1.0, noise_vem=0.0, relative_noise=0.0)
ONLY_ELECTROMAGNETIC = replace(ONLY_MUONS, muon_fraction=0.0)
MUON, ELECTROMAGNETIC = 0, 1

Array = NDArray[np.float64]


def respond(parameters: ShowerArray, energy: float, events: int, seed: int = 1) -> AirShowers:
    """Showers of one energy [EeV] that all hit (300, 200) m."""
    energies, cores = np.full(events, energy), np.tile([300.0, 200.0], (events, 1))
    return airshower.simulate_again(parameters, energies, cores, seed)


def distances(parameters: ShowerArray = DATA) -> Array:
    """Of the stations from (300, 200) m, shape (9, 9)."""
    return np.asarray(np.linalg.norm(parameters.positions - [300.0, 200.0], axis=-1))


def depths(distance: Array) -> Array:
    """Atmosphere between the shower maximum and a station, by integrating the density along the line."""
    a, b, c = -149.801663, 1183.6071, 9542.4834
    maximum = -c * np.log((750.0 - a) / b)
    heights = np.linspace(1400.0, maximum, 20_001)
    vertical = np.trapezoid(b / c * np.exp(-heights / c), heights)
    return np.asarray(vertical * np.sqrt(1 + (distance / (maximum - 1400.0)) ** 2))


def fall_off(distance: Array, exponents: tuple[float, float]) -> Array:
    by_distance, by_depth = exponents
    return np.asarray(
        (np.maximum(distance, 150) / 1000) ** by_distance * np.minimum((depths(distance) / 100) ** by_depth, 10)
    )


MUON_FALL_OFF, ELECTROMAGNETIC_FALL_OFF = (-4.7, -0.1), (-6.1, -0.4)


def test_the_array_is_a_triangular_grid_of_1500_m() -> None:
    positions = DATA.positions.reshape(-1, 2)
    apart = np.linalg.norm(positions[:, None] - positions, axis=-1)
    neighbours = np.isclose(apart, 1500).sum(axis=1).reshape(9, 9)
    assert np.sort(apart[apart > 0])[0] == pytest.approx(1500)
    np.testing.assert_array_equal(neighbours[1:-1, 1:-1], 6)
    np.testing.assert_array_equal(DATA.positions[4, 4], 0)


def test_energies_are_flat_and_cores_fill_a_disc() -> None:
    showers = simulate(DATA, 5000, seed=2)
    radius, azimuth = np.linalg.norm(showers.core, axis=1), np.arctan2(*showers.core.T)
    assert stats.kstest(showers.energy, stats.uniform(1, 99).cdf).pvalue > 0.001
    assert stats.kstest((radius / 750) ** 2, stats.uniform().cdf).pvalue > 0.001
    assert stats.kstest(azimuth, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.001


def test_the_depth_follows_from_the_density_of_the_atmosphere() -> None:
    distance = np.array([0.0, 500.0, 2000.0, 8000.0])
    np.testing.assert_allclose(airshower.depth_after_maximum(DATA, distance), depths(distance), rtol=1e-6)


@SETS
def test_muons_carry_30_or_70_per_cent(parameters: ShowerArray) -> None:
    events, energy = 4000, 10.0
    particles = respond(parameters, energy, events).particles.astype(float)
    near = distances() < 1800
    assert near.sum() >= 4
    share = {DATA: 0.3, SIMULATION: 0.7}[parameters]
    for component, part, exponents in (
        (MUON, share, MUON_FALL_OFF),
        (ELECTROMAGNETIC, 1 - share, ELECTROMAGNETIC_FALL_OFF),
    ):
        counted = particles[component][:, near]
        signal = (counted.mean(axis=0) + 0.5) / fall_off(distances()[near], exponents)  # fractions were cut off
        error = counted.std(axis=0) / np.sqrt(events) / fall_off(distances()[near], exponents)
        assert stats.chi2.sf((((signal - part * 900) / error) ** 2).sum(), near.sum()) > 0.001


@pytest.mark.parametrize(
    ("component", "exponents"), [(MUON, MUON_FALL_OFF), (ELECTROMAGNETIC, ELECTROMAGNETIC_FALL_OFF)]
)
def test_the_lateral_fall_off_has_the_exponents(component: int, exponents: tuple[float, float]) -> None:
    particles = respond(DATA, 100.0, 1000).particles[component].astype(float)
    far = (distances() > 500) & (distances() < 2800)
    depth_factor = (depths(distances()[far]) / 100) ** exponents[1]
    means, spreads = particles[:, far].mean(axis=0) + 0.5, particles[:, far].std(axis=0) / np.sqrt(1000)
    (slope, _), covariance = np.polyfit(
        np.log(distances()[far]), np.log(means / depth_factor), 1, w=means / spreads, cov="unscaled"
    )
    assert slope == pytest.approx(exponents[0], abs=4 * np.sqrt(covariance[0, 0]))
    assert np.sqrt(covariance[0, 0]) < 0.02


def test_the_signal_is_constant_close_to_the_core_and_has_an_upper_limit() -> None:
    near = airshower.mean_signals(DATA, np.array(1.0), np.array([0.0, 149.0, 151.0]))
    closer = depths(np.array([0.0, 149.0])) ** np.array([[-0.1], [-0.4]])
    np.testing.assert_allclose(near[:, 0] / near[:, 1], closer[:, 0] / closer[:, 1], rtol=1e-6)
    assert (near[:, 2] < near[:, 1]).all()
    limited = airshower.mean_signals(DATA, np.array(100.0), np.array([0.0, 100.0]))
    np.testing.assert_allclose(limited.sum(axis=0), 1e7)
    free = airshower.mean_signals(replace(DATA, largest_signal_vem=1e12), np.array(100.0), np.array([0.0, 100.0]))
    np.testing.assert_allclose(limited[0] / limited[1], free[0] / free[1])


@pytest.mark.parametrize(("parameters", "spread"), [(DATA, 1.0), (SIMULATION, 0.5)], ids=["data", "simulation"])
def test_particle_numbers_fluctuate_like_the_root_of_their_mean(parameters: ShowerArray, spread: float) -> None:
    events = 4000
    particles = respond(parameters, 30.0, events).particles.reshape(2, events, -1).astype(float)
    means = particles.mean(axis=1) + 0.5
    large = (means > 50) & (distances().ravel() > 500)  # the limit of the signal acts on the central station
    ratio = particles.var(axis=1)[large] / (spread**2 * means[large] + 1 / 12)
    assert large.sum() >= 8
    assert stats.chi2.sf((events * ratio).sum(), large.sum() * (events - 1)) == pytest.approx(0.5, abs=0.499)
    for component in (MUON, ELECTROMAGNETIC):
        gaussian = (particles[component, :, 40] - particles[component, :, 40].mean()) / particles[
            component, :, 40
        ].std()
        assert stats.kstest(gaussian, "norm").pvalue > 0.001


def test_particle_numbers_are_never_negative() -> None:
    particles = simulate(DATA, 300, seed=1).particles
    assert particles.min() == 0
    assert (particles == 0).mean() > 0.3


def median_and_delay(component: int, distance: float) -> tuple[float, float]:
    depth = depths(np.array(distance)) / 1000
    muon = 50 + 140 * (distance / 750) ** 1.4 * (1 - 0.2 * depth)
    electromagnetic = 80 + 200 * (distance / 750) ** 1.4 * (1 - 0.1 * depth)
    return (muon, 0.0) if component == MUON else (electromagnetic, (electromagnetic - muon) / 1.5)


@pytest.mark.parametrize("multinomial_from", [0, 10**9], ids=["multinomial", "one by one"])
@pytest.mark.parametrize("station", [(4, 4), (4, 5), (5, 4)])
@pytest.mark.parametrize("component", [MUON, ELECTROMAGNETIC])
def test_arrival_times_are_log_normal(
    component: int, station: tuple[int, int], multinomial_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airshower, "MULTINOMIAL_FROM", multinomial_from)
    only = (ONLY_MUONS, ONLY_ELECTROMAGNETIC)[component]
    showers = respond(replace(only, largest_signal_vem=2000.0), 20.0, 300)
    counts = showers.traces[:, station[0], station[1]].sum(axis=0)
    arrived = showers.particles[component, :, station[0], station[1]].sum()
    median, delay = median_and_delay(component, float(distances()[station]))
    # Where the cumulative fraction is that of a log-normal, its probit is linear in log t: mean and spread follow.
    edges = np.arange(25, 2001, 25)
    fraction = counts.cumsum() / arrived
    fit = (fraction > 0.001) & (fraction < 0.999)
    slope, intercept = np.polyfit(np.log(edges[fit] - delay), stats.norm.ppf(fraction[fit]), 1)
    assert 1 / slope == pytest.approx(0.7, rel=0.02)
    assert -intercept / slope == pytest.approx(np.log(median), abs=0.02)
    # And every bin.
    after = np.maximum(np.arange(0, 2001, 25) - delay, 1e-9)
    expected = arrived * np.diff(stats.norm.cdf(np.log(after / median) / 0.7))
    filled = expected > 10
    chi2 = ((counts[filled] - expected[filled]) ** 2 / expected[filled]).sum()
    assert 0.001 < stats.chi2.sf(chi2, filled.sum()) < 0.999


@pytest.mark.parametrize("multinomial_from", [0, 10**9], ids=["multinomial", "one by one"])
def test_bins_fluctuate_as_shares_of_a_number_of_particles(
    multinomial_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airshower, "MULTINOMIAL_FROM", multinomial_from)
    only = replace(ONLY_MUONS, number_spread=0.0, largest_signal_vem=200.0)
    events = 3000
    showers = respond(only, 20.0, events)
    traces, numbers = showers.traces[:, 4, 4], showers.particles[MUON, :, 4, 4]
    assert set(numbers) == {numbers[0]}
    shares = traces.mean(axis=0) / numbers[0]
    np.testing.assert_allclose(
        np.cov(traces[:, :8].T),
        numbers[0] * (np.diag(shares[:8]) - np.outer(shares[:8], shares[:8])),
        atol=4 * numbers[0] * shares.max() / np.sqrt(events),
    )
    assert (traces.sum(axis=1) <= numbers).all()
    assert traces.sum(axis=1).mean() == pytest.approx(numbers[0], rel=0.01)


@SETS
def test_absolute_noise_is_a_clipped_gaussian(parameters: ShowerArray) -> None:
    mean, spread = {DATA: (1.2, 0.6), SIMULATION: (0.6, 0.3)}[parameters]
    noise = simulate(replace(parameters, signal_vem=0.0, trigger_factor=0.0), 20, seed=3).traces.ravel()
    clipped = np.maximum(mean + spread * stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000), 0)
    assert noise.mean() == pytest.approx(clipped.mean(), abs=4 * spread / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(clipped.std(), rel=4 / np.sqrt(2 * noise.size))
    assert (noise == 0).mean() == pytest.approx(stats.norm.sf(2), abs=0.001)


@SETS
def test_noise_of_a_signal_is_five_per_cent_and_absolute(parameters: ShowerArray) -> None:
    mean, spread = {DATA: (1.2, 0.6), SIMULATION: (0.6, 0.3)}[parameters]
    noisy = simulate(parameters, 100, seed=4).traces[:, 4, 4]
    counts = simulate(replace(parameters, noise_vem=0.0, relative_noise=0.0), 100, seed=4).traces[:, 4, 4]
    large = counts > 40
    pull = (noisy - counts - mean)[large] / np.hypot(0.05 * counts, spread)[large]
    assert stats.kstest(pull, "norm").pvalue > 0.001


@pytest.mark.parametrize(("parameters", "threshold"), [(DATA, 115.2), (SIMULATION, 57.6)], ids=["data", "simulation"])
def test_stations_below_the_threshold_are_silent(parameters: ShowerArray, threshold: float) -> None:
    everything = simulate(replace(parameters, trigger_factor=0.0), 200, seed=5)
    triggered = simulate(parameters, 200, seed=5)
    loud = integrated(everything.traces) >= threshold
    np.testing.assert_array_equal(triggered.triggered, loud)
    np.testing.assert_array_equal(triggered.traces[loud], everything.traces[loud])
    assert integrated(triggered.traces)[loud].min() >= threshold
    assert 0.05 < loud.mean() < 0.25


def test_one_seed_gives_pairs_of_data_and_simulation() -> None:
    data, simulation = simulate(DATA, 500, seed=6), simulate(SIMULATION, 500, seed=6)
    np.testing.assert_array_equal(data.energy, simulation.energy)
    np.testing.assert_array_equal(data.core, simulation.core)
    for component in (MUON, ELECTROMAGNETIC):
        gaussian = []
        for parameters, showers, spread in ((DATA, data, 1.0), (SIMULATION, simulation, 0.5)):
            distance = np.linalg.norm(parameters.positions[4, 5] - showers.core, axis=-1)
            mean = airshower.mean_signals(parameters, showers.energy, distance)[component]
            gaussian.append((showers.particles[component, :, 4, 5] + 0.5 - mean) / (spread * np.sqrt(mean)))
        assert np.corrcoef(gaussian)[0, 1] > 0.95
    assert (data.traces != simulation.traces).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("first", [0, 7, 98, 205])
def test_an_event_does_not_depend_on_its_neighbours(first: int) -> None:
    whole, part = simulate(DATA, 230, seed=7), simulate(DATA, 4, seed=7, first=first)
    for name in ("traces", "energy", "core"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first : first + 4])
    np.testing.assert_array_equal(part.particles, whole.particles[:, first : first + 4])


def test_seeds_and_blocks_differ() -> None:
    energies = np.concatenate([simulate(DATA, 300, seed=seed).energy for seed in range(3)])
    assert len(np.unique(energies)) == 900


def test_a_second_simulation_keeps_the_showers_and_changes_the_response() -> None:
    showers = simulate(DATA, 130, seed=8)
    again = airshower.simulate_again(DATA, showers.energy, showers.core, seed=8)
    np.testing.assert_array_equal(again.energy, showers.energy)
    np.testing.assert_array_equal(again.core, showers.core)
    assert (again.traces != showers.traces).any(axis=(1, 2, 3)).all()


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="ask for at least 1"):
        simulate(DATA, 0, seed=1)
    with pytest.raises(ValueError, match="neither may be negative"):
        simulate(DATA, 1, seed=-1)
    with pytest.raises(ValueError, match="neither may be negative"):
        simulate(DATA, 1, seed=1, first=-5)
    for depth in (100.0, 900.0):
        with pytest.raises(ValueError, match=r"give a depth from \d+\.\d up to 872\.\d g/cm²"):
            replace(DATA, shower_maximum_g_cm2=depth)
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"number_spread is .*; give a number that is 0 or more"):
            replace(DATA, number_spread=value)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("simulator", "parameters"),
    [(AIRSHOWER_DATA, DATA), (AIRSHOWER_SIMULATION, SIMULATION)],
    ids=["data", "simulation"],
)
def test_a_file_holds_the_showers_in_steps(
    simulator: Simulator, parameters: ShowerArray, processes: int, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "showers.h5"
    assert simulator.make(Request(events=330, out=out, seed=11, processes=processes)) == 330
    showers = simulate(parameters, 330, seed=11)
    with h5py.File(out) as file:
        assert set(file) == {"traces", "energy", "core"}
        assert file["traces"].dtype == np.float32
        assert np.abs(file["traces"][()] - showers.traces)[showers.traces < 1e5].max() <= 1 / 64
        np.testing.assert_array_equal(file["traces"][()] * 32 % 1, 0)
        np.testing.assert_array_equal(file["energy"], showers.energy)
        np.testing.assert_array_equal(file["core"], showers.core)
        assert file.attrs["simulator"] == simulator.name
        assert file.attrs["seed"] == 11
        assert file.attrs["muon_fraction"] == parameters.muon_fraction
        assert file.attrs["electromagnetic_distance_exponent"] == -6.1
        np.testing.assert_array_equal(file.attrs["station_positions"], parameters.positions)
    assert [path.name for path in out.parent.iterdir()] == ["showers.h5"]


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "showers.h5"
    out.write_text("mine")
    with pytest.raises(OutputExists, match="exists: choose another name"):
        AIRSHOWER_DATA.make(Request(events=1, out=out))
    assert out.read_text() == "mine"
    assert AIRSHOWER_DATA.make(Request(events=1, out=out, force=True)) == 1
    with h5py.File(out) as file:
        assert file["traces"].shape == (1, 9, 9, 80)


def test_what_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(airshower, "_measure", fail)
    out = tmp_path / "showers.h5"
    out.write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        AIRSHOWER_DATA.make(Request(events=10, out=out, force=True))
    assert out.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_a_twin_has_the_showers_of_a_file(tmp_path: Path) -> None:
    energy, core = np.linspace(1, 100, 120), np.zeros((120, 2))
    main, out = tmp_path / "main.h5", tmp_path / "twin.h5"
    with h5py.File(main, "w") as file:
        file["energy"], file["core"] = energy, core
        file.attrs["muon_fraction"] = 0.3
    assert AIRSHOWER_DATA.make(Request(events=0, out=out, seed=6, twin_of=main)) == 120
    assert AIRSHOWER_DATA.make(Request(events=7, out=tmp_path / "few.h5", seed=6, twin_of=main)) == 7
    with h5py.File(out) as file, h5py.File(tmp_path / "few.h5") as few:
        np.testing.assert_array_equal(file["energy"], energy)
        np.testing.assert_array_equal(file["core"], core)
        assert (integrated(file["traces"][()])[:, 4, 4] > 1000).all()
        np.testing.assert_array_equal(few["traces"], file["traces"][:7])
    with pytest.raises(InvalidRequest, match=r"made with muon_fraction = 0\.3, its twin would be with 0\.7"):
        AIRSHOWER_SIMULATION.make(Request(events=0, out=tmp_path / "other.h5", seed=6, twin_of=main))
    with pytest.raises(InvalidRequest, match="holds 120: give 0 for all"):
        AIRSHOWER_DATA.make(Request(events=121, out=tmp_path / "more.h5", seed=6, twin_of=main))


def test_what_the_papers_leave_open_is_an_option(tmp_path: Path) -> None:
    out = tmp_path / "showers.h5"
    AIRSHOWER_DATA.make(Request(events=1, out=out, options={"shower_maximum_g_cm2": "700", "noise_vem": "0"}))
    with h5py.File(out) as file:
        assert (file.attrs["shower_maximum_g_cm2"], file.attrs["noise_vem"]) == (700, 0)
        assert file.attrs["number_spread"] == 1
    with pytest.raises(UnknownName, match="Nearest: 'relative_noise'"):
        AIRSHOWER_DATA.make(Request(events=1, out=tmp_path / "no.h5", options={"relativ_noise": "0"}))
    with pytest.raises(InvalidOption, match="it takes a number"):
        AIRSHOWER_DATA.make(Request(events=1, out=tmp_path / "no.h5", options={"noise_vem": "much"}))


def test_the_samples_are_pairs_that_the_code_makes() -> None:
    with h5py.File(SAMPLES / "airshower_data.h5") as data, h5py.File(SAMPLES / "airshower_simulation.h5") as simulation:
        np.testing.assert_array_equal(data["energy"], simulation["energy"])
        np.testing.assert_array_equal(data["core"], simulation["core"])
        for file, parameters in ((data, DATA), (simulation, SIMULATION)):
            showers = simulate(parameters, 100, seed=int(file.attrs["seed"]))
            np.testing.assert_array_equal(file["energy"][:100], showers.energy)
            # Processors round exponentials differently, which moves a particle to the next bin now and then.
            same = np.isclose(file["traces"][:100], showers.traces, rtol=1e-6, atol=1 / 64)
            assert same.mean() > 0.999


def test_the_page_keeps_its_text_and_gets_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airshower_figure, "EVENTS", 2000)
    page = tmp_path / "airshower.md"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks of the table are missing"):
        airshower_figure.write_page(tmp_path)
    assert list(tmp_path.iterdir()) == [page]
    page.write_text(f"before\n{airshower_figure.BEGIN}\nearlier numbers\n{airshower_figure.END}\nafter\n")
    airshower_figure.write_page(tmp_path)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "earlier numbers" not in text
    row = next(line for line in text.splitlines() if line.startswith("| muon part of S0"))
    data, simulation = (float(cell.split("±")[0]) for cell in row.split("|")[3:5])
    assert (data, simulation) == pytest.approx((30, 70), abs=0.1)
    drawn = {path.stem for path in (tmp_path / "airshower").glob("*.svg")}
    assert drawn == set(airshower_figure.FIGURES)
