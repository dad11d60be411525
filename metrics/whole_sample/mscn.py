"""MSCN: mean-subtracted, contrast-normalised coefficients of the cells, their histograms compared."""

# Axes: N events, B events of a block, H bins of a histogram, E condition bins, K replicas.
from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from metrics.bootstrap import event_weights, independent_units, standard_error
from metrics.whole_sample.cells import blocks, is_no_image, layer_shapes, window_sums
from metrics.whole_sample.component import Outcome, SamplePair, WholeSampleMetric

Floats = NDArray[np.float64]
Response = NDArray[np.float32]

EPSILON = 1e-7  # in the unit of the response
WINDOW = 7  # cells along each axis
BINS = 50
DECIMALS = 6  # of a coefficient: so equal ones fall into one bin, whatever their rounding
REPLICAS = 100
LARGEST_SAMPLE = 2**20  # coefficients of the reference that the bins of one histogram follow from


def coefficients(images: Floats) -> Floats:
    """(I − μ) / (σ + 1e-7) of each cell (3DGAN, eq. 4), NaN where it is empty; shape (B, …) as the images.

    μ and σ are mean and standard deviation of the cells that are not empty in the window of 7 cells along each axis
    around the cell, as much of it as lies in the image.
    """
    window = (WINDOW,) * (images.ndim - 1)
    margin = [(0, 0), *((size // 2, size // 2) for size in window)]
    padded = np.pad(images, margin)
    count = np.maximum(window_sums((padded != 0).astype(np.float64), window), 1.0)
    mean = window_sums(padded, window) / count
    variance = np.maximum(window_sums(padded * padded, window) / count - mean**2, 0.0)
    values = np.round((images - mean) / (np.sqrt(variance) + EPSILON), DECIMALS)
    return np.where(images != 0, values, np.nan)


def jensen_shannon_distance(p: Floats, q: Floats) -> Floats:
    """Square root of the Jensen–Shannon divergence in bits (logarithm to base 2) of histograms of shape (K, H).

    0 for equal ones, 1 for those that share no bin; an empty histogram is equal to an empty one, and shares no bin
    with any other.
    """
    shares = []
    for counts in (p, q):
        total = counts.sum(axis=1, keepdims=True)
        # An empty histogram gets a bin of its own.
        shares.append(np.hstack([counts, total == 0]) / np.where(total > 0, total, 1.0))
    middle = (shares[0] + shares[1]) / 2
    divergence = np.zeros(len(p))
    for share in shares:
        ratio = np.divide(share, middle, out=np.ones_like(share), where=share > 0)
        divergence += (share * np.log2(ratio)).sum(axis=1) / 2
    return np.sqrt(np.clip(divergence, 0.0, 1.0))


def histogram_edges(values: Floats) -> Floats:
    """Edges between bins of about equal content, from coefficients of the reference; empty for none.

    Below the first and above the last edge lie bins that the reference leaves empty.
    """
    if len(values) == 0:
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1), method="lower"))
    return np.append(edges, edges[-1] + 10.0**-DECIMALS / 2)


class _Layer:
    """One layer of a sample, image by image."""

    def __init__(self, cells: slice, shape: tuple[int, ...]) -> None:
        self.cells = cells
        self.shape = shape

    def coefficients(self, response: Response, rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Blocks of events and their coefficients, shape (B, cells), NaN in empty cells."""
        for part in blocks(len(rows), math.prod(self.shape)):
            images = response[rows[part], self.cells].astype(np.float64).reshape(-1, *self.shape)
            yield rows[part], coefficients(images).reshape(len(images), -1)

    def edges(self, response: Response, rows: NDArray[np.intp]) -> Floats:
        filled = sum(int(np.count_nonzero(response[row, self.cells])) for row in rows)
        step = max(1, -(-filled // LARGEST_SAMPLE))
        values = [block[np.isfinite(block)][::step] for _, block in self.coefficients(response, rows)]
        return histogram_edges(np.concatenate(values))

    def histograms(self, response: Response, rows: NDArray[np.intp], edges: Floats) -> Floats:
        """Of each event, shape (n, H)."""
        counts = []
        size = len(edges) + 1
        for _, block in self.coefficients(response, rows):
            event, cell = np.nonzero(np.isfinite(block))
            number = event * size + np.searchsorted(edges, block[event, cell], side="right")
            counts.append(np.bincount(number, minlength=len(block) * size).reshape(len(block), size))
        return np.concatenate(counts).astype(np.float64)

    def distances(self, pair: SamplePair, rows: NDArray[np.intp], weights: Floats) -> Floats:
        """Of the events of a condition bin, for weights of shape (K, n); shape (K,)."""
        real, generated = pair.reference.response, pair.generated.response
        edges = self.edges(real, rows)
        histograms = (self.histograms(response, rows, edges) for response in (real, generated))
        return jensen_shannon_distance(*(weights @ counts for counts in histograms))


def mscn_distance(pair: SamplePair, seed: int) -> Outcome:
    """Jensen–Shannon distance between the MSCN coefficients of R and G, mean over condition bins and layers.

    Args:
        pair: Events of both samples, shape (N, V).
        seed: Of the bootstrap over events.
    Returns: Value and error; in the details the distance of each layer.
    """
    members = [np.flatnonzero(pair.bins == one) for one in np.unique(pair.bins)]
    replicas = event_weights(members, independent_units(pair.reference.identity), REPLICAS, seed)
    weights = [np.vstack([np.ones(len(rows)), drawn]) for rows, drawn in zip(members, replicas, strict=True)]
    layers = {name: _Layer(*where) for name, where in layer_shapes(pair.reference.detector).items()}
    distances = {
        name: np.mean([layer.distances(pair, *events) for events in zip(members, weights, strict=True)], axis=0)
        for name, layer in layers.items()
    }
    mean = np.mean(list(distances.values()), axis=0)
    return Outcome(
        float(mean[0]),
        standard_error(mean[1:]),
        {
            "window": WINDOW,
            "bins": BINS,
            "logarithm": 2,
            "layers": {
                name: {"value": float(values[0]), "error": standard_error(values[1:])}
                for name, values in distances.items()
            },
        },
    )


MSCN = WholeSampleMetric(
    name="mscn_jsd",
    title="Jensen–Shannon distance of MSCN coefficients",
    definition=(
        "I* = (I − μ) / (σ + 10⁻⁷) of each cell that is not empty, with mean and standard deviation over the cells "
        f"that are not empty in the window of {WINDOW} cells along each axis around it (image or volume); square root "
        "of the Jensen–Shannon divergence (logarithm to base 2, so at most 1) between the histograms of I* in R and G, "
        f"in {BINS} bins between quantiles of R and two beyond; mean over layers and condition bins"
    ),
    unit="1",
    direction="lower",
    perfect=0.0,
    smallest_sample=50,
    source="3DGAN (doi:10.1109/ACCESS.2021.3101946), eq. 4 and figure 17; window, cells and bins are ours",
    function=mscn_distance,
    applies=is_no_image,
)
