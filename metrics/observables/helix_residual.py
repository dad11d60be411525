"""How far the points of a track lie from the helix that fits it best."""

# Axes: N tracks, P places for points.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.alice_geometry import ALICE_TRACKS_DETECTOR, LOWEST_RADIUS_MM
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.helix_fit import Helices, fit_helices
from metrics.observables.sample import Sample

PAPER = (
    "K. Deja et al. (ALICE), Generative Models for Fast Cluster Simulations in the TPC for the ALICE Experiment, "
    "section 5"
)
SOURCE = f"{PAPER}; the fit is ours, the paper does not give one"
WITHOUT_HELIX_MM = 2500.0  # half of the chamber: no track must not look like a perfect one
SINGLE = ("fitted", "curvature", "azimuth", "dip", "impact")

Floats = NDArray[np.float64]


def is_alice_track(detector: Detector) -> bool:
    """Whether the response is a track of the chamber, 159 points of x, y, z [mm]."""
    return detector.layers == ALICE_TRACKS_DETECTOR.layers and detector.quantity == ALICE_TRACKS_DETECTOR.quantity


def points_of(sample: Sample) -> NDArray[np.float32]:
    """x, y, z [mm], shape (N, P, 3)."""
    return sample.response.reshape(len(sample), *sample.detector.layers[0].shape)


def distance_from_beam(sample: Sample) -> Floats:
    """Of each place [mm], shape (N, P)."""
    return sample.once("distance from beam", lambda: np.hypot(*_plane(sample)))


def _plane(sample: Sample) -> Floats:
    return points_of(sample)[..., :2].transpose(2, 0, 1).astype(np.float64)


def is_there(sample: Sample) -> NDArray[np.bool_]:
    """Which places hold a point, shape (N, P): those not nearer to the beam than to the inner radius of the chamber.

    Padding is 0, and what generators put there is near it. How many points the response has is not read from
    elsewhere.
    """
    return np.asarray(distance_from_beam(sample) > LOWEST_RADIUS_MM / 2)


def helices_of(sample: Sample) -> Helices:
    """The fits of all tracks, made once."""
    packed = sample.once("helices", lambda: _packed(fit_helices(points_of(sample), is_there(sample))))
    transverse, longitudinal = np.split(packed[:, : -len(SINGLE)], 2, axis=1)
    fitted, curvature, azimuth, dip, impact = packed[:, -len(SINGLE) :].T
    return Helices(fitted > 0, transverse, longitudinal, curvature, azimuth, dip, impact)


def _packed(helices: Helices) -> Floats:
    columns = [getattr(helices, name)[:, None].astype(np.float64) for name in SINGLE]
    return np.hstack([helices.transverse, helices.longitudinal, *columns])


def residuals(sample: Sample) -> Floats:
    """Distance of each point to the helix [mm], shape (N, P); 0 where there is no point, or no helix."""
    return sample.once("helix residuals", lambda: helices_of(sample).distance)


def residual_mean(sample: Sample) -> Floats:
    """Mean over the points of a track [mm], shape (N,); 2500 without a helix."""
    return _with_helix(sample, residuals(sample).sum(axis=1) / _num_points(sample))


def residual_rms(sample: Sample) -> Floats:
    """Root mean square over the points of a track [mm], shape (N,); 2500 without a helix."""
    return _with_helix(sample, np.sqrt((residuals(sample) ** 2).sum(axis=1) / _num_points(sample)))


def _with_helix(sample: Sample, values: Floats) -> Floats:
    return np.where(helices_of(sample).fitted, values, WITHOUT_HELIX_MM)


def _num_points(sample: Sample) -> Floats:
    return np.asarray(np.maximum(is_there(sample).sum(axis=1), 1), dtype=np.float64)


OBSERVABLES = (
    Observable(
        "helix_residual_mean",
        "Mean distance of the points to the helix",
        "mm",
        SOURCE,
        residual_mean,
    ),
    Observable(
        "helix_residual_rms",
        "RMS distance of the points to the helix",
        "mm",
        SOURCE,
        residual_rms,
    ),
    Observable(
        name="helix_residual",
        title="Distance of a point to the helix, along the track",
        unit="mm",
        source=SOURCE,
        function=residuals,
        edges=ALICE_TRACKS_DETECTOR.layers[0].axes[0].edges,
        edges_unit="point",
        x_label="number of the point",
        y_label="Mean distance to the helix [mm]",
    ),
)


def _of(detector: Detector) -> tuple[Observable, ...]:
    return OBSERVABLES if is_alice_track(detector) else ()


HELIX_RESIDUAL = Family(
    name="helix_residual",
    title="Distance of the points of a track to the helix that fits them best",
    definition=(
        "distance of each point to the helix of the least squares (circle in the bending plane, then a line of z "
        "against its arc, each of the least squares of the distances to it); mean and root mean square over a track, "
        "and mean over tracks at each place. 0 is not perfect: full simulation scatters and is smeared. A place nearer "
        "than 400 mm to the beam holds no point; tracks of fewer than 4 points have no helix and count as 2500 mm"
    ),
    unit="mm",
    detectors="tracks of 159 points, x, y and z in mm",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=_of,
)
