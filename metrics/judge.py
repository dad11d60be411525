"""Judging generated samples against one reference."""

# Axes: N events, n events of one condition bin, E condition bins, K bootstrap replicas, S half-splits.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events, InvalidEvents, check_response
from metrics.bootstrap import event_weights, half_weights, independent_units, standard_error
from metrics.condition_bin import Measurement, condition_bins
from metrics.condition_cells import condition_cells
from metrics.discrepancies import METRICS
from metrics.discrepancies.chi_squared import chi_squared_table, p_value
from metrics.estimate import Estimate
from metrics.exchange import ROUNDING, exchange_probability, exchanged_excesses, tosses
from metrics.intervals import Interval, excess_interval
from metrics.judgement import Judgement
from metrics.observables import observe
from metrics.observed_sample import ObservedSample
from metrics.scorecard import Scorecard


@dataclass(frozen=True)
class _Comparison:
    """Metrics of one sample in each condition bin: values of shape (E,), replicas of shape (E, K)."""

    values: Mapping[str, NDArray[np.float64]]
    replicas: Mapping[str, NDArray[np.float64]]

    def estimate(self, metric: str) -> Estimate:
        return Estimate(self.value(metric), standard_error(self.replicas[metric].mean(axis=0)))

    def estimate_in_bin(self, metric: str, index: int) -> Estimate:
        return Estimate(float(self.values[metric][index]), standard_error(self.replicas[metric][index]))

    def value(self, metric: str) -> float:
        return float(self.values[metric].mean())

    def beside(self, other: _Comparison) -> _Comparison:
        """The metrics of both."""
        return _Comparison({**self.values, **other.values}, {**self.replicas, **other.replicas})


@dataclass(frozen=True)
class _Excess:
    """A metric of one sample minus that of another, in the same replicas, shape (K,)."""

    value: float
    replicas: NDArray[np.float64]

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.value, standard_error(self.replicas))


# In memory, or observed already, because it is too large or because others look at the same observables.
Sample = Events | ObservedSample
Generated = NDArray[np.float32] | ObservedSample

SCORE = "score"
EXCHANGES = 100  # p-values down to 0.005
HALF_SPLITS = 100


class Judge:
    """Judges samples generated at the conditions of one reference sample.

    Binning, observables and bootstrap weights of the reference are computed once. The floor is what
    the twin (the same particles, simulated again) gets when it is judged as if it were generated.

    Args:
        scorecard: What to compare, and how to combine it.
        reference: Full simulation, held out.
        twin: Full simulation of the same particles, event by event; None where there is none.
        reported: Metrics reported beside the scored ones; default: those of the scorecard.
        replicas: Bootstrap replicas for the errors; the values do not depend on them.
        seed: Seed of the bootstrap.
    Without replicas, or with one event in each condition bin, nothing can be drawn: there are values and p-values, but
    neither errors nor intervals.

    Raises: ValueError if the detector is not the scorecard's, the twin is none, or a condition bin is
        too small.
    """

    def __init__(
        self,
        scorecard: Scorecard,
        reference: Sample,
        twin: Sample | None,
        *,
        reported: tuple[str, ...] | None = None,
        replicas: int = 100,
        seed: int = 0,
    ) -> None:
        _check_samples(scorecard, reference, twin)
        self.scorecard = scorecard
        self.reported = scorecard.reported if reported is None else reported
        self.reference = reference
        self.twin = twin
        values = self._observe(reference)
        self.bins = condition_bins(
            scorecard, condition_cells(scorecard, reference.detector, reference.conditions), values
        )
        self.merged_bins = sum(condition_bin.merged for condition_bin in self.bins)
        self._measured = [condition_bin.measure(values) for condition_bin in self.bins]
        self._units = independent_units(reference.identity)
        weights = event_weights([bin_.events for bin_ in self.bins], self._units, replicas, seed)
        drawn = any((rows != 1).any() for rows in weights)
        # A single event is drawn every time, which is not to say that it has no error.
        self._weights = weights if drawn else [rows[:0] for rows in weights]
        self._seed = seed

    def judge(self, generated_response: Generated, *, errors: bool = True, reported: bool = True) -> Judgement:
        """Score a generated sample.

        Args:
            generated_response: Cell energies [MeV], shape (N, V), event by event at the conditions of
                the reference; or a sample at its conditions that has been observed.
            errors: Whether to estimate errors (bootstrap) and reported metrics; without, only the
                scored values, more than ten times faster.
            reported: Whether to add what is reported and not scored, p-values and intervals of the excess; only with
                errors.
        Raises: InvalidEvents for NaN, infinity, negative energies or a wrong shape, naming event and cell.
        """
        measured = self._measure(generated_response)
        if not errors:
            return self._judgement(self._scored(measured, errors=False), None)
        scored = self._scored(measured, errors=True)
        if not reported:
            return self._judgement(scored, self._floor_comparison)
        judgement, floor = self._with_reported(measured, scored), self._floor_comparison
        if floor is None:
            return judgement
        exchanged = self._exchanged(measured, EXCHANGES, seed=0)
        excesses = {name: _excess(scored, floor, name) for name in exchanged}
        return replace(
            judgement,
            p_values={name: exchange_probability(excess.value, exchanged[name]) for name, excess in excesses.items()},
            intervals=_intervals(excesses, exchanged),
        )

    def p_values(
        self,
        generated_response: Generated,
        *,
        exchanges: int = EXCHANGES,
        seed: int = 0,
        unscored: tuple[str, ...] = (),
    ) -> dict[str, float]:
        """Probability that full simulation of the same particles lies as far above the floor, or further.

        If the generated events were full simulation, each could be exchanged for its twin, and nobody would know. So
        the excess over the floor is compared with those after random exchanges (``exchanges`` of them, and as many with
        the others exchanged). Exact for any metric and sample size: the p-values of full simulation are uniform.

        Args:
            generated_response: As for ``judge``.
            unscored: Further metrics.
        Returns: For ``score`` and each metric, at least 1 / (2 · exchanges + 2); nothing without a twin.
        Raises: InvalidEvents as ``judge``.
        """
        if self._measured_twin is None:
            return {}
        measured = self._measure(generated_response)
        observed, floor = (
            self._scored(sample, errors=False).beside(self._compare(sample, unscored, errors=False))
            for sample in (measured, self._measured_twin)
        )
        return {
            name: exchange_probability(observed.value(name) - floor.value(name), excesses)
            for name, excesses in self._exchanged(measured, exchanges, seed, unscored).items()
        }

    def _exchanged(
        self, generated: list[Measurement], exchanges: int, seed: int, unscored: tuple[str, ...] = ()
    ) -> dict[str, NDArray[np.float64]]:
        """Excesses of score and metrics after random exchanges, shape (exchanges,) each; none without a twin."""
        if self._measured_twin is None:
            return {}
        functions = {name: METRICS[name].function for name in (*self.scorecard.weights, *unscored)}
        heads = tosses(exchanges, self._units.max() + 1, seed)
        samples = zip(self.bins, self._measured, generated, self._measured_twin, strict=True)
        in_bins = [
            exchanged_excesses(functions, condition_bin, r, (g, t), heads[:, self._units[condition_bin.events]])
            for condition_bin, r, g, t in samples
        ]
        excesses = {name: np.mean([excess[name] for excess in in_bins], axis=0) for name in functions}
        return excesses | {SCORE: self._score(excesses)}

    @cached_property
    def floor(self) -> Judgement | None:
        """The twin judged as if it were generated: what even full simulation cannot beat. Without p-values."""
        if self._measured_twin is None or self._floor_comparison is None:
            return None
        return self._with_reported(self._measured_twin, self._floor_comparison)

    def difference(self, a: Generated, b: Generated) -> Estimate:
        """Score of ``a`` minus score of ``b``, with the error of the difference on the same resampled events."""
        first, second = (self._scored(self._measure(response), errors=True) for response in (a, b))
        return _excess(first, second, SCORE).estimate

    def resampled_scores(self, generated_response: Generated) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The score in each bootstrap replica, shape (K,), and on each of S random halves of the events, shape (S,).

        The resamples follow from the reference alone: two samples that are judged at different times have theirs in
        common. Without replicas there are none, and K = 0.

        Raises: InvalidEvents as ``judge``.
        """
        measured = self._measure(generated_response)
        halves = half_weights([bin_.events for bin_ in self.bins], self._units, HALF_SPLITS, self._seed)
        weights = [np.concatenate(both) for both in zip(self._weights, halves, strict=True)]
        components = {name: self._evaluate(name, measured, weights) for name in self.scorecard.weights}
        scores = self._score(components).mean(axis=0)
        num_replicas = len(self._weights[0])
        return scores[:num_replicas], scores[num_replicas:]

    @cached_property
    def _floor_comparison(self) -> _Comparison | None:
        if self._measured_twin is None:
            return None
        return self._scored(self._measured_twin, errors=True)

    @cached_property
    def _measured_twin(self) -> list[Measurement] | None:
        return None if self.twin is None else self._measured_sample(self.twin)

    def _observe(self, sample: Sample) -> dict[str, NDArray[np.float64]]:
        names = (*self.scorecard.distributions, *self.scorecard.profiles)
        return sample.observe(names) if isinstance(sample, ObservedSample) else observe(sample, names)

    def _measure(self, generated: Generated) -> list[Measurement]:
        if not isinstance(generated, ObservedSample):
            return self._measured_sample(self._at_reference(generated))
        return self._measured_sample(generated)

    def _measured_sample(self, sample: Sample) -> list[Measurement]:
        values = self._observe(sample)
        return [condition_bin.measure(values) for condition_bin in self.bins]

    def _at_reference(self, response: NDArray[np.float32]) -> Events:
        assert isinstance(self.reference, Events), "an observed reference is compared with observed samples"
        check_response(response, self.reference.detector)
        if len(response) != len(self.reference):
            raise InvalidEvents(
                f"{len(response)} events were generated; the reference has {len(self.reference)}: "
                "generate one event for each of its conditions, in its order"
            )
        return self.reference.with_response(response)

    def _scored(self, generated: list[Measurement], *, errors: bool) -> _Comparison:
        """Scored metrics, and the score."""
        components = self._compare(generated, tuple(self.scorecard.weights), errors=errors)
        score = _Comparison({SCORE: self._score(components.values)}, {SCORE: self._score(components.replicas)})
        return components.beside(score)

    def _compare(self, generated: list[Measurement], metrics: tuple[str, ...], *, errors: bool) -> _Comparison:
        ones = [np.ones((1, len(condition_bin.events))) for condition_bin in self.bins]
        return _Comparison(
            {name: self._evaluate(name, generated, ones)[:, 0] for name in metrics},
            {name: self._replicas(name, generated, errors) for name in metrics},
        )

    def _replicas(self, metric: str, generated: list[Measurement], errors: bool) -> NDArray[np.float64]:
        most = METRICS[metric].bootstrap_replicas
        if not errors:
            return np.empty((len(self.bins), 0))
        return self._evaluate(metric, generated, [weights[:most] for weights in self._weights])

    def _evaluate(
        self, metric: str, generated: list[Measurement], weights: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        function = METRICS[metric].function
        rows = [function(*arguments) for arguments in zip(self.bins, self._measured, generated, weights, strict=True)]
        return np.stack(rows)

    def _score(self, components: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        parts = [factor * components[name] for name, factor in self.scorecard.coefficients.items()]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    def _with_reported(self, generated: list[Measurement], scored: _Comparison) -> Judgement:
        """The judgement with reported metrics and the table of χ²."""
        comparison = scored.beside(self._compare(generated, self.reported, errors=True))
        return replace(
            self._judgement(comparison, self._floor_comparison),
            reported={name: comparison.estimate(name) for name in self.reported},
            chi2=self._chi2(generated),
        )

    def _judgement(self, comparison: _Comparison, floor: _Comparison | None) -> Judgement:
        excesses = {name: _excess(comparison, floor, name).estimate for name in floor.values} if floor else {}
        excess = excesses.pop(SCORE, None)
        return Judgement(
            scorecard=self.scorecard.name,
            scorecard_identity=self.scorecard.identity,
            score=comparison.estimate(SCORE),
            components={name: comparison.estimate(name) for name in self.scorecard.weights},
            reported={},
            excess=excess,
            excesses=excesses,
            z=_significance(excess),
            by_energy=self._by_energy(comparison),
            chi2=[],
            merged_bins=self.merged_bins,
        )

    def _by_energy(self, comparison: _Comparison) -> list[dict[str, Any]]:
        return [
            {"energy": condition_bin.condition, "label": condition_bin.label}
            | {name: comparison.estimate_in_bin(name, index).to_json() for name in comparison.values}
            for index, condition_bin in enumerate(self.bins)
        ]

    def _chi2(self, generated: list[Measurement]) -> list[dict[str, Any]]:
        names = (*self.scorecard.distributions, *self.scorecard.profiles)
        table = []
        for condition_bin, r, g in zip(self.bins, self._measured, generated, strict=True):
            if len(condition_bin.events) < 2:
                continue  # one event has no variance
            chi2, ndf = chi_squared_table(condition_bin, r, g, np.ones((1, len(condition_bin.events))))
            columns = zip(names, chi2[0], ndf[0], p_value(chi2[0], ndf[0]), strict=True)
            table += [
                {
                    "observable": name,
                    "energy": condition_bin.condition,
                    "chi2": float(value),
                    "ndf": int(degrees),
                    "p_value": float(probability),
                }
                for name, value, degrees, probability in columns
            ]
        return table


def _check_samples(scorecard: Scorecard, reference: Sample, twin: Sample | None) -> None:
    if reference.detector.name != scorecard.detector:
        raise ValueError(
            f"{scorecard.name} judges {scorecard.detector}; the reference is of {reference.detector.name}: "
            "choose the scorecard of that detector"
        )
    if twin is not None and not np.array_equal(twin.identity, reference.identity):
        raise ValueError("the twin must hold the particles of the reference, in the same order; these are others")


def _excess(a: _Comparison, b: _Comparison, metric: str) -> _Excess:
    replicas = a.replicas[metric].mean(axis=0) - b.replicas[metric].mean(axis=0)
    return _Excess(a.value(metric) - b.value(metric), replicas)


def _intervals(excesses: Mapping[str, _Excess], exchanged: Mapping[str, NDArray[np.float64]]) -> dict[str, Interval]:
    found = {name: excess_interval(excess.value, excess.replicas, exchanged[name]) for name, excess in excesses.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def _significance(excess: Estimate | None) -> float | None:
    """Excess over its error; 0 for the floor itself, None where the error is unknown, or 0 and the excess is not."""
    if excess is None or np.isnan(excess.error):
        return None
    if excess.error <= ROUNDING * abs(excess.value):
        return 0.0 if excess.value == 0 else None
    return excess.value / excess.error
