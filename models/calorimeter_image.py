"""One image of a calorimeter: its padding for convolutions, and what of it the calorimeter can read out.

Networks see images padded with empty rows and columns, whose sides halve several times (T. Neuer, master thesis,
University of Zurich, 2020, section 2.1: 52 × 64 cells become 56 × 64 for single tracks, 64 × 64 for image to image).

What a network says of the face of the LHCb calorimeter is made an image that the calorimeter can give, in training as
in generation. This is our choice; the thesis leaves it to the networks to learn. The four quarters of an outer cell
are their mean; an inner cell is 0 … 1 and a quarter of an outer one 0 … 0.25 of the limit, to which the output
activation is mapped; the hole for the beam is empty; padding is cut off. Images of other detectors are only cut.

Networks see cells as shares of the limit (``linear``, as in the thesis), as their square root, or as their logarithm
from a thousandth on (``square_root``, ``logarithmic``, ours), 0 … 1 in all: few cells hold most of the energy, and
short trainings see only these.
"""

# Axes: B events, C channels, H × W cells of the image, P × Q cells of the padded image, V = H·W.
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from data_adapters.detector import Detector
from data_adapters.layouts import lhcb_geometry
from data_adapters.registry import Registry

Shape = tuple[int, int]

LEAST_FIRST_OUTPUT = 0.01
FAINT = 1e-3  # of the limit: about the 6 MeV above which a cell of LHCb counts

ScaleName = Literal["linear", "square_root", "logarithmic"]


@dataclass(frozen=True)
class Scale:
    """Shares of the limit of a cell, as networks see them: 0 and 1 stay."""

    name: str
    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


def _same(share: Tensor) -> Tensor:
    return share


def _logarithm(share: Tensor) -> Tensor:
    return torch.log1p(share / FAINT) / math.log1p(1 / FAINT)


def _exponential(value: Tensor) -> Tensor:
    return FAINT * torch.expm1(value * math.log1p(1 / FAINT))


SCALES = Registry(
    "cell scale",
    Scale("linear", _same, _same),
    Scale("square_root", torch.sqrt, torch.square),
    Scale("logarithmic", _logarithm, _exponential),
)


def image_shape(detector: Detector) -> Shape:
    """Rows and columns of a detector that is one image."""
    rows, columns = detector.layers[0].shape
    return rows, columns


def no_image(detector: Detector) -> str | None:
    """Why a detector is not one image of what cannot be negative; None if it is."""
    if len(detector.layers) != 1 or len(detector.layers[0].shape) != 2:
        shapes = ", ".join(str(layer.shape) for layer in detector.layers[:3])
        return f"it has {len(detector.layers)} layers ({shapes}); this model makes one image of rows and columns"
    if detector.signed:
        return f"its {detector.quantity} can be negative; this model makes images of energies"
    return None


def padded_shape(shape: Shape, multiple: int) -> Shape:
    """The least shape that holds an image and whose sides are multiples."""
    rows, columns = (-(-side // multiple) * multiple for side in shape)
    return rows, columns


class Padding(nn.Module):
    """Puts images in the middle of larger, empty ones, and cuts them out again."""

    def __init__(self, shape: Shape, padded: Shape) -> None:
        super().__init__()
        self.shape, self.padded = shape, padded
        self.first = tuple((outer - inner) // 2 for outer, inner in zip(padded, shape, strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """Flat images (B, V) to padded ones (B, P, Q)."""
        (top, left), (rows, columns), (outer_rows, outer_columns) = self.first, self.shape, self.padded
        margins = (left, outer_columns - columns - left, top, outer_rows - rows - top)
        return functional.pad(images.view(-1, rows, columns), margins)

    def cut(self, images: Tensor) -> Tensor:
        """Padded images (B, P, Q) to (B, H, W)."""
        (top, left), (rows, columns) = self.first, self.shape
        return images[:, top : top + rows, left : left + columns]


class Readout(nn.Module):
    """What the calorimeter reads out of an image.

    ``limits`` (H, W): what a cell can hold at most, as a scaled share of the limit of a whole cell; 0 where there is
    none.

    Args:
        scale: Of the images, in all that it does.
    """

    limits: Tensor
    inner: Tensor

    def __init__(self, detector: Detector, scale: ScaleName = "linear") -> None:
        super().__init__()
        self.divided = detector.layers == (lhcb_geometry.FACE,)
        limits, inner = torch.ones(image_shape(detector)), torch.ones(image_shape(detector), dtype=torch.bool)
        if self.divided:
            limits = torch.from_numpy(lhcb_geometry.cell_limits() / lhcb_geometry.CELL_LIMIT_MEV)
            _, rows, columns = lhcb_geometry.INNER
            _, hole_rows, hole_columns = lhcb_geometry.HOLE
            limits[rows, columns][hole_rows, hole_columns] = 0.0
            inner = torch.zeros_like(inner)
            inner[rows, columns] = True
        self.register_buffer("limits", SCALES[scale].forward(limits), persistent=False)
        self.register_buffer("inner", inner, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Output activations (B, H, W), 0 … 1, to flat images (B, V) within the limits of the cells."""
        if self.divided:
            outer = functional.avg_pool2d(images[:, None], 2)
            whole = functional.interpolate(outer, scale_factor=2.0, mode="nearest")[:, 0]
            images = torch.where(self.inner, images, whole)
        return (images * self.limits).flatten(1)

    def saturate(self, images: Tensor) -> Tensor:
        """Flat images (B, V), cut at what each cell can hold."""
        return torch.minimum(images, self.limits.flatten())


def cell_limit(detector: Detector, largest: float) -> float:
    """What responses are divided by: what a cell can hold at most [unit of the detector].

    Args:
        largest: Response of a cell in the training sample, which takes the place of a limit that is not known.
    """
    if detector.layers == (lhcb_geometry.FACE,):
        return lhcb_geometry.CELL_LIMIT_MEV
    return largest if largest > 0 else 1.0


def first_output(response: NDArray[np.float32], limit: float, scale: Scale) -> float:
    """Where an output activation starts: the mean scaled content of a cell (N, V), but where sigmoids still learn."""
    mean = float(scale.forward(torch.from_numpy(response / np.float32(limit))).mean())
    return min(0.5, max(LEAST_FIRST_OUTPUT, mean))
