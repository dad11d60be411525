"""Generators as the extended example Par04 of Geant4 runs them.

The example fills one vector of float32, [1, N]: the latent numbers, drawn from N(0, 1); then the energy over 1 024 000
MeV, the polar angle over 90°, and two numbers for one of two geometries (0 and 1, which are ignored here). It takes the
cells as fractions of the incident energy, in the order (r, φ, z), z running fastest, and multiplies by the energy.

Source: Geant4, examples/extended/parameterisations/Par04: Par04InferenceSetup (``GetEnergies``, ``GetPositions``),
Par04OnnxInference (``RunInference``).
"""

# Axes: N events, Z latent dimensions; R × A × L cells along radius, angle and depth.
from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from data_adapters.detector import ENERGY_UNITS, Detector, Layer
from models.export.physical_generator import PhysicalGenerator

MOST_ENERGY_MEV = 1_024_000.0
MOST_ANGLE_DEGREES = 90.0
CONDITIONS = 4  # energy, angle, and two for the geometry
GEOMETRY = (0.0, 1.0)
ANGLE = "theta"
RADIUS, AZIMUTH = ("r", "rho", "radius"), ("alpha", "phi")
EQUAL = 1e-6  # relative


def refuses(module: PhysicalGenerator) -> str | None:
    """Why the example cannot run a generator; None if it can."""
    detector = module.generator.detector
    if module.generator.latent_dim == 0:
        return "it draws no latent numbers; the example needs at least one"
    reason = no_cylinder(detector)
    if reason is not None:
        return reason
    if detector.energy_condition is None or detector.energy_condition.unit not in ENERGY_UNITS:
        return "it is not told an incident energy"
    others = [c.name for c in module.conditions if not c.energy and c.name != ANGLE]
    if others:
        return f"the example gives an energy and an angle; fix the other conditions (--fix): {', '.join(others)}"
    return None


def no_cylinder(detector: Detector) -> str | None:
    """Why the cells of a detector are not those of one cylinder; None if they are."""
    first = detector.layers[0]
    if len(first.axes) != 2 or first.axes[0].name not in AZIMUTH or first.axes[1].name not in RADIUS:
        names = ", ".join(axis.name for axis in first.axes)
        return f"its cells lie along {names}; the example has cylinders of layers with the axes alpha and r"
    if any(layer.axes != first.axes for layer in detector.layers):
        return "its layers have different cells; the example has the same in all of them"
    radii = first.axes[1].edges
    sizes = [high - low for low, high in pairwise(radii)]
    if radii[0] != 0 or max(sizes) - min(sizes) > EQUAL * radii[-1]:
        return f"its radial cells have the borders {radii}; the example has cells of one size that begin at 0"
    return None


class Par04Generator(nn.Module):
    """One vector (1, Z + 4) to fractions of the incident energy, (1, R · A · L).

    Args:
        module: One that ``refuses`` has nothing against.
    """

    input_names = ("generator_input",)

    def __init__(self, module: PhysicalGenerator) -> None:
        super().__init__()
        self.module = module
        self.latent_dim = module.generator.latent_dim
        detector = module.generator.detector
        energy = detector.energy_condition
        assert energy is not None
        self.energy_name = energy.name
        self.most_energy = MOST_ENERGY_MEV / ENERGY_UNITS[energy.unit]
        self.angle_unit = next((c.unit for c in module.conditions if c.name == ANGLE), None)
        self.cells = (len(detector.layers), *detector.layers[0].shape)

    def forward(self, vector: Tensor) -> Tensor:
        """See the class."""
        energy = vector[:, self.latent_dim] * self.most_energy
        told = {self.energy_name: energy}
        if self.angle_unit is not None:
            told[ANGLE] = vector[:, self.latent_dim + 1] * self._most_angle
        response = self.module.response(told, vector[:, : self.latent_dim])
        return in_order_of_par04(response, self.cells) / energy[:, None]

    @property
    def _most_angle(self) -> float:
        return math.radians(MOST_ANGLE_DEGREES) if self.angle_unit == "rad" else MOST_ANGLE_DEGREES

    def inputs(self, conditions: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor]:
        """The vector of the first event, from conditions in their unit and normal noise (N, Z)."""
        energy = conditions[self.energy_name][:1].float() / self.most_energy
        angle = torch.ones_like(energy)
        if self.angle_unit is not None:
            angle = conditions[ANGLE][:1].float() / self._most_angle
        geometry = torch.tensor([GEOMETRY])
        return (torch.cat((noise[:1].float(), energy[:, None], angle[:, None], geometry), dim=1),)


def in_order_of_par04(response: Tensor, cells: tuple[int, ...]) -> Tensor:
    """From (layer, angle, radius), the radius running fastest, to (radius, angle, layer); shape (N, V) both."""
    return response.reshape(-1, *cells).permute(0, 3, 2, 1).flatten(1)


def macro(module: PhysicalGenerator, file: str, depth_mm: float | None) -> str:
    """Lines for the macro of the example.

    Args:
        depth_mm: Of a layer; None leaves a line that the reader has to complete.
    """
    layer: Layer = module.generator.detector.layers[0]
    angles, radii = layer.shape
    size = layer.axes[1].edges[1]
    command = "/Par04/inference/setSizeOfZCells"
    depth = f"{command} {depth_mm:g} mm" if depth_mm else f"# {command} … mm"
    lines = [
        f"/Par04/inference/setSizeLatentVector {module.generator.latent_dim}",
        f"/Par04/inference/setSizeConditionVector {CONDITIONS}",
        f"/Par04/inference/setModelPathName ./{file}",
        "/Par04/inference/setProfileFlag 0",
        "/Par04/inference/setOptimizationFlag 0",
        "/Par04/inference/setInferenceLibrary ONNX",
        f"/Par04/inference/setSizeOfRhoCells {size:g} {layer.axes[1].unit}",
        depth,
        f"/Par04/inference/setNbOfRhoCells {radii}",
        f"/Par04/inference/setNbOfPhiCells {angles}",
        f"/Par04/inference/setNbOfZCells {len(module.generator.detector.layers)}",
    ]
    return "\n".join(lines) + "\n"
