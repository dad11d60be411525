"""Dense networks of equal sizes, one for each member of a group, evaluated together.

On a GPU a network as small as the papers' keeps a few percent of the device busy; G of them as one batched product take
hardly longer than one.
"""

# Axes: G members, N events, I inputs and O outputs of a layer, P parameters of a network, L = G·P of all.
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.dense import DenseNetwork


class GroupedDense(DenseNetwork):
    """The networks of G members: values (G, N, ·), ``flat`` (L,) layer by layer, in each the members in their order.

    It is independent of the networks that it was made from.

    Raises: ValueError for networks that are not alike.
    """

    def __init__(self, networks: Sequence[DenseNetwork]) -> None:
        first = networks[0]
        if any(network.sizes != first.sizes or network.activation != first.activation for network in networks):
            raise ValueError("the networks of a group have one architecture; these differ in sizes or activation")
        if first.activation.learned:
            raise ValueError(f"{first.activation.name} has learned slopes, which groups do not have; train one by one")
        self.sizes, self.activation, self.members = first.sizes, first.activation, len(networks)
        like = (*first.weights, *first.biases, *first.slopes)
        self.shapes = [view.shape for view in like]
        self.flat = self.side_by_side(torch.stack([network.flat.detach() for network in networks]))
        self.flat.grad = torch.zeros_like(self.flat)
        views, gradients = self._views(self.flat), self._views(self.flat.grad)
        for view, gradient in zip(views, gradients, strict=True):
            view.requires_grad_()
            view.grad = gradient
        self.weights = views[: len(first.weights)]
        self.biases = views[len(first.weights) : len(first.weights) + len(first.biases)]
        self.slopes = views[len(first.weights) + len(first.biases) :]

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Weights (G, O, I), biases (G, 1, O) and slopes (G, 1, O) within (L,)."""
        parts = torch.split(flat, [self.members * shape.numel() for shape in self.shapes])
        return [
            part.view(self.members, *((1,) if len(shape) == 1 else ()), *shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def side_by_side(self, stacked: Tensor) -> Tensor:
        """Numbers of each member (G, P) as they lie in ``flat``, (L,)."""
        parts = torch.split(stacked, [shape.numel() for shape in self.shapes], dim=1)
        return torch.cat([part.reshape(-1) for part in parts])

    def apart(self, flat: Tensor) -> Tensor:
        """The inverse: (L,) to (G, P)."""
        parts = torch.split(flat, [self.members * shape.numel() for shape in self.shapes])
        return torch.cat([part.view(self.members, -1) for part in parts], dim=1)

    def of_each(self, values: Tensor) -> Tensor:
        """A number of each member (G,), for all its parameters, (L,)."""
        sizes = [shape.numel() for shape in self.shapes]
        return torch.cat([values.repeat_interleave(size) for size in sizes])

    def affine(self, layer: int, values: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.baddbmm(self.biases[layer], values, self.weights[layer].mT, out=out)

    def __call__(self, values: Tensor) -> Tensor:
        """(G, N, I of the first layer) to (G, N, O of the last), without activation at the end."""
        for weight, bias in zip(self.weights[:-1], self.biases, strict=False):
            values = self.activation.function(torch.baddbmm(bias, values, weight.mT))
        values = values @ self.weights[-1].mT
        return values + self.biases[-1] if len(self.biases) == len(self.weights) else values
