"""Points of tracks moved to or from the helix that fits the track best."""

# Axes: N tracks, P places for points.
from __future__ import annotations

import numpy as np

from data_adapters.events import Events
from metrics.faults.component import Response
from metrics.observables.helix_fit import Helices
from metrics.observables.helix_residual import helices_of, is_there, points_of
from metrics.observables.sample import Sample

STRAIGHT = 1e-12  # 1/mm: radius of a thousand kilometres


def from_helix(events: Events, factor: float) -> Response:
    """Points so many times as far from their helix [mm], shape (N, 3 P); 0: on it. Tracks without a helix stay."""
    sample = Sample(events)
    helices, there = helices_of(sample), is_there(sample)
    points = points_of(sample).astype(np.float64)
    outward = _outward(helices, points)
    moved = np.where(there & helices.fitted[:, None], factor - 1, 0.0)
    points[..., :2] += (moved * helices.transverse)[..., None] * outward
    points[..., 2] += moved * helices.longitudinal / np.cos(helices.dip)[:, None]
    return points.reshape(len(events), -1)


def _outward(helices: Helices, points: Response) -> Response:
    """Unit vectors from the centre of each circle to its points, shape (N, P, 2)."""
    curvature = np.where(np.abs(helices.curvature) < STRAIGHT, STRAIGHT, helices.curvature)
    left = np.stack([-np.sin(helices.azimuth), np.cos(helices.azimuth)], axis=1)
    # Counter-clockwise tracks have the centre to their left.
    distance = np.sign(curvature) * (1 / np.abs(curvature) + helices.impact)
    offset = points[..., :2] - (distance[:, None] * left)[:, None]
    length = np.linalg.norm(offset, axis=2, keepdims=True)
    return np.asarray(np.divide(offset, length, out=np.zeros_like(offset), where=length > 0))
