"""Conditions in which nothing is binned, so that correlations of other observables with them are compared."""

# Axes: N events.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Condition, Detector
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample

SOURCE = "3DGAN (doi:10.1109/ACCESS.2021.3101946), § V-E: the angle is among the correlated quantities"


def told_conditions(detector: Detector) -> tuple[Observable, ...]:
    """One observable for each real condition that is one number, but the energy and those that are binned."""
    return tuple(_condition(condition) for condition in detector.conditions if _counts(condition))


def _counts(condition: Condition) -> bool:
    is_number = condition.categories is None and not condition.shape
    return is_number and not condition.bins and not condition.energy


def _condition(condition: Condition) -> Observable:
    def value(sample: Sample) -> NDArray[np.float64]:
        return sample.events.conditions[condition.name]

    title = condition.name.replace("_", " ").capitalize()
    return Observable(f"condition_{condition.name}", title, condition.unit, SOURCE, value)


CONDITIONS = Family(
    name="conditions",
    title="Conditions in which nothing is binned",
    definition="the condition itself, so that correlations of other observables with it are compared",
    unit="of the condition",
    detectors="real conditions besides the energy and those that are binned",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=told_conditions,
)
