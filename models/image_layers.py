"""Convolutions of images that halve, double or keep both sides, with any kernel.

Padding is as even as it can be. Keras pads odd kernels of stride 2 by one place less on one side, which displaces what
is learned by a cell and changes no size.
"""

# Axes: B events, I input and O output channels, Z numbers of a vector, H × W places.
from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

STRIDE = 2


def halving(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """(B, I, 2H, 2W) to (B, O, H, W); kernels of at least 2."""
    return nn.Conv2d(inputs, outputs, kernel, stride=STRIDE, padding=(kernel - 1) // 2)


def doubling(inputs: int, outputs: int, kernel: int) -> nn.ConvTranspose2d:
    """(B, I, H, W) to (B, O, 2H, 2W); kernels of at least 2."""
    padding = (kernel - 1) // 2
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride=STRIDE, padding=padding, output_padding=kernel % 2)


class SameConv2d(nn.Conv2d):
    """Keeps both sides; an even kernel reaches one place further at the end of an axis than at its beginning."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=(kernel - 1) // 2)
        self.even = kernel % 2 == 0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, (0, 1, 0, 1)) if self.even else x)


def keeping(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """(B, I, H, W) to (B, O, H, W); any kernel."""
    return SameConv2d(inputs, outputs, kernel)


class PlanesConv2d(nn.Module):
    """A convolution of an image beside planes that each hold one number of a vector: noise, conditions.

    Same parameters and values as a convolution of all of them as channels, the image's first. Away from the borders the
    planes give the same everywhere, so that they pass through the convolution as a small image only.

    Args:
        convolution: Of I + Z input channels; halves both sides, or keeps them with an odd kernel.
        image_channels: I.
    """

    def __init__(self, convolution: nn.Conv2d, image_channels: int) -> None:
        super().__init__()
        self.convolution, self.image_channels = convolution, image_channels
        self.border = convolution.kernel_size[0] // 2  # places at each end that the padding reaches, or more
        self.padding = (convolution.kernel_size[0] - 1) // 2

    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        """Image (B, I, H, W) and vector (B, Z) to (B, O, …)."""
        convolution, channels = self.convolution, self.image_channels
        rows, columns = (side // convolution.stride[0] for side in image.shape[2:])
        least = 2 * self.border + 1
        if min(rows, columns) <= least:
            planes = vector[:, :, None, None].expand(-1, -1, *image.shape[2:])
            result: Tensor = convolution(torch.cat((image, planes), dim=1))
            return result
        small = vector[:, :, None, None].expand(-1, -1, *[least * convolution.stride[0]] * 2)
        of_planes = self._convolve(small, convolution.weight[:, channels:], None)
        of_image = self._convolve(image, convolution.weight[:, :channels], convolution.bias)
        return of_image + self._spread(self._spread(of_planes, 2, rows), 3, columns)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv2d(x, weight, bias, stride=self.convolution.stride, padding=self.padding)

    def _spread(self, x: Tensor, dim: int, size: int) -> Tensor:
        """The middle of an axis repeated until it has a size."""
        first = x.narrow(dim, 0, self.border)
        middle = x.narrow(dim, self.border, 1)
        last = x.narrow(dim, self.border + 1, self.border)
        shape = list(x.shape)
        shape[dim] = size - 2 * self.border
        return torch.cat((first, middle.expand(shape), last), dim=dim)


NetworkT = TypeVar("NetworkT", bound=nn.Module)


def channels_last(network: NetworkT) -> NetworkT:
    """The network with its kernels in the memory order in which convolutions are faster; values differ by rounding."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def with_spectral_norm(network: nn.Module) -> None:
    """Divide the kernels of all layers by their largest singular value (Miyato et al., arXiv:1802.05957)."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)
