"""CPU time of one generator iteration of the ATLAS GAN: R critic steps and one generator step, on one thread.

Compares the written-out gradients (``models.wgan``) with the textbook implementation, in which autograd
differentiates the gradient penalty twice. Both train the paper's network on the sample that ships with the
project, in turns, so that a busy machine slows both.

    python benchmarks/gan_iteration.py --repeats 20
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from recording import record
from torch import Tensor, nn

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from models.atlas_gan import AtlasGan, AtlasGanConfig


class TextbookGan:
    """Wasserstein GAN with gradient penalty as it is usually written, for the default configuration."""

    def __init__(self, sample: Tensor, num_cells: int, config: AtlasGanConfig) -> None:
        self.sample, self.num_cells, self.config = sample, num_cells, config
        conditions = sample.shape[1] - num_cells
        self.generator = _network(config.latent_dim + conditions, num_cells, config, nn.Sigmoid())
        self.average = _network(config.latent_dim + conditions, num_cells, config, nn.Sigmoid())
        self.critic = _network(sample.shape[1], 1, config, nn.Identity())
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), config.learning_rate, (0.0, 0.9))
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), config.learning_rate, (0.0, 0.9))

    def train_epoch(self) -> None:
        """As many iterations as an epoch of ``AtlasGan`` has."""
        batches = self._batches()
        for _ in range(len(self.sample) // (self.config.batch_size * self.config.training_ratio)):
            for _ in range(self.config.training_ratio):
                self._critic_step(next(batches))
            self._generator_step(next(batches)[:, self.num_cells :])

    def _batches(self) -> Iterator[Tensor]:
        while True:
            yield from torch.split(self.sample[torch.randperm(len(self.sample))], self.config.batch_size)[:-1]

    def _generate(self, conditions: Tensor) -> Tensor:
        noise = torch.randn(len(conditions), self.config.latent_dim)
        showers: Tensor = self.generator(torch.cat((noise, conditions), dim=1))
        return showers

    def _critic_step(self, batch: Tensor) -> None:
        real, conditions = batch[:, : self.num_cells], batch[:, self.num_cells :]
        generated = self._generate(conditions).detach()
        mixing = torch.rand(len(batch), 1)
        between = (mixing * real + (1 - mixing) * generated).requires_grad_()
        slope = torch.autograd.grad(self._judge(between, conditions).sum(), between, create_graph=True)[0]
        penalty = self.config.gradient_penalty_weight * ((slope.norm(dim=1) - 1) ** 2).mean()
        loss = self._judge(generated, conditions).mean() - self._judge(real, conditions).mean() + penalty
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()

    def _generator_step(self, conditions: Tensor) -> None:
        showers = self._generate(conditions)
        activity = self.config.activity_l1_weight * showers.abs().sum(dim=1).mean()
        self.generator_optimizer.zero_grad()
        loss: Tensor = activity - self._judge(showers, conditions).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_optimizer.step()
        with torch.no_grad():
            for averaged, trained in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                averaged.lerp_(trained, 1e-3)

    def _judge(self, showers: Tensor, conditions: Tensor) -> Tensor:
        output: Tensor = self.critic(torch.cat((showers, conditions), dim=1))
        return output


def _network(inputs: int, outputs: int, config: AtlasGanConfig, last: nn.Module) -> nn.Sequential:
    widths = [inputs, *[config.units] * config.hidden_layers]
    layers: list[nn.Module] = []
    for narrow, wide in itertools.pairwise(widths):
        layers += [nn.Linear(narrow, wide), nn.LeakyReLU(0.3)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs), last)


def milliseconds(train_epoch: Callable[[], object], iterations: int) -> float:
    """CPU time of one iteration [ms], from one epoch."""
    start = time.process_time()
    train_epoch()
    return (time.process_time() - start) / iterations * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of a GAN iteration, against the textbook implementation.")
    parser.add_argument("--repeats", type=int, default=20, help="epochs timed for each implementation (default: 20)")
    parser.add_argument("--units", type=int, default=128, help="units a hidden layer (default: 128)")
    parser.add_argument("--batch-size", type=int, default=64, help="events a mini-batch (default: 64)")
    parser.add_argument("--training-ratio", type=int, default=5, help="critic steps a generator step (default: 5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = AtlasGanConfig(
        units=arguments.units, batch_size=arguments.batch_size, training_ratio=arguments.training_ratio
    )
    model = AtlasGan(config, ATLAS_PHOTONS_GEANT4.split("train"), seed=0)
    iterations = len(model.sample) // (config.batch_size * config.training_ratio)
    if iterations == 0:
        parser.error(f"{config.training_ratio} mini-batches of {config.batch_size} are more than the sample holds")
    contestants = {
        "written out": model.train_epoch,
        "textbook": TextbookGan(model.sample, model.num_cells, config).train_epoch,
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(arguments.repeats + 2):
        for name, train_epoch in contestants.items():
            spent = milliseconds(train_epoch, iterations)
            if repeat >= 2:  # the first two warm up caches and allocator
                times[name].append(spent)
    for name, values in times.items():
        low, median, high = np.percentile(values, [16, 50, 84])
        print(
            f"{name:12s} {median:6.2f} ms a generator iteration (16 % to 84 % of repeats: {low:.2f} to {high:.2f} ms)"
        )
    ratio = np.median(times["textbook"]) / np.median(times["written out"])
    print(f"ratio        {ratio:6.2f}")
    record("generator iteration, CPU time", float(np.median(times["written out"])), "ms")
    record("against the textbook", float(ratio), "times", better="higher", peer="the textbook implementation")


if __name__ == "__main__":
    main()
