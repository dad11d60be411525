"""Upsampling and the convolution after it, as the one linear map that they are.

Trilinear upsampling by an integer factor f (``align_corners=False``, as in the public implementation of 3DGAN) makes
an image with f³ times as many cells, of which neighbours say almost the same. A convolution of it needs f³ times the
multiply-adds that the information is worth. Here the fine kernel is combined with the interpolation instead: of the f
places that a fine cell can have within a coarse one (its phase), each sees only a few coarse cells, with weights that
are linear in the fine kernel. One convolution of the coarse image gives all phases of all filters as channels, and they
are then put side by side. Values and gradients equal those of the two layers up to rounding.
"""

# Axes: B events, I input and O output channels, f the factor; along an axis n coarse cells, k of the kernel, T taps.
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Phases:
    """How one axis of the coarse image is read.

    Attributes:
        factor: f.
        first: Fine place, at most 0, where the first block of f phases begins; what lies before 0 is cut off.
        blocks: Blocks of f phases, side by side.
        before, after: Coarse cells that are added at the ends; they repeat the last one, as clamping does.
        fine: Fine cells that the convolution gives, f·n − k + 1.
        weights: Of the fine kernel's elements in the taps of each phase, float64, shape (f, T, k).
    """

    factor: int
    first: int
    blocks: int
    before: int
    after: int
    fine: int
    weights: Tensor

    @property
    def cut(self) -> slice:
        """The fine cells that are asked for, among those of all blocks."""
        return slice(-self.first, -self.first + self.fine)


@lru_cache
def phases(cells: int, factor: int, kernel: int) -> Phases:
    """The reading of ``cells`` coarse cells with the fewest multiply-adds.

    Raises: ValueError if the kernel is longer than the upsampled axis.
    """
    fine = factor * cells - kernel + 1
    if fine < 1:
        raise ValueError(f"a kernel of {kernel} does not fit into {cells} cells upsampled by {factor}")
    choices = [_beginning(first, cells, factor, kernel, fine) for first in range(0, -factor, -1)]
    return min(choices, key=lambda choice: choice.blocks * choice.weights.shape[1])


def _beginning(first: int, cells: int, factor: int, kernel: int, fine: int) -> Phases:
    """The reading whose first block begins at the fine place ``first``."""
    places = torch.arange(first, first + factor + kernel - 1, dtype=torch.float64)
    position = (places + 0.5) / factor - 0.5  # in coarse cells
    left = position.floor()
    lowest = int(left[0])
    interpolation = torch.zeros(len(places), int(left[-1]) + 2 - lowest, dtype=torch.float64)
    index = (left - lowest).long()[:, None]
    interpolation.scatter_(1, index, (1 - (position - left))[:, None])
    interpolation.scatter_(1, index + 1, (position - left)[:, None])
    windows = interpolation.unfold(0, kernel, 1)  # (f, T, k)
    taps, blocks = windows.shape[1], math.ceil((fine - first) / factor)
    after = blocks - 1 + lowest + taps - cells
    return Phases(factor, first, blocks, -lowest, after, fine, windows.contiguous())


class UpsampledConv3d(nn.Conv3d):
    """``F.interpolate(x, scale_factor=f, mode="trilinear")`` and a convolution without padding, in one.

    Parameters are those of the convolution: ``weight`` (O, I, k, k, k) and ``bias`` (O).

    Args:
        factor: f, the same along the three axes.
        cells: (X, Y, Z) of the coarse images.
    Raises: ValueError if the kernel is longer than the upsampled image.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Shape, factor: int, cells: Shape) -> None:
        super().__init__(inputs, outputs, kernel)
        self.factor = factor
        self.axes = [phases(n, factor, k) for n, k in zip(cells, kernel, strict=True)]
        self.ends = [end for axis in reversed(self.axes) for end in (axis.before, axis.after)]
        self.combined: Tensor | None = None
        for number, axis in enumerate(self.axes):
            self.register_buffer(f"windows_{number}", axis.weights.clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Coarse images (B, I, X, Y, Z) to (B, O, fX − k + 1, …), in channels-last memory order."""
        padded = functional.pad(x, self.ends, mode="replicate")
        coarse = padded.contiguous(memory_format=torch.channels_last_3d)
        assert self.bias is not None, "the convolution was built with one"
        kernel = self._combined() if self.combined is None else self.combined
        output = functional.conv3d(coarse, kernel, self.bias.repeat(self.factor**3))
        return self._side_by_side(output)

    def freeze(self) -> None:
        """Combine the kernel once for all: weights do not change any more."""
        with torch.no_grad():
            self.combined = self._combined()

    def _combined(self) -> Tensor:
        """Kernel on the coarse image, (f³·O, I, T, T, T); the phase runs slower than the filter."""
        x, y, z = (self.get_buffer(f"windows_{number}").to(self.weight.dtype) for number in range(3))
        kernel = torch.einsum("oixyz,ptx->oiyzpt", self.weight, x)
        kernel = torch.einsum("oiyzpt,qsy->oizptqs", kernel, y)
        kernel = torch.einsum("oizptqs,ruz->pqroitsu", kernel, z).flatten(0, 3)
        return kernel.contiguous(memory_format=torch.channels_last_3d)

    def _side_by_side(self, output: Tensor) -> Tensor:
        """From (B, f³·O, blocks, …) to (B, O, fine, …)."""
        f, filters = self.factor, self.out_channels
        events, _, x, y, z = output.shape
        blocks = output.permute(0, 2, 3, 4, 1).reshape(events, x, y, z, f, f, f, filters)
        whole = blocks.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(events, x * f, y * f, z * f, filters)
        cut = whole[:, self.axes[0].cut, self.axes[1].cut, self.axes[2].cut]
        return cut.permute(0, 4, 1, 2, 3).contiguous(memory_format=torch.channels_last_3d)
