"""Training of a network with early stopping, with the same numbers for the same seed."""

# Axes: N events, F inputs.
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

EVENTS_AT_A_TIME = 1024  # when a trained network is asked

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: Adam with decoupled weight decay, until the validation loss has not fallen for
    ``patience`` epochs; the network of the best epoch is kept. A large sample is shown in fewer epochs, so that at most
    ``most_shown`` events are shown in all, each counted as often as it is seen."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    most_epochs: int
    patience: int
    most_shown: int

    def epochs(self, num_events: int) -> int:
        """Most epochs for so many events, at least one."""
        return max(1, min(self.most_epochs, self.most_shown // num_events))


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Random numbers of torch follow from the seed, sums have one order; what was set before is restored after."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def dense_network(num_inputs: int, hidden: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Dense layers with LeakyReLU and dropout after each but the last, which has one output."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((num_inputs, *hidden), hidden, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.01), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 1))


def fit(
    network: nn.Module,
    loss: Loss,
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    schedule: Schedule,
) -> int:
    """Train a network in place; call it within ``reproducible``.

    Args:
        loss: (outputs, targets) to the mean loss, both of shape (N,).
        training, validation: Inputs (N, …) and targets (N,).
    Returns: The epoch that was kept.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, foreach=True
    )
    best_loss, best_epoch, best_state = float("inf"), 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, schedule.epochs(len(training[0])) + 1):
        _train_epoch(network, loss, training, optimizer, schedule.batch_size)
        current = float(loss(outputs(network, validation[0]), validation[1]))
        if current < best_loss:
            best_loss, best_epoch, best_state = current, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= schedule.patience:
            break
    network.load_state_dict(best_state)
    return best_epoch


def _train_epoch(
    network: nn.Module,
    loss: Loss,
    training: tuple[Tensor, Tensor],
    optimizer: torch.optim.Optimizer,
    batch_size: int,
) -> None:
    network.train()
    inputs, targets = training
    for batch in torch.split(torch.randperm(len(inputs)), batch_size):
        optimizer.zero_grad()
        loss(network(inputs[batch])[:, 0], targets[batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def outputs(network: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a trained network, shape (N,)."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(block)[:, 0] for block in torch.split(inputs, EVENTS_AT_A_TIME)])


def tensor(values: NDArray[np.float64]) -> Tensor:
    """As float32."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def numbers(values: Tensor) -> NDArray[np.float64]:
    """As float64."""
    return np.asarray(values.numpy(), dtype=np.float64)
