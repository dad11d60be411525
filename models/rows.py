"""The training sample as the networks take it: preprocessed showers and conditions in one row, batch by batch.

A sample that fits lies on the device; one that is larger than memory comes as a stream.
"""

# Axes: N events, B events of a mini-batch, V cells, C encoded conditions.
from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from data_adapters.events import Events
from data_adapters.source import FLOAT32_BYTES
from data_adapters.streaming import Batch, EventStream
from models.preprocessing import Conditioning, fractions_of, required_energy

TrainingSample = Events | EventStream
Encode = Callable[[Events | Batch], Tensor]

BYTES_LOOKED_AT = 64 * 2**20  # of a stream: what its constants are taken from


def response_scale(train: TrainingSample) -> float:
    """What responses are divided by, beside the incident energy, before a network sees them.

    1 where the response is about the incident energy, as in a calibrated calorimeter. Where it is not (the visible
    energy of a sampling calorimeter, signals in VEM) it is the mean of response over energy, so that the fractions of
    a shower add up to about one. The constant belongs to the model and is stored with it.
    """
    energy = required_energy(train.detector).name
    events = first_events(train)
    total = float((events.response.sum(axis=1, dtype=np.float64) / events.conditions[energy]).mean())
    return total if total > 0 and not 0.5 <= total <= 2.0 else 1.0


def mean_fractions(train: TrainingSample, scale: float) -> Tensor:
    """Mean fraction of each cell, (V,), of the whole sample, or of the first events of a stream."""
    events = first_events(train)
    return fractions_of(events.response, events.conditions[required_energy(train.detector).name], scale).mean(dim=0)


def first_events(train: TrainingSample) -> Events | Batch:
    """All events of a sample in memory, the first 64 MiB of a stream."""
    if isinstance(train, Events):
        return train
    return next(train.batches(max(1, BYTES_LOOKED_AT // (train.detector.num_cells * FLOAT32_BYTES)), epoch=0))


class TrainingRows:
    """Encoded rows, (B, W), in a new random order each epoch.

    Args:
        encode: Events to rows (B, W) of float32, on the CPU.
    """

    def __init__(self, train: TrainingSample, encode: Encode, device: str) -> None:
        self.encode, self.device = encode, device
        self.num_events = len(train)
        self._stream = None if isinstance(train, Events) else train
        self._rows = encode(train).to(device) if isinstance(train, Events) else None

    def batches(self, batch_size: int, epoch: int, random: torch.Generator, *, whole: bool = False) -> Iterator[Tensor]:
        """All events once; the last batch may be smaller.

        Args:
            random: Orders a sample in memory; the order of a stream follows from its own seed and the epoch.
            whole: Leave the last batch out if it is smaller, unless it is the only one.
        """
        for number, batch in enumerate(self._all(batch_size, epoch, random)):
            if number == 0 or not whole or len(batch) == batch_size:
                yield batch

    def _all(self, batch_size: int, epoch: int, random: torch.Generator) -> Iterator[Tensor]:
        if self._stream is not None:
            for batch in self._stream.batches(batch_size, epoch):
                yield self.encode(batch).to(self.device)
        if self._rows is not None:
            order = torch.randperm(self.num_events, generator=random, device=self.device)
            for rows in torch.split(order, batch_size):
                yield self._rows[rows]


def fraction_rows(train: TrainingSample, conditioning: Conditioning, scale: float, device: str) -> TrainingRows:
    """Rows of fractions of the incident energy and encoded conditions, (B, V + C).

    Args:
        scale: See ``response_scale``.
    """
    energy = required_energy(train.detector).name

    def encode(events: Events | Batch) -> Tensor:
        showers = fractions_of(events.response, events.conditions[energy], scale)
        return torch.cat((showers, conditioning.encode(events.conditions)), dim=1)

    return TrainingRows(train, encode, device)
