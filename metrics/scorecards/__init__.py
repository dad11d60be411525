"""Scorecards: one file for each detector and version."""

from data_adapters.datasets import Dataset
from data_adapters.registry import Registry
from metrics.scorecard import Scorecard
from metrics.scorecards.airshower_array import AIRSHOWER_ARRAY_V1, AIRSHOWER_PATTERN_V1
from metrics.scorecards.alice_tracks import ALICE_TRACKS_V1
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1
from metrics.scorecards.clic_electrons import CLIC_ELECTRONS_V1
from metrics.scorecards.generic import generic_scorecard
from metrics.scorecards.lhcb_events import LHCB_EVENTS_V1
from metrics.scorecards.lhcb_tracks import LHCB_TRACKS_V1

SCORECARDS: Registry[Scorecard] = Registry(
    "scorecard",
    ATLAS_PHOTONS_V1,
    CLIC_ELECTRONS_V1,
    LHCB_TRACKS_V1,
    LHCB_EVENTS_V1,
    ALICE_TRACKS_V1,
    AIRSHOWER_ARRAY_V1,
    AIRSHOWER_PATTERN_V1,
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
