"""Scorecards: one file for each detector and version."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_adapters.datasets import Dataset
from data_adapters.detector import Detector
from data_adapters.registry import Registry
from metrics.scorecard import Scorecard
from metrics.scorecards.airshower_array import AIRSHOWER_ARRAY_V1, AIRSHOWER_PATTERN_V1
from metrics.scorecards.alice_tracks import ALICE_TRACKS_V1
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1
from metrics.scorecards.clic_electrons import CLIC_ELECTRONS_COARSE_V1, CLIC_ELECTRONS_V1
from metrics.scorecards.generic import generic_scorecard
from metrics.scorecards.lhcb_events import LHCB_EVENTS_V1
from metrics.scorecards.lhcb_tracks import LHCB_TRACKS_V1

SCORECARDS: Registry[Scorecard] = Registry(
    "scorecard",
    ATLAS_PHOTONS_V1,
    CLIC_ELECTRONS_V1,
    CLIC_ELECTRONS_COARSE_V1,
    LHCB_TRACKS_V1,
    LHCB_EVENTS_V1,
    ALICE_TRACKS_V1,
    AIRSHOWER_ARRAY_V1,
    AIRSHOWER_PATTERN_V1,
)


def scorecard_of(detector: Detector, conditions: Mapping[str, NDArray[np.float64]], name: str | None) -> Scorecard:
    """The scorecard of that name; without one the registered one of the detector, or else one that follows from it.

    Args:
        conditions: Of the reference, shape (N, …) each; the bins of a scorecard that follows are frozen from them.
    Raises: UnknownName; ValueError if it is of another detector; InvalidEvents if none can be derived.
    """
    if name is not None:
        return _checked(SCORECARDS[name], detector)
    registered = [card for card in SCORECARDS.values() if card.detector == detector.name]
    return registered[-1] if registered else generic_scorecard(detector, conditions[detector.binning_condition.name])


def _checked(card: Scorecard, detector: Detector) -> Scorecard:
    if card.detector != detector.name:
        raise ValueError(
            f"{card.name} judges {card.detector}; the events are of {detector.name}: choose a scorecard of that "
            "detector, or none, which finds one"
        )
    return card


def scorecard_for(dataset: Dataset, name: str) -> Scorecard:
    """The registered scorecard of that name if it is of the dataset's detector, else the one that the detector gets.

    Raises: UnknownName; InvalidEvents if none can be derived.
    """
    if SCORECARDS[name].detector == dataset.detector.name:
        return SCORECARDS[name]
    rows = dataset.rows("validation")
    conditions = {condition: values[rows] for condition, values in dataset.source.conditions.items()}
    return scorecard_of(dataset.detector, conditions, None)
