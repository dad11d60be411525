"""Angle of incidence as the shower shows it, and its difference to the true one."""

# Axes: N events, X, Y, Z cells.
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.clic_3dgan import THETA
from metrics.observables.along_axes import grids
from metrics.observables.component import FOR_DISTRIBUTION, Family, Observable
from metrics.observables.sample import Sample, ratio

SOURCE = "3DGAN (doi:10.1109/ACCESS.2021.3101946), § IV-B, as data_adapters.layouts.clic_3dgan.measured_angle"
AXES = ("x", "y", "z")


def measured_angle(sample: Sample) -> NDArray[np.float64]:
    """Angle between the y axis and the line from the event's barycentre to that of a layer [rad], shape (N,).

    Averaged over the layers with their depth as weight; layers without energy do not count. π/2 is perpendicular to
    the face. An event without energy has no angle; it is given 0, where no shower lies.
    """
    return sample.once("measured angle", lambda: _measured_angle(sample))


def _measured_angle(sample: Sample) -> NDArray[np.float64]:
    grid = grids(sample.detector)[0]
    places = [axis.centres - axis.edges[0] for axis in grid.axes]
    along_x, along_y = grid.projection(sample, 1), grid.projection(sample, 0)
    layer = along_y.sum(axis=1)  # (N, Z)
    hit = layer > 0
    energy = np.where(hit, layer, 1.0)
    share = ratio(layer, layer.sum(axis=1, keepdims=True))
    barycentres = (places[0] @ along_x / energy, places[1] @ along_y / energy, np.broadcast_to(places[2], layer.shape))
    x, y, z = (place - (share * place).sum(axis=1, keepdims=True) for place in barycentres)
    angle = math.pi / 2 - np.arctan2(np.where(z < 0, -y, y), np.hypot(x, z))
    weight = np.where(hit, places[2], 0.0)
    sum_of_weights = weight.sum(axis=1)
    mean = (angle * weight).sum(axis=1) / np.where(sum_of_weights > 0, sum_of_weights, 1.0)
    return np.asarray(mean, dtype=np.float64)


def angle_difference(sample: Sample) -> NDArray[np.float64]:
    """Measured minus true angle [rad], shape (N,); −θ for an event without energy, where no shower lies."""
    return measured_angle(sample) - sample.events.conditions[THETA.name]


def angles(detector: Detector) -> tuple[Observable, ...]:
    """The angle of a single volume in x, y and depth z, and its difference to the condition theta if there is one."""
    axes = detector.layers[0].axes
    lengths = len({axis.unit for axis in axes}) == 1 and axes[0].unit != "cell"
    if detector.signed or len(detector.layers) > 1 or tuple(axis.name for axis in axes) != AXES or not lengths:
        return ()
    measured = Observable("measured_angle", "Measured angle", "rad", SOURCE, measured_angle)
    if not any((c.name, c.unit, c.shape) == (THETA.name, THETA.unit, ()) for c in detector.conditions):
        return (measured,)
    title = "Measured − true angle"
    return measured, Observable("angle_difference", title, "rad", SOURCE, angle_difference)


MEASURED_ANGLE = Family(
    name="measured_angle",
    title="Measured angle, and its difference to the true one",
    definition=(
        "Σ z a(z) / Σ z over the layers with energy, with a(z) the angle between the y axis and the line from the "
        "event's barycentre to that of layer z; minus θ"
    ),
    unit="rad",
    detectors="one volume of x, y and z in a unit of length; the difference: θ among the conditions",
    smallest_sample=FOR_DISTRIBUTION,
    cost="every evaluation",
    source=SOURCE,
    of=angles,
)
