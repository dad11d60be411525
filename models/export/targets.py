"""What an exported model can be made for: one file each, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from data_adapters.registry import Registry
from models.export import fastcalosim, par04
from models.export.onnx_program import CannotExport
from models.export.physical_generator import PhysicalGenerator


@dataclass(frozen=True)
class Choices:
    """What a target must be told beside the model.

    Attributes:
        fixed: Condition → its value for every event.
        particle: Of FastCaloSim: which momenta the network is for.
        depth_mm: Of Par04: the depth of a layer.
    """

    fixed: Mapping[str, float] = field(default_factory=dict)
    particle: str = "photon-high"
    depth_mm: float | None = None


class Program(Protocol):
    """A module that can be traced."""

    @property
    def input_names(self) -> list[str] | tuple[str, ...]:
        """In the order of its arguments."""
        ...

    def inputs(self, conditions: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor, ...]:
        """Its arguments, of conditions in the units of the detector and normal noise (N, Z)."""
        ...

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Its output (N, V)."""
        ...


@dataclass(frozen=True)
class Target:
    """A program that runs exported models.

    Attributes:
        refuses: Why it cannot run a model; None if it can.
        one_event: Whether it takes one event at a time; else the number of events is free.
        output_unit: Unit of the output; empty for the detector's own.
        noise: Mean and deviation of the normal numbers that it draws.
        order: Order of the cells in its output, in words.
        further_files: Name → content of files that belong to it.
    """

    name: str
    title: str
    refuses: Callable[[PhysicalGenerator], str | None]
    build: Callable[[PhysicalGenerator, Choices], Program]
    one_event: bool = False
    output_unit: str = ""
    noise: tuple[float, float] = (0.0, 1.0)
    order: str = "layer by layer, each row-major in its axes: the last axis runs fastest"
    further_files: Callable[[PhysicalGenerator, Choices], Mapping[str, str]] = lambda _module, _choices: {}


TARGETS = Registry(
    "target",
    Target("onnx", "ONNX Runtime", lambda _module: None, lambda module, _choices: module),
    Target(
        "par04",
        "Geant4, extended example Par04",
        par04.refuses,
        lambda module, _choices: par04.Par04Generator(module),
        one_event=True,
        output_unit="of the incident energy",
        order="radius, angle, depth; the depth runs fastest",
        further_files=lambda module, choices: {"par04.mac": par04.macro(module, "model.onnx", choices.depth_mm)},
    ),
    Target(
        "fastcalosim",
        "FastCaloSim of ATLAS",
        fastcalosim.refuses,
        lambda module, choices: fastcalosim.FastCaloSimGenerator(module, fastcalosim.PARTICLES[choices.particle]),
        output_unit="MeV",
        noise=(fastcalosim.NOISE_MEAN, fastcalosim.NOISE_DEVIATION),
    ),
)


def program_for(target: Target, module: PhysicalGenerator, choices: Choices) -> Program:
    """What is to be traced. Raises: CannotExport if the target cannot run the model; UnknownName for a particle."""
    reason = module.generator.refuses_export() or target.refuses(module)
    if reason is not None:
        raise CannotExport(f"{target.title} cannot run this model: {reason}")
    return target.build(module, choices)
