"""Responses of some events as if they were at the conditions of others."""

# Axes: n events, V cells.
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.lhcb_geometry import CELL_MM, HOLE, INNER, SHAPE
from metrics.observables.helix_residual import is_alice_track
from metrics.observables.helix_track import FIELD_TESLA, GEV_PER_TESLA_MM
from metrics.observables.lhcb_image import is_lhcb_face

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

AZIMUTH, PSEUDORAPIDITY, CHARGE = DIRECTION = ("phi", "eta", "charge")
MOMENTUM = "transverse_momentum"
IMPACT = ("y", "x")  # rows, then columns


def carried(detector: Detector, response: Floats, conditions: Columns, wanted: Columns) -> Floats:
    """Responses at other conditions than their own, shape (n, V).

    They are multiplied by the ratio of the incident energies; tracks are turned to the azimuth, inclined to the
    pseudorapidity and mirrored for the charge, but not bent for the momentum; images of a single particle on the face
    of a calorimeter are moved by whole cells to its point of impact.

    Args:
        response: Shape (n, V).
        conditions: Those of the response, each of shape (n,).
        wanted: Those to which it is carried.
    """
    if is_alice_track(detector):
        return _flying(response, conditions, wanted) if set(DIRECTION) <= wanted.keys() else response
    if detector.energy_condition is not None:
        name = detector.energy_condition.name
        response = response * (wanted[name] / conditions[name])[:, None]
    if is_lhcb_face(detector) and set(IMPACT) <= wanted.keys():
        cells = [np.rint((wanted[axis] - conditions[axis]) / CELL_MM).astype(np.intp) for axis in IMPACT]
        return _moved(response.reshape(-1, *SHAPE), np.stack(cells, axis=1)).reshape(response.shape)
    return response


def _flying(points: Floats, conditions: Columns, wanted: Columns) -> Floats:
    x, y, z = np.moveaxis(points.reshape(len(points), points.shape[1] // 3, 3), 2, 0)
    mirrored = np.sign(conditions[CHARGE] * wanted[CHARGE])[:, None]
    along, across = _turned(x, y, -conditions[AZIMUTH])
    steeper = np.sinh(wanted[PSEUDORAPIDITY]) - np.sinh(conditions[PSEUDORAPIDITY])
    x, y = _turned(along, mirrored * across, wanted[AZIMUTH])
    return np.stack((x, y, z + _arc(x, y, conditions[MOMENTUM]) * steeper[:, None]), axis=2).reshape(points.shape)


def _arc(x: Floats, y: Floats, transverse_momentum: Floats) -> Floats:
    """Length of the circle from the beam to each point [mm], shape (n, P)."""
    radius = (transverse_momentum / (GEV_PER_TESLA_MM * FIELD_TESLA))[:, None]
    return np.asarray(2 * radius * np.arcsin(np.minimum(np.hypot(x, y) / (2 * radius), 1)))


def _turned(x: Floats, y: Floats, angle: Floats) -> tuple[Floats, Floats]:
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return x * cosine - y * sine, x * sine + y * cosine


def _moved(images: Floats, cells: NDArray[np.intp]) -> Floats:
    """What leaves the face, or falls into the hole for the beam, is lost; outer cells are even again."""
    moved = np.empty_like(images)
    for index, by in enumerate(cells.tolist()):
        moved[index] = _shifted(images[index], *by)
    stays = (cells == 0).all(axis=1)
    return np.where(stays[:, None, None], images, _as_read_out(moved))


def _shifted(image: Floats, rows: int, columns: int) -> Floats:
    shifted = np.zeros_like(image)
    (to_row, from_row), (to_column, from_column) = (
        (slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0)))
        for by, size in ((rows, image.shape[0]), (columns, image.shape[1]))
    )
    shifted[to_row, to_column] = image[from_row, from_column]
    return shifted


def _as_read_out(images: Floats) -> Floats:
    blocks = images.reshape(len(images), SHAPE[0] // 2, 2, SHAPE[1] // 2, 2).mean(axis=(2, 4))
    even = np.repeat(np.repeat(blocks, 2, axis=1), 2, axis=2)
    even[INNER] = images[INNER]
    even[INNER][HOLE] = 0.0
    return even
