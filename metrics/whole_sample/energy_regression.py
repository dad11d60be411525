"""Energy regression: does a network that was trained on full simulation find the right energy of generated events?

Four studies, of two samples to train with and two to ask about. Of arXiv:1802.03325, figure 6, where a network is
trained on simulation (refined or not) and used with data: (a) is a network that is asked about events like those it was
trained with, (b) one trained on generated and asked about full simulation, where the generator is the unrefined
simulation, and (c) the same with refined events. So a good generator has (c) as good as (a).
"""

# Axes: N events, E condition bins, n events of one bin, K replicas.
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.bootstrap import event_weights, independent_units, standard_error
from metrics.conditioned_events import ConditionedEvents, incident_energy
from metrics.networks.parts import FEWEST_EVENTS, Parts, rotated_parts
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric

REPLICAS = 200
LARGEST_LOGARITHM = 5.0  # a reconstructed energy that is wrong by more than e⁵ counts as wrong by e⁵
SMALLEST_RESOLUTION = 1e-6  # below lies the rounding of float32
SOURCE = (
    "Erdmann et al., arXiv:1802.03325, section 5 and figure 6; AixNet: arXiv:1708.00647. The other detectors' network, "
    "the bins and the error are ours"
)
STUDIES = {
    "reference_on_reference": "trained on reference, asked about reference: (a)",
    "reference_on_generated": "trained on reference, asked about generated: what is scored",
    "generated_on_reference": "trained on generated, asked about reference: (c), for an unrefined simulation (b)",
    "generated_on_generated": "trained on generated, asked about generated: (a) of the generated sample",
}

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Compare = Callable[["Residuals", "Residuals"], Floats]


@dataclass(frozen=True)
class Residuals:
    """Mean and standard deviation of (E_reconstructed − E)/E in each condition bin, shape (E, K)."""

    bias: Floats
    resolution: Floats


def residuals_in_bins(values: Floats, bins: Sequence[Indices], weights: Sequence[Floats]) -> Residuals:
    """Of residuals (N,), for events of each bin with weights of shape (K, n)."""
    means, deviations = [], []
    for events, weight in zip(bins, weights, strict=True):
        share = weight / weight.sum(axis=1, keepdims=True)
        mean = share @ values[events]
        variance = (share * (values[events] - mean[:, None]) ** 2).sum(axis=1)
        means.append(mean)
        deviations.append(np.sqrt(variance))
    return Residuals(np.stack(means), np.stack(deviations))


def bias_difference(reference: Residuals, generated: Residuals) -> Floats:
    """|bias of G − bias of R|, mean over the bins, shape (K,)."""
    return np.asarray(np.abs(generated.bias - reference.bias).mean(axis=0), dtype=np.float64)


def resolution_difference(reference: Residuals, generated: Residuals) -> Floats:
    """|resolution of G / resolution of R − 1|, mean over the bins, shape (K,)."""
    ratio = np.maximum(generated.resolution, SMALLEST_RESOLUTION)
    ratio = ratio / np.maximum(reference.resolution, SMALLEST_RESOLUTION)
    return np.asarray(np.abs(ratio - 1).mean(axis=0), dtype=np.float64)


def _studies(pair: SamplePair, parts: Sequence[Parts], seed: int) -> dict[str, Floats]:
    """Residuals of each study, shape (N,) each."""
    from metrics.networks.regression import EnergyReconstruction  # torch is loaded when it runs

    def residuals(trained: EnergyReconstruction, tested: Events) -> Floats:
        wrong = trained.logarithms(tested) - np.log(pair.reference.incident_energy)
        return np.expm1(np.clip(wrong, -LARGEST_LOGARITHM, LARGEST_LOGARITHM))

    of_reference = pair.kept_of_reference
    on_reference = of_reference.once(
        f"energy reconstruction, seed {seed}", lambda: EnergyReconstruction.train(pair.reference, parts)
    )
    on_generated = EnergyReconstruction.train(pair.generated, parts)
    return {
        "reference_on_reference": of_reference.once(
            f"energy residuals, seed {seed}", lambda: residuals(on_reference, pair.reference)
        ),
        "reference_on_generated": residuals(on_reference, pair.generated),
        "generated_on_reference": residuals(on_generated, pair.reference),
        "generated_on_generated": residuals(on_generated, pair.generated),
    }


def _outcome(pair: SamplePair, seed: int, compare: Compare) -> Outcome:
    reason = unusable(pair.reference)
    if reason is not None:
        raise ValueError(reason)
    parts, units = list(rotated_parts(pair.reference.identity, seed)), independent_units(pair.reference.identity)
    studies = pair.kept.once(f"energy regression, seed {seed}", lambda: _studies(pair, parts, seed))
    bins = [np.flatnonzero(pair.bins == number) for number in np.unique(pair.bins)]

    def compared(weights: Sequence[Floats]) -> Floats:
        scored = ("reference_on_reference", "reference_on_generated")
        return compare(*(residuals_in_bins(studies[name], bins, weights) for name in scored))

    once = [np.ones((1, len(events))) for events in bins]
    of_events = standard_error(compared(event_weights(bins, units, REPLICAS, seed)))
    of_trainings = _jackknife(compared(_without_a_part(bins, parts)))
    return Outcome(
        float(compared(once)[0]),
        max(of_events, of_trainings),
        {
            "studies": {name: _study(studies[name], bins, once) for name in STUDIES},
            "error_of_events": of_events,
            "error_of_trainings": of_trainings,
        },
    )


def _without_a_part(bins: Sequence[Indices], parts: Sequence[Parts]) -> list[Floats]:
    """Weights that leave out the events of one training, shape (trainings, n) for each bin; a bin that would be empty
    keeps its events."""
    weights = [
        np.stack([np.isin(events, part.test, invert=True) for part in parts]).astype(np.float64) for events in bins
    ]
    return [np.where(rows.sum(axis=1, keepdims=True) > 0, rows, 1.0) for rows in weights]


def _jackknife(values: Floats) -> float:
    """Standard error from values of which each lacks one training."""
    return float(np.sqrt((len(values) - 1) * values.var()))


def _study(values: Floats, bins: Sequence[Indices], weights: Sequence[Floats]) -> dict[str, Any]:
    residuals = residuals_in_bins(values, bins, weights)
    bias, resolution = residuals.bias[:, 0], residuals.resolution[:, 0]
    return {
        "bias": float(bias.mean()),
        "absolute_bias": float(np.abs(bias).mean()),
        "resolution": float(resolution.mean()),
        "bias_in_bins": bias.tolist(),
        "resolution_in_bins": resolution.tolist(),
    }


def unusable(events: ConditionedEvents) -> str | None:
    """Why the energy of such events cannot be reconstructed, or None."""
    detector, energy = events.detector, incident_energy(events)
    if energy is None:
        return f"{detector.name} has no energy among its conditions that a network could reconstruct"
    if detector.signed:
        return f"cells of {detector.name} may be negative: their sum is no measure of the energy"
    if (energy <= 0).any():
        return f"event {int(np.argmin(energy))} has the incident energy {energy.min():g}; its logarithm is needed"
    if (energy == energy[0]).all():
        return f"all events have the incident energy {energy[0]:g}: a network would learn that number"
    return None


def energy_regression_bias(pair: SamplePair, seed: int) -> Outcome:
    """How far the bias of the reconstructed energy of generated events is from that of reference events.

    Raises: ValueError for fewer than 50 events or five independent particles, and with the reason of ``unusable``.
    """
    return _outcome(pair, seed, bias_difference)


def energy_regression_resolution(pair: SamplePair, seed: int) -> Outcome:
    """How far the resolution of the reconstructed energy of generated events is from that of reference events.

    Raises: ValueError as ``energy_regression_bias``.
    """
    return _outcome(pair, seed, resolution_difference)


HOW = (
    "A network is trained on reference events to reconstruct the logarithm of the incident energy from the response "
    "alone (air showers: AixNet; other detectors: a dense network, 64 and 64 nodes, that corrects the sum of all "
    "cells), five times with other parts, so that every event is tested once by a network that saw neither it nor its "
    "counterpart. Residual: (E_reconstructed − E)/E; bias: its mean, resolution: its standard deviation, in each "
    "condition bin. "
)
REPORTED = " Reported: both in four studies, trained on R or G and asked about R or G."

ENERGY_REGRESSION_BIAS = WholeSampleMetric(
    name="energy_regression_bias",
    title="Energy regression, bias",
    definition=HOW + "Value: |bias of G − bias of R|, mean over the bins." + REPORTED,
    unit="1",
    direction="lower",
    perfect=0.0,
    smallest_sample=FEWEST_EVENTS,
    source=SOURCE,
    function=energy_regression_bias,
    applies=unusable,
)

ENERGY_REGRESSION_RESOLUTION = WholeSampleMetric(
    name="energy_regression_resolution",
    title="Energy regression, resolution",
    definition=HOW + "Value: |resolution of G / resolution of R − 1|, mean over the bins." + REPORTED,
    unit="1",
    direction="lower",
    perfect=0.0,
    smallest_sample=FEWEST_EVENTS,
    source=SOURCE,
    function=energy_regression_resolution,
    applies=unusable,
)
