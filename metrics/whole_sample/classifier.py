"""Classifier AUC: how well a network that is trained for it tells generated from reference events."""

# Axes: N events, F inputs, K trainings.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.bootstrap import independent_units
from metrics.conditioned_events import ConditionedEvents
from metrics.networks.inputs import (
    Scaling,
    blocks,
    condition_columns,
    layer_sums,
    logarithm,
    typical_hit,
)
from metrics.networks.parts import FEWEST_EVENTS, Parts, rotated_parts
from metrics.networks.scores import (
    Scores,
    auc_influence,
    calibrated,
    calibration_error,
    clustered_variance,
    jensen_shannon,
    roc_auc,
    weights,
)
from metrics.whole_sample.component import (
    FeatureMetric,
    FeaturePair,
    Outcome,
    SamplePair,
    WholeSampleMetric,
)
from metrics.whole_sample.features import checked_features

if TYPE_CHECKING:
    from metrics.networks.classifier import TrainedScores

FAULT_SHIFT = 0.5  # of the first feature, in its standard deviations
FAULT_SCALE = 1.03  # of all cells
SIGNIFICANT = 3.0  # standard errors
LARGE_WEIGHT = 10.0
WEIGHT_QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
SOURCE = "Krause and Shih, arXiv:2106.05285, section V; Krause et al. (CaloChallenge), arXiv:2410.21611"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Mean AUC of K trainings with its standard error, and that of each training."""

    value: float
    error: float
    trainings: list[float]

    @property
    def noticed(self) -> bool:
        return self.value - 0.5 > SIGNIFICANT * self.error


def _trained(inputs: tuple[Floats, Floats], parts: Sequence[Parts]) -> list[TrainedScores]:
    from metrics.networks.classifier import train_classifier  # torch is loaded when it runs

    return [train_classifier(*inputs, part) for part in parts]


def mean_area(tests: Sequence[Scores], parts: Sequence[Parts], units: NDArray[np.intp]) -> Area:
    """AUC of several trainings whose test parts do not overlap.

    The error has two parts: DeLong's, of the test events, and what the trainings scatter beyond it. The latter is
    estimated from K values, so its variance is that of Student's t with K − 1 degrees of freedom.
    """
    areas = [roc_auc(scores) for scores in tests]
    influences = [auc_influence(scores) for scores in tests]
    variances = [
        clustered_variance(influence, units[part.test]) for influence, part in zip(influences, parts, strict=True)
    ]
    number, freedom = len(tests), len(tests) - 1
    excess = max(0.0, float(np.var(areas, ddof=1)) - float(np.mean(variances)))
    variance = sum(variances) / number**2 + excess / number * freedom / (freedom - 2)
    smallest = 0.5 / len(units)  # one event that is ranked wrongly against half of the others
    return Area(float(np.mean(areas)), max(float(np.sqrt(variance)), smallest), areas)


def _outcome(
    inputs: tuple[Floats, Floats], faulty: Floats, fault: str, events: ConditionedEvents, seed: int
) -> Outcome:
    parts, units = list(rotated_parts(events.identity, seed)), independent_units(events.identity)
    trained = _trained(inputs, parts)
    area = mean_area([scores.test for scores in trained], parts, units)
    with_fault = mean_area([scores.test for scores in _trained((inputs[0], faulty), parts)], parts, units)
    check = {"fault": fault, "auc": with_fault.value, "error": with_fault.error, "sees_fault": with_fault.noticed}
    details = {
        "auc_of_trainings": area.trainings,
        "epochs": [scores.epoch for scores in trained],
        **_calibrated_details(trained),
        "fault_check": check,
        "sees_fault": with_fault.noticed,
        "remark": _remark(area, with_fault, fault),
    }
    return Outcome(area.value, area.error, details)


def _calibrated_details(trained: Sequence[TrainedScores]) -> dict[str, Any]:
    probabilities = [calibrated(scores.validation, scores.test) for scores in trained]
    divergences = [jensen_shannon(probability) for probability in probabilities]
    together = Scores(
        np.concatenate([probability.reference for probability in probabilities]),
        np.concatenate([probability.generated for probability in probabilities]),
    )
    return {
        "jensen_shannon_bits": float(np.mean(divergences)),
        "jensen_shannon_of_trainings": divergences,
        "calibration_error": calibration_error(together),
        "weights": {"reference": _tails(together.reference), "generated": _tails(together.generated)},
    }


def _tails(probability: Floats) -> dict[str, Any]:
    values = weights(probability)
    return {
        "quantiles": dict(zip(map(str, WEIGHT_QUANTILES), np.quantile(values, WEIGHT_QUANTILES).tolist(), strict=True)),
        "above_10": float((values > LARGE_WEIGHT).mean()),
        "below_0.1": float((values < 1 / LARGE_WEIGHT).mean()),
    }


def _remark(area: Area, with_fault: Area, fault: str) -> str:
    if not with_fault.noticed:
        return f"The classifier does not notice a fault ({fault}) with so many events: an AUC near 0.5 says nothing."
    if 0.5 - area.value > SIGNIFICANT * area.error:
        return "The AUC lies below 0.5 by more than its error: the classifier is overfitted."
    return f"The classifier, trained in the same way, notices a fault ({fault})."


def high_level_inputs(pair: FeaturePair) -> tuple[Floats, Floats]:
    """Scaled features and conditions of reference and generated events, shape (N, F) each.

    Raises: ValueError without features, for samples of different shapes, and for a feature that is not finite.
    """
    reference, generated = checked_features(pair.reference_features, pair.generated_features, smallest=1)
    scaling, conditions = Scaling.of(reference), _conditions(pair.reference)
    return np.hstack([scaling(reference), conditions]), np.hstack([scaling(generated), conditions])


def low_level_inputs(reference: Events, *others: tuple[Events, float]) -> tuple[Floats, ...]:
    """Scaled cells, sums of layers and conditions of the reference and each other sample, shape (N, F) each.

    Cells are divided by the incident energy (by the mean reference response where there is none), beyond 4096 cells
    summed in blocks, and their logarithm is taken; layers and total as in arXiv:2106.05285.

    Args:
        others: Events, and the factor that all their cells are multiplied by.
    """
    energy = _energy(reference)
    samples = ((reference, 1.0), *others)
    cells = [blocks(*sample) / energy for sample in samples]
    typical = typical_hit(cells[0])
    cells = [logarithm(values, typical) for values in cells]
    sums = [layer_sums(*sample) / energy for sample in samples]
    scale_cells, scale_sums, conditions = Scaling.common(cells[0]), Scaling.of(sums[0]), _conditions(reference)
    return tuple(
        np.hstack([scale_cells(cell), scale_sums(total), conditions]) for cell, total in zip(cells, sums, strict=True)
    )


def _energy(reference: Events) -> Floats:
    """Shape (N, 1)."""
    if reference.detector.energy_condition is not None and (reference.incident_energy > 0).all():
        return reference.incident_energy[:, None]
    mean = float(np.abs(reference.response).sum(axis=1, dtype=np.float64).mean())
    return np.full((len(reference), 1), mean if mean > 0 else 1.0)


def _conditions(events: ConditionedEvents) -> Floats:
    columns = condition_columns(events)
    return Scaling.of(columns)(columns)


def classifier_auc_high(pair: FeaturePair, seed: int) -> Outcome:
    """AUC of a classifier that sees the features and the conditions.

    Raises: ValueError for fewer than 50 events or five independent particles, and as ``high_level_inputs``.
    """
    reference, generated = high_level_inputs(pair)
    faulty = generated.copy()
    faulty[:, 0] += FAULT_SHIFT
    fault = f"first feature shifted by {FAULT_SHIFT:g} standard deviations"
    return _outcome((reference, generated), faulty, fault, pair.reference, seed)


def classifier_auc_low(pair: SamplePair, seed: int) -> Outcome:
    """AUC of a classifier that sees the cells and the conditions.

    Raises: ValueError for fewer than 50 events or five independent particles.
    """
    samples = ((pair.generated, 1.0), (pair.generated, FAULT_SCALE))
    reference, generated, faulty = low_level_inputs(pair.reference, *samples)
    fault = f"all cells times {FAULT_SCALE:g}"
    return _outcome((reference, generated), faulty, fault, pair.reference, seed)


HOW = (
    "Probability that a classifier (dense network, 128 and 128 nodes, dropout 0.2) gives a reference event a larger "
    "score than a generated one. Mean of five trainings with other seeds and other parts (60 % to train, 20 % to stop "
    "early and calibrate, 20 % to test; event and counterpart in one part; every event is tested once). 0.5: they "
    "cannot be told apart; below 0.5 by more than the error: overfitted. Error: test events (DeLong) and trainings. "
)

CLASSIFIER_HIGH = FeatureMetric(
    name="classifier_auc_high",
    title="Classifier AUC, features",
    definition=HOW + "Inputs: features and conditions. Check: the same training with the first feature of G shifted by "
    "half a standard deviation must give an AUC above 0.5 by three errors.",
    unit="1",
    direction="to_perfect",
    perfect=0.5,
    smallest_sample=FEWEST_EVENTS,
    source=SOURCE,
    function=classifier_auc_high,
)

CLASSIFIER_LOW = WholeSampleMetric(
    name="classifier_auc_low",
    title="Classifier AUC, cells",
    definition=HOW + "Inputs: logarithm of cell over incident energy (above 4096 cells summed in blocks), sums of "
    "layers, conditions. Check: the same training with all cells of G times 1.03 must give an AUC above 0.5 by three "
    "errors.",
    unit="1",
    direction="to_perfect",
    perfect=0.5,
    smallest_sample=FEWEST_EVENTS,
    source=SOURCE,
    function=classifier_auc_low,
)
