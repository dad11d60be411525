"""Optimisers by name, with the learning-rate decay that the papers' Keras had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn

OptimizerName = Literal["adam", "rmsprop", "sgd", "nadam"]


def build_optimizer(
    name: OptimizerName,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
) -> torch.optim.Optimizer:
    """An optimiser in the form that is fastest here; RMSprop has the moving average of Keras (ρ = 0.9).

    Args:
        beta_1, beta_2: Of Adam and Nadam.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if name == "rmsprop":
        return torch.optim.RMSprop(trained, lr=learning_rate, alpha=0.9, eps=1e-7, foreach=True)
    if name == "sgd":
        return torch.optim.SGD(trained, lr=learning_rate, foreach=True)
    if name == "nadam":
        return torch.optim.NAdam(trained, lr=learning_rate, betas=(beta_1, beta_2), foreach=True)
    return torch.optim.Adam(trained, lr=learning_rate, betas=(beta_1, beta_2), eps=1e-8, fused=True)


def decay_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float, decay: float, steps: int) -> None:
    """Before step number ``steps`` (from 0): learning rate / (1 + decay · steps), as Keras' ``decay`` has it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate / (1 + decay * steps)
