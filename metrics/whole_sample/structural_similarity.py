"""SSIM, structural similarity: are generated showers as unlike each other as real ones?"""

# Axes: N events, P pairs, B pairs of a block, E condition bins, D dynamic ranges L; kinds of pairs: R–R, G–G, R–G.
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from metrics.whole_sample.cells import blocks, is_no_image, layer_shapes, window_sums
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric
from metrics.whole_sample.neighbouring_conditions import NeighbourPairs, neighbouring_pairs

Floats = NDArray[np.float64]

K_1, K_2 = 0.01, 0.03
DYNAMIC_RANGES = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
WINDOW = 7  # cells along each axis, or all there are
NEIGHBOURS = 3
KINDS = ("reference_reference", "generated_generated", "reference_generated")


@dataclass(frozen=True)
class _Windows:
    """Images, shape (B, …), with means and variances of their windows."""

    images: Floats
    window: tuple[int, ...]
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, images: Floats) -> _Windows:
        window = tuple(min(WINDOW, cells) for cells in images.shape[1:])
        mean = window_sums(images, window) / math.prod(window)
        squares = window_sums(images * images, window) / math.prod(window)
        return cls(images, window, mean, np.maximum(squares - mean**2, 0.0))

    def covariance(self, other: _Windows) -> Floats:
        products = window_sums(self.images * other.images, self.window) / math.prod(self.window)
        return np.asarray(products - self.mean * other.mean, dtype=np.float64)


def structural_similarity(a: Floats, b: Floats, dynamic_ranges: Sequence[float] = DYNAMIC_RANGES) -> Floats:
    """Mean SSIM (3DGAN, eq. 2) over all windows of each pair of images, shape (B, D).

    Windows are uniform, 7 cells wide along each axis (fewer where there are fewer), and lie inside the image; variances
    are those of the cells of a window, over their number.

    Args:
        a, b: Images of one, two or three axes, shape (B, …), equal.
        dynamic_ranges: L, in the unit of the images.
    """
    return _similarity(_Windows.of(a), _Windows.of(b), dynamic_ranges)


def _similarity(a: _Windows, b: _Windows, dynamic_ranges: Sequence[float]) -> Floats:
    means, mean_squares = 2 * a.mean * b.mean, a.mean**2 + b.mean**2
    covariances, variances = 2 * a.covariance(b), a.variance + b.variance
    axes = tuple(range(1, means.ndim))
    return np.stack(
        [
            (
                (means + (K_1 * largest) ** 2)
                * (covariances + (K_2 * largest) ** 2)
                / ((mean_squares + (K_1 * largest) ** 2) * (variances + (K_2 * largest) ** 2))
            ).mean(axis=axes)
            for largest in dynamic_ranges
        ],
        axis=1,
    )


def _pair_similarities(pair: SamplePair, pairs: NeighbourPairs) -> Floats:
    """Mean over the layers, of each pair of events: R–R, G–G, R–G; shape (P, 3 D)."""
    layers = layer_shapes(pair.reference.detector).values()
    parts = [_layer_similarities(pair, pairs, cells, shape) for cells, shape in layers]
    return np.asarray(np.mean(parts, axis=0), dtype=np.float64)


def _layer_similarities(pair: SamplePair, pairs: NeighbourPairs, cells: slice, shape: tuple[int, ...]) -> Floats:
    unit = _largest_cells(pair, cells)

    def windows(response: NDArray[np.float32], rows: NDArray[np.intp]) -> _Windows:
        images = response[rows, cells] / unit[rows, None]
        return _Windows.of(images.reshape(len(rows), *shape))

    real, generated = pair.reference.response, pair.generated.response
    result = np.empty((len(pairs), len(KINDS) * len(DYNAMIC_RANGES)))
    for part in blocks(len(pairs), math.prod(shape)):
        first, second = pairs.first[part], pairs.second[part]
        r, r_other = windows(real, first), windows(real, second)
        g, g_other = windows(generated, first), windows(generated, second)
        kinds = ((r, r_other), (g, g_other), (r, g_other))
        result[part] = np.hstack([_similarity(*kind, DYNAMIC_RANGES) for kind in kinds])
    return result


def _largest_cells(pair: SamplePair, cells: slice) -> Floats:
    """Mean over the reference events of its condition bin of the largest cell, for each event; 1 where that is 0."""
    response = pair.reference.response[:, cells]
    largest = np.maximum(response.max(axis=1), -response.min(axis=1)).astype(np.float64)
    number = np.unique(pair.bins, return_inverse=True)[1]
    mean = np.bincount(number, largest) / np.bincount(number)
    return np.where(mean > 0, mean, 1.0)[number]


def structural_similarity_difference(pair: SamplePair, seed: int) -> Outcome:
    """Mean SSIM of generated pairs minus that of real pairs at L = 1e-4; above 0, generated showers are too alike.

    A pair is an event and one of the three of its condition bin that are nearest in the conditions; the same pairs
    serve R–R, G–G and R–G (event of R, neighbour of G). Layers are compared as they are, flat ones as images, a volume
    as a volume, and count alike.

    Args:
        pair: Events of both samples, shape (N, V).
        seed: Of the choice between equally near events.
    Returns: Value and error; in the details the mean SSIM of each kind of pairs at each L, with errors.
    Raises: ValueError as ``neighbouring_pairs``.
    """
    pairs = neighbouring_pairs(pair.reference, pair.bins, NEIGHBOURS, seed)
    similarities = _pair_similarities(pair, pairs)

    in_bins = pairs.means(similarities)
    weights = np.full(len(in_bins), 1 / len(in_bins))
    columns = dict(zip(product(KINDS, DYNAMIC_RANGES), similarities.T, strict=True))
    difference = columns[KINDS[1], DYNAMIC_RANGES[-1]] - columns[KINDS[0], DYNAMIC_RANGES[-1]]
    table = [
        {"pairs": kind, "dynamic_range": largest, "mean": float(mean), "error": pairs.mean_error(column, weights)}
        for ((kind, largest), column), mean in zip(columns.items(), in_bins.mean(axis=0), strict=True)
    ]
    return Outcome(
        float(pairs.means(difference[:, None]).mean()),
        pairs.mean_error(difference, weights),
        {"window": WINDOW, "neighbours": NEIGHBOURS, "pairs": len(pairs), "similarities": table},
    )


STRUCTURAL_SIMILARITY = WholeSampleMetric(
    name="ssim",
    title="Structural similarity (SSIM), G–G minus R–R",
    definition=(
        "SSIM(x, y) = (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)), C₁ = (0.01 L)², "
        f"C₂ = (0.03 L)², averaged over uniform windows of {WINDOW} cells along each axis of a layer (image or "
        f"volume), layers, and pairs of an event with the {NEIGHBOURS} nearest in the conditions, in each condition "
        "bin; L in units of the mean largest cell of the layer in R there. The value is the mean of pairs of G minus "
        "that of pairs of R, at L = 10⁻⁴: above 0, generated showers are too alike. Beside it R–R, G–G and R–G for L "
        "from 1 to 10⁻⁴"
    ),
    unit="1",
    direction="to_perfect",
    perfect=0.0,
    smallest_sample=50,
    source=(
        "3DGAN (doi:10.1109/ACCESS.2021.3101946), eq. 2 and figure 16; window and pairs are ours, as the unit of L is, "
        "so that it means the same at every energy"
    ),
    function=structural_similarity_difference,
    applies=is_no_image,
)
