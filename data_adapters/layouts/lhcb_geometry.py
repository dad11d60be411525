"""The hadronic calorimeter of LHCb as one image: cells, merging of the inner and the outer part, track images.

The face is 8.4 × 6.8 m², 13.33 m from the interaction point. Its outer part has 26 × 32 cells of 262.6 mm, its inner
part 28 × 32 cells of half that size, of which the middle 4 × 4 are the hole for the beam. As one image it has 52 × 64
cells of 131.3 mm: row 0 at the lowest y, column 0 at the lowest x. Each outer cell is four cells of it, with a quarter
of the energy each; the inner part is rows 12–39, columns 16–47.

Source: T. Neuer, master thesis, University of Zurich, 2020, section 2.1 (track images, merging, padding, limit).
"""

# Axes: N events, T tracks.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Axis, Condition, Layer

CELL_MM = 131.3
SHAPE = ROWS, COLUMNS = 52, 64
INNER_SHAPE, OUTER_SHAPE = (28, 32), (26, 32)
INNER = np.s_[:, 12:40, 16:48]  # of the merged image
OUTER_BEHIND_INNER = np.s_[:, 6:20, 8:24]  # of the outer image: there the inner part is
HOLE = np.s_[:, 12:16, 14:18]  # of the inner image
HALF_HEIGHT_MM, HALF_WIDTH_MM = ROWS * CELL_MM / 2, COLUMNS * CELL_MM / 2
PADDED_ROWS = (56, 64)  # single tracks, image to image
QUARTER = np.float32(0.25)

CELL_LIMIT_MEV = 6120.0  # transverse energy at which the firmware of a cell is full
HIT_MEV = 6.0  # a cell above it counts (equation 5.1.3)
# Of a track. The softest that get through the magnet (2 GeV at 10 mrad) have 20 MeV; energies given in GeV lie below.
LOWEST_ET_MEV, HIGHEST_ET_MEV = 10.0, 1e6

FACE = Layer("hcal", (Axis.regular("y", ROWS, CELL_MM, "mm"), Axis.regular("x", COLUMNS, CELL_MM, "mm")))
X = Condition("x", "mm", low=-HALF_WIDTH_MM, high=HALF_WIDTH_MM)
Y = Condition("y", "mm", low=-HALF_HEIGHT_MM, high=HALF_HEIGHT_MM)

Images = NDArray[np.float32]


def merge_images(inner: Images, outer: Images) -> Images:
    """One image of both parts [MeV], shape (N, 52, 64); no energy is lost or made.

    Args:
        inner: Shape (N, 28, 32) or (N, 896) [MeV].
        outer: Shape (N, 26, 32) or (N, 832) [MeV].
    Raises: ValueError for other shapes, or energy where the part has no cells.
    """
    inner, outer = _as_images(inner, INNER_SHAPE, "inner"), _as_images(outer, OUTER_SHAPE, "outer")
    if len(inner) != len(outer):
        raise ValueError(f"there are {len(inner)} inner images and {len(outer)} outer ones; each event needs both")
    wrong = misplaced(inner, outer)
    if wrong is not None:
        raise ValueError(f"event {wrong[0]}: {wrong[1]}")
    merged: Images = np.repeat(np.repeat(outer * QUARTER, 2, axis=1), 2, axis=2)
    merged[INNER] = inner
    return merged


def split_images(images: Images) -> tuple[Images, Images]:
    """Inner (N, 28, 32) and outer (N, 26, 32) image [MeV] of merged ones: the exact inverse of ``merge_images``.

    Of an image whose outer cells are not even (a generated one), the four quarters of each are added up.

    Raises: ValueError for images that are not (N, 52, 64).
    """
    images = _as_images(images, SHAPE, "merged")
    pairs = images[:, 0::2] + images[:, 1::2]  # twice two: three quarters would have to be rounded
    outer = pairs[:, :, 0::2] + pairs[:, :, 1::2]
    outer[OUTER_BEHIND_INNER] = 0.0
    return images[INNER].copy(), outer


def misplaced(inner: Images, outer: Images) -> tuple[int, str] | None:
    """Number of the first event with energy where its part has no cells, and what it is; None if there is none."""
    for image, region, words in (
        (outer, OUTER_BEHIND_INNER, "the outer image holds energy in rows 6–19, columns 8–23, where the inner part is"),
        (inner, HOLE, "the inner image holds energy in rows 12–15, columns 14–17, which are the hole for the beam"),
    ):
        wrong = image[region].any(axis=(1, 2))
        if wrong.any():
            return int(wrong.argmax()), words
    return None


def pad(images: Images, rows: int) -> Images:
    """Images (N, 52, 64) with as many empty rows below and above as make ``rows``: 56 (2 + 2) or 64 (6 + 6).

    Raises: ValueError for another number of rows, or images of another shape.
    """
    if rows not in PADDED_ROWS:
        raise ValueError(f"images can be padded to {PADDED_ROWS} rows, not to {rows}")
    empty = (rows - ROWS) // 2
    return np.pad(_as_images(images, SHAPE, "merged"), ((0, 0), (empty, empty), (0, 0)))


def unpad(images: Images) -> Images:
    """The middle (N, 52, 64) of images (N, 56, 64) or (N, 64, 64): the inverse of ``pad``.

    What a generator puts into the added rows is outside the calorimeter, and dropped.

    Raises: ValueError for images of another shape.
    """
    rows = images.shape[1] if images.ndim == 3 else 0
    if rows not in PADDED_ROWS or images.shape[2] != COLUMNS:
        raise ValueError(f"the images have shape {images.shape}; (N, 56, 64) or (N, 64, 64) is needed")
    empty = (rows - ROWS) // 2
    return images[:, empty:-empty].copy()


def normalise(images: Images) -> Images:
    """Energies [MeV] as fractions of the limit of 6.12 GeV: inner cells 0 … 1, outer 0 … 0.25; any shape."""
    return np.asarray(images / np.float32(CELL_LIMIT_MEV), dtype=np.float32)


def denormalise(fractions: Images) -> Images:
    """Energies [MeV] of fractions of the limit; the inverse of ``normalise`` up to a rounding (1.2e-7)."""
    return np.asarray(fractions * np.float32(CELL_LIMIT_MEV), dtype=np.float32)


def cell_limits() -> Images:
    """What a cell of the merged image can hold at most [MeV], shape (52, 64): 6120, in the outer part a quarter."""
    limits = np.full((1, *SHAPE), CELL_LIMIT_MEV * QUARTER, dtype=np.float32)
    limits[INNER] = CELL_LIMIT_MEV
    whole: Images = limits[0]
    return whole


def saturate(images: Images) -> Images:
    """Images (N, 52, 64) [MeV] cut at ``cell_limits``: the sum over the tracks of an event, as it is read out."""
    return np.asarray(np.minimum(images, cell_limits()), dtype=np.float32)


def track_image(tracks: NDArray[np.float64]) -> Images:
    """Tracks drawn where they hit the face: transverse energy [MeV] in each cell, shape (N, 52, 64).

    Args:
        tracks: x [mm], y [mm] and transverse energy [MeV], shape (N, T, 3); padded with zeros, which draw nothing.
    Raises: ValueError for another shape, or a track that is not on the face.
    """
    if tracks.ndim != 3 or tracks.shape[2] != 3:
        raise ValueError(f"the tracks have shape {tracks.shape}; (events, tracks, 3) is needed")
    x, y, transverse_energy = np.moveaxis(tracks, 2, 0)
    outside = ~((np.abs(x) <= HALF_WIDTH_MM) & (np.abs(y) <= HALF_HEIGHT_MM))
    if outside.any():
        event, track = np.argwhere(outside)[0]
        raise ValueError(
            f"track {track} of event {event} is at ({x[event, track]}, {y[event, track]}) mm; the face is "
            f"±{HALF_WIDTH_MM} × ±{HALF_HEIGHT_MM} mm: leave it out"
        )
    row, column = _cell(y, ROWS), _cell(x, COLUMNS)
    index = (np.arange(len(tracks))[:, None] * ROWS + row) * COLUMNS + column
    cells = np.bincount(index.ravel(), transverse_energy.ravel(), minlength=len(tracks) * ROWS * COLUMNS)
    return cells.reshape(-1, *SHAPE).astype(np.float32)


def _cell(place: NDArray[np.float64], cells: int) -> NDArray[np.intp]:
    """Number of the cell of a place [mm]; the far edge of the face belongs to the last one."""
    return np.minimum(np.floor(place / CELL_MM + cells / 2), cells - 1).astype(np.intp)


def _as_images(images: Images, shape: tuple[int, int], name: str) -> Images:
    if images.shape[1:] not in (shape, (shape[0] * shape[1],)):
        raise ValueError(f"the {name} images have shape {images.shape}; (events, {shape[0]}, {shape[1]}) is needed")
    return np.asarray(images, dtype=np.float32).reshape(-1, *shape)
