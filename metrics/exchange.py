"""The test whether a generated sample can be told from full simulation, by exchanging events with their twins.

Nothing is computed anew for an exchange: the generated events and their twins stand side by side, and the weights say
which of the two is taken. So each metric sorts, bins and multiplies once for all exchanges.
"""

# Axes: n events of one condition bin, K exchanges.
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from metrics.condition_bin import ConditionBin, Measurement
from metrics.discrepancies.component import MetricFunction

WEIGHTS_AT_A_TIME = 2**21  # 16 MB
ROUNDING = 1e-12  # excesses that lie closer than this are equal


def tosses(exchanges: int, num_units: int, seed: int) -> NDArray[np.bool_]:
    """Which units are exchanged each time, shape (K, units): every one with probability ½."""
    generator = np.random.default_rng(seed)
    return np.stack([generator.random(num_units) < 0.5 for _ in range(exchanges)])


def exchanged_excesses(
    functions: Mapping[str, MetricFunction],
    condition_bin: ConditionBin,
    reference: Measurement,
    samples: tuple[Measurement, Measurement],
    exchanged: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """Metrics of the first sample minus those of the second after each exchange, shape (K,) each.

    Args:
        functions: The metrics by name.
        samples: Generated sample and twin, event by event.
        exchanged: Events that change places each time, shape (K, n).
    """
    first, second = samples
    twice, there, back = _joined(reference, reference), _joined(first, second), _joined(second, first)
    rows = max(1, WEIGHTS_AT_A_TIME // (2 * exchanged.shape[1]))
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in functions}
    for start in range(0, len(exchanged), rows):
        come = exchanged[start : start + rows]
        weights = np.hstack([~come, come]).astype(np.float64)
        for name, function in functions.items():
            excess = function(condition_bin, twice, there, weights) - function(condition_bin, twice, back, weights)
            parts[name].append(excess)
    return {name: np.concatenate(blocks) for name, blocks in parts.items()}


def exchange_probability(observed: float, exchanged: NDArray[np.float64]) -> float:
    """Fraction of excesses that are at least the observed one, itself among them.

    Args:
        exchanged: Excesses after random exchanges, shape (K,). With all the other events exchanged instead, each
            changes its sign; these count too.
    """
    everything = np.concatenate([exchanged, -exchanged, [observed, -observed]])
    return float(np.mean(everything >= observed - ROUNDING))


def _joined(a: Measurement, b: Measurement) -> Measurement:
    """The events of both, shape (2n, …)."""
    return Measurement(
        np.concatenate([a.values, b.values]),
        np.concatenate([a.membership, b.membership]),
        np.concatenate([a.profiles, b.profiles]),
    )
