"""Showers as one volume of cells: what a detector must have for it, and the physics that is read off it."""

# Axes: B events, V cells; X, Y cells across and Z along the depth.
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from data_adapters.detector import DEPTH_NAMES, ENERGY_UNITS, Axis, Detector, Layer

VOLUME_AXES = 3
THETA = "theta"
ANGLE_AXES = ("x", "y", "z")
# Layers with less than this share of the shower's energy move the angle less than their place says (see below).
FAINT_LAYER = 1e-3
NO_DISTANCE = 1e-12  # [mm²]


def needs_volume(detector: Detector) -> str | None:
    """Why a detector cannot be taken by a model of volumes of energy; None if it can."""
    if detector.unit not in ENERGY_UNITS or detector.signed:
        kind = "signed values" if detector.signed else f"{detector.quantity} in {detector.unit}"
        return f"its cells hold {kind}; this model takes energies, which are never negative. Choose another model"
    shapes = {layer.shape for layer in detector.layers}
    axes = len(detector.layers[0].axes)
    stacked = len(detector.layers) > 1 and axes == VOLUME_AXES - 1 and len(shapes) == 1
    if not stacked and (len(detector.layers) > 1 or axes != VOLUME_AXES):
        return (
            f"its layers have the shapes {', '.join(map(str, sorted(shapes)))}; this model takes one volume of three "
            "axes, or layers of two axes that all have one shape. Choose another model"
        )
    if min(_shape(detector)) < 2:
        return f"its volume has {_shape(detector)} cells; this model needs at least two along each axis"
    return None


def _shape(detector: Detector) -> tuple[int, ...]:
    """Of the volume, in the order of the file."""
    own = detector.layers[0].shape
    return own if len(own) == VOLUME_AXES else (len(detector.layers), *own)


@dataclass(frozen=True)
class Volume:
    """A detector as one volume, with the depth as last axis.

    The depth is the axis called z, depth or layer, else the last one; layers of two axes are stacked along it.

    Args:
        detector: One that ``needs_volume`` has nothing against.
    """

    detector: Detector

    @property
    def _depth(self) -> int:
        layer: Layer = self.detector.layers[0]
        if len(layer.axes) < VOLUME_AXES:
            return 0
        named = [number for number, axis in enumerate(layer.axes) if axis.name in DEPTH_NAMES]
        return named[0] if named else VOLUME_AXES - 1

    @cached_property
    def _order(self) -> tuple[int, ...]:
        """Axes of the file in the order of the volume."""
        return (*(axis for axis in range(VOLUME_AXES) if axis != self._depth), self._depth)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(X, Y, Z)."""
        in_file = _shape(self.detector)
        x, y, z = (in_file[axis] for axis in self._order)
        return x, y, z

    @property
    def gev(self) -> float:
        """The unit of the cells in GeV."""
        return ENERGY_UNITS[self.detector.unit] / ENERGY_UNITS["GeV"]

    def images(self, cells: Tensor) -> Tensor:
        """Flat cells (B, V) as images (B, 1, X, Y, Z)."""
        return cells.reshape(-1, *_shape(self.detector)).permute(0, *(axis + 1 for axis in self._order))[:, None]

    def cells(self, images: Tensor) -> Tensor:
        """The inverse of ``images``."""
        back = [self._order.index(axis) + 1 for axis in range(VOLUME_AXES)]
        return images[:, 0].permute(0, *back).flatten(1)

    @property
    def has_angle(self) -> bool:
        """Whether its showers have an angle of incidence that can be measured: axes x, y, z and theta in rad."""
        axes = self.detector.layers[0].axes
        names = tuple(axes[number].name for number in self._order) if len(axes) == VOLUME_AXES else ()
        return names == ANGLE_AXES and any(c.name == THETA and c.unit == "rad" for c in self.detector.conditions)

    @cached_property
    def places(self) -> tuple[Tensor, Tensor, Tensor]:
        """Middles of the cells along x, y and z, from the first edge, float64."""
        axes = [self.detector.layers[0].axes[number] for number in self._order]
        x, y, z = (_middles(axis) for axis in axes)
        return x, y, z


def _middles(axis: Axis) -> Tensor:
    return torch.from_numpy(axis.centres - axis.edges[0])


def energy_sum(images: Tensor) -> Tensor:
    """E_sum, the energy of all cells, float32, shape (B,), from images (B, 1, X, Y, Z)."""
    return images.flatten(1).sum(dim=1, dtype=torch.float64).float()


def measured_angle(images: Tensor, places: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Angle of incidence that an image shows [rad], float32, shape (B,).

    ``data_adapters.layouts.clic_3dgan.measured_angle`` with gradients, for cells of any size. An event without energy
    has π/2. The gradient is that of the formula, but for what would make it explode: the barycentre of a layer with a
    share s of the energy counts with s / (s + 1e-3), because it moves the further the less energy there is; and one
    that lies at the barycentre of the event, where the direction is undefined, with nothing.

    Args:
        images: Energies, shape (B, 1, X, Y, Z).
        places: ``Volume.places``.
    Source: doi:10.1109/ACCESS.2021.3101946, section IV-B, and its code.
    """
    at_x, at_y, at_z = (place.to(images.device) for place in places)
    along_x, along_y = (images[:, 0].sum(dim=axis, dtype=torch.float64) for axis in (2, 1))  # (B, cells, Z)
    layer = along_x.sum(dim=1)
    share = layer / layer.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    x, y = (_barycentre(along, at, layer, share) for along, at in ((along_x, at_x), (along_y, at_y)))
    x, y, z = (value - (share * value).sum(dim=1, keepdim=True) for value in (x, y, at_z.expand_as(x)))
    square = x**2 + z**2
    undefined = square + y**2 < NO_DISTANCE
    distance = square.where(square > NO_DISTANCE, NO_DISTANCE).sqrt()
    rise = torch.where(z < 0, -y, y)
    angle = math.pi / 2 - torch.atan2(rise.where(~undefined, 0.0), distance)
    weight = torch.where(layer > 0, at_z, 0.0)
    total = weight.sum(dim=1)
    mean = (angle * weight).sum(dim=1) / total.clamp(min=torch.finfo(torch.float64).tiny)
    return torch.where(total > 0, mean, math.pi / 2).float()


def _barycentre(projection: Tensor, places: Tensor, layer: Tensor, share: Tensor) -> Tensor:
    """Mean place of the energy in each layer, (B, Z), from a projection (B, cells, Z)."""
    present = layer > 0
    exact = torch.einsum("bcz,c->bz", projection, places) / layer.where(present, 1.0)
    counted = (share / (share + FAINT_LAYER)).detach()
    return exact.detach() + counted * (exact - exact.detach())
