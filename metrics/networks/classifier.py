"""A classifier that is trained to tell reference from generated events."""

# Axes: N events, F inputs.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from metrics.networks.parts import Parts
from metrics.networks.scores import Scores
from metrics.networks.training import Schedule, dense_network, fit, numbers, outputs, reproducible, tensor

HIDDEN, DROPOUT = (128, 128), 0.2
SCHEDULE = Schedule(
    learning_rate=1e-3, weight_decay=1e-2, batch_size=128, most_epochs=60, patience=10, most_shown=2_000_000
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainedScores:
    """Scores of one training.

    Attributes:
        validation: Of the events by which it was stopped, and by which it may be calibrated.
        test: Of the events that it was neither trained nor stopped with.
        epoch: The epoch that was kept.
    """

    validation: Scores
    test: Scores
    epoch: int


def train_classifier(reference: Floats, generated: Floats, parts: Parts) -> TrainedScores:
    """Train a dense network (128, 128; LeakyReLU, dropout 0.2, binary cross-entropy) and ask it.

    Args:
        reference, generated: Scaled inputs at the same conditions, event by event, shape (N, F) each.
    """
    with reproducible(parts.seed):
        network = dense_network(reference.shape[1], HIDDEN, DROPOUT)
        training, validation = (_labelled(reference, generated, part) for part in (parts.train, parts.validation))
        epoch = fit(network, binary_cross_entropy_with_logits, training, validation, SCHEDULE)

        def scores(part: NDArray[np.intp]) -> Scores:
            return Scores(*(numbers(outputs(network, tensor(sample[part]))) for sample in (reference, generated)))

        return TrainedScores(scores(parts.validation), scores(parts.test), epoch)


def _labelled(reference: Floats, generated: Floats, part: NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels, 1 for reference."""
    inputs = tensor(np.concatenate([reference[part], generated[part]]))
    return inputs, torch.cat([torch.ones(len(part)), torch.zeros(len(part))])
