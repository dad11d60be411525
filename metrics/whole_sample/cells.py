"""Cells as numbers to compare: over the incident energy, as images of layers, in windows; block by block."""

# Axes: N events, V cells, B events or pairs of a block.
from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Detector
from data_adapters.events import Events
from metrics.conditioned_events import ConditionedEvents

Floats = NDArray[np.float64]

BLOCK_CELLS = 2**17  # of one block: 1 MB in double precision, so that it stays in the cache


def blocks(num: int, num_cells: int, block_cells: int = BLOCK_CELLS) -> Iterator[slice]:
    """Consecutive slices of so many events that a block holds about ``block_cells`` cells, at least one event."""
    size = max(1, block_cells // num_cells)
    yield from (slice(start, min(start + size, num)) for start in range(0, num, size))


def response_unit(events: Events) -> Floats:
    """What the cells of each event are divided by, shape (N,): its incident energy.

    1 where the detector has no energy condition, or the energy is 0.
    """
    if events.detector.energy_condition is None:
        return np.ones(len(events))
    return np.where(events.incident_energy > 0, events.incident_energy, 1.0)


def is_no_image(events: ConditionedEvents) -> str | None:
    """Why the cells are no image; None if they are one."""
    if events.detector.quantity == "coordinate":
        return f"the cells of {events.detector.name} hold coordinates, which are no image"
    return None


def layer_shapes(detector: Detector) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Where each layer lies in the response, and its shape."""
    slices = detector.layer_slices
    return {layer.name: (slices[layer.name], layer.shape) for layer in detector.layers}


def window_sums(images: Floats, window: Sequence[int]) -> Floats:
    """Sums over all windows that lie inside the images: shape (B, cells) to (B, cells − window + 1), axis by axis.

    Shifted images are added, so that windows of zeros sum to zero exactly.
    """
    sums = images
    for axis, size in enumerate(window, start=1):
        positions = sums.shape[axis] - size + 1
        before = (slice(None),) * axis
        total = sums[(*before, slice(0, positions))].copy()
        for start in range(1, size):
            total += sums[(*before, slice(start, start + positions))]
        sums = total
    return sums
