"""What models of torch modules have in common: epochs, averaged weights, checkpoints that continue bit for bit.

A model of this kind is one file: its networks, its configuration, and ``step``, which trains on one mini-batch.
"""

# Axes: B events of a mini-batch, W columns of a row.
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_adapters.detector import Detector, detector_to_json
from models.averaging import average_decay
from models.base import GenerativeModel, ShowerGenerator, check_losses, random_stream
from models.config import Config, to_dict
from models.data_parallel import ALONE, BatchNorm3d, Processes
from models.layers import Dropout
from models.paired_convolution import PairedConv3d
from models.polyphase import UpsampledConv3d
from models.preprocessing import Conditioning
from models.rows import TrainingRows
from models.storage import (
    check_same,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    with_prefix,
    without_prefix,
    write_checkpoint,
)

Losses = dict[str, Tensor]


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """Where the networks run: in bfloat16 if ``precision`` says so, else as they are."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


class NetworkGenerator(ShowerGenerator):
    """A generator that is a torch module. A subclass says what its output means (``normalised``).

    Args:
        network: On ``device``; in evaluation mode while it generates.
    """

    def __init__(
        self, network: nn.Module, detector: Detector, conditioning: Conditioning, latent_dim: int, device: str
    ) -> None:
        self.network = network.to(device)
        self.detector, self.conditioning = detector, conditioning
        self.latent_dim, self.device = latent_dim, device

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.network.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of ``tensors``."""
        self.network.load_state_dict(dict(tensors))

    def freeze(self) -> list[nn.Module]:
        for module in self.network.modules():
            if isinstance(module, UpsampledConv3d | PairedConv3d):
                module.freeze()
        return [self.network.eval().requires_grad_(False)]

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    def generate(
        self, conditions: Mapping[str, NDArray[np.float64]], seed: int, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        training = self.network.training
        self.network.eval()
        try:
            return super().generate(conditions, seed, batch_size)
        finally:
            self.network.train(training)

    def constants(self) -> dict[str, Any]:
        """What else a checkpoint must say to generate, as JSON."""
        return {"response_scale": self.response_scale}


class NetworkModel(GenerativeModel):
    """Networks in training.

    ``compilable`` names those that ``torch.compile`` takes: not a critic whose gradient is differentiated again.

    A model that several processes can train (``ModelSpec.data_parallel``) calls a network in the network's own steps
    through ``averaging``, draws random numbers of events through ``processes``, and minimises means over events.

    Args:
        name: Under which the model is registered.
        generator: Holds the network that generates, which is ``networks[generating]``.
        networks: All that is trained, by name.
        optimizers: By name; ``minimise`` takes them.
        rows: The training sample.
        decay: Of the learning rates: rate / (1 + decay · updates), each optimiser counting its own, as Keras has it.
        average_decay: Of the exponential average of the weights that generates; 0 generates with the weights as
            they are.
    """

    generator: NetworkGenerator
    compilable: tuple[str, ...] = ("generator",)

    def __init__(
        self,
        name: str,
        config: Config,
        generator: NetworkGenerator,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        rows: TrainingRows,
        *,
        batch_size: int,
        seed: int,
        decay: float = 0.0,
        average_decay: float = 0.0,
        generating: str = "generator",
    ) -> None:
        self.name, self.config, self.generator = name, config, generator
        self.networks, self.optimizers = dict(networks), dict(optimizers)
        self.rows, self.batch_size, self.average_decay, self.generating = rows, batch_size, average_decay, generating
        self.device = generator.device
        self.processes = ALONE
        self.randoms = {
            purpose: random_stream(seed, purpose, self.device)
            for purpose in ("shuffling", "latent", "mixing", "labels", "dropout")
        }
        self.epoch = 0
        self.counters = {"steps": 0, **{f"{name} updates": 0 for name in self.optimizers}}
        self.decay = decay
        self.first_rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in self.optimizers.items()}
        if average_decay > 0:
            generator.network = deepcopy(self.networks[generating]).requires_grad_(False)
        for network in self.networks.values():
            network.to(self.device).train()
            _give_random(network, self.randoms["dropout"])
        self._averaging: dict[str, nn.Module] = self.networks

    def share(self, processes: Processes) -> None:
        """Train together with others, who call this at the same time with the same model."""
        self.processes = processes
        for network in (*self.networks.values(), self.generator.network):
            _tell_processes(network, processes)
        self._averaging = {name: processes.averaging(network) for name, network in self.networks.items()}

    def averaging(self, name: str) -> nn.Module:
        """A network as its own steps call it: with gradients that are means over the processes."""
        return self._averaging[name]

    def compile(self) -> None:
        """Let ``torch.compile`` fuse what the networks do; results change by rounding alone."""
        for name in self.compilable:
            if name in self.networks:
                self.networks[name].compile()

    @abstractmethod
    def step(self, batch: Tensor) -> Losses:
        """Train on one mini-batch of rows (B, W); each loss, detached.

        A model whose ``batches`` gives something else takes that.
        """

    def batches(self) -> Iterable[Any]:
        """What an epoch passes to ``step``, one after the other."""
        whole = self.rows.batches(self.batch_size, self.epoch, self.randoms["shuffling"], whole=True)
        return map(self.processes.part, whole)

    def train_epoch(self) -> dict[str, float]:
        seen: dict[str, list[Tensor]] = {}
        for batch in self.batches():
            for name, value in self.step(batch).items():
                seen.setdefault(name, []).append(value.detach().float())
            self.counters["steps"] += 1
            self._average()
        self.epoch += 1
        losses = {name: fmean(self._of_all(torch.stack(values)).tolist()) for name, values in seen.items()}
        check_losses(losses, self.epoch)
        return losses

    def _of_all(self, losses: Tensor) -> Tensor:
        """Losses of this process's parts of the mini-batches to those of the whole ones."""
        return self.processes.mean(self.processes.weighted(losses))

    def minimise(self, name: str, loss: Tensor) -> None:
        """One step of an optimiser. Gradients of other parameters than its own are not computed."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.processes.weighted(loss).backward(inputs=parameters)  # type: ignore[no-untyped-call]
        self._decay_learning_rate(name)
        optimizer.step()
        self.counters[f"{name} updates"] += 1

    def _decay_learning_rate(self, name: str) -> None:
        rate = self.first_rates[name] / (1 + self.decay * self.counters[f"{name} updates"])
        for group in self.optimizers[name].param_groups:
            group["lr"] = rate

    def noise(self, *shape: int) -> Tensor:
        """Normal numbers of the latent space."""
        events, *others = shape
        random = self.randoms["latent"]
        return self.processes.draw(
            events, lambda rows: torch.randn(rows, *others, generator=random, device=self.device)
        )

    def parameter_counts(self) -> dict[str, int]:
        trained = {id(p): p.numel() for network in self.networks.values() for p in network.parameters()}
        return {"generate": self.generator.num_parameters(), "train": sum(trained.values())}

    def _average(self) -> None:
        """Move the average towards the trained weights; its memory is short at first."""
        if self.average_decay == 0:
            return
        decay = average_decay(self.counters["steps"], self.average_decay)
        trained = self.networks[self.generating].state_dict()
        with torch.no_grad():
            for name, average in self.generator.network.state_dict().items():
                if average.is_floating_point():
                    average.lerp_(trained[name], 1 - decay)
                else:
                    average.copy_(trained[name])

    def save(self, folder: Path) -> None:
        tensors = with_prefix("generator.", self.generator.tensors())
        for name, network in self._further_networks().items():
            tensors |= with_prefix(f"training.{name}.", dict(network.state_dict()))
        for name, optimizer in self.optimizers.items():
            tensors |= with_prefix(f"optimizer.{name}.", optimizer_tensors(optimizer))
        tensors |= with_prefix("random.", {name: random.get_state() for name, random in self.randoms.items()})
        write_checkpoint(folder, {**self._header(), "epoch": self.epoch, "counters": self.counters}, tensors)

    def restore(self, folder: Path) -> None:
        header, tensors = read_checkpoint(folder)
        check_same(header, self._header())
        self.generator.load_tensors(without_prefix("generator.", tensors))
        for name, network in self._further_networks().items():
            network.load_state_dict(without_prefix(f"training.{name}.", tensors))
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, without_prefix(f"optimizer.{name}.", tensors))
        for name, random in self.randoms.items():
            random.set_state(tensors[f"random.{name}"])
        self.epoch, self.counters = header["epoch"], dict(header["counters"])

    def _further_networks(self) -> dict[str, nn.Module]:
        """All but the one that generates, which is saved as the generator."""
        return {name: network for name, network in self.networks.items() if network is not self.generator.network}

    def _header(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "config": to_dict(self.config),
            "detector": detector_to_json(self.generator.detector),
            "conditioning": self.generator.conditioning.to_json(),
            **self.generator.constants(),
        }


def _tell_processes(network: nn.Module, processes: Processes) -> None:
    for module in network.modules():
        if isinstance(module, BatchNorm3d | Dropout):
            module.processes = processes


def _give_random(network: nn.Module, random: torch.Generator) -> None:
    for module in network.modules():
        if isinstance(module, Dropout):
            module.random = random
