"""Measuring the scales of a scorecard."""

from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults import faults_of
from metrics.judge import Judge
from metrics.scorecard import Scorecard


def measure_scales(scorecard: Scorecard, reference: Events, twin: Events) -> dict[str, float]:
    """Mean of each scored metric over the injected faults of the detector, each applied to the twin.

    A scorecard's scales are such means, measured once and then frozen, as everything in a scorecard is.
    """
    judge = Judge(scorecard, reference, None, replicas=0)
    faults = [fault for fault in faults_of(twin.detector).values() if fault.sets_scales(twin.detector)]
    judged = [judge.judge(fault.inject(twin), errors=False) for fault in faults]
    return {name: float(np.mean([j.components[name].value for j in judged])) for name in scorecard.weights}
