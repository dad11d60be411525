"""Gradients of the Wasserstein critic with gradient penalty, written out.

The penalty is a function of the critic's derivative with respect to its input. For a dense network that
derivative is a product of weight matrices and slopes, so the gradient of the whole critic loss needs one pass
forward, one back and one more forward, and no automatic second derivative.

Source of the loss: ATL-SOFT-PUB-2018-001, equation 9; Gulrajani et al., arXiv:1704.00028.
"""

# Axes: B events of a mini-batch, V cells, C inputs that encode the conditions, U units of a layer.
# Where there are 3B rows, they are B generated, B real and B interpolated showers.
# A network of several members has a leading axis G everywhere.
from __future__ import annotations

import torch
from torch import Tensor

from models.dense import DenseNetwork

SMALLEST_NORM = 1e-12


class Critic:
    """Gives D(shower, conditions) and the gradients of its loss.

    Args:
        network: V + C inputs, one output without bias (it would cancel in the loss).
        num_cells: V; the penalty is on the derivative with respect to the shower, not to the conditions.
        penalty_weight: λ of equation 9; (G,) for the members of a group.
        one_sided: Punish only slopes above one; (G,) for the members of a group.
    """

    def __init__(
        self, network: DenseNetwork, num_cells: int, penalty_weight: float | Tensor, one_sided: bool | Tensor
    ) -> None:
        self.network = network
        self.num_cells = num_cells
        self.penalty_weight = penalty_weight
        self._weight_of_rows = penalty_weight[:, None, None] if isinstance(penalty_weight, Tensor) else penalty_weight
        # A norm is never negative: nothing lies below -1.
        self._least_excess = one_sided[:, None, None] - 1.0 if isinstance(one_sided, Tensor) else one_sided - 1.0
        if network.activation.backward is None:
            raise ValueError(
                f"the critic needs an activation with a slope in closed form, not {network.activation.name}"
            )
        self._activation_backward = network.activation.backward
        self._bend = network.activation.bend

    def accumulate(self, inputs: Tensor, mixing: Tensor) -> Tensor:
        """Write the gradients of the critic's loss in place of the former ones.

        Args:
            inputs: (…, 3B, V + C): B generated showers with their conditions, B real ones with the same conditions,
                and B rows of scratch space, overwritten.
            mixing: (…, B, 1): the interpolated shower's place between the generated (0) and the real one (1).
        Returns: The loss, a tensor without axes, or (G,).
        """
        with torch.no_grad():
            batch = mixing.shape[-2]
            values = self._forward(self._first_argument(inputs, mixing))
            output = values[-1][..., : 2 * batch, :] @ self.network.weights[-1].mT
            upstream = self._upstream(batch, output)
            back = self._backward(upstream, values)
            penalty, direction = self._penalty(back[0][..., 2 * batch :, :])
            # The layers' inputs at the interpolated showers make room for the penalty's own ("adjoint") ones: the
            # gradient of every weight matrix is then a single product over all rows.
            kept = self._interpolated_inputs(inputs, values, mixing)
            inputs[..., 2 * batch :, : self.num_cells] = direction
            inputs[..., 2 * batch :, self.num_cells :] = 0.0
            adjoint = self._second_forward(direction, values)
            self._write_gradients([inputs, *values], [*back, upstream], batch)
            if self._bend is not None:
                self._add_curvature(kept, adjoint, back)
            wasserstein = (upstream[..., : 2 * batch, 0] * output[..., 0]).sum(dim=-1)
            return wasserstein + self.penalty_weight * penalty

    def input_gradient(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """D, (…, B, 1), and its derivative with respect to the shower, (…, B, V), at inputs (…, B, V + C)."""
        with torch.no_grad():
            values = self._forward(self.network.affine(0, inputs))
            output = values[-1] @ self.network.weights[-1].mT
            back = self._backward(torch.ones_like(output), values)
            return output, back[0] @ self._of_cells

    def _first_argument(self, inputs: Tensor, mixing: Tensor) -> Tensor:
        """Argument of the first activation, (…, 3B, U). It is linear in the shower, so no product is spent on the
        interpolated ones."""
        batch = mixing.shape[-2]
        argument = inputs.new_empty(*inputs.shape[:-1], self.network.weights[0].shape[-2])
        generated, real, interpolated = torch.split(argument, batch, dim=-2)
        self.network.affine(0, inputs[..., : 2 * batch, :], out=argument[..., : 2 * batch, :])
        torch.lerp(generated, real, mixing, out=interpolated)
        return argument

    @property
    def _of_cells(self) -> Tensor:
        """What the first layer makes of the shower, without the conditions; (…, U, V)."""
        return self.network.weights[0][..., : self.num_cells]

    def _forward(self, argument: Tensor) -> list[Tensor]:
        """Values of every hidden layer, from the argument of the first one (…, rows, U)."""
        values = [self.network.activation.function(argument)]
        for layer in range(1, len(self.network.weights) - 1):
            values.append(self.network.activation.function(self.network.affine(layer, values[-1])))
        return values

    def _upstream(self, batch: int, like: Tensor) -> Tensor:
        """Derivative of the Wasserstein loss with respect to D, and 1 for the interpolated rows; (…, 3B, 1)."""
        upstream = like.new_ones(*like.shape[:-2], 3 * batch, 1)
        upstream[..., :batch, :] = 1 / batch
        upstream[..., batch : 2 * batch, :] = -1 / batch
        return upstream

    def _backward(self, upstream: Tensor, values: list[Tensor]) -> list[Tensor]:
        """Derivative of Σ upstream · D with respect to the argument of every hidden layer."""
        result = [upstream]
        for weight, value in zip(self.network.weights[:0:-1], values[::-1], strict=True):
            result.append(self._activation_backward(result[-1] @ weight, value))
        return result[:0:-1]

    def _penalty(self, back: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty, and the gradient of λ · penalty with respect to the slope of D, (…, B, V)."""
        gradient = back @ self._of_cells
        norm = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
        excess = (norm - 1).clamp_(min=self._least_excess)
        factor = (excess / norm.clamp(min=SMALLEST_NORM)).mul_(2 * self._weight_of_rows / back.shape[-2])
        return (excess**2).mean(dim=(-2, -1)), gradient.mul_(factor)

    def _second_forward(self, direction: Tensor, values: list[Tensor]) -> list[Tensor]:
        """Carry the penalty's gradient through the product that makes up the slope of D.

        Overwrites the interpolated rows of ``values``. Returns the gradient with respect to what ``_backward``
        gave, (…, B, U) a hidden layer.
        """
        batch = direction.shape[-2]
        adjoint = [direction @ self._of_cells.mT]
        for weight, value in zip(self.network.weights[1:], values, strict=True):
            interpolated = value[..., 2 * batch :, :]
            interpolated.copy_(self._activation_backward(adjoint[-1], interpolated))
            adjoint.append(interpolated @ weight.mT)
        return adjoint[:-1]

    def _write_gradients(self, inputs: list[Tensor], back: list[Tensor], batch: int) -> None:
        for weight, value, derivative in zip(self.network.weights, inputs, back, strict=True):
            torch.matmul(derivative.mT, value, out=weight.grad)
        for bias, derivative in zip(self.network.biases, back[:-1], strict=True):
            assert bias.grad is not None
            bias.grad.copy_(derivative[..., : 2 * batch, :].sum(dim=-2).view_as(bias))

    def _interpolated_inputs(self, inputs: Tensor, values: list[Tensor], mixing: Tensor) -> list[Tensor]:
        """What enters each hidden layer at the interpolated showers; needed only where activations are curved."""
        if self._bend is None:
            return []
        batch = mixing.shape[-2]
        return [
            inputs[..., :batch, :].lerp(inputs[..., batch : 2 * batch, :], mixing),
            *(value[..., 2 * batch :, :].clone() for value in values),
        ]

    def _add_curvature(self, kept: list[Tensor], adjoint: list[Tensor], back: list[Tensor]) -> None:
        """Add what the penalty's gradient gains because the slopes themselves depend on the weights."""
        assert self._bend is not None
        batch = kept[0].shape[-2]
        through = torch.zeros_like(adjoint[-1])
        for layer in reversed(range(len(adjoint))):
            own = adjoint[layer] * back[layer][..., 2 * batch :, :] * self._bend(kept[layer + 1])
            argument = self._activation_backward(through, kept[layer + 1]).add_(own)
            weight, bias = self.network.weights[layer], self.network.biases[layer]
            assert weight.grad is not None
            assert bias.grad is not None
            weight.grad.add_(argument.mT @ kept[layer])
            bias.grad.add_(argument.sum(dim=-2).view_as(bias))
            through = argument @ weight
