"""Scorecards: one file for each detector and version."""

from data_adapters.registry import Registry
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1

SCORECARDS: Registry[Scorecard] = Registry(
    "scorecard",
    ATLAS_PHOTONS_V1,
)
