"""Tracks as networks see them: zero-padded, coordinates scaled to 0 … 1; and back.

Padding lies on the beam in the middle of the chamber, where no point can be, and so at 0.5. The networks work on as
many places as suit their layers, at least those of a track; further places repeat the last.

How many points a generated track has follows from what was generated. A track flies outwards: its last point is the
farthest from the beam. What follows is padding, or on the way to it where a generator is not sharp: it comes back as
exact zeros. A place is taken for one of the last ones up to 50 mm nearer to the beam, five pad rows, because generated
points scatter; a track that nowhere is 400 mm from the beam has no points. Of full simulation both ways are exact.

Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, section 4, for scaling and padding; the end of a track is ours.
"""

# Axes: N tracks, P places for points, W places of a network, C encoded conditions.
from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_adapters.detector import Detector
from data_adapters.events import Events
from data_adapters.layouts.alice_geometry import (
    ALICE_TRACKS_DETECTOR,
    COORDINATES,
    HALF_BOX_MM,
    LOWEST_RADIUS_MM,
    MOST_POINTS,
)
from data_adapters.streaming import Batch
from models.preprocessing import Conditioning
from models.rows import Encode

MOMENTUM = tuple(condition.name for condition in ALICE_TRACKS_DETECTOR.conditions)
SCATTER_MM = 50.0
NEAREST_MM = LOWEST_RADIUS_MM / 2
CURVATURE_GEV = 0.3  # transverse momentum whose curvature networks see as 1
TOLD = 6  # numbers that networks are told of them


def no_track(detector: Detector) -> str | None:
    """Why a detector has no tracks of the chamber with their momentum; None if it has."""
    if detector.layers != ALICE_TRACKS_DETECTOR.layers or detector.unit != ALICE_TRACKS_DETECTOR.unit:
        return (
            f"its events are {detector.quantity} of the shape {tuple(layer.shape for layer in detector.layers)} in "
            f"{detector.unit}; this model makes tracks of up to {MOST_POINTS} points of x, y and z in mm. Give tracks "
            "in the layout alice-hdf5 or alice-root, or choose another model"
        )
    missing = [name for name in MOMENTUM if name not in {condition.name for condition in detector.conditions}]
    if missing:
        return f"it has no {', '.join(missing)} among its conditions. Give tracks with their momentum and charge"
    return None


def scaled_points(response: NDArray[np.float32]) -> Tensor:
    """Coordinates from 0 to 1, (N, P, 3), of responses [mm], (N, 3 P); exact, as the box is a power of two."""
    points = torch.from_numpy(response).reshape(len(response), MOST_POINTS, COORDINATES)
    return (points + HALF_BOX_MM) / (2 * HALF_BOX_MM)


def response_of(scaled: Tensor) -> Tensor:
    """Responses [mm], (N, 3 P), of coordinates from 0 to 1, (N, P, 3); zeros after the end of each track."""
    points = scaled * (2 * HALF_BOX_MM) - HALF_BOX_MM
    places = torch.arange(points.shape[1], device=points.device)
    return torch.where((places < num_points(points)[:, None])[..., None], points, 0.0).flatten(1)


def num_points(points: Tensor) -> Tensor:
    """Number of points before the end of each track, (N,), of coordinates [mm], (N, P, 3)."""
    from_beam = torch.hypot(points[..., 0], points[..., 1])
    farthest = from_beam.amax(dim=1, keepdim=True)
    last = (from_beam >= farthest - SCATTER_MM) & (farthest > NEAREST_MM)
    return (last * torch.arange(1, points.shape[1] + 1, device=points.device)).amax(dim=1)


def repeat_last(scaled: Tensor, places: int) -> Tensor:
    """Tracks (N, P, 3) on so many places, (N, W, 3): the last place again and again."""
    return torch.cat((scaled, scaled[:, -1:].expand(-1, places - scaled.shape[1], -1)), dim=1)


def track_rows(conditioning: Conditioning, places: int) -> Encode:
    """Encodes events as scaled points and conditions, (N, 3 W + C)."""

    def encode(events: Events | Batch) -> Tensor:
        points = repeat_last(scaled_points(events.response), places)
        return torch.cat((points.flatten(1), conditioning.encode(events.conditions)), dim=1)

    return encode


def told_of(encoded: Tensor) -> Tensor:
    """What networks are told of transverse momentum [GeV], phi, eta and charge, (N, 4): (N, 6), each of size 1.

    Curvature (charge over transverse momentum), logarithm of the transverse momentum, direction and charge: phi and
    phi + 2π are the same. Conditions of no column stay as they are.
    """
    if encoded.shape[1] == 0:
        return encoded
    transverse, phi, eta, charge = encoded.unbind(dim=1)
    curvature = CURVATURE_GEV * charge / transverse
    return torch.stack((curvature, transverse.log(), phi.cos(), phi.sin(), eta.sinh(), charge), dim=1)
