"""Generators as FastCaloSim of ATLAS runs its networks.

FastCaloSim asks the file for its inputs by name and fills ``Noise`` with numbers from N(0.5, 0.5), and ``mycond`` with
log(E_kin / E_min) / log(E_max / E_min) and a zero; sizes that the file leaves open become 1. It takes the output as a
flat vector of energies in MeV, in the order of the cells. E_min and E_max follow from the particle: momenta of 2^n MeV.
Within an input the numbers come in the order of their names as text (variable_0, variable_1, variable_10, …), which
does not matter for noise.

Source: Athena, Simulation/ISF/ISF_FastCaloSim/ISF_FastCaloSimEvent: TFCSGANEtaSlice (``GetNetworkOutputs``),
TFCSONNXHandler.
"""

# Axes: N events, V cells, Z latent dimensions.
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data_adapters.detector import ENERGY_UNITS
from data_adapters.registry import Registry
from models.export.physical_generator import PhysicalGenerator

NOISE, CONDITION = "Noise", "mycond"
NOISE_MEAN, NOISE_DEVIATION = 0.5, 0.5
CONDITIONS = 2


@dataclass(frozen=True)
class Particle:
    """Momenta 2^low to 2^high MeV of a network of FastCaloSim, and the mass in MeV."""

    name: str
    low: int
    high: int
    mass: float

    @property
    def kinetic_energies(self) -> tuple[float, float]:
        """E_min and E_max [MeV]."""
        least, most = (math.hypot(2.0**exponent, self.mass) - self.mass for exponent in (self.low, self.high))
        return least, most


PARTICLES = Registry(
    "particle of FastCaloSim",
    Particle("photon-low", 6, 12, 0.0),
    Particle("photon-high", 12, 22, 0.0),
    Particle("electron-low", 6, 12, 0.51099895),
    Particle("electron-high", 12, 22, 0.51099895),
    Particle("pion", 8, 22, 139.57039),
    Particle("proton", 10, 22, 938.27209),
)


def refuses(module: PhysicalGenerator) -> str | None:
    """Why FastCaloSim cannot run a generator; None if it can."""
    detector = module.generator.detector
    if module.generator.latent_dim == 0:
        return "it draws no latent numbers; FastCaloSim fills an input of noise"
    if detector.energy_condition is None or detector.unit not in ENERGY_UNITS:
        return "it does not turn an energy into energies of cells"
    others = [condition.name for condition in module.conditions if not condition.energy]
    if others:
        return f"FastCaloSim gives the energy alone; fix the other conditions (--fix): {', '.join(others)}"
    return None


class FastCaloSimGenerator(nn.Module):
    """``Noise`` (N, Z) and ``mycond`` (N, 2) to energies of cells [MeV], (N, V).

    Args:
        module: One that ``refuses`` has nothing against; its incident energy is taken as the kinetic one.
    """

    input_names = (NOISE, CONDITION)

    def __init__(self, module: PhysicalGenerator, particle: Particle) -> None:
        super().__init__()
        self.module, self.particle = module, particle
        energy = module.generator.detector.energy_condition
        assert energy is not None
        self.energy_name, self.unit = energy.name, ENERGY_UNITS[energy.unit]
        self.to_mev = ENERGY_UNITS[module.generator.detector.unit]
        self.least, most = particle.kinetic_energies
        self.span = math.log(most / self.least)

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """See the class."""
        energy = self.least * torch.exp(condition[:, 0] * self.span) / self.unit
        latent = (noise - NOISE_MEAN) / NOISE_DEVIATION
        return self.module.response({self.energy_name: energy}, latent) * self.to_mev

    def inputs(self, conditions: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Both inputs, from conditions in their unit and normal noise (N, Z)."""
        energy = conditions[self.energy_name].double() * self.unit
        first = torch.log(energy / self.least) / self.span
        told = torch.stack((first, torch.zeros_like(first)), dim=1).float()
        return noise.float() * NOISE_DEVIATION + NOISE_MEAN, told
