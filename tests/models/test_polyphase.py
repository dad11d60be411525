"""Upsampling and convolution in one equal the two layers one after the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.polyphase import Shape, UpsampledConv3d, phases

CASES = [
    # coarse shape, kernel, factor
    ((9, 9, 8), (6, 6, 8), 6),  # 3DGAN
    ((5, 4, 6), (6, 6, 8), 6),
    ((3, 2, 4), (3, 4, 5), 2),
    ((4, 3, 2), (1, 2, 3), 3),
    ((1, 2, 1), (2, 1, 4), 4),
    ((3, 3, 3), (7, 2, 3), 5),
    ((2, 3, 4), (2, 2, 2), 1),
]


def naive(x: Tensor, weight: Tensor, bias: Tensor, factor: int) -> Tensor:
    fine = functional.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=False)
    return functional.conv3d(fine, weight, bias)


def layer(shape: Shape, kernel: Shape, factor: int) -> UpsampledConv3d:
    module = UpsampledConv3d(3, 2, kernel, factor, shape).double()
    random = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    return module


@pytest.mark.parametrize(("shape", "kernel", "factor"), CASES)
def test_values_and_gradients_are_those_of_the_two_layers(shape: Shape, kernel: Shape, factor: int) -> None:
    module = layer(shape, kernel, factor)
    x = torch.randn(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    assert module.bias is not None
    inputs = (x, module.weight, module.bias)
    ours, theirs = module(x), naive(*inputs, factor)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    direction = torch.randn(theirs.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for own, expected in zip(
        torch.autograd.grad(ours, inputs, direction), torch.autograd.grad(theirs, inputs, direction), strict=True
    ):
        torch.testing.assert_close(own, expected, rtol=1e-11, atol=1e-11)


def test_single_precision_differs_by_rounding_alone() -> None:
    module = UpsampledConv3d(8, 8, (6, 6, 8), 6, (9, 9, 8))
    x = torch.randn(1, 8, 9, 9, 8, generator=torch.Generator().manual_seed(2))
    assert module.bias is not None
    torch.testing.assert_close(module(x), naive(x, module.weight, module.bias, 6), rtol=1e-4, atol=1e-5)


def test_gradient_of_gradients() -> None:
    module = layer((2, 2, 2), (2, 2, 3), 2)
    x = torch.randn(1, 3, 2, 2, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda value: module(value).square(), (x,))


def test_multiply_adds_of_3dgan_are_a_sixth() -> None:
    axes = [phases(9, 6, 6), phases(9, 6, 6), phases(8, 6, 8)]
    assert [axis.weights.shape[1] for axis in axes] == [3, 3, 4]
    ours = naive_count = 64.0
    for axis, kernel in zip(axes, (6, 6, 8), strict=True):
        ours *= axis.blocks * axis.factor * axis.weights.shape[1]
        naive_count *= axis.fine * kernel
    assert naive_count == pytest.approx(1.81e9, rel=0.01)
    assert ours < naive_count / 6


def test_weights_of_every_phase_add_up_to_one_for_every_element() -> None:
    weights = phases(5, 6, 8).weights
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6, 8, dtype=torch.float64))


def test_a_kernel_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel of 9 does not fit into 4 cells upsampled by 2"):
        phases(4, 2, 9)


def test_it_is_compiled_whole() -> None:
    module = UpsampledConv3d(2, 2, (2, 2, 3), 2, (3, 2, 2))
    x = torch.randn(1, 2, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x))
