"""Metrics: how far a generated sample lies from the reference, one file each."""

from data_adapters.registry import Registry
from metrics.discrepancies.bin_mean_relative_error import BIN_MEAN_RELATIVE_ERROR
from metrics.discrepancies.chi_squared import CHI_SQUARED
from metrics.discrepancies.component import Metric
from metrics.discrepancies.correlation import CORRELATION
from metrics.discrepancies.entropic_gromov_wasserstein import ENTROPIC_GROMOV_WASSERSTEIN
from metrics.discrepancies.gromov_wasserstein import GROMOV_WASSERSTEIN
from metrics.discrepancies.helix_residual_distance import HELIX_RESIDUAL_DISTANCE
from metrics.discrepancies.response_error import RESPONSE_ERROR
from metrics.discrepancies.separation_power import SEPARATION_POWER
from metrics.discrepancies.shower_size_error import SHOWER_SIZE_ERROR
from metrics.discrepancies.wasserstein import WASSERSTEIN

METRICS: Registry[Metric] = Registry(
    "metric",
    BIN_MEAN_RELATIVE_ERROR,
    RESPONSE_ERROR,
    SHOWER_SIZE_ERROR,
    HELIX_RESIDUAL_DISTANCE,
    WASSERSTEIN,
    CORRELATION,
    GROMOV_WASSERSTEIN,
    CHI_SQUARED,
    SEPARATION_POWER,
    ENTROPIC_GROMOV_WASSERSTEIN,
)
