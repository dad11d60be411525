"""Convolutions that halve, double or keep sides; planes of one number each."""

from __future__ import annotations

import pytest
import torch

from models.image_layers import PlanesConv2d, channels_last, doubling, halving, keeping
from models.layers import building
from models.optimizers import build_optimizer
from models.storage import optimizer_tensors, restore_optimizer

KERNELS = [2, 3, 4, 5]


@pytest.mark.parametrize("kernel", KERNELS)
def test_sides_halve_double_and_stay(kernel: int) -> None:
    image = torch.rand(2, 3, 8, 12)
    with building(1, "test"):
        assert halving(3, 4, kernel)(image).shape == (2, 4, 4, 6)
        assert doubling(3, 4, kernel)(image).shape == (2, 4, 16, 24)
        assert keeping(3, 4, kernel)(image).shape == (2, 4, 8, 12)


def test_an_even_kernel_that_keeps_the_sides_reaches_further_at_the_end() -> None:
    layer = keeping(1, 1, 2)
    torch.nn.init.ones_(layer.weight)
    assert layer.bias is not None
    torch.nn.init.zeros_(layer.bias)
    summed = layer(torch.ones(1, 1, 2, 2))
    assert summed.flatten().tolist() == [4, 2, 2, 1]


@pytest.mark.parametrize("size", [2, 4, 6, 8, 16, 64])
@pytest.mark.parametrize(("kernel", "halves"), [(2, True), (3, True), (4, True), (5, True), (5, False), (3, False)])
def test_planes_give_what_a_whole_convolution_gives(kernel: int, halves: bool, size: int) -> None:
    with building(1, "test"):
        layer = (halving if halves else keeping)(2 + 3, 4, kernel)
        image, vector = torch.randn(2, 2, size, size + 4), torch.randn(2, 3)
    planes = PlanesConv2d(layer, image_channels=2)
    vector.requires_grad_(True)
    found = planes(image, vector)
    whole = layer(torch.cat((image, vector[:, :, None, None].expand(-1, -1, size, size + 4)), dim=1))
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-5)
    weights = torch.linspace(-1, 1, found.numel()).view_as(found)
    inputs = [layer.weight, vector]
    gradients = [torch.autograd.grad((output * weights).sum(), inputs) for output in (found, whole)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_optimisers_go_on_in_another_memory_order() -> None:
    """Fused optimisers take parameter and state number by number as they lie in memory."""
    with building(1, "test"):
        network = channels_last(halving(2, 3, 3))
    optimizer = build_optimizer("adam", network.parameters(), 1e-2)
    image = torch.rand(2, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    (network(image) ** 2).sum().backward()
    optimizer.step()
    states = {name: tensor.clone().contiguous() for name, tensor in optimizer_tensors(optimizer).items()}
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer.step()
    expected = [parameter.detach().clone() for parameter in network.parameters()]
    for parameter, value in zip(network.parameters(), before, strict=True):
        parameter.data.copy_(value)
    restore_optimizer(optimizer, states)
    optimizer.step()
    for parameter, value in zip(network.parameters(), expected, strict=True):
        assert torch.equal(parameter, value)
