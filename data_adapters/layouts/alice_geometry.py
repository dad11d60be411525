"""Tracks in the time projection chamber of ALICE: padding, scaling to [0, 1], conditions from momenta.

The chamber is a cylinder of about 5 m × 5 m × 5 m in a field of 0.5 T along z; it measures a track at up to 159 radii
(pad rows) from 848 to 2466 mm. A track is the response of one event: 159 points of x, y and z [mm], in the order in
which they were measured, zeros after the last.

A generator is told the transverse momentum, phi, eta and the charge rather than px, py, pz and the charge: they say as
much and nothing twice; the radius of the helix follows from the first alone, and metrics need bins of it; two of them
are uniform, or nearly so. ``momentum_of`` is the inverse. There is no energy among them: a coordinate is not divided by
one.

Source: K. Deja, T. Trzciński, Ł. Graczykowski for the ALICE Collaboration, Generative Models for Fast Cluster
Simulations in the TPC for the ALICE Experiment, section 4.
"""

# Axes: N tracks, M points of all tracks together.
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data_adapters.columns import impossible_values, not_whole
from data_adapters.detector import Axis, Condition, Detector, Layer
from data_adapters.problems import Problem

MOST_POINTS = 159
COORDINATES = 3
# Coordinates lie within ±2500 mm; a box whose half is a power of two (the next one) scales them without rounding.
HALF_BOX_MM = 4096.0

# Where points can be: the pad rows and the drift length with a margin for the errors of measurement.
LOWEST_RADIUS_MM, HIGHEST_RADIUS_MM, HIGHEST_Z_MM = 800.0, 2520.0, 2600.0

MOST_CHARGE = 2  # e
MOMENTUM_MEND = "Give momenta at production in GeV; remove tracks along the beam"

Floats = NDArray[np.float64]
Points = NDArray[np.float32]
Counts = NDArray[np.integer]

ALICE_TRACKS_DETECTOR = Detector(
    name="alice-tracks",
    title="ALICE time projection chamber, tracks of up to 159 points",
    layers=(Layer("points", (Axis.numbered("point", MOST_POINTS), Axis.numbered("coordinate", COORDINATES))),),
    conditions=(
        Condition("transverse_momentum", "GeV", bins=True, low=0.01, high=100.0),  # none is inside when given in MeV
        Condition("phi", "rad", low=-math.pi, high=math.pi),
        Condition("eta", "1", low=-2.0, high=2.0),
        Condition("charge", "1", low=-MOST_CHARGE, high=MOST_CHARGE),
    ),
    quantity="coordinate",
    unit="mm",
    signed=True,
)


def conditions_of(momentum: Floats, charge: Floats) -> dict[str, Floats]:
    """Conditions of tracks: transverse momentum [GeV], phi [rad], eta and charge [e], each of shape (N,).

    Args:
        momentum: px, py, pz at production [GeV], shape (N, 3).
    """
    px, py, pz = momentum.T
    transverse = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):  # along the beam: eta is infinite
        eta = np.arcsinh(pz / transverse)
    return {"transverse_momentum": transverse, "phi": np.arctan2(py, px), "eta": eta, "charge": charge}


def momentum_of(transverse_momentum: Floats, phi: Floats, eta: Floats) -> Floats:
    """px, py, pz [GeV], shape (N, 3), of conditions; the inverse of ``conditions_of`` up to roundings of float64."""
    unit = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=1)
    return np.asarray(transverse_momentum[:, None] * unit, dtype=np.float64)


def pad(points: Points, num_points: Counts) -> Points:
    """Points of all tracks (M, 3), one track after the other, as (N, 159, 3) with zeros after the last.

    Raises: ValueError for a track of more than 159 points, or numbers that do not add up.
    """
    too_long = np.flatnonzero(num_points > MOST_POINTS)
    if len(too_long):
        raise ValueError(
            f"track {too_long[0]} has {num_points[too_long[0]]} points; {MOST_POINTS} are the most: leave it out"
        )
    if num_points.sum() != len(points):
        raise ValueError(f"the tracks have {num_points.sum()} points together, but there are {len(points)}")
    padded = np.zeros((len(num_points), MOST_POINTS, COORDINATES), dtype=np.float32)
    padded[is_point(num_points)] = points
    return padded


def unpad(points: Points, num_points: Counts) -> Points:
    """Points (M, 3) of all tracks, one after the other, from (N, 159, 3): the exact inverse of ``pad``."""
    return np.asarray(points[is_point(num_points)])


def is_point(num_points: Counts) -> NDArray[np.bool_]:
    """Which of the 159 places of each track hold a point, shape (N, 159)."""
    return np.asarray(np.arange(MOST_POINTS) < np.asarray(num_points)[:, None])


def scale(points: Points, num_points: Counts) -> Points:
    """Coordinates as fractions of a box of ±4096 mm, 0 … 1, shape (N, 159, 3); 0 after the last point.

    Without any rounding for coordinates that are multiples of 1/2048 mm.
    """
    scaled = (points + np.float32(HALF_BOX_MM)) / np.float32(2 * HALF_BOX_MM)
    return np.where(is_point(num_points)[..., None], scaled, np.float32(0.0))


def unscale(scaled: Points, num_points: Counts) -> Points:
    """Coordinates [mm] of fractions, shape (N, 159, 3); zeros after the last point. The inverse of ``scale``."""
    points = scaled * np.float32(2 * HALF_BOX_MM) - np.float32(HALF_BOX_MM)
    return np.where(is_point(num_points)[..., None], points, np.float32(0.0))


def wrong_points(points: Points, num_points: Counts, key: str, start: int) -> list[Problem]:
    """The first problem of points (N, 159, 3) that are not zero after the last, or not in the chamber, or none.

    Numbers that are not finite are left to whoever reads all values. ``start`` is the number of the first track.
    """
    expected = is_point(num_points)
    x, y, z = np.moveaxis(points.astype(np.float64), 2, 0)
    radius = np.hypot(x, y)
    outside = (radius < LOWEST_RADIUS_MM) | (radius > HIGHEST_RADIUS_MM) | (np.abs(z) > HIGHEST_Z_MM)
    after = points.any(axis=2) & ~expected
    if after.any():
        track, place = np.argwhere(after)[0]
        what = f"it has {num_points[track]} points, but at place {place} (from 0) is {_text(points[track, place])} mm"
        return [Problem(what, "Set all places after the last point to 0", key, start + int(track))]
    if (outside & expected).any():
        track, place = np.argwhere(outside & expected)[0]
        what = (
            f"point {place} is {_text(points[track, place])}; the chamber is {LOWEST_RADIUS_MM:g} … "
            f"{HIGHEST_RADIUS_MM:g} mm from the beam and ±{HIGHEST_Z_MM:g} mm along it"
        )
        return [Problem(what, "Give coordinates in mm, with the beam along z at x = y = 0", key, start + int(track))]
    return []


def wrong_columns(conditions: dict[str, Floats], num_points: Floats, keys: dict[str, str]) -> list[Problem]:
    """All that is wrong with the conditions and numbers of points of tracks.

    Args:
        keys: Names in the file of "momentum", "charge" and "num_points".
    """
    problems: list[Problem] = []
    for condition in ALICE_TRACKS_DETECTOR.conditions[:3]:
        found = impossible_values(conditions[condition.name], condition, keys["momentum"], MOMENTUM_MEND)
        problems += [replace(problem, what=f"{condition.name}: {problem.what}") for problem in found]
    mend = "Give charges in e (their size is looked at here); neutral particles leave no track"
    problems += not_whole(np.abs(conditions["charge"]), 1, MOST_CHARGE, keys["charge"], mend)
    return problems + not_whole(num_points, 0, MOST_POINTS, keys["num_points"], "Leave these tracks out")


def _text(point: Points) -> str:
    return f"({', '.join(f'{value:.6g}' for value in point)})"
