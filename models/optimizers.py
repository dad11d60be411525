"""Optimisers by name, in the form that is fastest here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

OptimizerName = Literal["rmsprop", "adam", "adagrad", "adadelta", "nadam"]


def build_optimizer(
    name: OptimizerName,
    parameters: Iterable[Tensor],
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
) -> torch.optim.Optimizer:
    """An optimiser of parameters; moving averages are those of Keras (ρ = 0.9 for RMSprop).

    Args:
        beta_1, beta_2: Of Adam and Nadam.
        epsilon: Added to what gradients are divided by.
    """
    trained = list(parameters)
    betas = (beta_1, beta_2)
    match name:
        case "rmsprop":
            return torch.optim.RMSprop(trained, learning_rate, alpha=0.9, eps=epsilon, foreach=True)
        case "adam":
            return torch.optim.Adam(trained, learning_rate, betas=betas, eps=epsilon, fused=True)
        case "adagrad":
            return torch.optim.Adagrad(trained, learning_rate, eps=epsilon, foreach=True)
        case "adadelta":
            return torch.optim.Adadelta(trained, learning_rate, rho=0.95, eps=epsilon, foreach=True)
        case "nadam":
            return torch.optim.NAdam(trained, learning_rate, betas=betas, eps=epsilon, foreach=True)
