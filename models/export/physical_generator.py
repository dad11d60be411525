"""A generator with everything that belongs to it inside: conditions in physical units go in, the response comes out."""

# Axes: N events, V cells, Z latent dimensions.
from __future__ import annotations

import torch
from torch import Tensor, nn

from models.base import ShowerGenerator

LATENT = "latent"


class PhysicalGenerator(nn.Module):
    """Conditions (N, …) in the units of the detector and normal noise (N, Z) to the response (N, V) in its unit.

    What ``ShowerGenerator.generate`` does, but for drawing the noise, as one program.

    Args:
        generator: On the CPU; it is frozen.
    """

    def __init__(self, generator: ShowerGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.networks = nn.ModuleList(generator.freeze())
        self.condition_names = [condition.name for condition in generator.detector.conditions]

    @property
    def input_names(self) -> list[str]:
        """In the order that ``forward`` takes them; models that draw nothing have no latent input."""
        return [*self.condition_names, *([LATENT] if self.generator.latent_dim else [])]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Response (N, V)."""
        conditions = dict(zip(self.condition_names, inputs, strict=False))
        encoded = self.generator.conditioning.encode_tensors(conditions)
        noise = inputs[-1] if self.generator.latent_dim else encoded[:, :0]
        normalised = self.generator.normalised(encoded, noise)
        constant = self.generator.constant_normalisation
        if constant is not None:
            return normalised * constant
        energy = conditions[self.generator.energy_name][:, None]
        return normalised * (energy * self.generator.response_scale)

    def example(self, num_events: int, conditions: dict[str, Tensor], noise: Tensor) -> tuple[Tensor, ...]:
        """The first events as ``forward`` takes them."""
        inputs = [conditions[name][:num_events].float() for name in self.condition_names]
        return (*inputs, noise[:num_events]) if self.generator.latent_dim else tuple(inputs)
