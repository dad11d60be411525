"""Binning, from the reference alone."""

# Axes: n reference events of one condition bin, B bins, P positions of a profile.
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def quantile_edges(values: NDArray[np.float64], bins: int, smallest_count: int) -> NDArray[np.float64]:
    """Inner edges of a histogram, shape (B − 1,), increasing; at most ``bins`` bins.

    Bins lie between quantiles of the reference values, shape (n,), and include their lower edge.
    Adjacent bins are merged until each holds ``smallest_count`` entries, which also removes the empty
    bins between equal quantiles. The end bins reach to ±infinity: no entry is lost.
    """
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    counts = np.bincount(bin_index(values, edges), minlength=bins)
    starts = merge_adjacent(bins, lambda bin_: counts[bin_].sum() >= smallest_count)
    return np.asarray(edges[starts[1:] - 1], dtype=np.float64)


def bin_index(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Number of the bin, 0 … B − 1, of each value; under- and overflow are in the end bins."""
    return np.searchsorted(edges, values, side="right")


def profile_starts(profile: NDArray[np.float64], smallest_fraction: float, smallest_count: int) -> NDArray[np.intp]:
    """First position of each merged bin of a profile of shape (n, P); shape (B,).

    Adjacent positions are merged until each bin holds ``smallest_fraction`` of the profile's energy,
    or its almost empty flanks would decide every relative error, and ``smallest_count`` effective
    entries (Σe)² / Σe², or one event that leaves much energy in a layer that sees little would.

    Raises: ValueError if the profile holds no energy at all.
    """
    total = float(profile.sum())
    if total <= 0:
        raise ValueError("the reference holds no energy in this profile: take the profile off the scorecard")

    def enough(bin_: slice) -> bool:
        energy = profile[:, bin_].sum(axis=1)
        held = float(energy.sum())
        return held >= smallest_fraction * total and held**2 >= smallest_count * float((energy**2).sum())

    return merge_adjacent(profile.shape[1], enough)


def merge_adjacent(num_bins: int, enough: Callable[[slice], bool]) -> NDArray[np.intp]:
    """First old bin of each new bin, shape (B,), so that ``enough`` holds for every new bin.

    Goes from left to right; what is left over at the right end joins the last bin that is full.
    """
    starts = [0]
    for stop in range(1, num_bins):
        if enough(slice(starts[-1], stop)):
            starts.append(stop)
    if len(starts) > 1 and not enough(slice(starts[-1], num_bins)):
        starts.pop()
    return np.array(starts, dtype=np.intp)
