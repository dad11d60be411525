"""Networks that grow while they train: new layers are faded in, from the coarsest resolution to the finest.

``progress`` says how far a network has grown: s for all layers of the first s steps, s − 1 + α while those of step s
are faded in with the weight α. What has not grown yet is not computed and has no gradient. Growth is part of the
module's state, so that checkpoints and averaged networks have it.

Source: Karras et al., arXiv:1710.10196, section 2 and figure 2.
"""

# Axes: B events; grids of any shape.
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

GRAIN = 1_000_000  # of progress, which is a whole number in the state: averages of weights copy it

Resize = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Growth:
    """When a network grows: ``steps`` times so many epochs as it is, then so many of fading in."""

    steps: int
    stable_epochs: float
    fade_epochs: float

    def progress(self, epochs: float) -> float:
        """After so many epochs, 0 … steps."""
        period = self.stable_epochs + self.fade_epochs
        if epochs >= self.steps * period:
            return float(self.steps)
        done, since = divmod(epochs, period)
        return done + (max(0.0, (since - self.stable_epochs) / self.fade_epochs) if self.fade_epochs else 0.0)


class Growing(nn.Module):
    """Holds how far a network of so many steps has grown; at first not at all."""

    grown: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("grown", torch.zeros((), dtype=torch.int64))

    @property
    def progress(self) -> float:
        """0 … steps."""
        return int(self.grown) / GRAIN

    @progress.setter
    def progress(self, progress: float) -> None:
        if not 0 <= progress <= self.steps:
            raise ValueError(f"progress is {progress}; a network of {self.steps} steps takes 0 to {self.steps}")
        self.grown.fill_(round(progress * GRAIN))

    @property
    def stage(self) -> tuple[int, float]:
        """The step up to which layers are used, and the weight of its own (1 once it is faded in)."""
        step = math.ceil(self.progress)
        return step, self.progress - step + 1


class GrowingGenerator(Growing):
    """From the coarsest grid to the finest.

    Args:
        base: Input to features on the coarsest grid.
        blocks: One a step: features to features on the next finer grid.
        outputs: One a grid, the coarsest first: features to output; one more than blocks.
        enlarge: Output to the next finer grid.
    """

    def __init__(
        self, base: nn.Module, blocks: Sequence[nn.Module], outputs: Sequence[nn.Module], enlarge: Resize
    ) -> None:
        super().__init__(len(blocks))
        self.base, self.blocks, self.outputs = base, nn.ModuleList(blocks), nn.ModuleList(outputs)
        self.enlarge = enlarge

    def forward(self, values: Tensor) -> Tensor:
        """Output on the grid of the present stage."""
        step, weight = self.stage
        values = before = self.base(values)
        for block in self.blocks[:step]:
            before, values = values, block(values)
        result: Tensor = self.outputs[step](values)
        if weight == 1:
            return result
        return torch.lerp(self.enlarge(self.outputs[step - 1](before)), result, weight)


class GrowingCritic(Growing):
    """From the finest grid to the coarsest.

    Args:
        inputs: One a grid, the coarsest first: events to features; one more than blocks.
        blocks: One a step: features to features on the next coarser grid.
        top: Features on the coarsest grid to the output.
        shrink: Events to the next coarser grid.
    """

    def __init__(
        self, inputs: Sequence[nn.Module], blocks: Sequence[nn.Module], top: nn.Module, shrink: Resize
    ) -> None:
        super().__init__(len(blocks))
        self.inputs, self.blocks, self.top = nn.ModuleList(inputs), nn.ModuleList(blocks), top
        self.shrink = shrink

    def forward(self, events: Tensor) -> Tensor:
        """Output for events on the grid of the present stage."""
        step, weight = self.stage
        values = self.inputs[step](events)
        if step > 0:
            values = self.blocks[step - 1](values)
        if weight < 1:
            values = torch.lerp(self.inputs[step - 1](self.shrink(events)), values, weight)
        for number in reversed(range(step - 1)):
            values = self.blocks[number](values)
        result: Tensor = self.top(values)
        return result


def events_at(events: Tensor, network: Growing, shrink: Resize, enlarge: Resize) -> Tensor:
    """Full simulation on the grid of the present stage, faded in as generated events are."""
    step, weight = network.stage
    for _ in range(network.steps - step):
        events = shrink(events)
    return events if weight == 1 else torch.lerp(enlarge(shrink(events)), events, weight)
