"""Responses of some events as if they were at the conditions of others."""

# Axes: n events, V cells.
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.layouts.lhcb_geometry import CELL_MM, HOLE, INNER, SHAPE
from metrics.observables.helix_residual import is_alice_track
from metrics.observables.lhcb_image import is_lhcb_face

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

AZIMUTH = "phi"
IMPACT = ("y", "x")  # rows, then columns


def carried(detector: Detector, response: Floats, conditions: Columns, wanted: Columns) -> Floats:
    """Responses at other conditions than their own, shape (n, V).

    They are multiplied by the ratio of the incident energies; points of tracks are turned by the difference of their
    azimuths; images of a single particle on the face of a calorimeter are moved by whole cells to its point of impact.

    Args:
        response: Shape (n, V).
        conditions: Those of the response, each of shape (n,).
        wanted: Those to which it is carried.
    """
    if is_alice_track(detector):
        return _turned(response, wanted[AZIMUTH] - conditions[AZIMUTH]) if AZIMUTH in wanted else response
    if detector.energy_condition is not None:
        name = detector.energy_condition.name
        response = response * (wanted[name] / conditions[name])[:, None]
    if is_lhcb_face(detector) and set(IMPACT) <= wanted.keys():
        cells = [np.rint((wanted[axis] - conditions[axis]) / CELL_MM).astype(np.intp) for axis in IMPACT]
        return _moved(response.reshape(-1, *SHAPE), np.stack(cells, axis=1)).reshape(response.shape)
    return response


def _turned(points: Floats, angle: Floats) -> Floats:
    x, y, z = np.moveaxis(points.reshape(len(points), points.shape[1] // 3, 3), 2, 0)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack((x * cosine - y * sine, x * sine + y * cosine, z), axis=2).reshape(points.shape)


def _moved(images: Floats, cells: NDArray[np.intp]) -> Floats:
    """What leaves the face, or falls into the hole for the beam, is lost; outer cells are even again."""
    moved = np.stack([_shifted(image, *by) for image, by in zip(images, cells.tolist(), strict=True)])
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
