"""Scorecards: one file for each detector and version."""

from data_adapters.datasets import Dataset
from data_adapters.registry import Registry
from metrics.scorecard import Scorecard
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1
from metrics.scorecards.generic import generic_scorecard

SCORECARDS: Registry[Scorecard] = Registry(
    "scorecard",
    ATLAS_PHOTONS_V1,
)


def scorecard_for(dataset: Dataset, name: str) -> Scorecard:
    """The registered scorecard of that name if it is of the dataset's detector, else the generic one of the detector.

    Raises: UnknownName; InvalidEvents if none can be derived.
    """
    card = SCORECARDS[name]
    detector = dataset.detector
    if card.detector == detector.name:
        return card
    condition = dataset.source.conditions[detector.binning_condition.name]
    return generic_scorecard(detector, condition[dataset.rows("validation")])
