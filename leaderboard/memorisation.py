"""Memorisation: does a generator give back its training events?"""

# Axes: N generated events, T training and H held-out events, P = T + H of them pooled, V cells, U units of events that
# share their identity, D draws.
from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.bootstrap import independent_units
from metrics.whole_sample.cells import blocks, response_unit

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Labels = NDArray[np.bool_]

LARGEST_RATIO = 10  # of one sample to the other; what is beyond is left out at random
CLOSEST = 0.1  # share of the generated events that is looked at once more
PERMUTATIONS = 999
DRAWS = 10
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75)
BLOCK_CELLS = 2**21  # of events whose products are taken at a time
ROUNDING = 1e-12  # of the squares that a squared distance is the difference of


@dataclass(frozen=True)
class NearestEvents:
    """Whether the event nearest to each generated one is a training or a held-out event.

    Attributes:
        events: Number of generated events.
        fraction: Share of them to which a training event is the nearest.
        expected: The same without memory: T / (T + H), 0.5 for as many of both.
        error: Standard deviation of fraction − expected if training and held-out events are exchanged at random. It is
            larger than the binomial one where one event is the nearest of many.
        z: (fraction − expected) / error; 0 where the error is.
        p_value: Probability of as large an excess, or a larger one, after random exchanges; at least 0.001.
        copies: (fraction − expected) / (1 − expected): the share of copies among events that otherwise are new. 0 is
            expected, 1 are copies alone.
        copies_error: Its error.
    """

    events: int
    fraction: float
    expected: float
    error: float
    z: float
    p_value: float
    copies: float
    copies_error: float


@dataclass(frozen=True)
class Memorisation:
    """How much nearer generated events lie to the training than to held-out events.

    Attributes:
        all_events: Of all generated events.
        closest_tenth: Of those whose nearest event is nearest in comparison with the second nearest. If there are
            copies they are among them, so that far fewer of them are seen.
        training_events, held_out_events: Numbers of events that were compared with.
        training_distances, held_out_distances: Quantile → distance of a generated event to the nearest of as many
            training and held-out events, over ten draws of as many; Euclidean, of the cells over the incident energy
            (without an energy condition, in the unit of the response).
        control: The same for full simulation, if there was one.
    """

    all_events: NearestEvents
    closest_tenth: NearestEvents
    training_events: int
    held_out_events: int
    training_distances: dict[float, float]
    held_out_distances: dict[float, float]
    control: Memorisation | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; quantiles under their names."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("all_events", "closest_tenth"):
            values[name] = asdict(values[name])
        for name in ("training_distances", "held_out_distances"):
            values[name] = {str(quantile): distance for quantile, distance in values[name].items()}
        return {**values, "control": None if self.control is None else self.control.to_json()}


def memorisation(
    generated: Events, training: Events, held_out: Events, seed: int, control: Events | None = None
) -> Memorisation:
    """Is the nearest event of a generated one more often a training event than chance would have it?

    Distances are those of the cells over the incident energy of each event, to all training and held-out events: a copy
    is found at whatever condition it is given back. A held-out event of the same particle is left out: it has the very
    conditions of the generated one, as no training event does.

    Without memory, training and held-out events could be exchanged, so the nearest of them all is a training event as
    often as they are: with as many of both, in one half. More training events are not thinned to as many, because a
    copy of an event that was left out would be missed; what is expected takes their number into account instead. Random
    exchanges give error and p-value.

    Args:
        generated: At any conditions; those of the held-out events, if they share their identity.
        training: What the generator saw; at most ten times as many as held-out events are used.
        held_out: What it did not see, from the same distribution: as many as there are.
        seed: Of draws and exchanges, and of the choice between equally near events.
        control: Full simulation, the twin of the held-out events. If it shows an excess as well, training and held-out
            events differ by themselves.
    Raises: ValueError if the samples are of different detectors, training and held-out events share an identity, or
        there is nothing to compare with.
    """
    _check([sample for sample in (generated, training, held_out, control) if sample is not None])
    pool = _Pool(training, held_out, seed)
    controlled = None if control is None else pool.compare(control, None)
    return pool.compare(generated, controlled)


def _check(samples: list[Events]) -> None:
    names = sorted({sample.detector.name for sample in samples})
    if len(names) > 1:
        raise ValueError(f"events of {', '.join(names)} came; expected one detector: compare events of the same one")
    shared = np.intersect1d(samples[1].identity, samples[2].identity)
    if len(shared):
        raise ValueError(
            f"identity {shared[0]} is among training and held-out events; expected none in both: "
            "take two splits of a dataset"
        )


def _at_most(events: Events, most: int, generator: np.random.Generator) -> Events:
    return events if len(events) <= most else events.select(np.sort(generator.permutation(len(events))[:most]))


@dataclass(frozen=True)
class _Nearest:
    """What is known of generated events.

    Attributes:
        number: Of the nearest event in the pool, shape (N,).
        ratio: Its distance over that of the second nearest, shape (N,); 1 if both are 0.
        own: Unit of the pool that was left out, shape (N,); −1 if none was.
        training, held_out: Distance to the nearest training and held-out event of each draw, shape (N, D).
    """

    number: Indices
    ratio: Floats
    own: Indices
    training: Floats
    held_out: Floats

    def select(self, events: Indices | Labels) -> _Nearest:
        return _Nearest(*(getattr(self, field.name)[events] for field in fields(self)))

    def closest(self) -> _Nearest:
        return self.select(np.argsort(self.ratio, kind="stable")[: max(1, round(CLOSEST * len(self.ratio)))])


class _Pool:
    """Training and held-out events in random order, so that chance decides between equally near ones."""

    def __init__(self, training: Events, held_out: Events, seed: int) -> None:
        generator = np.random.default_rng(seed)
        training = _at_most(training, LARGEST_RATIO * len(held_out), generator)
        held_out = _at_most(held_out, LARGEST_RATIO * len(training), generator)
        self.samples = (training, held_out)
        self.seed = seed
        self.order = generator.permutation(len(training) + len(held_out))
        identity = np.concatenate([training.identity, held_out.identity])[self.order]
        self.is_training = (np.arange(len(self.order)) < len(training))[self.order]
        self.unit = independent_units(identity)
        self.unit_identity, first, self.unit_size = np.unique(identity, return_index=True, return_counts=True)
        self.unit_is_training = self.is_training[first]
        self.draws = [self._draw(generator) for _ in range(DRAWS)]

    def _draw(self, generator: np.random.Generator) -> tuple[Indices, Indices]:
        """As many training as held-out events, in pairs."""
        numbers = [np.flatnonzero(self.is_training), np.flatnonzero(~self.is_training)]
        count = min(map(len, numbers))
        training, held_out = (generator.permutation(number)[:count] for number in numbers)
        return training, held_out

    def compare(self, generated: Events, control: Memorisation | None) -> Memorisation:
        nearest = self._nearest(generated)
        expected = self._expected(nearest, self.unit_is_training)
        nearest = nearest.select((expected > 0) & (expected < 1))
        if len(nearest.number) == 0:
            raise ValueError(
                f"{len(self.samples[0])} training and {len(self.samples[1])} held-out events came, and none of the "
                f"{len(generated)} generated ones has both of other particles to be compared with: give more"
            )
        return Memorisation(
            all_events=self._nearest_events(nearest),
            closest_tenth=self._nearest_events(nearest.closest()),
            training_events=len(self.samples[0]),
            held_out_events=len(self.samples[1]),
            training_distances=_quantiles(nearest.training),
            held_out_distances=_quantiles(nearest.held_out),
            control=control,
        )

    def _expected(self, nearest: _Nearest, unit_is_training: Labels) -> Floats:
        """Share of training events among those that each generated event is compared with, shape (N,)."""
        left_out = np.where(nearest.own >= 0, self.unit_size[nearest.own], 0)
        training = (self.unit_size * unit_is_training).sum() - left_out * unit_is_training[nearest.own]
        return np.asarray(training / np.maximum(len(self.order) - left_out, 1), dtype=np.float64)

    def _nearest_events(self, nearest: _Nearest) -> NearestEvents:
        fraction = float(self.is_training[nearest.number].mean())
        expected = float(self._expected(nearest, self.unit_is_training).mean())
        excess = fraction - expected
        exchanged = self._exchanged(nearest)
        error = float(np.sqrt(np.mean(exchanged**2)))
        return NearestEvents(
            events=len(nearest.number),
            fraction=fraction,
            expected=expected,
            error=error,
            z=excess / error if error > 0 else 0.0,
            p_value=float((1 + (exchanged >= excess - 1e-12).sum()) / (1 + PERMUTATIONS)),
            copies=excess / (1 - expected),
            copies_error=error / (1 - expected),
        )

    def _exchanged(self, nearest: _Nearest) -> Floats:
        """Fraction − expected after each exchange; events of one identity (tracks of a collision) stay together."""
        generator = np.random.default_rng((self.seed, 1))
        units = self.unit[nearest.number]
        excesses = np.empty(PERMUTATIONS)
        for permutation in range(PERMUTATIONS):
            unit_is_training = generator.permutation(self.unit_is_training)
            excesses[permutation] = (unit_is_training[units] - self._expected(nearest, unit_is_training)).mean()
        return excesses

    def _nearest(self, generated: Events) -> _Nearest:
        own = np.searchsorted(self.unit_identity, generated.identity).clip(max=len(self.unit_identity) - 1)
        found = (self.unit_identity[own] == generated.identity) & ~self.unit_is_training[own]
        own = np.where(found, own, -1)
        width = max(generated.detector.num_cells, len(self.order))
        parts = [self._nearest_of_block(generated, part, own[part]) for part in blocks(len(own), width, BLOCK_CELLS)]
        return _Nearest(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(_Nearest)))

    def _nearest_of_block(self, generated: Events, rows: slice, own: Indices) -> _Nearest:
        left_out = own[:, None] == self.unit
        distances = np.where(left_out, np.inf, self._distances(generated, rows))
        least = np.partition(distances, 1, axis=1)[:, :2]
        drawn = [
            [np.where(left_out[:, held_out], np.inf, distances[:, side]).min(axis=1) for side in (training, held_out)]
            for training, held_out in self.draws
        ]
        return _Nearest(
            number=distances.argmin(axis=1),
            ratio=np.divide(
                least[:, 0], least[:, 1], out=np.ones(len(own)), where=(least[:, 1] > 0) & np.isfinite(least[:, 1])
            ),
            own=own,
            training=np.stack([sides[0] for sides in drawn], axis=1),
            held_out=np.stack([sides[1] for sides in drawn], axis=1),
        )

    def _distances(self, generated: Events, rows: slice) -> Floats:
        """Between cells over the incident energy, of some generated events and the pool, shape (rows, P)."""
        cells = _scaled(generated, rows)
        squares = np.einsum("nv,nv->n", cells, cells)[:, None]
        parts = []
        for sample in self.samples:
            for part in blocks(len(sample), sample.detector.num_cells, BLOCK_CELLS):
                others = _scaled(sample, part)
                sizes = squares + np.einsum("pv,pv->p", others, others)
                squared = sizes - 2 * cells @ others.T
                parts.append(np.sqrt(np.where(squared > ROUNDING * sizes, squared, 0.0)))
        return np.hstack(parts)[:, self.order]


def _scaled(events: Events, rows: slice) -> Floats:
    return np.asarray(events.response[rows] / response_unit(events)[rows, None], dtype=np.float64)


def _quantiles(distances: Floats) -> dict[float, float]:
    finite = distances[np.isfinite(distances)]
    return {quantile: float(np.quantile(finite, quantile)) for quantile in QUANTILES}
