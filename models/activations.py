"""Activation functions of hidden layers and of the generator's output.

Source: ATL-SOFT-PUB-2018-001, tables 1 and 2. LeakyReLU has the slope 0.3 below zero and ELU α = 1, the
defaults of Keras 2, with which the paper was made.

Table 2 names output activations but does not define all of them. Our reading: "gauss" is exp(−x²);
"clipped_relu" is min(max(x, 0), 1); "sigmoid+relu" and "softmax+relu" take the shape over the cells from the
sigmoid (softmax) and a common scale from a ReLU of one further output unit. "softmax" alone therefore fixes the
total response to the incident energy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from data_adapters.registry import Registry

LEAKY_SLOPE = 0.3


@dataclass(frozen=True)
class Hidden:
    """Activation of a hidden layer.

    Attributes:
        backward: Gradient with respect to the argument, from the gradient with respect to the value, and the value;
            None where nothing needs it in closed form.
        bend: Second derivative over the first, from the value of the function; None where it vanishes.
        learned: Whether each unit has a learned slope below zero (PReLU), the function's second argument.
    """

    name: str
    function: Callable[..., Tensor]
    backward: Callable[[Tensor, Tensor], Tensor] | None = None
    bend: Callable[[Tensor], Tensor] | None = None
    learned: bool = False


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def _leaky_relu(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAKY_SLOPE)


def _leaky_relu_backward(gradient: Tensor, value: Tensor) -> Tensor:
    result: Tensor = torch.ops.aten.leaky_relu_backward(gradient, value, LEAKY_SLOPE, True)
    return result


def _selu_backward(gradient: Tensor, value: Tensor) -> Tensor:
    result: Tensor = torch.ops.aten.elu_backward(gradient, SELU_ALPHA, SELU_SCALE, 1.0, True, value)
    return result


def _selu_bend(value: Tensor) -> Tensor:
    return torch.where(value > 0, 0.0, 1.0)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return functional.prelu(x, slope)


HIDDEN = Registry(
    "hidden activation",
    Hidden("leaky_relu", _leaky_relu, _leaky_relu_backward),
    Hidden("selu", functional.selu, _selu_backward, _selu_bend),
    Hidden("elu", functional.elu),
    Hidden("relu", functional.relu),
    Hidden("prelu", _prelu, learned=True),
)


@dataclass(frozen=True)
class Output:
    """Activation of the generator's output: (N, V + further units) to (N, V), zero for an empty cell."""

    name: str
    function: Callable[[Tensor], Tensor]
    further_units: int = 0


def _gauss(x: Tensor) -> Tensor:
    return torch.exp(-(x**2))


def _clipped_relu(x: Tensor) -> Tensor:
    return x.clamp(0.0, 1.0)


def _softmax(x: Tensor) -> Tensor:
    return functional.softmax(x, dim=1)


def _scaled(shape: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        return shape(x[:, :-1]) * functional.relu(x[:, -1:])

    return function


OUTPUT = Registry(
    "output activation",
    Output("sigmoid", torch.sigmoid),
    Output("relu", functional.relu),
    Output("gauss", _gauss),
    Output("sigmoid+relu", _scaled(torch.sigmoid), further_units=1),
    Output("clipped_relu", _clipped_relu),
    Output("softmax", _softmax),
    Output("softmax+relu", _scaled(_softmax), further_units=1),
)
