"""Dense networks whose parameters lie in one flat tensor.

One tensor makes an optimiser step and an average one operation each, however many layers there are.
"""

# Axes: N events, I inputs and O outputs of a layer.
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.activations import Hidden
from models.initializers import INITIALIZERS


class DenseNetwork:
    """Dense layers; every layer but the last is followed by the hidden activation.

    Attributes:
        flat: All parameters; ``flat.grad`` holds their gradients. Optimise this.
        weights, biases, slopes: Views of it, (O, I), (O,) and (O,) a layer; slopes only with PReLU.
        last_bias: Whether the last layer has a bias (a Wasserstein critic's would cancel in its loss).
    """

    def __init__(self, sizes: Sequence[int], activation: Hidden, device: str, *, last_bias: bool = True) -> None:
        self.sizes = tuple(sizes)
        self.activation = activation
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        shapes: list[tuple[int, ...]] = [(outputs, inputs) for inputs, outputs in pairs]
        num_biases = len(pairs) if last_bias else len(pairs) - 1
        shapes += [(outputs,) for _, outputs in pairs[:num_biases]]
        shapes += [(outputs,) for _, outputs in pairs[:-1]] if activation.learned else []
        lengths = [torch.Size(shape).numel() for shape in shapes]
        self.flat = torch.zeros(sum(lengths), device=device)
        self.flat.grad = torch.zeros_like(self.flat)
        views = [part.view(shape) for part, shape in zip(torch.split(self.flat, lengths), shapes, strict=True)]
        gradients = [part.view(shape) for part, shape in zip(torch.split(self.flat.grad, lengths), shapes, strict=True)]
        for view, gradient in zip(views, gradients, strict=True):
            view.requires_grad_()
            view.grad = gradient
        first_slope = len(pairs) + num_biases
        self.weights, self.biases = views[: len(pairs)], views[len(pairs) : first_slope]
        self.slopes = views[first_slope:]

    def initialize(self, kernel: str, bias: str, random: torch.Generator) -> None:
        """Draw kernels, then biases; learned slopes start at zero, as in Keras."""
        with torch.no_grad():
            for weight in self.weights:
                weight.copy_(INITIALIZERS[kernel].draw(tuple(weight.shape), random))
            for offset in self.biases:
                offset.copy_(INITIALIZERS[bias].draw(tuple(offset.shape), random))

    def freeze(self) -> None:
        """Make the parameters constants."""
        for view in (*self.weights, *self.biases, *self.slopes):
            view.requires_grad_(False)

    def zero_gradients(self) -> None:
        """Forget the gradients; autograd adds to them in place."""
        if self.flat.grad is not None:
            self.flat.grad.zero_()

    def affine(self, layer: int, values: Tensor, out: Tensor | None = None) -> Tensor:
        """Argument of a layer's activation, (N, O), without gradients."""
        return torch.addmm(self.biases[layer], values, self.weights[layer].t(), out=out)

    def __call__(self, values: Tensor) -> Tensor:
        """(N, I of the first layer) to (N, O of the last), without activation at the end."""
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases, strict=False)):
            values = torch.addmm(bias, values, weight.t())
            values = self.activation.function(values, *self.slopes[layer : layer + 1])
        values = values @ self.weights[-1].t()
        return values + self.biases[-1] if len(self.biases) == len(self.weights) else values
