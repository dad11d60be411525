"""A network that reconstructs the energy from the response, trained on one sample and asked about others."""

# Axes: N events.
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Trained:
    """The network of one part, and the scale of its outputs."""

    network: nn.Module
    mean: float
    deviation: float


@dataclass(frozen=True)
class EnergyReconstruction:
    """Networks that were trained on one sample, one for each of its parts, to be asked about others."""

    training: Events
    parts: Sequence[Parts]
    trained: Sequence[_Trained]

    @classmethod
    def train(cls, training: Events, parts: Sequence[Parts]) -> EnergyReconstruction:
        """Train on the logarithm of the incident energy (mean squared error)."""
        inputs = regression_inputs(training, training)
        target = np.log(training.incident_energy) - inputs.start
        return cls(training, parts, [_train(inputs, target, part) for part in parts])

    def logarithms(self, tested: Events) -> Floats:
        """Logarithm of the reconstructed energy of every event, by the network of whose test part it is, shape (N,).

        Args:
            tested: At the conditions of the training sample, event by event.
        """
        inputs = regression_inputs(self.training, tested)
        result = np.empty(len(tested))
        for part, trained in zip(self.parts, self.trained, strict=True):
            with reproducible(part.seed):
                found = numbers(outputs(trained.network, tensor(inputs.values[part.test])))
            result[part.test] = inputs.start[part.test] + (found * trained.deviation + trained.mean)
        return result


def _train(inputs: RegressionInputs, target: Floats, part: Parts) -> _Trained:
    mean, deviation = float(target[part.train].mean()), float(target[part.train].std()) or 1.0
    scaled = (target - mean) / deviation

    def examples(events: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        return tensor(inputs.values[events]), tensor(scaled[events])

    with reproducible(part.seed):
        network = _network(inputs)
        fit(network, mse_loss, examples(part.train), examples(part.validation), SCHEDULES[inputs.network])
    return _Trained(network, mean, deviation)


def _network(inputs: RegressionInputs) -> nn.Module:
    if inputs.network == "aixnet":
        return AixNet(inputs.time_bins)
    return dense_network(inputs.values.shape[1], HIDDEN, dropout=0.0)
