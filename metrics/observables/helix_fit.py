"""The helix that fits a track best: a circle in the bending plane, and z in proportion to the length of its arc.

A circle is A (x² + y²) + E (x cos θ + y sin θ) + D = 0 with E² = 1 + 4 A D, so that straight tracks (A = 0) are no
special case. The distance of a point to it is 2 P / (1 + Q), with P the left-hand side and Q² = 1 + 4 A P. Taubin's
algebraic fit begins; steps of Levenberg and Marquardt minimise the squared distances.

Source: N. Chernov, Circular and Linear Regression (CRC Press, 2010), chapters 4 and 5.
"""

# Axes: N tracks, n tracks of a block, P places for points, 3 parameters (A, D, θ) of a circle.
# Within the fit of the circle lengths are in units of the spread of the track's points, from their centre.
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

FEWEST_POINTS = 4  # three always lie on a circle
TRACKS_AT_A_TIME = 1024  # 1.3 MB for each array of 159 points

MOST_STEPS = 40
CONVERGED = 1e-9  # relative change of the sum of squares
EXACT = 1e-24  # sum of squares: distances are a millionth of a millionth of the spread
FIRST_DAMPING, MOST_DAMPING = 1e-3, 1e9
LEAST_APART_MM = 20.0  # of windings that are told apart: much more than the errors of points
SMALLEST = 1e-9  # instead of zero: curvature of straight tracks, spread of points that are all one


@dataclass(frozen=True)
class Helices:
    """Fits of N tracks; 0 for tracks with too few points.

    Attributes:
        fitted: Which tracks have enough points, shape (N,).
        transverse: From the circle to each point, in the bending plane [mm], positive outside of the circle; shape
            (N, P), 0 where there is no point.
        longitudinal: From the helix to each point, on its cylinder and perpendicular to it [mm], shape (N, P).
        curvature: 1 / radius [1/mm], positive where the track turns counter-clockwise on its way out, shape (N,).
        azimuth: Direction of flight at the point that is nearest to the beam [rad], −π … π, shape (N,).
        dip: Angle between the direction of flight and the bending plane [rad], shape (N,).
        impact: From the circle to the beam [mm], positive outside of the circle, shape (N,).
    """

    fitted: Masks
    transverse: Floats
    longitudinal: Floats
    curvature: Floats
    azimuth: Floats
    dip: Floats
    impact: Floats

    @property
    def distance(self) -> Floats:
        """Distance of each point to the helix [mm], shape (N, P), as long as it is small against the radius."""
        return np.asarray(np.hypot(self.transverse, self.longitudinal))


def fit_helices(points: NDArray[np.floating], present: Masks) -> Helices:
    """The helix nearest to each track; what one gives does not depend on the others.

    Circle and line are fitted one after the other, each by least squares of the distances to it.

    Args:
        points: x, y, z [mm], shape (N, P, 3), the beam along z at x = y = 0. Their order does not matter: on the way
            out the distance from the beam grows.
        present: Which places hold a point, shape (N, P).
    """
    starts = range(0, max(len(points), 1), TRACKS_AT_A_TIME)
    blocks = [_fit_block(points[i : i + TRACKS_AT_A_TIME], present[i : i + TRACKS_AT_A_TIME]) for i in starts]
    return Helices(**{f.name: np.concatenate([getattr(block, f.name) for block in blocks]) for f in fields(Helices)})


def _fit_block(points: NDArray[np.floating], present: Masks) -> Helices:
    points = points.astype(np.float64)
    fitted = present.sum(axis=1) >= FEWEST_POINTS
    present = present & fitted[:, None]
    num = np.maximum(present.sum(axis=1), 1)[:, None]
    centre = np.where(present[..., None], points, 0).sum(axis=1) / num
    x, y, z = np.moveaxis(np.where(present[..., None], points - centre[:, None], 0), 2, 0)
    spread = np.maximum(np.sqrt((x * x + y * y).sum(axis=1, keepdims=True) / num), SMALLEST)
    plane = _Plane(x / spread, y / spread, present)
    circles = _nearest_circles(plane)
    flight = _flight(circles, plane, centre[:, :2] / spread)
    turn = 2 * np.pi * spread / np.abs(flight.curvature)
    dip, longitudinal = _nearest_windings(flight.arc * spread, turn, z, present)
    single = {
        "curvature": flight.curvature / spread,
        "azimuth": flight.azimuth,
        "dip": dip,
        "impact": flight.impact * spread,
    }
    return Helices(
        fitted=fitted,
        transverse=np.where(present, _outside(circles, plane.x, plane.y), 0) * spread,
        longitudinal=longitudinal,
        **{name: np.where(fitted, values[:, 0], 0) for name, values in single.items()},
    )


# ------------------------------------------------------------------ circle


class _Plane(NamedTuple):
    """Points in the bending plane, each of shape (n, P); 0 where there is none."""

    x: Floats
    y: Floats
    present: Masks

    def of(self, tracks: NDArray[np.intp]) -> _Plane:
        return _Plane(self.x[tracks], self.y[tracks], self.present[tracks])


class _Terms(NamedTuple):
    """What distances and derivatives of circles have in common; E of shape (n, 1), the rest (n, P)."""

    e: Floats
    along: Floats  # x cos θ + y sin θ
    across: Floats  # y cos θ − x sin θ
    square: Floats  # x² + y²
    q: Floats
    distance: Floats


def _terms(circles: Floats, x: Floats, y: Floats) -> _Terms:
    """Of circles (n, 3) at points (n, P)."""
    a, d, theta = (column[:, None] for column in circles.T)
    cosine, sine = np.cos(theta), np.sin(theta)
    e = np.sqrt(np.maximum(1 + 4 * a * d, 0))
    along, across, square = x * cosine + y * sine, y * cosine - x * sine, x * x + y * y
    left = a * square + e * along + d
    q = np.sqrt(np.maximum(1 + 4 * a * left, 0))
    return _Terms(e, along, across, square, q, 2 * left / (1 + q))


def _outside(circles: Floats, x: Floats, y: Floats) -> Floats:
    """Distances of points (n, P) to circles (n, 3), positive outside."""
    return np.asarray(_terms(circles, x, y).distance * np.sign(circles[:, :1]))


def _sum_of_squares(circles: Floats, plane: _Plane) -> Floats:
    distance = np.where(plane.present, _terms(circles, plane.x, plane.y).distance, 0)
    return np.asarray((distance**2).sum(axis=1))


def _nearest_circles(plane: _Plane) -> Floats:
    """Circles (n, 3) with the least squares of the distances that steps from Taubin's fit lead to."""
    circles = _taubin(plane)
    squares = _sum_of_squares(circles, plane)
    damping = np.full(len(circles), FIRST_DAMPING)
    active = np.flatnonzero(squares > EXACT)
    for _ in range(MOST_STEPS):
        if len(active) == 0:
            break
        here = plane.of(active)
        tried = circles[active] + _step(circles[active], here, damping[active])
        possible = 1 + 4 * tried[:, 0] * tried[:, 1] > 0
        new = np.where(possible, _sum_of_squares(tried, here), np.inf)
        old = squares[active]
        better = new < old
        circles[active[better]] = tried[better]
        squares[active[better]] = new[better]
        damping[active] *= np.where(better, 0.1, 10.0)
        settled = (np.abs(old - new) <= CONVERGED * old) | (squares[active] <= EXACT) | (damping[active] > MOST_DAMPING)
        active = active[~settled]
    circles[np.abs(circles[:, 0]) < SMALLEST, 0] = SMALLEST
    return circles


def _taubin(plane: _Plane) -> Floats:
    """Taubin's algebraic fit; the mean of x² + y² is 1."""
    x, y, present = plane
    columns = np.stack([np.where(present, (x * x + y * y - 1) / 2, 0), x, y], axis=2)
    _, vectors = np.linalg.eigh(columns.transpose(0, 2, 1) @ columns)
    a, b, c = vectors[:, :, 0].T
    return np.stack([a / 2, -a / 2, np.arctan2(c, b)], axis=1)


def _step(circles: Floats, plane: _Plane, damping: Floats) -> Floats:
    """Of Levenberg and Marquardt, shape (n, 3). With A s² + s = P the derivatives are (P' − A' s²) / Q."""
    terms = _terms(circles, plane.x, plane.y)
    a, d = circles[:, :1], circles[:, 1:2]
    e = np.maximum(terms.e, SMALLEST)
    slopes = np.stack(
        [
            terms.square + 2 * d * terms.along / e - terms.distance**2,
            1 + 2 * a * terms.along / e,
            e * terms.across,
        ],
        axis=2,
    )
    slopes *= np.where(plane.present, 1 / np.maximum(terms.q, SMALLEST), 0)[..., None]
    normal = slopes.transpose(0, 2, 1) @ slopes
    diagonal = np.einsum("nii->ni", normal)
    diagonal *= 1 + damping[:, None]
    diagonal += SMALLEST**2
    gradient = (slopes * terms.distance[..., None]).sum(axis=1)
    return -np.linalg.solve(normal, gradient[..., None])[..., 0]


# ------------------------------------------------------------------ along the track


class _Flight(NamedTuple):
    """The way of tracks along their circles; arc (n, P), the rest (n, 1)."""

    arc: Floats  # length from the middle of the track, growing on the way out
    curvature: Floats
    azimuth: Floats
    impact: Floats


def _flight(circles: Floats, plane: _Plane, centre: Floats) -> _Flight:
    """Of circles (n, 3) around the centres (n, 2) of the tracks."""
    x, y, present = plane
    a, theta = circles[:, :1], circles[:, 2:]
    terms = _terms(circles, x, y)
    # Angles as seen from the centre of the circle, from the middle of the track: a track is less than a turn.
    angle = np.where(present, np.arctan2(2 * a * terms.across, 2 * a * terms.along + terms.e), 0)
    centre_x, centre_y = centre[:, :1], centre[:, 1:]
    from_beam = np.hypot(x + centre_x, y + centre_y)
    num = np.maximum(present.sum(axis=1, keepdims=True), 1)
    mean = np.where(present, from_beam, 0).sum(axis=1, keepdims=True) / num
    turn = np.where((angle * (from_beam - mean)).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    # 2 A times the centre of the circle, from the beam; a track flies perpendicular to it where it is nearest.
    scaled_x, scaled_y = 2 * a * centre_x - terms.e * np.cos(theta), 2 * a * centre_y - terms.e * np.sin(theta)
    sense = turn * np.sign(a)
    return _Flight(
        arc=turn * angle / (2 * np.abs(a)),
        curvature=turn * 2 * np.abs(a),
        azimuth=np.arctan2(-sense * scaled_x, sense * scaled_y),
        impact=_outside(circles, -centre_x, -centre_y),
    )


def _nearest_windings(arc: Floats, turn: Floats, z: Floats, present: Masks) -> tuple[Floats, Floats]:
    """Inclinations and distances as of ``_nearest_lines``, after points that are nearer to the next winding went there.

    A track that curls up in the chamber has its last points one turn later.

    Args:
        turn: Circumference of the circles [mm], shape (n, 1).
    """
    dip, distance = _nearest_lines(arc, z, present)
    apart = turn * np.sin(dip)
    windings = np.divide(distance, apart, out=np.zeros_like(distance), where=np.abs(apart) > LEAST_APART_MM)
    return _nearest_lines(arc + turn * np.clip(np.rint(windings), 0, 1), z, present)


def _nearest_lines(arc: Floats, z: Floats, present: Masks) -> tuple[Floats, Floats]:
    """Inclination (n, 1) [rad] of the line z(arc) with the least squares of perpendicular distances, and those."""
    num = np.maximum(present.sum(axis=1, keepdims=True), 1)
    s = np.where(present, arc - np.where(present, arc, 0).sum(axis=1, keepdims=True) / num, 0)
    z = np.where(present, z - z.sum(axis=1, keepdims=True) / num, 0)
    covariance = 2 * (s * z).sum(axis=1, keepdims=True)
    difference = (s * s - z * z).sum(axis=1, keepdims=True)
    dip = np.arctan2(covariance, difference) / 2
    return np.asarray(dip), np.asarray(z * np.cos(dip) - s * np.sin(dip))
