"""What every generative model can do, and how it is registered."""

# Axes: N events, V cells, C inputs that encode the conditions, Z latent dimensions.
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_adapters.detector import Detector
from models.config import Config
from models.preprocessing import Conditioning, check_conditions, required_energy

LARGEST_LOSS = 1e6


class TrainingDiverged(RuntimeError):
    """Training that cannot recover; the message says when, and what was seen."""


class ShowerGenerator(ABC):
    """Turns conditions into showers. It needs no training data, only what a checkpoint holds."""

    detector: Detector
    conditioning: Conditioning
    latent_dim: int
    device: str
    response_scale: float = 1.0
    generation_batch: int = 10_000

    @abstractmethod
    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:
        """Response over ``normalisation``, (N, V), from encoded conditions (N, C) and normal noise (N, Z)."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What was learned and is needed to generate."""

    def freeze(self) -> list[nn.Module]:
        """Make weights constants, for a program that is traced: no gradients, no training mode.

        Returns: The torch modules that it generates with; none where its weights are plain tensors.
        """
        return []

    def refuses_export(self) -> str | None:
        """Why no program of its own can be made of it; None if one can."""
        return None

    def num_parameters(self) -> int:
        """Numbers that were learned and are needed to generate."""
        return sum(tensor.numel() for tensor in self.tensors().values())

    def generate(
        self, conditions: Mapping[str, NDArray[np.float64]], seed: int, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """One event for each row of conditions.

        Args:
            conditions: One array (N, …) for each condition of the detector, in its unit.
            seed: Of the latent noise, drawn for all events at once, so that batches do not matter.
            batch_size: Events that pass through the network together; ``generation_batch`` by default.
        Returns: Response in the unit of the detector, finite, shape (N, V).
        Raises: ValueError if the conditions do not fit the detector, or batch_size is below one.
        """
        num_events = check_conditions(conditions, self.detector)
        batch_size = self.generation_batch if batch_size is None else batch_size
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        noise = torch.randn(num_events, self.latent_dim, generator=torch.Generator().manual_seed(seed))
        encoded = self.conditioning.encode(conditions)
        response = np.empty((num_events, self.detector.num_cells), dtype=np.float32)
        with torch.no_grad():
            for start in range(0, num_events, batch_size):
                batch = slice(start, start + batch_size)
                response[batch] = self.normalised(encoded[batch].to(self.device), noise[batch].to(self.device)).cpu()
        return response * self.normalisation(conditions)[:, None]

    def normalisation(self, conditions: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        """What the response of each event is divided by before a network sees it, (N,), in the unit of the detector."""
        constant = self.constant_normalisation
        if constant is not None:
            return np.full(len(next(iter(conditions.values()))), constant, dtype=np.float32)
        energy = np.asarray(conditions[self.energy_name], dtype=np.float32)
        return energy if self.response_scale == 1.0 else energy * np.float32(self.response_scale)

    @property
    def constant_normalisation(self) -> float | None:
        """What every response is divided by; None where that is the energy times ``response_scale``
        (``models.rows.response_scale``)."""
        return None

    @property
    def energy_name(self) -> str:
        """The condition that is the incident energy. Raises: InvalidEvents if the detector has none."""
        return required_energy(self.detector).name


class GenerativeModel(ABC):
    """A model in training.

    Two models built with one seed and trained alike are identical, whatever else ran in the process: nothing
    uses the global random numbers.
    """

    epoch: int = 0
    generator: ShowerGenerator

    @abstractmethod
    def train_epoch(self) -> dict[str, float]:
        """Train for one epoch; the mean of each loss over it.

        Raises: TrainingDiverged for a loss that is not finite or explodes.
        """

    @abstractmethod
    def parameter_counts(self) -> dict[str, int]:
        """Learned numbers: ``generate`` that generating needs, ``train`` that training adjusts."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything that continuing needs; a reader sees the old checkpoint or the new one, never a mixture."""

    @abstractmethod
    def restore(self, folder: Path) -> None:
        """Continue from a checkpoint as if training had never stopped, bit for bit on one machine.

        Raises: ValueError if the checkpoint is of another model, configuration or training sample.
        """

    @property
    def cpu_seconds_elsewhere(self) -> float:
        """CPU time that other processes have spent on its training [s]."""
        return 0.0

    def close(self) -> None:  # noqa: B027 — most models have nothing to end
        """End what trains it beside this process; it is trained no more."""

    def generate(
        self, conditions: Mapping[str, NDArray[np.float64]], seed: int, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """See ``ShowerGenerator.generate``."""
        return self.generator.generate(conditions, seed, batch_size)


@dataclass(frozen=True)
class ModelSpec:
    """A registered model.

    Attributes:
        build: ``build(config, train, seed, device)``: a model ready for its first epoch; ``train`` is in memory or
            a stream. With ``built_on`` it takes the trained generator of that model as ``base``, too. Called by
            ``models.building.build_model``, which checks the sample first.
        load: ``load(header, tensors, device)``: the generator that a checkpoint holds.
        source: Where the model was published.
        trainable: False for baselines that one look at the training sample completes.
        refuses: Why a detector cannot be taken; None if it can.
        streams: Whether it trains on samples that are larger than memory.
        built_on: The model whose trained generator it needs; None if it stands alone.
        data_parallel: Whether several processes can train it together (``models.data_parallel``).
    """

    name: str
    title: str
    config_class: type[Config]
    build: Callable[..., GenerativeModel]
    load: Callable[[Mapping[str, Any], Mapping[str, Tensor], str], ShowerGenerator]
    source: str
    trainable: bool = True
    refuses: Callable[[Detector], str | None] = lambda _detector: None
    streams: bool = True
    built_on: str | None = None
    data_parallel: bool = False


def check_losses(losses: Mapping[str, float], epoch: int) -> None:
    """Raises: TrainingDiverged if a loss is not finite or explodes."""
    for name, value in losses.items():
        if not math.isfinite(value) or abs(value) > LARGEST_LOSS:
            raise TrainingDiverged(
                f"{name} loss was {value:g} in epoch {epoch}; a training that works stays finite and below "
                f"{LARGEST_LOSS:g}. Lower the learning rate, or choose another initialiser"
            )


def random_stream(seed: int, purpose: str, device: str = "cpu") -> torch.Generator:
    """Random numbers of one purpose, independent of those of every other purpose with the same seed."""
    entropy = np.random.SeedSequence([seed, *purpose.encode()])
    return torch.Generator(device).manual_seed(int(entropy.generate_state(1, np.uint64)[0]))
