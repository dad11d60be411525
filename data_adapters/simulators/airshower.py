"""Air showers on a surface array of water-Cherenkov stations: the parameterised simulation of the refiner paper.

Source of the parameterisation: M. Erdmann, J. Glombitza, D. Walz, Astropart. Phys. 97 (2018) 46 (arXiv:1708.00647)
and the program published with it; of the two samples: M. Erdmann, L. Geiger, J. Glombitza, D. Schmidt, *Generating
and refining particle detector simulations using the Wasserstein distance in adversarial networks*, section 3
(arXiv:1802.03325). Showers are vertical and have one depth of maximum. What the papers leave open, and what was
chosen, is in docs/airshower.md.

File that the simulators write (HDF5): ``traces`` (N, 9, 9, 80) float32 [VEM] in steps of 1/32 VEM, ``energy`` (N,)
float64 [EeV], ``core`` (N, 2) float64 [m]; the attributes hold all parameters, units, the seed and the source.
"""

# Axes: N events, S = 9 x 9 stations flattened, n stations (of some events) that saw particles, T time bins.
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.special import ndtr

from data_adapters.hdf5 import Needed, check_datasets, open_hdf5, read_column
from data_adapters.options import parse_options
from data_adapters.registry import UnknownName
from data_adapters.simulators.component import InvalidRequest, Request, Simulator
from data_adapters.simulators.production import check_output, check_suffix
from data_adapters.unfinished import unfinished

BLOCK_EVENTS = 100  # events that share random streams: event i depends on (seed, i // BLOCK_EVENTS) and its place
CHUNK_EVENTS = 20  # that a file stores together: half a megabyte
STEPS_PER_VEM = 32  # of stored traces; a power of two, so that rounded numbers compress well
MULTINOMIAL_FROM = 500  # particles; from here on a multinomial is faster than one random number a particle

# Vertical depth X(h) = a + b exp(−h/c) of the US standard atmosphere (Keilhauer's parameters of the lowest layer of
# CORSIKA's atmosphere 17, 0 to 7 km), in g/cm² and m.
ATMOSPHERE_A, ATMOSPHERE_B, ATMOSPHERE_C, ATMOSPHERE_TOP_M = -149.801663, 1183.6071, 9542.4834, 7000.0

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
Block = Callable[[], "AirShowers"]


def vertical_depth(height_m: float) -> float:
    """Atmosphere above a height [g/cm²], up to 7 km."""
    return float(ATMOSPHERE_A + ATMOSPHERE_B * np.exp(-height_m / ATMOSPHERE_C))


@dataclass(frozen=True)
class ShowerComponent:
    """How the signal of muons, or of the electromagnetic cascade, depends on distance r and depth dX.

    Attributes:
        distance_exponent: Mean signal ∝ (r / 1000 m)^this.
        depth_exponent: Mean signal ∝ (dX / 100 g/cm²)^this.
        time_offset_ns, time_scale_ns, time_depth: The median arrival time after the shower front is
            offset + scale · (r / 750 m)^1.4 · (1 − time_depth · dX / 1000 g/cm²).
    """

    distance_exponent: float
    depth_exponent: float
    time_offset_ns: float
    time_scale_ns: float
    time_depth: float


@dataclass(frozen=True)
class ShowerArray:
    """Showers and array; the defaults are those of the *data* sample.

    Attributes:
        stations: Along each side of the array, an odd number.
        spacing_m: Between neighbours of the triangular grid.
        height_m: Of the array above sea level.
        time_bins, bin_width_ns: Of a trace; it begins with the arrival of the shower front at the station.
        energy_low_eev, energy_high_eev: Limits of the flat energy spectrum.
        core_radius_m: Cores are uniform in a disc of this radius around the central station.
        shower_maximum_g_cm2: Vertical depth of the shower maximum.
        signal_vem: Signal S0 of a shower of 10 EeV at 1000 m and 100 g/cm² after its maximum; proportional to E.
        muon_fraction: Part of S0 that muons carry; the rest is electromagnetic.
        closest_m: Signals do not grow any more at smaller distances.
        largest_depth_factor: Upper limit of the depth factor of each component.
        largest_signal_vem: Upper limit of the mean signal of a station, kept by scaling both components.
        number_spread: Standard deviation of the number of particles, in units of the square root of its mean.
        time_spread: Standard deviation of the logarithm of the arrival times.
        delay_divisor: Electromagnetic particles come later by the difference of the medians over this number.
        relative_noise: Standard deviation of the noise of a bin, in units of its signal.
        noise_vem: Mean of the absolute noise of a bin.
        noise_spread: Standard deviation of the absolute noise, in units of its mean.
        trigger_factor: A station triggers if its trace sums up to at least this times the mean noise of a trace.
    Raises: ValueError for a number that is negative or not finite, and for a shower maximum that does not lie above
        the array and below 7 km.
    """

    stations: int = 9
    spacing_m: float = 1500.0
    height_m: float = 1400.0
    time_bins: int = 80
    bin_width_ns: float = 25.0
    energy_low_eev: float = 1.0
    energy_high_eev: float = 100.0
    core_radius_m: float = 750.0
    shower_maximum_g_cm2: float = 750.0
    signal_vem: float = 900.0
    muon_fraction: float = 0.3
    muons: ShowerComponent = ShowerComponent(-4.7, -0.1, 50.0, 140.0, 0.2)
    electromagnetic: ShowerComponent = ShowerComponent(-6.1, -0.4, 80.0, 200.0, 0.1)
    closest_m: float = 150.0
    largest_depth_factor: float = 10.0
    largest_signal_vem: float = 1e7
    number_spread: float = 1.0
    time_spread: float = 0.7
    delay_divisor: float = 1.5
    relative_noise: float = 0.05
    noise_vem: float = 1.2
    noise_spread: float = 0.5
    trigger_factor: float = 1.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, ShowerComponent) and not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; give a number that is 0 or more")
        shallowest, deepest = vertical_depth(ATMOSPHERE_TOP_M), vertical_depth(self.height_m)
        if not shallowest <= self.shower_maximum_g_cm2 < deepest:
            raise ValueError(
                f"the shower maximum lies at {self.shower_maximum_g_cm2:g} g/cm²; for an array at {self.height_m:g} m "
                f"give a depth from {shallowest:.1f} up to {deepest:.1f} g/cm², where the array begins"
            )

    @property
    def components(self) -> tuple[ShowerComponent, ShowerComponent]:
        """Muons, electromagnetic cascade."""
        return self.muons, self.electromagnetic

    @property
    def trigger_vem(self) -> float:
        """Smallest sum of a trace with which a station triggers [VEM]."""
        return self.time_bins * self.noise_vem * self.trigger_factor

    @property
    def positions(self) -> Array:
        """Stations [m], shape (9, 9, 2), the central one at 0: every other row is shifted by half a spacing."""
        middle = (self.stations - 1) / 2
        x, y = np.mgrid[: self.stations, : self.stations] - middle
        return np.asarray(np.stack([x + 0.5 * (y % 2), y * np.sqrt(0.75)], axis=-1) * self.spacing_m)


DATA = ShowerArray()
# "The amount of absolute noise in the time traces and event-by-event fluctuations are reduced by a factor of two":
# mean and spread of the absolute noise, and with it the threshold; the fluctuation of the numbers of particles.
SIMULATION = replace(DATA, muon_fraction=0.7, noise_vem=0.6, number_spread=0.5)


@dataclass(frozen=True)
class AirShowers:
    """N showers.

    Attributes:
        traces: Signals [VEM], shape (N, 9, 9, 80); 0 in stations that have not triggered.
        energy: Of the primary proton [EeV], shape (N,).
        core: Where the axis hits the array [m], shape (N, 2).
        particles: Numbers of muons and of electromagnetic particles that reached a station, whether it triggered
            and whether they came within the trace or not; shape (2, N, 9, 9). One particle is one VEM.
    """

    traces: Floats
    energy: Array
    core: Array
    particles: Counts

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def triggered(self) -> NDArray[np.bool_]:
        """Which stations have triggered, shape (N, 9, 9)."""
        return np.asarray(self.traces.any(axis=-1))

    def select(self, which: slice) -> AirShowers:
        """Some of the showers, in their order."""
        return AirShowers(self.traces[which], self.energy[which], self.core[which], self.particles[:, which])


def simulate(parameters: ShowerArray, events: int, seed: int, first: int = 0) -> AirShowers:
    """Events ``first`` … ``first + events − 1`` of the sequence that a seed fixes.

    An event depends on seed and its number alone. Two sets of parameters with one seed give pairs: the same
    energies and cores, the same Gaussian numbers for particle numbers and for noise. (Arrival times are drawn for
    as many particles as there are, so that they have nothing in common.)

    Raises: ValueError if no events are asked for, or the first or the seed is negative.
    """
    return _joined(list(simulate_blocks(parameters, events, seed, first)))


def simulate_blocks(parameters: ShowerArray, events: int, seed: int, first: int = 0) -> Iterator[AirShowers]:
    """As ``simulate``, in portions of at most ``BLOCK_EVENTS`` events."""
    for block in _new_showers(parameters, events, seed, first):
        yield block()


def simulate_again(parameters: ShowerArray, energy: Array, core: Array, seed: int) -> AirShowers:
    """The response to given showers, with random numbers that ``simulate`` does not have, whatever the seed.

    Args:
        energy: [EeV], shape (N,).
        core: [m], shape (N, 2).
    Raises: ValueError for a negative seed, or no showers.
    """
    return _joined([block() for block in _given_showers(parameters, len(energy), energy, core, seed)])


def integrated(traces: Floats) -> Floats:
    """Signal of each station over time [VEM], shape (N, 9, 9)."""
    return np.asarray(traces.sum(axis=-1))


def depth_after_maximum(parameters: ShowerArray, distance: Array) -> Array:
    """Atmosphere along the line from the shower maximum to a station at ``distance`` [m] from the axis, in g/cm²."""
    ratio = (parameters.shower_maximum_g_cm2 - ATMOSPHERE_A) / ATMOSPHERE_B
    height = -ATMOSPHERE_C * np.log(ratio) - parameters.height_m
    vertical = vertical_depth(parameters.height_m) - parameters.shower_maximum_g_cm2
    return np.asarray(vertical * np.hypot(1.0, distance / height))


def mean_signals(parameters: ShowerArray, energy: Array, distance: Array) -> Array:
    """Mean signals of muons and electromagnetic particles [VEM], shape (2, …).

    Args:
        energy: [EeV], of a shape that broadcasts with ``distance``.
        distance: From the shower axis [m], shape (…).
    """
    scale = parameters.signal_vem * energy / 10
    shares = parameters.muon_fraction, 1 - parameters.muon_fraction
    reduced_distance = np.maximum(distance, parameters.closest_m) / 1000
    reduced_depth = depth_after_maximum(parameters, distance) / 100
    signals = np.stack(
        [
            scale
            * share
            * reduced_distance**component.distance_exponent
            * np.minimum(reduced_depth**component.depth_exponent, parameters.largest_depth_factor)
            for share, component in zip(shares, parameters.components, strict=True)
        ]
    )
    limit = parameters.largest_signal_vem
    return np.asarray(signals * (limit / np.maximum(signals.sum(axis=0), limit)))


def arrival_times(parameters: ShowerArray, distance: Array) -> tuple[Array, Array]:
    """Median and delay of the log-normal arrival times [ns]: t = delay + median · exp(time_spread · Gaussian).

    Returns two arrays of shape (2, …), for muons and electromagnetic particles at distances (…) [m].
    """
    front = (distance / 750) ** 1.4
    depth = depth_after_maximum(parameters, distance) / 1000
    median = np.stack(
        [
            component.time_offset_ns + component.time_scale_ns * front * (1 - component.time_depth * depth)
            for component in parameters.components
        ]
    )
    return median, np.stack([np.zeros_like(distance), (median[1] - median[0]) / parameters.delay_divisor])


def arrival_probabilities(parameters: ShowerArray, median: Array, delay: Array) -> Array:
    """Probability of each time bin, shape (…, T), for medians and delays of shape (…) [ns].

    What lacks to 1 arrives after the end of the trace.
    """
    edges = np.arange(parameters.time_bins + 1) * parameters.bin_width_ns
    after_delay = np.maximum(edges - delay[..., None], 0)
    with np.errstate(divide="ignore"):  # nothing comes before the delay: log 0 = −∞ has probability 0
        standard = np.log(after_delay / median[..., None]) / parameters.time_spread
    return np.diff(ndtr(standard), axis=-1)


class Purpose(IntEnum):
    """What random numbers are for: what one draws does not move another."""

    SHOWERS = 0
    PARTICLE_NUMBERS = 1
    ARRIVAL_TIMES = 2
    NOISE = 3


@dataclass(frozen=True)
class Streams:
    """Random numbers of a block; those of showers that are simulated ``again`` are others."""

    seed: int
    block: int
    again: bool = False

    def open(self, purpose: Purpose) -> np.random.Generator:
        """The beginning of the stream for a purpose."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.block, purpose, int(self.again)))
        return np.random.Generator(np.random.SFC64(sequence))


def _new_showers(parameters: ShowerArray, events: int, seed: int, first: int = 0) -> Iterator[Block]:
    """What simulates each block of a sequence."""
    _check_request(events, seed, first)
    for block, inside in _blocks(first, first + events):
        yield partial(_simulate_block, parameters, seed, block, inside)


def _given_showers(parameters: ShowerArray, events: int, energy: Array, core: Array, seed: int) -> Iterator[Block]:
    """What simulates the response to each block of the first ``events`` of given showers.

    Blocks are filled up and cut afterwards, so that the first events do not depend on how many are asked for.
    """
    _check_request(events, seed, 0)
    for block, inside in _blocks(0, events):
        rows = np.minimum(block * BLOCK_EVENTS + np.arange(BLOCK_EVENTS), len(energy) - 1)
        yield partial(_simulate_block, parameters, seed, block, inside, (energy[rows], core[rows]))


def _simulate_block(
    parameters: ShowerArray, seed: int, block: int, inside: slice, showers: tuple[Array, Array] | None = None
) -> AirShowers:
    if showers is not None:
        return _respond(parameters, *showers, Streams(seed, block, again=True)).select(inside)
    streams = Streams(seed, block)
    return _respond(parameters, *_draw_showers(parameters, streams), streams).select(inside)


def _draw_showers(parameters: ShowerArray, streams: Streams) -> tuple[Array, Array]:
    """Energies [EeV] and cores [m] of a block, shapes (BLOCK_EVENTS,) and (BLOCK_EVENTS, 2)."""
    uniform = streams.open(Purpose.SHOWERS).random((3, BLOCK_EVENTS))
    energy = parameters.energy_low_eev + (parameters.energy_high_eev - parameters.energy_low_eev) * uniform[0]
    radius, azimuth = parameters.core_radius_m * np.sqrt(uniform[1]), 2 * np.pi * uniform[2]
    return energy, np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)], axis=-1)


def _respond(parameters: ShowerArray, energy: Array, core: Array, streams: Streams) -> AirShowers:
    """The response to the showers of a block."""
    distance = np.linalg.norm(parameters.positions.reshape(-1, 2) - core[:, None], axis=-1)  # (N, S)
    means = mean_signals(parameters, energy[:, None], distance)
    particles = _particle_numbers(parameters, means, streams.open(Purpose.PARTICLE_NUMBERS))
    counts = _particles_in_bins(parameters, particles, distance, streams.open(Purpose.ARRIVAL_TIMES))
    traces = _measure(parameters, counts, streams.open(Purpose.NOISE))
    grid = (len(energy), parameters.stations, parameters.stations)
    return AirShowers(traces.reshape(*grid, -1), energy, core, particles.reshape(2, *grid))


def _particle_numbers(parameters: ShowerArray, means: Array, random: np.random.Generator) -> Counts:
    """Whole numbers of particles, of the shape of ``means``: fractions are cut off, as in the published program."""
    gaussian = random.standard_normal(means.shape)
    return np.maximum(means + parameters.number_spread * np.sqrt(means) * gaussian, 0).astype(np.int64)


def _particles_in_bins(
    parameters: ShowerArray, particles: Counts, distance: Array, random: np.random.Generator
) -> Floats:
    """How many particles came in each time bin, shape (N * S, T), for ``particles`` of shape (2, N, S).

    Arrival times are independent, so the contents of the bins are multinomial. Up to ``MULTINOMIAL_FROM`` particles
    each gets its time; more are drawn as conditional binomials. Both are exact.
    """
    numbers = particles.reshape(-1)
    median, delay = (times.reshape(-1) for times in arrival_times(parameters, distance))
    few = np.flatnonzero((numbers > 0) & (numbers < MULTINOMIAL_FROM))
    many = np.flatnonzero(numbers >= MULTINOMIAL_FROM)
    stations = distance.size
    counts = _bin_one_by_one(parameters, numbers[few], median[few], delay[few], few % stations, stations, random)
    probabilities = arrival_probabilities(parameters, median[many], delay[many])
    late = np.maximum(1 - probabilities.sum(axis=-1, keepdims=True), 0)
    drawn = random.multinomial(numbers[many], np.concatenate([probabilities, late], axis=-1))[:, :-1]
    for component in (many < stations, many >= stations):  # so that no station occurs twice in a sum
        counts[many[component] % stations] += drawn[component]
    return counts


def _bin_one_by_one(
    parameters: ShowerArray,
    numbers: Counts,
    median: Array,
    delay: Array,
    station: NDArray[np.intp],
    stations: int,
    random: np.random.Generator,
) -> Floats:
    """Contents of the bins, shape (stations, T), of ``numbers`` of particles in some of the stations."""

    def each(values: Array) -> Floats:
        return np.repeat((values / parameters.bin_width_ns).astype(np.float32), numbers)

    log_time = random.standard_normal(int(numbers.sum()), dtype=np.float32) * np.float32(parameters.time_spread)
    time_bin = (each(delay) + each(median) * np.exp(log_time)).astype(np.int64)
    place = np.repeat(station * parameters.time_bins, numbers) + time_bin
    counts = np.bincount(place[time_bin < parameters.time_bins], minlength=stations * parameters.time_bins)
    return counts.astype(np.float32).reshape(stations, parameters.time_bins)


def _measure(parameters: ShowerArray, counts: Floats, random: np.random.Generator) -> Floats:
    """Signals [VEM] with noise, never negative, and 0 where the station has not triggered; shape of ``counts``.

    Relative and absolute noise are independent Gaussians, so that their sum is one with the sum of the variances.
    """
    variance = np.square(counts)
    variance *= np.float32(parameters.relative_noise**2)
    variance += np.float32((parameters.noise_vem * parameters.noise_spread) ** 2)
    signals = random.standard_normal(counts.shape, dtype=np.float32)
    signals *= np.sqrt(variance, out=variance)
    signals += counts
    signals += np.float32(parameters.noise_vem)
    np.maximum(signals, 0, out=signals)
    signals[signals.sum(axis=-1) < parameters.trigger_vem] = 0
    return signals


def _blocks(start: int, stop: int) -> Iterator[tuple[int, slice]]:
    """Blocks that hold events ``start`` … ``stop − 1``, and which of their events."""
    for block in range(start // BLOCK_EVENTS, -(-stop // BLOCK_EVENTS)):
        begin = block * BLOCK_EVENTS
        yield block, slice(max(start - begin, 0), min(stop - begin, BLOCK_EVENTS))


def _check_request(events: int, seed: int, first: int) -> None:
    if events < 1:
        raise ValueError(f"{events} events were asked for; ask for at least 1")
    if seed < 0 or first < 0:
        raise ValueError(f"the seed is {seed} and the first event {first}; neither may be negative")


def _joined(parts: list[AirShowers]) -> AirShowers:
    return AirShowers(
        np.concatenate([part.traces for part in parts]),
        np.concatenate([part.energy for part in parts]),
        np.concatenate([part.core for part in parts]),
        np.concatenate([part.particles for part in parts], axis=1),
    )


# What the papers leave open, and the options of the simulators therefore let choose.
OPEN_PARAMETERS = (
    "shower_maximum_g_cm2",
    "core_radius_m",
    "relative_noise",
    "noise_vem",
    "noise_spread",
    "number_spread",
    "trigger_factor",
)


def make_file(name: str, parameters: ShowerArray, request: Request) -> int:
    """Write a file of the layout above; ``name`` is that of the simulator. Returns the number of events.

    Raises: OutputExists if the file exists and may not be replaced; InvalidRequest if a twin is asked for of a file
        with other parameters; UnknownName and InvalidOption for options; UnreadableFile for a file that cannot have a
        twin; ValueError for parameters that cannot be.
    """
    check_suffix(request.out, ".h5")
    check_output(request)
    parameters = _with_options(parameters, request.options)
    if request.twin_of is None:
        events, blocks = request.events, _new_showers(parameters, request.events, request.seed)
    else:
        energy, core = _showers_to_repeat(parameters, request, request.twin_of)
        events = request.events or len(energy)
        blocks = _given_showers(parameters, events, energy, core, request.seed)
    request.out.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(request.out) as temporary, h5py.File(temporary, "w") as file:
        _describe(file, name, parameters, request)
        _write(file, parameters, events, _in_order(blocks, request.processes))
    return events


def _with_options(parameters: ShowerArray, options: Mapping[str, str]) -> ShowerArray:
    for option in options:
        if option not in OPEN_PARAMETERS:
            raise UnknownName("option", option, OPEN_PARAMETERS)
    given = parse_options(ShowerArray, options)
    return replace(parameters, **{option: getattr(given, option) for option in options})


def _showers_to_repeat(parameters: ShowerArray, request: Request, path: Path) -> tuple[Array, Array]:
    """Energies [EeV] and cores [m] of the file of which a twin is made."""
    stored = check_datasets(path, (Needed("energy"), Needed("core", (2,))))
    with open_hdf5(path) as file:
        attributes = dict(file.attrs)
    for name, value in _as_attributes(parameters).items():
        if attributes.get(name, value) != value:
            raise InvalidRequest(
                f"{path} was made with {name} = {attributes[name]}, its twin would be with {value}: use the simulator "
                f"that made it ({attributes.get('simulator', 'unknown')}), with the same options"
            )
    if request.events > stored:
        raise InvalidRequest(
            f"{request.events} events were asked for, but {path} holds {stored}: give 0 for all of them"
        )
    return read_column(path, "energy"), read_column(path, "core")


def _as_attributes(parameters: ShowerArray) -> dict[str, float]:
    """Every parameter, those of the components with the name of the component before theirs."""
    values: dict[str, float] = {}
    for name, value in asdict(parameters).items():
        values.update(
            {f"{name}_{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        )
    return values


def _describe(file: h5py.File, name: str, parameters: ShowerArray, request: Request) -> None:
    file.attrs["description"] = (
        "Vertical air showers on a surface array of water-Cherenkov stations, parameterised: signal traces that begin "
        f"with the shower front, rounded to 1/{STEPS_PER_VEM} VEM, 0 in stations that have not triggered; energy of "
        "the proton; where its axis hits the array. station_positions: (9, 9, 2) [m]."
    )
    file.attrs["source"] = "Parameterisation of arXiv:1708.00647, samples as in arXiv:1802.03325, section 3"
    file.attrs["units"] = "traces: VEM; energy: EeV; core: m"
    file.attrs["simulator"] = name
    file.attrs["seed"] = request.seed
    file.attrs["twin"] = request.twin_of is not None  # of a file with the same energies and cores
    file.attrs["station_positions"] = parameters.positions
    for parameter, value in _as_attributes(parameters).items():
        file.attrs[parameter] = value


def _write(file: h5py.File, parameters: ShowerArray, events: int, blocks: Iterable[AirShowers]) -> None:
    trace_shape = (parameters.stations, parameters.stations, parameters.time_bins)
    traces = file.create_dataset(
        "traces",
        (events, *trace_shape),
        np.float32,
        chunks=(min(CHUNK_EVENTS, events), *trace_shape),
        compression="gzip",
        shuffle=True,
    )
    energy = file.create_dataset("energy", (events,), np.float64)
    core = file.create_dataset("core", (events, 2), np.float64)
    start = 0
    console = Console(stderr=True)
    hidden = not console.is_terminal
    for showers in track(blocks, "air showers", -(-events // BLOCK_EVENTS), console=console, disable=hidden):
        rows = slice(start, start + len(showers))
        traces[rows] = np.rint(showers.traces * STEPS_PER_VEM) / np.float32(STEPS_PER_VEM)
        energy[rows], core[rows] = showers.energy, showers.core
        start = rows.stop


def _in_order(blocks: Iterable[Block], workers: int) -> Iterator[AirShowers]:
    """The results of blocks in their order, a few of them ahead; threads do, since numpy computes without the lock."""
    if workers == 1:
        for block in blocks:
            yield block()
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[AirShowers]] = deque()
        for block in blocks:
            ahead.append(pool.submit(block))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


PROVENANCE = (
    "The parameterised simulation of the paper, with vertical showers that reach their maximum at 750 g/cm²; what the "
    "paper leaves open is chosen. No real showers, and not the simulation of an observatory."
)

AIRSHOWER_DATA = Simulator(
    name="airshower-data",
    title="Air showers on 9×9 stations, muons : electromagnetic signal 30 : 70",
    suffix=".h5",
    needs="nothing",
    make=partial(make_file, "airshower-data", DATA),
    provenance=PROVENANCE,
)
AIRSHOWER_SIMULATION = Simulator(
    name="airshower-simulation",
    title="Air showers on 9×9 stations, 70 : 30, absolute noise and fluctuations halved",
    suffix=".h5",
    needs="nothing",
    make=partial(make_file, "airshower-simulation", SIMULATION),
    provenance=PROVENANCE,
)
