"""The mean shower: the least that a generative model has to beat.

It answers every event with the mean training shower at its incident energy; an energy that training did not have
gets the shower of the nearest one (nearest in its logarithm), scaled to the event's energy.
"""

# Axes: N events, V cells, E energies.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_adapters.detector import Detector
from data_adapters.events import INCIDENT_ENERGY, Events
from models.base import GenerativeModel, ModelSpec, ShowerGenerator
from models.config import Config
from models.preprocessing import Conditioning, Scaling, fractions
from models.storage import (
    check_same,
    detector_from_json,
    detector_to_json,
    read_checkpoint,
    with_prefix,
    write_checkpoint,
)

NAME = "mean-shower"


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
        # log10 of the energy as it is: from 0 to 1 on a scale from 1 to 10 MeV.
        self.conditioning = Conditioning((Scaling(INCIDENT_ENERGY, logarithmic=True, low=0.0, high=1.0),))
        self.energies, self.table = energies.to(device), table.to(device)

    def fractions(self, encoded: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002 (the table draws nothing)
        return self.table[(encoded - self.energies).abs().argmin(dim=1)]

    def tensors(self) -> dict[str, Tensor]:
        return {"energies": self.energies, "table": self.table}

    def num_parameters(self) -> int:
        return self.table.numel()


class MeanShower(GenerativeModel):
    """Complete after one epoch; further ones change nothing. Before, every shower is empty."""

    generator: MeanShowerGenerator

    def __init__(self, config: MeanShowerConfig, train: Events, seed: int, device: str = "cpu") -> None:  # noqa: ARG002 (nothing is random)
        self.events = train
        energies = torch.from_numpy(np.log10(np.unique(train.incident_energy)).astype(np.float32))
        table = torch.zeros(len(energies), train.detector.num_cells)
        self.generator = MeanShowerGenerator(train.detector, energies, table, device)
        self.epoch = 0

    def train_epoch(self) -> dict[str, float]:
        shower = fractions(self.events).double()
        for row, energy in enumerate(np.unique(self.events.incident_energy)):
            self.generator.table[row] = shower[torch.from_numpy(self.events.incident_energy == energy)].mean(dim=0)
        self.epoch += 1
        return {}

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


MEAN_SHOWER = ModelSpec(
    name=NAME,
    title="Mean shower of each incident energy",
    config_class=MeanShowerConfig,
    build=MeanShower,
    load=load_mean_shower,
    source="baseline of this project",
    trainable=False,
)
