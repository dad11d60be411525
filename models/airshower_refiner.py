"""Refines simulated signal traces of an array of stations, so that they look like data.

Source: M. Erdmann, L. Geiger, J. Glombitza, D. Schmidt, arXiv:1802.03325, sections 2.1 and 2.4, equations 3 to 5,
table 3. The refiner takes simulated traces instead of noise. Its residual blocks convolve each trace along time, the
same way for all stations; AixNet, with a number of its own for each event instead of the energy, is the critic. The
critic minimises −C₁ + C₂ with C₁ = E[f(x)] − E[f(x̃)] of data x and refined simulation x̃, the refiner C₁. Data are
unlabelled: no energy is told to either network, and the data and the simulation that meet are of different
mini-batches; both samples have the same spectrum.

Our choice of what the paper leaves open:
- Networks see log₁₀(1 + S/VEM). Table 3 adds 64 maps to the one of the input: the trace is added to each of them.
- The refiner begins close to the identity, since it is to make small modifications: the last convolution takes the
  mean of the maps, and the second convolution of each block begins with a tenth of the usual size.
- Stations that have not triggered in the simulation stay empty. Convolutions along time alone would give all of them
  the same trace.
- ``trigger``: whether a refined station whose signal is below the least one of the data counts as not triggered
  (*data*), in training too. The paper does not speak of it (*none*).
- The critic has LeakyReLU with slope 0.3 as in table 2, dropout 0.25 before its last layer, and no bias in it.
- A sample has as many passes as needed: an epoch is a number of refiner iterations, ten by default, so that the
  paper's 10 000 are 1 000 epochs.
"""

# Axes: B events of a mini-batch, R critic steps a refiner step, S = H × W stations, T time bins, n triggered stations.
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_adapters.detector import Condition, Detector, detector_from_json
from data_adapters.events import Events
from data_adapters.streaming import Batch
from models.aixnet import AixNet, AixNetSizes
from models.base import ModelSpec
from models.config import Config, from_dict, number, whole
from models.critic_batches import endless_batches
from models.gradient_penalty import distance_and_penalty
from models.layers import building, initialize
from models.log_signals import LogSignals, largest_of
from models.network_model import Losses, NetworkGenerator, NetworkModel
from models.optimizers import build_optimizer
from models.preprocessing import Affine, Conditioning
from models.rows import TrainingRows, TrainingSample, first_events

NAME = "airshower-refiner"
ENCODED_MAPS = 10  # of the last convolution along time of AixNet
SMALL = 0.1  # size of the second convolution of each block in the beginning, over the usual


@dataclass(frozen=True)
class AirshowerRefinerConfig(Config):
    """Hyperparameters of section 2.4 and of table 3; what the paper does not give is our choice."""

    residual_blocks: int = whole(4)
    refiner_maps: int = whole(64)
    kernel: int = whole(7)
    trigger: Literal["none", "data"] = "none"
    encoder_maps: int = whole(64, minimum=2)
    critic_maps: int = whole(12)
    critic_layers: int = whole(4, maximum=6)
    leaky_slope: float = number(0.3)
    dropout: float = number(0.25)
    kernel_initializer: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"] = "glorot_uniform"
    gradient_penalty: Literal["two_sided", "one_sided"] = "two_sided"
    gradient_penalty_weight: float = number(5.0)
    training_ratio: int = whole(10)
    iterations_per_epoch: int = whole(10)
    learning_rate: float = number(1e-4, positive=True)
    beta_1: float = number(0.5)
    beta_2: float = number(0.999)
    decay: float = number(0.0)
    batch_size: int = whole(100)
    average_decay: float = number(0.0)


class ResidualBlock(nn.Module):
    """Two convolutions along time; what they make is added to what they were given.

    A single map is added to each of theirs.
    """

    def __init__(self, given: int, maps: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(given, maps, kernel, padding="same")
        self.second = nn.Conv1d(maps, maps, kernel, padding="same")

    def forward(self, values: Tensor) -> Tensor:
        """(n, given, T) to (n, maps, T)."""
        return values + torch.relu(self.second(torch.relu(self.first(values))))


class TraceRefiner(nn.Module):
    """Traces (n, T) to refined traces (n, T), never negative, each for itself: table 3."""

    def __init__(self, blocks: int, maps: int, kernel: int) -> None:
        super().__init__()
        given = [1, *[maps] * blocks]
        self.blocks = nn.Sequential(*(ResidualBlock(before, after, kernel) for before, after in pairwise(given)))
        self.output = nn.Conv1d(maps, 1, 1)

    def forward(self, traces: Tensor) -> Tensor:
        refined: Tensor = self.output(self.blocks(traces[:, None]))
        return torch.relu(refined[:, 0])

    def begin_near_identity(self) -> None:
        """Make the refiner change little, from weights that were drawn."""
        with torch.no_grad():
            for block in self.blocks:
                assert isinstance(block, ResidualBlock)
                block.second.weight.mul_(SMALL)
            self.output.weight.fill_(1 / self.output.in_channels)


@dataclass(frozen=True)
class Traces:
    """How traces look to the networks, and which stations have triggered.

    Attributes:
        time_bins: T.
        signals: The scale of the networks.
        least: Stations with a smaller signal are empty, in the unit of the detector; 0 empties none.
    """

    time_bins: int
    signals: LogSignals
    least: float

    @classmethod
    def of_data(cls, response: NDArray[np.float32], time_bins: int, *, trigger: bool) -> Traces:
        """Of data (N, S · T), with the least signal of their stations as the trigger, or none."""
        stations = response.reshape(-1, time_bins).sum(axis=1, dtype=np.float64)
        seen = stations[stations > 0]
        least = float(seen.min()) if trigger and seen.size else 0.0
        return cls(time_bins, LogSignals(1.0, 0.0, largest_of(response)), least)

    def refined(self, network: TraceRefiner, traces: Tensor) -> Tensor:
        """Refined traces of all stations of an event, (B, S · T), from simulated ones, both as networks see them."""
        stations = traces.reshape(-1, self.time_bins)
        (filled,) = torch.nonzero((stations > 0).any(dim=1), as_tuple=True)
        refined = self._triggered(network(stations[filled]))
        return torch.zeros_like(stations).index_put((filled,), refined).reshape(traces.shape)

    def _triggered(self, traces: Tensor) -> Tensor:
        """Traces (n, T), empty where the station has not triggered."""
        if self.least == 0:
            return traces
        signal = self.signals.inverse(traces.detach()).sum(dim=1, keepdim=True)
        return torch.where(signal >= self.least, traces, 0.0)


class RefiningGenerator(NetworkGenerator):
    """The refiner, which is told the simulated traces as they are, and draws nothing."""

    network: TraceRefiner
    generation_batch = 500

    def __init__(
        self, network: TraceRefiner, detector: Detector, conditioning: Conditioning, traces: Traces, device: str
    ) -> None:
        super().__init__(network, detector, conditioning, 0, device)
        self.traces = traces

    def normalised(self, encoded: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002 (nothing is drawn)
        seen = self.traces.signals.forward(encoded)
        return self.traces.signals.inverse(self.traces.refined(self.network, seen))

    @property
    def constant_normalisation(self) -> float:
        """The networks see logarithms of signals."""
        return 1.0

    def constants(self) -> dict[str, Any]:
        return {"signals": self.traces.signals.to_json(), "least_station": self.traces.least}


class AirshowerRefiner(NetworkModel):
    """Refiner and critic in training."""

    generator: RefiningGenerator
    config: AirshowerRefinerConfig
    compilable = ()  # the number of stations that have triggered is another one in every mini-batch

    def __init__(self, config: AirshowerRefinerConfig, train: TrainingSample, seed: int, device: str = "cpu") -> None:
        detector = train.detector
        simulated = simulated_traces(detector)
        traces = Traces.of_data(
            first_events(train).response, detector.layers[0].shape[-1], trigger=config.trigger == "data"
        )
        conditioning = Conditioning((Affine(simulated.name, size=detector.num_cells),))
        with building(seed, "generator initialisation"):
            refiner = _refiner_network(config)
        with building(seed, "critic initialisation"):
            critic = _critic_network(config, detector)
        networks = {"generator": refiner, "critic": critic}
        optimizers = {
            name: build_optimizer(
                "adam", network.to(device).parameters(), config.learning_rate, config.beta_1, config.beta_2
            )
            for name, network in networks.items()
        }

        def encode(events: Events | Batch) -> Tensor:
            told = conditioning.encode(events.conditions)
            return traces.signals.forward(torch.cat((told, torch.from_numpy(np.asarray(events.response))), dim=1))

        super().__init__(
            NAME,
            config,
            RefiningGenerator(refiner, detector, conditioning, traces, device),
            networks,
            optimizers,
            TrainingRows(train, encode, device),
            batch_size=config.batch_size,
            seed=seed,
            decay=config.decay,
            average_decay=config.average_decay,
        )

    def batches(self) -> Iterable[Tensor]:
        """For each refiner iteration one mini-batch more than the critic takes steps, (R + 1, B, 2 · S · T)."""
        batches = endless_batches(self.rows, self.batch_size, self.epoch, self.randoms["shuffling"])
        for _ in range(self.config.iterations_per_epoch):
            yield torch.stack(list(islice(batches, self.config.training_ratio + 1)))

    def step(self, batch: Tensor) -> Losses:
        """Critic steps, each with the data of one of the mini-batches and the simulation of the next; then the refiner.

        Args:
            batch: Simulated traces and data of each event, (R + 1, B, 2 · S · T).
        """
        simulated, data = batch.chunk(2, dim=2)
        seen = [torch.stack(self._critic_step(*pair)) for pair in zip(data[:-1], simulated[1:], strict=True)]
        self._refiner_step(simulated[0])
        distance, penalty = torch.stack(seen).mean(dim=0)
        return {"wasserstein_distance": distance, "gradient_penalty": penalty}

    def refined(self, simulated: Tensor) -> Tensor:
        """Refined traces (B, S · T), as the networks see them."""
        network = self.networks["generator"]
        assert isinstance(network, TraceRefiner)
        return self.generator.traces.refined(network, simulated)

    def _critic_step(self, data: Tensor, simulated: Tensor) -> tuple[Tensor, Tensor]:
        """Minimise −C₁ + C₂; C₁ and C₂."""
        critic, config = self.networks["critic"], self.config
        with torch.no_grad():
            refined = self.refined(simulated)
        distance, penalty = distance_and_penalty(
            critic,
            data,
            refined,
            config.gradient_penalty_weight,
            config.gradient_penalty,
            self.randoms["mixing"],
        )
        self.minimise("critic", penalty - distance)
        return distance.detach(), penalty.detach()

    def _refiner_step(self, simulated: Tensor) -> None:
        """Minimise C₁, of which only what depends on the refiner."""
        self.minimise("generator", -self.networks["critic"](self.refined(simulated)).mean())


def simulated_traces(detector: Detector) -> Condition:
    """The condition that holds the simulated traces: of the shape of the response. Raises: StopIteration if none is."""
    return next(condition for condition in detector.conditions if condition.shape == detector.layers[0].shape)


def refused(detector: Detector) -> str | None:
    """Why a detector cannot be taken; None if it can."""
    if len(detector.layers) != 1 or len(detector.layers[0].axes) != 3:
        shapes = ", ".join(str(layer.shape) for layer in detector.layers)
        return (
            f"its layers have the shapes {shapes}; this model refines the traces of an array of stations, one layer "
            "with the axes row, column and time"
        )
    if all(condition.shape != detector.layers[0].shape for condition in detector.conditions):
        return (
            "none of its conditions are simulated events, of the shape of the response: give a file of the layout "
            "airshower-refinement, with both"
        )
    if detector.signed:
        return "its cells may be negative, and this model's signals are logarithms. Choose another model"
    return None


def _refiner_network(config: AirshowerRefinerConfig) -> TraceRefiner:
    network = TraceRefiner(config.residual_blocks, config.refiner_maps, config.kernel)
    initialize(network, config.kernel_initializer)
    network.begin_near_identity()
    return network


def _critic_network(config: AirshowerRefinerConfig, detector: Detector) -> AixNet:
    rows, columns, time_bins = detector.layers[0].shape
    sizes = AixNetSizes(
        encoder=((config.encoder_maps, 7, 4), (config.encoder_maps // 2, 7, 4), (ENCODED_MAPS, 4, 1)),
        maps=tuple(config.critic_maps * 2**layer for layer in range(config.critic_layers)),
        dropout=config.dropout,
        slope=config.leaky_slope,
    )
    network = AixNet((rows, columns), time_bins, sizes, bias=False)
    initialize(network, config.kernel_initializer)
    return network


def load_airshower_refiner(header: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str) -> RefiningGenerator:
    """The refiner of a checkpoint."""
    config = from_dict(AirshowerRefinerConfig, header["config"])
    detector = detector_from_json(header["detector"])
    network = _refiner_network(config)
    network.load_state_dict(dict(tensors))
    signals = LogSignals.from_json(header["signals"])
    traces = Traces(detector.layers[0].shape[-1], signals, header["least_station"])
    conditioning = Conditioning.from_json(header["conditioning"])
    return RefiningGenerator(network, detector, conditioning, traces, device)


AIRSHOWER_REFINER = ModelSpec(
    name=NAME,
    title="Refiner of simulated traces, WGAN-GP",
    config_class=AirshowerRefinerConfig,
    build=AirshowerRefiner,
    load=load_airshower_refiner,
    source="arXiv:1802.03325, sections 2.1 and 2.4, table 3",
    refuses=refused,
)
