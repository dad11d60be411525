"""Metrics: (reference, generated) to value ± error, each defined once. Knows no model.

Lower is better and 0 is perfect unless a metric says otherwise. Everything is computed in bins of the
conditions and then averaged, never pooled: pooled over energies, a generator that returns the mean
shower of each energy would beat every trained model.
"""

from metrics.correlation_matrices import correlations_for_plots
from metrics.discrepancies import METRICS
from metrics.event_gallery import event_gallery
from metrics.faults import FAULTS
from metrics.histograms import histograms_for_plots, mean_images, response_against_energy
from metrics.observables import OBSERVABLES
from metrics.scorecards import SCORECARDS
from metrics.whole_sample import WHOLE_SAMPLE_METRICS

__all__ = [
    "FAULTS",
    "METRICS",
    "OBSERVABLES",
    "SCORECARDS",
    "WHOLE_SAMPLE_METRICS",
    "correlations_for_plots",
    "event_gallery",
    "histograms_for_plots",
    "mean_images",
    "response_against_energy",
]
