"""A generator with everything that belongs to it inside: conditions in physical units go in, the response comes out."""

# Axes: N events, V cells, Z latent dimensions.
from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from data_adapters.detector import Condition
from data_adapters.registry import UnknownName
from models.base import ShowerGenerator

LATENT = "latent"


class PhysicalGenerator(nn.Module):
    """Conditions (N, …) in the units of the detector and normal noise (N, Z) to the response (N, V) in its unit.

    What ``ShowerGenerator.generate`` does, but for drawing the noise, as one program.

    Args:
        generator: On the CPU; it is frozen.
        fixed: Condition → its value for every event; these are no inputs any more.
    Raises: UnknownName for a fixed condition that the detector does not have; ValueError for one that is not a number.
    """

    def __init__(self, generator: ShowerGenerator, fixed: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.generator = generator
        self.networks = nn.ModuleList(generator.freeze())
        self.fixed = dict(fixed or {})
        names = {condition.name: condition for condition in generator.detector.conditions}
        for name in self.fixed:
            if name not in names:
                raise UnknownName(f"condition of {generator.detector.name}", name, names)
            if names[name].shape:
                raise ValueError(f"{name} has the shape {names[name].shape}; only a single number can be fixed")

    @property
    def conditions(self) -> list[Condition]:
        """Those that are inputs, in the order of the detector."""
        return [condition for condition in self.generator.detector.conditions if condition.name not in self.fixed]

    @property
    def input_names(self) -> list[str]:
        """In the order that ``forward`` takes them; models that draw nothing have no latent input."""
        return [*(condition.name for condition in self.conditions), *([LATENT] if self.generator.latent_dim else [])]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Response (N, V)."""
        by_name = dict(zip(self.input_names, inputs, strict=True))
        noise = by_name.pop(LATENT, None)
        return self.response(by_name, noise)

    def response(self, conditions: Mapping[str, Tensor], noise: Tensor | None) -> Tensor:
        """Response (N, V) of conditions by name; ``noise`` (N, Z) is None for models that draw nothing."""
        known = {**conditions, **self._constants(next(iter(conditions.values()), noise))}
        encoded = self.generator.conditioning.encode_tensors(known)
        normalised = self.generator.normalised(encoded, encoded[:, :0] if noise is None else noise)
        constant = self.generator.constant_normalisation
        if constant is not None:
            return normalised * constant
        return normalised * (known[self.generator.energy_name][:, None] * self.generator.response_scale)

    def _constants(self, like: Tensor | None) -> dict[str, Tensor]:
        """The fixed conditions, for as many events as ``like`` has."""
        if not self.fixed:
            return {}
        assert like is not None, "a model without latent numbers has a condition"
        zeros = like.flatten(1)[:, 0] * 0.0 if like.dim() > 1 else like * 0.0
        return {name: zeros + value for name, value in self.fixed.items()}

    def inputs(self, conditions: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor, ...]:
        """What ``forward`` takes, of conditions in their unit and normal noise (N, Z), in float32."""
        values = [conditions[condition.name].float() for condition in self.conditions]
        return (*values, noise.float()) if self.generator.latent_dim else tuple(values)
