"""A convolution in pairs equals the plain one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.paired_convolution import MOST_FILTERS, PairedConv3d
from models.polyphase import Shape

CASES = [
    # inputs, outputs, cells, kernel, padding
    (8, 6, (7, 6, 41), (4, 4, 6), (2, 2, 1)),
    (6, 6, (5, 5, 38), (4, 4, 6), (2, 2, 1)),
    (2, 3, (4, 5, 8), (3, 3, 5), (1, 1, 0)),
    (2, 3, (4, 5, 9), (3, 3, 3), (1, 1, 2)),
    (3, 1, (4, 3, 7), (2, 2, 2), (0, 0, 0)),
    (3, 2, (2, 2, 5), (1, 1, 1), (0, 0, 0)),
    (1, 4, (5, 5, 5), (3, 3, 3), (1, 1, 1)),
    (2, MOST_FILTERS + 1, (4, 4, 4), (2, 2, 2), (0, 0, 0)),
]


@pytest.mark.parametrize(("inputs", "outputs", "cells", "kernel", "padding"), CASES)
def test_values_and_gradients_are_those_of_the_plain_convolution(
    inputs: int, outputs: int, cells: Shape, kernel: Shape, padding: Shape
) -> None:
    random = torch.Generator().manual_seed(1)
    module = PairedConv3d(inputs, outputs, kernel, padding).double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    x = torch.randn(2, inputs, *cells, generator=random, dtype=torch.float64).requires_grad_()
    assert module.bias is not None
    variables = (x, module.weight, module.bias)
    ours, plain = module(x), functional.conv3d(*variables, padding=padding)
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
    assert ours.is_contiguous(memory_format=torch.channels_last_3d)
    direction = torch.randn(plain.shape, generator=random, dtype=torch.float64)
    for own, expected in zip(
        torch.autograd.grad(ours, variables, direction), torch.autograd.grad(plain, variables, direction), strict=True
    ):
        torch.testing.assert_close(own, expected, rtol=1e-11, atol=1e-11)


def test_it_is_compiled_whole() -> None:
    module = PairedConv3d(2, 3, (2, 2, 3), (0, 0, 1))
    x = torch.randn(1, 2, 3, 2, 5, generator=torch.Generator().manual_seed(1))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x))
