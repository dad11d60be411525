"""Is the energy of data found better by a network that was trained with refined simulation? arXiv:1802.03325, figure 6.

The network is the judge's AixNet (``metrics.networks``), trained anew on each sample; the tested showers are never
those of the training, nor simulations of them.
"""

# Axes: N events, E bins of energy, n events of a bin, K replicas.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.events import Events
from metrics.bootstrap import bootstrap_weights
from metrics.networks.parts import Parts
from metrics.whole_sample.energy_regression import LARGEST_LOGARITHM, residuals_in_bins

ENERGY_EDGES_EEV = (1.0, 10.0, 30.0, 50.0, 70.0, 90.0, 100.0)
TRAINED, VALIDATED = 0.7, 0.1  # parts of a sample; the rest is tested
REPLICAS = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resolution:
    """Bias and resolution of the reconstructed energy in bins of the true one.

    Attributes:
        label: What was trained on, and what was tested.
        true, reconstructed: Energies of the tested events [EeV], (N,).
        bias, resolution: Mean and standard deviation of (E_reconstructed − E)/E, (E,), with their errors.
        absolute_bias, overall: Mean of |bias| over the bins, and of the resolution, each with its error.
    """

    label: str
    true: Floats
    reconstructed: Floats
    bias: Floats
    bias_error: Floats
    resolution: Floats
    resolution_error: Floats
    absolute_bias: tuple[float, float]
    overall: tuple[float, float]


def measured(label: str, true: Floats, reconstructed: Floats, seed: int) -> Resolution:
    """Residuals in the bins of energy, with bootstrap errors.

    Args:
        true, reconstructed: [EeV], (N,).
    """
    number = np.digitize(true, ENERGY_EDGES_EEV[1:-1])
    bins = [np.flatnonzero(number == index) for index in range(len(ENERGY_EDGES_EEV) - 1)]
    wrong = np.clip(np.log(reconstructed / true), -LARGEST_LOGARITHM, LARGEST_LOGARITHM)
    values = np.expm1(wrong)
    once = residuals_in_bins(values, bins, [np.ones((1, len(events))) for events in bins])
    drawn = [bootstrap_weights(len(events), REPLICAS, (seed, index)) for index, events in enumerate(bins)]
    again = residuals_in_bins(values, bins, drawn)
    return Resolution(
        label,
        true,
        reconstructed,
        once.bias[:, 0],
        again.bias.std(axis=1),
        once.resolution[:, 0],
        again.resolution.std(axis=1),
        (float(np.abs(once.bias).mean()), float(np.abs(again.bias).mean(axis=0).std())),
        (float(once.resolution.mean()), float(again.resolution.mean(axis=0).std())),
    )


def divided(events: int, seed: int) -> Parts:
    """Training, validation and tested events of a sample."""
    order = np.random.default_rng(seed).permutation(events)
    first, second = round(TRAINED * events), round((TRAINED + VALIDATED) * events)
    return Parts(order[:first], order[first:second], order[second:], seed)


def energy_study(
    sample: Events,
    simulated: NDArray[np.float32],
    refined: NDArray[np.float32],
    seed: int,
    on_step: Callable[[str], None] = lambda _step: None,
) -> dict[str, Resolution]:
    """Figure 6: (a), (b), (c), and beside them (d), what a perfect refinement would reach.

    Args:
        sample: Data, (N, V).
        simulated, refined: The simulation of the same showers, and after refinement, (N, V).
        on_step: Told what is trained next.
    """
    from metrics.networks.regression import EnergyReconstruction  # torch is loaded when it runs

    parts = divided(len(sample), seed)
    tested = parts.test
    true = sample.incident_energy[tested]
    simulation, refinement = sample.with_response(simulated), sample.with_response(refined)
    trained_on = {
        "simulation": (simulation, {"a": ("simulation", simulation), "b": ("data", sample)}),
        "refined simulation": (refinement, {"c": ("data", sample)}),
        "data": (sample, {"d": ("data", sample)}),
    }
    studies = {}
    for name, (training, tests) in trained_on.items():
        on_step(f"AixNet on {name}")
        network = EnergyReconstruction.train(training, [parts])
        for key, (of, events) in tests.items():
            reconstructed = np.exp(network.logarithms(events)[tested])
            studies[key] = measured(f"trained on {name}, tested on {of}", true, reconstructed, seed)
    return dict(sorted(studies.items()))
