"""Judging generated samples against one reference."""

# Axes: N events, n events of one condition bin, E condition bins, K bootstrap replicas.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events, InvalidEvents, check_response
from metrics.bootstrap import event_weights, independent_units, standard_error
from metrics.condition_bin import Measurement, condition_bins
from metrics.condition_cells import condition_cells
from metrics.discrepancies import METRICS
from metrics.discrepancies.chi_squared import chi_squared_table, p_value
from metrics.estimate import Estimate
from metrics.exchange import exchange, exchange_probability
from metrics.judgement import Judgement
from metrics.observables import observe
from metrics.scorecard import Scorecard


@dataclass(frozen=True)
class _Comparison:
    """Metrics of one sample in each condition bin: values of shape (E,), replicas of shape (E, K)."""

    values: Mapping[str, NDArray[np.float64]]
    replicas: Mapping[str, NDArray[np.float64]]

    def estimate(self, metric: str) -> Estimate:
        return Estimate(float(self.values[metric].mean()), standard_error(self.replicas[metric].mean(axis=0)))

    def estimate_in_bin(self, metric: str, index: int) -> Estimate:
        return Estimate(float(self.values[metric][index]), standard_error(self.replicas[metric][index]))


SCORE = "score"
EXCHANGES = 100  # p-values down to 0.005


class Judge:
    """Judges samples generated at the conditions of one reference sample.

    Binning, observables and bootstrap weights of the reference are computed once. The floor is what
    the twin (the same particles, simulated again) gets when it is judged as if it were generated.

    Args:
        scorecard: What to compare, and how to combine it.
        reference: Full simulation, held out.
        twin: Full simulation of the same particles, event by event; None where there is none.
        replicas: Bootstrap replicas for the errors; the values do not depend on them.
        seed: Seed of the bootstrap.
    Raises: ValueError if the detector is not the scorecard's, the twin is none, or a condition bin is
        too small.
    """

    def __init__(
        self, scorecard: Scorecard, reference: Events, twin: Events | None, *, replicas: int = 100, seed: int = 0
    ) -> None:
        _check_samples(scorecard, reference, twin)
        self.scorecard = scorecard
        self.reference = reference
        self.twin = twin
        values = self._observe(reference)
        self.bins = condition_bins(
            scorecard, condition_cells(scorecard, reference.detector, reference.conditions), values
        )
        self.merged_bins = sum(condition_bin.merged for condition_bin in self.bins)
        self._measured = [condition_bin.measure(values) for condition_bin in self.bins]
        self._units = independent_units(reference.identity)
        self._weights = event_weights([bin_.events for bin_ in self.bins], self._units, replicas, seed)

    def judge(
        self, generated_response: NDArray[np.float32], *, errors: bool = True, reported: bool = True
    ) -> Judgement:
        """Score a generated sample.

        Args:
            generated_response: Cell energies [MeV], shape (N, V), event by event at the conditions of
                the reference.
            errors: Whether to estimate errors (bootstrap) and reported metrics; without, only the
                scored values, more than ten times faster.
            reported: Whether to add what is reported and not scored; only with errors.
        Raises: InvalidEvents for NaN, infinity, negative energies or a wrong shape, naming event and cell.
        """
        measured = self._measure(generated_response)
        if not errors:
            return self._judgement(self._compare(measured, tuple(self.scorecard.weights), errors=False), None, [])
        extra = self.scorecard.reported if reported else ()
        comparison = self._compare(measured, (*self.scorecard.weights, *extra), errors=True)
        judgement = self._judgement(comparison, self._floor_comparison, self._chi2(measured) if reported else [])
        if not reported or self._measured_twin is None:
            return judgement
        return replace(judgement, p_values=self._p_values(measured, self._measured_twin, EXCHANGES, seed=0))

    def p_values(
        self, generated_response: NDArray[np.float32], *, exchanges: int = EXCHANGES, seed: int = 0
    ) -> dict[str, float]:
        """Probability that full simulation of the same particles lies as far above the floor, or further.

        If the generated events were full simulation, each could be exchanged for its twin, and nobody would know. So
        the excess over the floor is compared with those after random exchanges (``exchanges`` of them, and as many with
        the others exchanged). Exact for any metric and sample size: the p-values of full simulation are uniform.

        Args:
            generated_response: As for ``judge``.
        Returns: For ``score`` and each scored metric, at least 1 / (2 · exchanges + 2); nothing without a twin.
        Raises: InvalidEvents as ``judge``.
        """
        if self._measured_twin is None:
            return {}
        return self._p_values(self._measure(generated_response), self._measured_twin, exchanges, seed)

    def _p_values(
        self, generated: list[Measurement], twin: list[Measurement], exchanges: int, seed: int
    ) -> dict[str, float]:
        heads = np.random.default_rng(seed).random((exchanges, self._units.max() + 1)) < 0.5
        observed = self._excesses(generated, twin)
        exchanged = [
            self._excesses(*exchange(generated, twin, [head[self._units[bin_.events]] for bin_ in self.bins]))
            for head in heads
        ]
        return {
            name: exchange_probability(value, np.array([excesses[name] for excesses in exchanged]))
            for name, value in observed.items()
        }

    def _excesses(self, generated: list[Measurement], twin: list[Measurement]) -> dict[str, float]:
        """Score and scored metrics of one sample minus those of the other."""
        scored = tuple(self.scorecard.weights)
        a, b = (self._compare(sample, scored, errors=False).values for sample in (generated, twin))
        return {name: float(a[name].mean() - b[name].mean()) for name in a}

    @cached_property
    def floor(self) -> Judgement | None:
        """The twin judged as if it were generated: what even full simulation cannot beat."""
        return None if self.twin is None else self.judge(self.twin.response)

    def difference(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> Estimate:
        """Score of ``a`` minus score of ``b``, with the error of the difference on the same resampled events."""
        scored = tuple(self.scorecard.weights)
        first, second = (self._compare(self._measure(response), scored, errors=True) for response in (a, b))
        return _difference(first, second, SCORE)

    @cached_property
    def _floor_comparison(self) -> _Comparison | None:
        if self._measured_twin is None:
            return None
        return self._compare(self._measured_twin, tuple(self.scorecard.weights), errors=True)

    @cached_property
    def _measured_twin(self) -> list[Measurement] | None:
        return None if self.twin is None else self._measure(self.twin.response)

    def _observe(self, events: Events) -> dict[str, NDArray[np.float64]]:
        return observe(events, (*self.scorecard.distributions, *self.scorecard.profiles))

    def _measure(self, response: NDArray[np.float32]) -> list[Measurement]:
        check_response(response, self.reference.detector)
        if len(response) != len(self.reference):
            raise InvalidEvents(
                f"{len(response)} events were generated; the reference has {len(self.reference)}: "
                "generate one event for each of its conditions, in its order"
            )
        values = self._observe(self.reference.with_response(response))
        return [condition_bin.measure(values) for condition_bin in self.bins]

    def _compare(self, generated: list[Measurement], metrics: tuple[str, ...], *, errors: bool) -> _Comparison:
        ones = [np.ones((1, len(condition_bin.events))) for condition_bin in self.bins]
        values = {name: self._evaluate(name, generated, ones)[:, 0] for name in metrics}
        replicas = {name: self._replicas(name, generated, errors) for name in metrics}
        values[SCORE] = self._score(values)
        replicas[SCORE] = self._score(replicas)
        return _Comparison(values, replicas)

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

    def _judgement(self, comparison: _Comparison, floor: _Comparison | None, chi2: list[dict[str, Any]]) -> Judgement:
        excesses = {} if floor is None else {name: _difference(comparison, floor, name) for name in floor.values}
        excess = excesses.pop(SCORE, None)
        return Judgement(
            scorecard=self.scorecard.name,
            scorecard_identity=self.scorecard.identity,
            score=comparison.estimate(SCORE),
            components={name: comparison.estimate(name) for name in self.scorecard.weights},
            reported={name: comparison.estimate(name) for name in self.scorecard.reported if name in comparison.values},
            excess=excess,
            excesses=excesses,
            z=_significance(excess),
            by_energy=self._by_energy(comparison),
            chi2=chi2,
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


def _check_samples(scorecard: Scorecard, reference: Events, twin: Events | None) -> None:
    if reference.detector.name != scorecard.detector:
        raise ValueError(
            f"{scorecard.name} judges {scorecard.detector}; the reference is of {reference.detector.name}: "
            "choose the scorecard of that detector"
        )
    if twin is not None and not np.array_equal(twin.identity, reference.identity):
        raise ValueError("the twin must hold the particles of the reference, in the same order; these are others")


def _difference(a: _Comparison, b: _Comparison, metric: str) -> Estimate:
    replicas = a.replicas[metric].mean(axis=0) - b.replicas[metric].mean(axis=0)
    return Estimate(float(a.values[metric].mean() - b.values[metric].mean()), standard_error(replicas))


def _significance(excess: Estimate | None) -> float | None:
    """Excess over its error; 0 for the floor itself, None where the error is unknown."""
    if excess is None or np.isnan(excess.error):
        return None
    if excess.error == 0:
        return 0.0
    return excess.value / excess.error
