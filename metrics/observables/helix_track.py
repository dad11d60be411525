"""Does a track fly where its momentum says, and are its points where the chamber measures?"""

# Axes: N tracks, P places for points.
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.alice_geometry import ALICE_TRACKS_DETECTOR
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.helix_residual import distance_from_beam, helices_of, is_alice_track, is_there, points_of
from metrics.observables.sample import Sample

SOURCE = "our choice: conditions against what the helix says, and where points lie"
FIELD_TESLA = 0.5  # along the beam
GEV_PER_TESLA_MM = 0.299792458e-3  # transverse momentum of a unit charge = this · field · radius

Floats = NDArray[np.float64]


# ------------------------------------------------------------------ against the conditions


def curvature_ratio(sample: Sample) -> Floats:
    """Curvature of the helix over that of the true transverse momentum and charge, shape (N,).

    1 without losses in front of the chamber, negative for the wrong charge, 0 for a straight track and without a helix.
    """
    conditions = sample.events.conditions
    expected = -GEV_PER_TESLA_MM * FIELD_TESLA * conditions["charge"] / conditions["transverse_momentum"]
    curvature = helices_of(sample).curvature
    return np.divide(curvature, expected, out=np.zeros_like(curvature), where=expected != 0)


def azimuth_difference(sample: Sample) -> Floats:
    """Azimuth of the helix where it is nearest to the beam minus the true one [rad], −π … π; π without a helix."""
    helices = helices_of(sample)
    difference = helices.azimuth - sample.events.conditions["phi"]
    return np.where(helices.fitted, (difference + np.pi) % (2 * np.pi) - np.pi, np.pi)


def dip_difference(sample: Sample) -> Floats:
    """Angle between helix and bending plane minus the true one [rad], shape (N,); π / 2 without a helix."""
    helices = helices_of(sample)
    difference = helices.dip - np.arctan(np.sinh(sample.events.conditions["eta"]))
    return np.where(helices.fitted, difference, np.pi / 2)


def impact_parameter(sample: Sample) -> Floats:
    """From the circle to the beam [mm], positive outside of the circle, shape (N,); 0 without a helix."""
    return helices_of(sample).impact


# ------------------------------------------------------------------ points


def num_points(sample: Sample) -> Floats:
    """Shape (N,)."""
    return np.asarray(is_there(sample).sum(axis=1), dtype=np.float64)


def occupancy(sample: Sample) -> Floats:
    """1 where a place holds a point, shape (N, P)."""
    return is_there(sample).astype(np.float64)


def radius(sample: Sample) -> Floats:
    """Distance of a point from the beam [mm], 0 where there is none, shape (N, P)."""
    return np.where(is_there(sample), distance_from_beam(sample), 0)


def drift(sample: Sample) -> Floats:
    """Distance of a point from the central plane z = 0 [mm], 0 where there is none, shape (N, P)."""
    return np.where(is_there(sample), np.abs(points_of(sample)[..., 2]), 0).astype(np.float64)


def spacing_mean(sample: Sample) -> Floats:
    """Mean distance between a point and the next [mm], shape (N,); 0 for fewer than two points."""
    return _spacing(sample)[:, 0]


def spacing_deviation(sample: Sample) -> Floats:
    """Standard deviation of the distance between a point and the next [mm], shape (N,); 0 for fewer than two."""
    return _spacing(sample)[:, 1]


def _spacing(sample: Sample) -> Floats:
    return sample.once("spacing", lambda: _mean_and_deviation(sample))


def _mean_and_deviation(sample: Sample) -> Floats:
    there = is_there(sample)
    pairs = there[:, 1:] & there[:, :-1]
    steps = np.diff(points_of(sample).astype(np.float64), axis=1)
    length = np.where(pairs, np.sqrt((steps**2).sum(axis=2)), 0)
    num = np.maximum(pairs.sum(axis=1), 1)
    mean = length.sum(axis=1) / num
    squares = np.where(pairs, (length - mean[:, None]) ** 2, 0)
    return np.stack([mean, np.sqrt(squares.sum(axis=1) / num)], axis=1)


def _profile(name: str, title: str, unit: str, function: Callable[[Sample], Floats], y_label: str) -> Observable:
    return Observable(
        name=name,
        title=title,
        unit=unit,
        source=SOURCE,
        function=function,
        edges=ALICE_TRACKS_DETECTOR.layers[0].axes[0].edges,
        edges_unit="point",
        x_label="number of the point",
        y_label=y_label,
    )


AGAINST_CONDITIONS = (
    Observable("curvature_ratio", "Curvature / that of the true momentum", "1", SOURCE, curvature_ratio),
    Observable("azimuth_difference", "Azimuth of the helix − true azimuth", "rad", SOURCE, azimuth_difference),
    Observable("dip_difference", "Dip angle of the helix − true dip angle", "rad", SOURCE, dip_difference),
)
OF_POINTS = (
    Observable("impact_parameter", "Distance of the helix to the beam", "mm", SOURCE, impact_parameter),
    Observable("num_points", "Number of points", "points", SOURCE, num_points),
    Observable("spacing_mean", "Mean distance to the next point", "mm", SOURCE, spacing_mean),
    Observable("spacing_deviation", "Deviation of the distance to the next point", "mm", SOURCE, spacing_deviation),
    _profile("point_occupancy", "Points along the track", "1", occupancy, "Fraction of tracks with a point"),
    _profile("point_radius", "Distance from the beam", "mm", radius, "Mean distance from the beam [mm]"),
    _profile("point_drift", "Distance from z = 0", "mm", drift, "Mean distance from z = 0 [mm]"),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    if not is_alice_track(detector):
        return ()
    told = {condition.name for condition in detector.conditions}
    known = told.issuperset(condition.name for condition in ALICE_TRACKS_DETECTOR.conditions)
    return (*AGAINST_CONDITIONS, *OF_POINTS) if known else OF_POINTS


HELIX_TRACK = Family(
    name="helix_track",
    title="Momentum, direction and impact parameter of the helix, places of the points (ALICE)",
    definition=(
        "curvature of the helix over −0.3 B q / p_T of the conditions; azimuth at the point nearest to the beam, and "
        "dip angle, minus those of the conditions; distance of the circle to the beam; number of points; mean and "
        "standard deviation of the distance between a point and the next; means over tracks, at each place, of "
        "occupancy, of the distance from the beam and of |z| (0 where a track has no point)"
    ),
    unit="1, rad, mm, points",
    detectors="tracks of 159 points; the first three: momentum, charge and direction among the conditions",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
