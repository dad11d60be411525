"""A network that reconstructs the energy from the response, trained on one sample and asked about others."""

# Axes: N events, n events of the test part.
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from data_adapters.events import Events
from metrics.networks.aixnet import AixNet
from metrics.networks.parts import Parts
from metrics.networks.regression_inputs import RegressionInputs, regression_inputs
from metrics.networks.training import Schedule, dense_network, fit, numbers, outputs, reproducible, tensor

HIDDEN = (64, 64)
SCHEDULES = {
    "dense": Schedule(
        learning_rate=1e-3, weight_decay=1e-2, batch_size=64, most_epochs=100, patience=10, most_shown=2_000_000
    ),
    "aixnet": Schedule(
        learning_rate=1e-3, weight_decay=1e-4, batch_size=32, most_epochs=40, patience=8, most_shown=60_000
    ),
}

Floats = NDArray[np.float64]


def reconstructed_energies(training: Events, tested: Sequence[Events], parts: Sequence[Parts]) -> list[Floats]:
    """Logarithm of the reconstructed energy of every event of each tested sample, shape (N,) each.

    A network for each of ``parts`` is trained on the logarithm of the incident energy of ``training`` (mean squared
    error) and asked about the events of the test part.
    """
    own = regression_inputs(training, training)
    others = [own if sample is training else regression_inputs(training, sample) for sample in tested]
    target = np.log(training.incident_energy) - own.start
    results = [np.empty(len(sample)) for sample in tested]
    for part in parts:
        for result, inputs, corrections in zip(results, others, _corrections(own, target, others, part), strict=True):
            result[part.test] = inputs.start[part.test] + corrections
    return results


def _corrections(
    own: RegressionInputs, target: Floats, others: Sequence[RegressionInputs], part: Parts
) -> list[Floats]:
    """What the network of a part adds to the start of each test event, shape (n,) for each sample."""
    mean, deviation = target[part.train].mean(), target[part.train].std() or 1.0
    scaled = (target - mean) / deviation

    def examples(events: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        return tensor(own.values[events]), tensor(scaled[events])

    with reproducible(part.seed):
        network = _network(own)
        fit(network, mse_loss, examples(part.train), examples(part.validation), SCHEDULES[own.network])
        return [numbers(outputs(network, tensor(sample.values[part.test]))) * deviation + mean for sample in others]


def _network(inputs: RegressionInputs) -> nn.Module:
    if inputs.network == "aixnet":
        return AixNet(inputs.time_bins)
    return dense_network(inputs.values.shape[1], HIDDEN, dropout=0.0)
