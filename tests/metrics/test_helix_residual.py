"""Helices that are known, fitted; and tracks that are none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data_adapters.datasets import DATASETS
from data_adapters.events import Events, InvalidEvents
from data_adapters.layouts.alice_geometry import ALICE_TRACKS_DETECTOR, MOST_POINTS
from data_adapters.layouts.atlas_hdf5 import ATLAS_PHOTONS
from metrics.discrepancies.wasserstein import wasserstein_1d
from metrics.helix_report import PUBLISHED_MSE, helix_report
from metrics.observables.component import Observable
from metrics.observables.helix_fit import Helices, fit_helices
from metrics.observables.helix_residual import HELIX_RESIDUAL
from metrics.observables.helix_track import HELIX_TRACK
from metrics.observables.sample import Sample

OBSERVABLES = {o.name: o for family in (HELIX_RESIDUAL, HELIX_TRACK) for o in family.of(ALICE_TRACKS_DETECTOR)}
RADII = np.linspace(848.0, 2466.0, MOST_POINTS)
MM_PER_GEV = 1e3 / (0.299792458 * 0.5)  # radius of curvature in 0.5 T: p_T = 0.299792458 B R, in GeV, T, m


def helix(pt: float, phi: float, eta: float, charge: int, radii: np.ndarray = RADII) -> np.ndarray:
    """Points of a particle from the origin at distances from the beam; positive ones turn clockwise."""
    curvature_radius = pt * MM_PER_GEV / abs(charge)
    half = np.arcsin(radii / (2 * curvature_radius))  # half the angle that it has turned
    direction = phi - np.sign(charge) * half
    arc = 2 * curvature_radius * half
    return np.stack([radii * np.cos(direction), radii * np.sin(direction), arc * np.sinh(eta)], axis=1)


def tracks(*points: np.ndarray, pt: float = 1.0, phi: float = 0.0, eta: float = 0.0, charge: float = 1.0) -> Events:
    padded = np.zeros((len(points), MOST_POINTS, 3), dtype=np.float32)
    for row, track in zip(padded, points, strict=True):
        row[: len(track)] = track
    told = {"transverse_momentum": pt, "phi": phi, "eta": eta, "charge": charge}
    conditions = {name: np.full(len(points), float(value)) for name, value in told.items()}
    identity = np.arange(len(points), dtype=np.uint64)
    return Events(ALICE_TRACKS_DETECTOR, conditions, padded.reshape(len(points), -1), identity)


def values_of(events: Events) -> dict[str, np.ndarray]:
    sample = Sample(events)
    return {name: observable.function(sample) for name, observable in OBSERVABLES.items()}


def fit(points: np.ndarray) -> Helices:
    return fit_helices(points[None], np.ones((1, len(points)), dtype=bool))


@pytest.mark.parametrize("pt", [0.25, 0.4, 1.0, 20.0, 1000.0])
@pytest.mark.parametrize("charge", [-1, 1, 2])
@pytest.mark.parametrize("eta", [-0.9, 0.0, 0.7])
def test_exact_helix(pt: float, charge: int, eta: float) -> None:
    pt = pt * abs(charge)  # that softer ones turn back before the outermost pad row is tested below
    for phi in (-3.0, 0.3, 2.0):
        fitted = fit(helix(pt, phi, eta, charge))
        assert fitted.distance.max() < 1e-6
        assert fitted.curvature[0] == pytest.approx(-np.sign(charge) * abs(charge) / (pt * MM_PER_GEV), rel=1e-5)
        assert fitted.azimuth[0] == pytest.approx(phi, abs=1e-7)
        assert fitted.dip[0] == pytest.approx(np.arctan(np.sinh(eta)), abs=1e-7)
        assert fitted.impact[0] == pytest.approx(0, abs=1e-4)


def test_observables_of_an_exact_helix() -> None:
    values = values_of(tracks(helix(0.8, 1.1, -0.4, -1), pt=0.8, phi=1.1, eta=-0.4, charge=-1))
    rounding = 1e-3  # mm; points are float32
    assert values["helix_residual_rms"][0] < rounding
    assert values["helix_residual_mean"][0] < rounding
    assert values["helix_residual"].max() < rounding
    assert values["curvature_ratio"][0] == pytest.approx(1, abs=1e-5)
    assert values["azimuth_difference"][0] == pytest.approx(0, abs=1e-6)
    assert values["dip_difference"][0] == pytest.approx(0, abs=1e-6)
    assert values["impact_parameter"][0] == pytest.approx(0, abs=0.01)
    assert values["num_points"][0] == MOST_POINTS
    np.testing.assert_allclose(values["point_radius"][0], RADII, rtol=1e-6)


def test_conditions_that_are_wrong_are_seen() -> None:
    points = helix(0.8, 1.1, -0.4, 1)
    wrong_charge = values_of(tracks(points, pt=0.8, phi=1.1, eta=-0.4, charge=-1))
    assert wrong_charge["curvature_ratio"][0] == pytest.approx(-1, abs=1e-5)
    wrong = values_of(tracks(points, pt=1.6, phi=1.0, eta=0.0, charge=1))
    assert wrong["curvature_ratio"][0] == pytest.approx(2, abs=1e-5)
    assert wrong["azimuth_difference"][0] == pytest.approx(0.1, abs=1e-6)
    assert wrong["dip_difference"][0] == pytest.approx(np.arctan(np.sinh(-0.4)), abs=1e-6)


def test_circle_of_known_radius_beside_the_beam() -> None:
    angle = np.linspace(0.2, 1.4, 30)
    around = np.stack([300 + 1000 * np.cos(angle), 400 + 1000 * np.sin(angle), np.full(30, 7.0)], axis=1)
    fitted = fit(around)
    assert 1 / abs(fitted.curvature[0]) == pytest.approx(1000, rel=1e-9)
    assert fitted.impact[0] == pytest.approx(-500, abs=1e-5)  # the beam is 500 from the centre, inside
    assert fitted.dip[0] == pytest.approx(0, abs=1e-9)
    assert fitted.distance.max() < 1e-6


def test_distances_of_displaced_points() -> None:
    """Points pushed off alternately by 2 mm in the plane, or by 3 mm along z, with no effect on the best helix."""
    points = helix(0.6, 0.0, 0.5, 1)
    sign = np.where(np.arange(MOST_POINTS) % 2, 1.0, -1.0)
    centre = np.array([0.0, -0.6 * MM_PER_GEV])  # a positive particle along x turns around a point below
    outwards = (points[:, :2] - centre) / np.linalg.norm(points[:, :2] - centre, axis=1, keepdims=True)
    pushed = points.copy()
    pushed[:, :2] += 2 * sign[:, None] * outwards
    fitted = fit(pushed)
    np.testing.assert_allclose(fitted.transverse[0], 2 * sign, atol=0.1)
    assert np.sqrt((fitted.distance**2).mean()) == pytest.approx(2, rel=1e-3)
    pushed = points.copy()
    pushed[:, 2] += 3 * sign
    fitted = fit(pushed)
    inclination = np.cos(np.arctan(np.sinh(0.5)))
    assert np.sqrt((fitted.distance**2).mean()) == pytest.approx(3 * inclination, rel=1e-3)
    assert np.abs(fitted.transverse).max() < 1e-6


def test_circle_has_the_least_squares_of_distances() -> None:
    """Compared with SciPy's minimiser, in centre and radius, from the true values."""
    from scipy.optimize import least_squares

    random = np.random.default_rng(3)
    angle = np.linspace(0, 1.0, 40)
    x, y = 1200 * np.cos(angle) - 350, 1200 * np.sin(angle)
    points = np.stack([x, y, 0 * x], axis=1) + random.normal(0, 5, (40, 3))

    def distances(parameters: np.ndarray) -> np.ndarray:
        return np.asarray(np.hypot(points[:, 0] - parameters[0], points[:, 1] - parameters[1]) - parameters[2])

    best = least_squares(distances, (-350, 0, 1200), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    fitted = fit(points)
    assert (fitted.transverse**2).sum() == pytest.approx(2 * best.cost, rel=1e-8)
    assert 1 / abs(fitted.curvature[0]) == pytest.approx(best.x[2], rel=1e-4)


def test_noise_is_found_again() -> None:
    """Smearing of 0.8 mm across and 1 mm along z: χ² of 159 points with 3 and 2 parameters."""
    random = np.random.default_rng(1)
    points = np.stack([helix(1.0, phi, 0.0, 1) for phi in random.uniform(-3, 3, 400)])
    phi = np.arctan2(points[..., 1], points[..., 0])
    across = random.normal(0, 0.8, phi.shape)
    points += np.stack([-np.sin(phi) * across, np.cos(phi) * across, random.normal(0, 1, phi.shape)], axis=2)
    fitted = fit_helices(points, np.ones(phi.shape, dtype=bool))
    assert (fitted.transverse**2).sum() / (400 * 156) == pytest.approx(0.64, rel=0.03)
    assert (fitted.longitudinal**2).sum() / (400 * 157) == pytest.approx(1.0, rel=0.03)


def test_straight_track() -> None:
    points = np.stack([RADII * 0.6, RADII * 0.8, RADII * 0.5], axis=1)
    fitted = fit(points)
    assert fitted.distance.max() < 1e-5  # mm; float64 cannot tell such a circle from a straight line
    assert abs(fitted.curvature[0]) < 1e-9
    assert fitted.azimuth[0] == pytest.approx(np.arctan2(0.8, 0.6), abs=1e-6)
    assert fitted.dip[0] == pytest.approx(np.arctan(0.5), abs=1e-9)


def test_track_that_curls_up() -> None:
    """0.15 GeV turn back within the chamber; the last point is measured a full turn later."""
    radius = 0.15 * MM_PER_GEV
    points = helix(0.15, 0.5, 0.4, 1, np.linspace(848, 1.98 * radius, 120))
    assert fit(points).distance.max() < 1e-6
    points[-1, 2] += 2 * np.pi * radius * np.sinh(0.4)
    fitted = fit(points)
    assert fitted.distance.max() < 1e-6
    assert fitted.dip[0] == pytest.approx(np.arctan(np.sinh(0.4)), abs=1e-7)


def test_order_of_points_and_of_tracks_does_not_matter() -> None:
    random = np.random.default_rng(2)
    points = np.stack([helix(pt, 0.2, 0.3, -1) for pt in (0.3, 1.0, 5.0)]) + random.normal(0, 1, (3, MOST_POINTS, 3))
    present = np.ones((3, MOST_POINTS), dtype=bool)
    fitted = fit_helices(points, present)
    order = random.permutation(MOST_POINTS)
    shuffled = fit_helices(points[::-1, order], present)
    np.testing.assert_allclose(shuffled.curvature[::-1], fitted.curvature, rtol=1e-6)
    np.testing.assert_allclose(shuffled.distance[::-1], fitted.distance[:, order], atol=1e-5)


def test_what_a_track_gives_does_not_depend_on_the_batch() -> None:
    events = DATASETS["alice-tracks-geant4"].split("validation").select(np.arange(200))
    whole = values_of(events)
    for start, stop in ((0, 1), (1, 7), (7, 200)):
        part = values_of(events.select(np.arange(start, stop)))
        for name, values in whole.items():
            np.testing.assert_array_equal(part[name], values[start:stop], err_msg=name)


def test_padding_and_missing_points_do_not_count() -> None:
    points = helix(0.7, -2.0, 0.1, 1)
    holes = points.copy()
    holes[[3, 50, 51]] = 0.0
    values = values_of(tracks(points[:40], holes, pt=0.7, phi=-2.0, eta=0.1))
    np.testing.assert_array_equal(values["num_points"], [40, MOST_POINTS - 3])
    assert values["helix_residual_rms"].max() < 1e-3
    assert not values["helix_residual"][0, 40:].any()
    assert not values["point_occupancy"][1, [3, 50, 51]].any()


def test_almost_zero_is_padding() -> None:
    points = helix(0.7, -2.0, 0.1, 1)
    events = tracks(points[:40])
    noisy = events.response + np.random.default_rng(4).normal(0, 5, events.response.shape).astype(np.float32)
    assert values_of(events.with_response(noisy))["num_points"][0] == 40


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_tracks_of_few_points_have_no_helix(count: int) -> None:
    """They are outliers: full simulation has residuals of about 1 mm, and no track must not look like it."""
    values = values_of(tracks(helix(1.0, 0.0, 0.0, 1)[:count]))
    assert all(np.isfinite(column).all() for column in values.values())
    assert values["num_points"][0] == count
    for name in ("helix_residual_mean", "helix_residual_rms"):
        assert values[name][0] == 2500.0
    assert values["curvature_ratio"][0] == 0
    assert values["azimuth_difference"][0] == np.pi
    assert values["dip_difference"][0] == np.pi / 2


@pytest.mark.parametrize("points", [np.full((10, 3), 1000.0), np.repeat([[900.0, 0, 0], [1900.0, 0, 0]], 5, axis=0)])
def test_points_that_coincide(points: np.ndarray) -> None:
    values = values_of(tracks(points))
    assert all(np.isfinite(column).all() for column in values.values())
    assert values["helix_residual_rms"][0] == pytest.approx(0, abs=1e-6)


def test_random_points_are_finite_and_far() -> None:
    response = np.random.default_rng(0).uniform(-2500, 2500, (50, 477)).astype(np.float32)
    values = values_of(tracks(*[np.zeros((0, 3))] * 50).with_response(response))
    assert all(np.isfinite(column).all() for column in values.values())
    assert values["helix_residual_rms"].min() > 300


def test_spacing() -> None:
    points = np.stack([900.0 + np.array([0, 10, 20, 40, 50]), np.zeros(5), np.zeros(5)], axis=1)
    values = values_of(tracks(points))
    assert values["spacing_mean"][0] == pytest.approx(12.5)
    assert values["spacing_deviation"][0] == pytest.approx(np.sqrt(18.75))  # of 10, 10, 20, 10
    assert values["point_radius"][0, 3] == pytest.approx(940)


def test_full_simulation_and_how_it_differs_from_smooth_helices() -> None:
    dataset = DATASETS["alice-tracks-geant4"]
    events, twin = dataset.split("validation"), dataset.twin_split("validation")
    assert twin is not None
    reference, again = values_of(events), values_of(twin)
    assert all(np.isfinite(column).all() and column.dtype == np.float64 for column in reference.values())
    np.testing.assert_array_equal(reference["num_points"], events.auxiliary["num_points"])
    # Errors of the points: 0.8 mm across, 1 mm along z; scattering and energy loss come on top.
    assert 1.0 < np.median(reference["helix_residual_rms"]) < 1.3
    assert np.median(reference["curvature_ratio"]) == pytest.approx(1.008, abs=0.01)
    assert (reference["curvature_ratio"] > 0).all()
    momenta = zip(*(events.conditions[name] for name in ("transverse_momentum", "phi", "eta", "charge")), strict=True)
    smooth = np.zeros((len(events), MOST_POINTS, 3))
    for row, (pt, phi, eta, charge) in zip(smooth, momenta, strict=True):
        row[:] = helix(max(pt, 0.2), phi, eta, int(charge))
    ideal = values_of(events.with_response(smooth.reshape(len(events), -1).astype(np.float32)))
    ones = np.ones((1, len(events)))
    name = "helix_residual_rms"
    floor = wasserstein_1d(reference[name], again[name], ones)
    assert ideal[name].max() < 0.01
    assert wasserstein_1d(reference[name], ideal[name], ones) > 20 * floor  # 0 is not perfect


def test_report() -> None:
    points = helix(0.6, 0.0, 0.0, 1)
    points[:, 2] = np.where(np.arange(MOST_POINTS) % 2, 5.0, -5.0)
    report = helix_report([tracks(points, points[:2], pt=0.6)])
    assert (report.tracks, report.tracks_without_helix) == (1, 1)
    assert report.rms_mm == pytest.approx(5, rel=1e-3)
    assert report.mse_scaled == pytest.approx((5 / 5000) ** 2, rel=1e-3)
    assert report.mse_scaled_bending_plane == pytest.approx(0, abs=1e-12)
    assert report.published_column == pytest.approx(5e-4, rel=1e-3)
    assert report.to_json()["tracks"] == 1
    assert PUBLISHED_MSE["proGAN"] * 500 == pytest.approx(0.88)


def test_report_of_no_track_is_zero() -> None:
    report = helix_report([tracks(np.zeros((0, 3)))])
    assert (report.rms_mm, report.tracks, report.tracks_without_helix) == (0.0, 0, 1)


def test_other_detectors_have_none() -> None:
    assert HELIX_RESIDUAL.of(ATLAS_PHOTONS) == HELIX_TRACK.of(ATLAS_PHOTONS) == ()
    untold = dataclasses.replace(ALICE_TRACKS_DETECTOR, conditions=ALICE_TRACKS_DETECTOR.conditions[:1])
    assert "curvature_ratio" not in {observable.name for observable in HELIX_TRACK.of(untold)}
    with pytest.raises(InvalidEvents, match="alice-tracks"):
        helix_report([DATASETS["atlas-photons-geant4"].split("validation")])


def observables() -> list[Observable]:
    return list(OBSERVABLES.values())


@pytest.mark.parametrize("observable", observables(), ids=lambda observable: observable.name)
def test_observable_says_what_it_is(observable: Observable) -> None:
    values = observable.function(Sample(tracks(helix(1.0, 0.0, 0.0, 1))))
    width = () if observable.kind == "distribution" else (len(observable.edges) - 1,)
    assert values.shape == (1, *width)
    assert observable.title
    assert observable.source
