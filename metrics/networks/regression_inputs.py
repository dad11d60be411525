"""What a network that reconstructs the energy sees; never the energy itself."""

# Axes: N events, F inputs.
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from data_adapters.layouts.airshower import TIME_BINS
from metrics.networks.inputs import Scaling, blocks, layer_sums, logarithm, typical_hit
from metrics.observables.airshower_array import has_traces, is_array

SMALLEST_TOTAL = 1e-3  # of the median; an event without response has a logarithm all the same

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RegressionInputs:
    """Inputs of one sample, and where the reconstruction starts from.

    Attributes:
        network: AixNet for air showers, else a dense network.
        values: Shape (N, F).
        start: Logarithm of the energy to which the output of the network is added, shape (N,).
        time_bins: Of AixNet's traces.
    """

    network: Literal["aixnet", "dense"]
    values: Floats
    start: Floats
    time_bins: int = 1


def regression_inputs(training: Events, tested: Events) -> RegressionInputs:
    """Inputs of ``tested`` for a network that is trained on ``training``.

    Air showers: log₁₀(1 + S/VEM). Other detectors: the network corrects the sum of all cells, as calorimeters are
    calibrated; it sees the logarithm of the sum, the fractions of the layers, and the logarithms of the fractions of
    cells (blocks beyond 4096). All are scaled by the training sample.
    """
    detector = tested.detector
    if is_array(detector):
        signals = np.log10(1 + tested.response.astype(np.float64))
        time_bins = TIME_BINS if has_traces(detector) else 1
        return RegressionInputs("aixnet", signals, np.zeros(len(tested)), time_bins)
    sums, total = _sums(training)
    tested_sums, tested_total = _sums(tested)
    cells, tested_cells = blocks(training) / total, blocks(tested) / tested_total
    typical = typical_hit(cells)
    values = np.hstack(
        [
            Scaling.common(logarithm(cells, typical))(logarithm(tested_cells, typical)),
            Scaling.of(sums)(tested_sums),
        ]
    )
    return RegressionInputs("dense", values, np.log(tested_total[:, 0]))


def _sums(events: Events) -> tuple[Floats, Floats]:
    """Fractions of layers and logarithm of the total, shape (N, F); total, shape (N, 1)."""
    sums = layer_sums(events)
    total = sums[:, -1:]
    smallest = SMALLEST_TOTAL * float(np.median(total))
    total = np.maximum(total, smallest if smallest > 0 else 1.0)
    return np.hstack([sums[:, :-1] / total, np.log(total)]), total
