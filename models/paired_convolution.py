"""A three-dimensional convolution of few channels that takes cells along the last axis in pairs.

Vector units handle 16 numbers at a time, and a convolution of 6 or 8 channels leaves most of them idle. In
channels-last memory two neighbours along the last axis with C channels each already lie as one cell with 2·C channels:
the same map is a convolution of half as many cells with twice the channels, in and out, whose kernel holds the original
one twice, displaced by a cell. A quarter of its products are with zeros, and it is still a third faster on CPUs.
"""

# Axes: B events, I input and O output channels, k elements of the kernel along the last axis, T taps of pairs.
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.polyphase import Shape

MOST_FILTERS = 8  # with more, the vector units are full without pairs


class PairedConv3d(nn.Conv3d):
    """``nn.Conv3d`` of stride 1 with the same parameters and values; in pairs on CPUs, where that is faster.

    Args:
        padding: Zeros at each end of the axes.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Shape, padding: Shape) -> None:
        super().__init__(inputs, outputs, kernel, padding=padding)
        self.ends = padding
        self.paired: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, I, X, Y, Z) to (B, O, …), in channels-last memory order."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        if x.device.type != "cpu" or self.in_channels == 1 or self.out_channels > MOST_FILTERS:
            return super().forward(x).contiguous(memory_format=torch.channels_last_3d)
        fine = x.shape[4] + 2 * self.ends[2] - self.weight.shape[4] + 1
        kernel = self._paired_kernel() if self.paired is None else self.paired
        pairs = -(-fine // 2) + kernel.shape[4] - 1
        padded = functional.pad(x, (self.ends[2], 2 * pairs - self.ends[2] - x.shape[4]))
        assert self.bias is not None, "the convolution was built with one"
        output = functional.conv3d(_pair(padded), kernel, self.bias.repeat(2), padding=(*self.ends[:2], 0))
        return _unpair(output)[..., :fine].contiguous(memory_format=torch.channels_last_3d)

    def freeze(self) -> None:
        """Make the kernel of pairs once for all: weights do not change any more."""
        with torch.no_grad():
            self.paired = self._paired_kernel()

    def _paired_kernel(self) -> Tensor:
        """Of shape (2·O, 2·I, k, k, T); the place within the pair runs slower than the channel."""
        length = self.weight.shape[4]
        taps = length // 2 + 1
        both = [functional.pad(self.weight, (place, 2 * taps - length - place)) for place in (0, 1)]
        kernel = torch.stack(both)  # (2, O, I, k, k, 2T)
        split = kernel.reshape(*kernel.shape[:5], taps, 2).permute(0, 1, 6, 2, 3, 4, 5)
        return split.flatten(2, 3).flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)


def _pair(x: Tensor) -> Tensor:
    """(B, C, X, Y, 2Z) to (B, 2C, X, Y, Z): another view of channels-last memory."""
    events, channels, *transverse, depth = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(events, *transverse, depth // 2, 2 * channels).permute(0, 4, 1, 2, 3)


def _unpair(x: Tensor) -> Tensor:
    """The inverse of ``_pair``."""
    events, channels, *transverse, depth = x.shape
    return x.permute(0, 2, 3, 4, 1).reshape(events, *transverse, 2 * depth, channels // 2).permute(0, 4, 1, 2, 3)
