"""Cells counted in octaves of their energy."""

# Axes: N events, V cells, B octaves.
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import ENERGY_UNITS, Detector
from metrics.observables.sample import Sample

LOWEST_MEV = 1e-3
OCTAVES = 30  # 1 keV to 1 TeV

# A float32 is 2^(code − 127) · (1 + mantissa), its bits: sign, 8 of code, 23 of mantissa. Code 0 is zero (and what is
# below 1e-38).
MANTISSA_BITS = 23
CODE_OF_ONE = 127
CODES = 257  # one more for the negative zero
CELLS_AT_A_TIME = 2**18  # their codes stay in the cache


def octave_edges(detector: Detector) -> tuple[float, ...]:
    """Powers of two from about 1 keV to 1 TeV, in the unit of the detector; B + 1 of them."""
    return tuple(math.ldexp(1.0, _lowest_exponent(detector) + index) for index in range(OCTAVES + 1))


def _lowest_exponent(detector: Detector) -> int:
    return round(math.log2(LOWEST_MEV / ENERGY_UNITS[detector.unit]))


def has_cell_energies(detector: Detector) -> bool:
    """Whether the cells hold energies."""
    return not detector.signed and detector.unit in ENERGY_UNITS


def cells_in_octaves(sample: Sample) -> NDArray[np.float64]:
    """Number of cells of each event in each octave, shape (N, B).

    Cells of zero are in none; other cells below the first edge are in the first octave, those beyond the last edge in
    the last.
    """
    return sample.once("octaves", lambda: _cells_in_octaves(sample))


def _cells_in_octaves(sample: Sample) -> NDArray[np.float64]:
    bits = np.ascontiguousarray(sample.response, dtype=np.float32).view(np.uint32)
    first = _lowest_exponent(sample.detector) + CODE_OF_ONE
    starts = np.concatenate([[0], first + np.arange(1, OCTAVES) - 1])  # the code of zero is left out
    counts = np.empty((len(bits), OCTAVES))
    rows = max(1, CELLS_AT_A_TIME // max(CODES, bits.shape[1]))
    for start in range(0, len(bits), rows):
        codes = bits[start : start + rows] >> MANTISSA_BITS
        codes += np.arange(len(codes), dtype=np.uint32)[:, None] * CODES
        events = np.bincount(codes.ravel(), minlength=len(codes) * CODES).reshape(len(codes), CODES)
        counts[start : start + rows] = np.add.reduceat(events[:, 1:-1], starts, axis=1)
    return counts
