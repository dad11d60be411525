"""The figure that 3DGAN's hyperparameters were optimised by, for comparison with earlier work."""

# Axes: n events of one energy bin, P positions along all three axes, K rows of weights (the first all ones).
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import ENERGY_UNITS
from data_adapters.events import InvalidEvents
from metrics.bootstrap import event_weights, independent_units, standard_error
from metrics.conditioned_events import ConditionedEvents, incident_energy
from metrics.observables import observables_of
from metrics.whole_sample.component import FeatureMetric, FeaturePair, Observables, Outcome

ENERGIES_GEV = (50.0, 100.0, 200.0, 300.0, 400.0)
HALF_WIDTH_GEV = 5.0
AXES = ("x", "y", "z")
OBSERVABLES = ("response", "measured_angle", *(f"profile_{axis}" for axis in AXES))
PARTS = ("pos", "shape", "sf", "angle")
REPLICAS = 200
# Moments below are those of a single cell, with rounding [cells, cells²].
SMALLEST_MOMENT = 1e-9
# A replica may lose the reference's energy at a position: a tenth of what the sample has is kept, never zero.
SMALLEST_PART = 0.1

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Quantities:
    """What the figure is made of, event by event.

    Attributes:
        profiles: Energy along x, y and z, each of shape (n, cells).
        moments: M1 and M2 along x, y and z [cells, cells²], shape (n, 6); 0 for an event without energy.
        response: E / E_inc, shape (n,).
        angle: Measured angle [rad], shape (n,); 0 for an event without energy.
    """

    profiles: tuple[Rows, ...]
    moments: Rows
    response: Rows
    angle: Rows


def quantities(seen: Observables, energy: Rows) -> Quantities:
    """Of the observables ``OBSERVABLES`` of events with these incident energies, shape (n,)."""
    profiles = tuple(seen[f"profile_{axis}"] * energy[:, None] for axis in AXES)
    moments = np.hstack([_moments(profile) for profile in profiles])
    return Quantities(profiles, moments, seen["response"], seen["measured_angle"])


def _moments(profile: Rows) -> Rows:
    """Mean and variance of the cell's number, counted from 0, weighted by energy; shape (n, 2)."""
    total = profile.sum(axis=1, keepdims=True)
    share = np.divide(profile, total, out=np.zeros_like(profile), where=total > 0)
    cells = np.arange(profile.shape[1])
    mean = share @ cells
    variance = (share * (cells - mean[:, None]) ** 2).sum(axis=1)
    return np.stack([mean, variance], axis=1)


def parts_of_bin(reference: Quantities, generated: Quantities, weights: Rows) -> Rows:
    """pos, shape, sf and angle of one energy bin for each row of weights, shape (K, 4); the first row is all ones.

    What the reference does not have, a moment of 0 or a position without energy, has no relative error and is left out.
    """
    probability = weights / weights.sum(axis=1, keepdims=True)
    pos = _mean_error(probability, reference.moments, generated.moments, SMALLEST_MOMENT)
    pairs = zip(reference.profiles, generated.profiles, strict=True)
    shape = np.mean([_mean_error(probability, r, g, 0.0) for r, g in pairs], axis=0)
    sf = _mean_error(probability, reference.response[:, None], generated.response[:, None], 0.0)
    return np.stack([pos, shape, sf, _angle_error(reference, generated, weights)], axis=1)


def _mean_error(probability: Rows, reference: Rows, generated: Rows, smallest: float) -> Rows:
    """Relative error of the mean over events, averaged over the columns that the reference has; shape (K,)."""
    r, g = probability @ reference, probability @ generated
    there = r[0] > smallest
    if not there.any():
        return np.zeros(len(probability))
    error = np.abs(g - r)[:, there] / np.maximum(r, SMALLEST_PART * r[0])[:, there]
    return np.asarray(error.mean(axis=1), dtype=np.float64)


def _angle_error(reference: Quantities, generated: Quantities, weights: Rows) -> Rows:
    """Mean of the relative errors of the event pairs whose reference has an angle, shape (K,)."""
    seen = reference.angle > 0
    error = np.abs(generated.angle - reference.angle)[seen] / reference.angle[seen]
    weights = weights[:, seen]
    total = weights.sum(axis=1)
    mean = np.divide(weights @ error, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(mean, dtype=np.float64)


def energy_bins(events: ConditionedEvents) -> dict[float, NDArray[np.intp]]:
    """Events within 5 GeV of each energy [GeV]; bins without events are missing."""
    energy = _energy(events) * ENERGY_UNITS[events.detector.unit] / ENERGY_UNITS["GeV"]
    bins = {centre: np.flatnonzero(np.abs(energy - centre) <= HALF_WIDTH_GEV) for centre in ENERGIES_GEV}
    return {centre: which for centre, which in bins.items() if len(which)}


def _energy(events: ConditionedEvents) -> Rows:
    energy = incident_energy(events)
    assert energy is not None, "asked only where the detector has the observable response"
    return energy


def optimisation_metric(pair: FeaturePair, seed: int) -> Outcome:
    """pos + shape + sf + angle, averaged over the energy bins that hold events.

    The error is that of a bootstrap over events, by weights; units of dependent events are drawn together.

    Returns: Details ``parts`` (means over the bins), ``bins`` (each with its number of events, its parts, and the
        fraction of the generated energy at positions where the reference has none, which no part sees) and
        ``skipped_gev``, the bins without events.
    Raises: InvalidEvents if the figure is not defined for such events, or the reference of a bin holds no energy.
    """
    reason = why_not(pair.reference)
    if reason is not None:
        raise InvalidEvents(reason)
    bins = energy_bins(pair.reference)
    weights = event_weights(list(bins.values()), independent_units(pair.reference.identity), REPLICAS, seed)
    parts, rows = [], []
    for (centre, which), replicas in zip(bins.items(), weights, strict=True):
        samples = (pair.reference_observables, pair.generated_observables)
        reference, generated = (_quantities_of(sample, pair.reference, which) for sample in samples)
        if reference.response.sum() <= 0:
            raise InvalidEvents(
                f"the reference events within {HALF_WIDTH_GEV:g} GeV of {centre:g} GeV hold no energy, and what is "
                "relative to it is not defined: check the file, or leave these events out"
            )
        found = parts_of_bin(reference, generated, np.vstack([np.ones(len(which)), replicas]))
        parts.append(found)
        rows.append(_row(centre, found[0], reference, generated))
    mean = np.mean(parts, axis=0)
    totals = mean.sum(axis=1)
    details = {
        "parts": _named(mean[0]),
        "bins": rows,
        "skipped_gev": [centre for centre in ENERGIES_GEV if centre not in bins],
    }
    return Outcome(float(totals[0]), standard_error(totals[1:]), details)


def _quantities_of(seen: Observables, events: ConditionedEvents, which: NDArray[np.intp]) -> Quantities:
    return quantities({name: seen[name][which] for name in OBSERVABLES}, _energy(events)[which])


def _row(centre: float, parts: Rows, reference: Quantities, generated: Quantities) -> dict[str, Any]:
    return {
        "energy_gev": centre,
        "events": len(reference.angle),
        **_named(parts),
        "energy_where_reference_has_none": _unseen(reference, generated),
    }


def _named(parts: Rows) -> Mapping[str, float]:
    return {name: float(value) for name, value in zip(PARTS, parts, strict=True)}


def _unseen(reference: Quantities, generated: Quantities) -> float:
    """Largest fraction of the generated energy, over the axes, where the mean reference profile is empty."""
    pairs = zip(reference.profiles, generated.profiles, strict=True)
    outside = [g[:, r.sum(axis=0) <= 0].sum() for r, g in pairs]
    total = generated.profiles[0].sum()
    return float(max(outside) / total) if total > 0 else 0.0


def why_not(events: ConditionedEvents) -> str | None:
    """Why the figure is not defined for such events; None if it is."""
    detector = events.detector
    needed = {*OBSERVABLES, "angle_difference"}
    if not needed <= set(observables_of(detector)) or detector.unit not in ENERGY_UNITS:
        return (
            f"3DGAN's figure is of energies in a single volume of several cells along x, y and depth z, in units of "
            f"length, and of the condition theta; {detector.name} is not such a detector"
        )
    if not energy_bins(events):
        centres = ", ".join(f"{centre:g}" for centre in ENERGIES_GEV)
        return (
            f"no event lies within {HALF_WIDTH_GEV:g} GeV of {centres} GeV, where 3DGAN's figure is taken: judge a "
            "sample that reaches one of these energies"
        )
    return None


OPTIMISATION_3DGAN = FeatureMetric(
    name="optimisation_3dgan",
    title="3DGAN optimisation metric",
    definition=(
        "pos + shape + sf + angle, averaged over the events within 5 GeV of 50, 100, 200, 300 and 400 GeV (bins "
        "without events are left out). pos: relative error of the mean moments, averaged over M1 (mean number of the "
        "cell, from 0) and M2 (its variance) along x, y, z. shape: relative error of the mean energy profile, averaged "
        "over positions, then axes. sf: of the mean E / E_inc. angle: of the measured angle, event by event. Moments "
        "and positions where the reference has 0 are left out. Full simulation of the same particles does not reach 0, "
        "and with few events the almost empty flanks decide shape"
    ),
    unit="1",
    direction="lower",
    perfect=0.0,
    smallest_sample=1000,
    source=(
        "public code of 3DGAN (github.com/svalleco/3Dgan; doi:10.1109/ACCESS.2021.3101946); of its variants the one "
        "with sf and with pos counted once, but without division by zero"
    ),
    function=optimisation_metric,
    applies=why_not,
    observables=OBSERVABLES,
)
