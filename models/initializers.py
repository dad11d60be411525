"""Initial weights, as Keras 2.0.8 defines them (the version the ATLAS paper used).

Truncated normals are cut at two standard deviations and not rescaled afterwards. A tensor of one axis
(a bias of n units) has a fan-in and a fan-out of √n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from data_adapters.registry import Registry

# A kernel has the shape (outputs, inputs), a bias (outputs,).
Shape = tuple[int, ...]
Draw = Callable[[Shape, torch.Generator], Tensor]

STANDARD_DEVIATION = 0.05


@dataclass(frozen=True)
class Initializer:
    """A named way to fill a tensor: ``draw(shape, generator)`` gives float32 on the CPU."""

    name: str
    draw: Draw


def _fans(shape: Shape) -> tuple[float, float]:
    if len(shape) == 1:
        return math.sqrt(shape[0]), math.sqrt(shape[0])
    return float(shape[1]), float(shape[0])


def _truncated_normal(shape: Shape, deviation: float, generator: torch.Generator) -> Tensor:
    # Inverse of the normal distribution function between -2σ and 2σ.
    edge = math.erf(math.sqrt(2))
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    return (deviation * math.sqrt(2) * torch.erfinv(uniform * edge)).float()


def _uniform(shape: Shape, limit: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=generator) * 2 - 1) * limit


def _zeros(shape: Shape, _: torch.Generator) -> Tensor:
    return torch.zeros(shape)


def _ones(shape: Shape, _: torch.Generator) -> Tensor:
    return torch.ones(shape)


def _random_normal(shape: Shape, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator) * STANDARD_DEVIATION


def _random_uniform(shape: Shape, generator: torch.Generator) -> Tensor:
    return _uniform(shape, STANDARD_DEVIATION, generator)


def _plain_truncated_normal(shape: Shape, generator: torch.Generator) -> Tensor:
    return _truncated_normal(shape, STANDARD_DEVIATION, generator)


def _fan_in_normal(shape: Shape, generator: torch.Generator) -> Tensor:
    return _truncated_normal(shape, math.sqrt(1 / _fans(shape)[0]), generator)


def _glorot_normal(shape: Shape, generator: torch.Generator) -> Tensor:
    return _truncated_normal(shape, math.sqrt(2 / sum(_fans(shape))), generator)


def _glorot_uniform(shape: Shape, generator: torch.Generator) -> Tensor:
    return _uniform(shape, math.sqrt(6 / sum(_fans(shape))), generator)


INITIALIZERS = Registry(
    "initializer",
    Initializer("zeros", _zeros),
    Initializer("ones", _ones),
    Initializer("random_normal", _random_normal),
    Initializer("random_uniform", _random_uniform),
    Initializer("truncated_normal", _plain_truncated_normal),
    # With Keras' defaults, variance scaling is the same distribution as LeCun's.
    Initializer("variance_scaling", _fan_in_normal),
    Initializer("glorot_normal", _glorot_normal),
    Initializer("glorot_uniform", _glorot_uniform),
    Initializer("lecun_normal", _fan_in_normal),
)
