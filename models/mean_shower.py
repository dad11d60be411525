"""The mean event: the least that a generative model has to beat.

It answers every event with the mean training shower at its incident energy; an energy that training did not have
gets the shower of the nearest one (nearest in its logarithm), scaled to the event's energy. A continuous spectrum is
divided into bins with equally many events. A detector without incident energy has one mean event for all.
"""

# Axes: N events, V cells, E energies.
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_adapters.detector import Detector, detector_from_json, detector_to_json
from data_adapters.events import Events
from data_adapters.streaming import Batch
from models.base import GenerativeModel, ModelSpec, ShowerGenerator
from models.config import Config
from models.preprocessing import Conditioning, Scaling, fractions_of
from models.rows import TrainingSample
from models.storage import (
    check_same,
    read_checkpoint,
    with_prefix,
    write_checkpoint,
)

NAME = "mean-shower"
MOST_ENERGIES = 20
STREAM_BATCH = 256


@dataclass(frozen=True)
class MeanShowerConfig(Config):
    """There is nothing to choose."""


class MeanShowerGenerator(ShowerGenerator):
    """A table of mean showers.

    Args:
        energies: log10 of the incident energies, (E,).
        table: Mean cell energies over the incident energy, (E, V).
    """

    def __init__(self, detector: Detector, energies: Tensor, table: Tensor, device: str) -> None:
        self.detector, self.device = detector, device
        self.latent_dim = 0
        energy = detector.energy_condition
        # log10 of the energy as it is: from 0 to 1 on a scale from 1 to 10.
        parts = () if energy is None else (Scaling(energy.name, logarithmic=True, low=0.0, high=1.0),)
        self.conditioning = Conditioning(parts)
        self.energies, self.table = energies.to(device), table.to(device)

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002 (the table draws nothing)
        return self.table[self.row(encoded)]

    def row(self, encoded: Tensor) -> Tensor:
        """Row of the table for each event, (N,), from encoded conditions (N, C)."""
        if self.detector.energy_condition is None:
            return encoded.sum(dim=1).long()  # of no columns: zeros, as many as there are events
        return (encoded - self.energies).abs().argmin(dim=1)

    @property
    def constant_normalisation(self) -> float | None:
        return 1.0 if self.detector.energy_condition is None else None

    def tensors(self) -> dict[str, Tensor]:
        return {"energies": self.energies, "table": self.table}

    def num_parameters(self) -> int:
        return self.table.numel()


class MeanShower(GenerativeModel):
    """Complete after one epoch; further ones change nothing. Before, every shower is empty."""

    generator: MeanShowerGenerator

    def __init__(self, config: MeanShowerConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:  # noqa: ARG002 (nothing is random)
        self.sample = train
        energy = train.detector.energy_condition
        logarithm = np.zeros(1) if energy is None else np.log10(train.conditions[energy.name])
        energies = torch.from_numpy(_table_energies(logarithm).astype(np.float32))
        table = torch.zeros(len(energies), train.detector.num_cells)
        self.generator = MeanShowerGenerator(train.detector, energies, table, device)
        self.epoch = 0

    def train_epoch(self) -> dict[str, float]:
        total = torch.zeros_like(self.generator.table, dtype=torch.float64)
        count = torch.zeros(len(total), dtype=torch.float64)
        for part in self._parts():
            row = self.generator.row(self.generator.conditioning.encode(part.conditions).to(total.device))
            shower = fractions_of(part.response, self.generator.normalisation(part.conditions).astype(np.float64))
            total.index_add_(0, row, shower.double())
            count += torch.bincount(row, minlength=len(count))
        self.generator.table.copy_(total / count.clamp(min=1)[:, None])
        self.epoch += 1
        return {}

    def _parts(self) -> Iterable[Events | Batch]:
        return [self.sample] if isinstance(self.sample, Events) else self.sample.batches(STREAM_BATCH, epoch=0)

    def parameter_counts(self) -> dict[str, int]:
        return {"generate": self.generator.num_parameters(), "train": self.generator.num_parameters()}

    def save(self, folder: Path) -> None:
        write_checkpoint(
            folder, {**self._header(), "epoch": self.epoch}, with_prefix("generator.", self.generator.tensors())
        )

    def restore(self, folder: Path) -> None:
        header, tensors = read_checkpoint(folder)
        check_same(header, self._header())
        self.generator.table.copy_(tensors["generator.table"])
        self.epoch = header["epoch"]

    def _header(self) -> dict[str, Any]:
        return {"model": NAME, "config": {}, "detector": detector_to_json(self.generator.detector)}


def load_mean_shower(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> ShowerGenerator:
    """The table of a checkpoint."""
    return MeanShowerGenerator(detector_from_json(header["detector"]), tensors["energies"], tensors["table"], device)


def _table_energies(logarithm: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the energies of the table: all that occur, or for a continuous spectrum the middles of quantile bins."""
    values = np.unique(logarithm)
    if len(values) <= MOST_ENERGIES:
        return values
    return np.unique(np.quantile(logarithm, (np.arange(MOST_ENERGIES) + 0.5) / MOST_ENERGIES))


MEAN_SHOWER = ModelSpec(
    name=NAME,
    title="Mean event of each incident energy",
    config_class=MeanShowerConfig,
    build=MeanShower,
    load=load_mean_shower,
    source="baseline of this project",
    trainable=False,
)
