"""Metrics of whole samples, for the benchmark: they train networks or compare event with event."""

from data_adapters.registry import Registry
from metrics.whole_sample.classifier import CLASSIFIER_HIGH, CLASSIFIER_LOW
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric
from metrics.whole_sample.diversity import DIVERSITY
from metrics.whole_sample.energy_regression import ENERGY_REGRESSION_BIAS, ENERGY_REGRESSION_RESOLUTION
from metrics.whole_sample.frechet import FRECHET
from metrics.whole_sample.kernel import KERNEL
from metrics.whole_sample.mscn import MSCN
from metrics.whole_sample.neighbours import COVERAGE, DENSITY, PRECISION, RECALL
from metrics.whole_sample.optimisation_3dgan import OPTIMISATION_3DGAN
from metrics.whole_sample.structural_similarity import STRUCTURAL_SIMILARITY

WHOLE_SAMPLE_METRICS: Registry[WholeSampleMetric] = Registry(
    "whole-sample metric",
    FRECHET,
    KERNEL,
    PRECISION,
    RECALL,
    DENSITY,
    COVERAGE,
    DIVERSITY,
    MSCN,
    STRUCTURAL_SIMILARITY,
    CLASSIFIER_HIGH,
    CLASSIFIER_LOW,
    ENERGY_REGRESSION_BIAS,
    ENERGY_REGRESSION_RESOLUTION,
    OPTIMISATION_3DGAN,
)

__all__ = ["WHOLE_SAMPLE_METRICS", "Outcome", "SamplePair", "WholeSampleMetric"]
