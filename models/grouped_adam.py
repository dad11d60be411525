"""Adam for stacked parameters, with a learning rate for each member of a group.

Source: Kingma and Ba, arXiv:1412.6980; as ``torch.optim.Adam`` computes it.
"""

# Axes: G members, P parameters of a network, L of all (``models.grouped_dense``).
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.grouped_dense import GroupedDense

EPSILON = 1e-8


class GroupedAdam:
    """Moves the parameters of a group along their gradients.

    Args:
        rates: Learning rate of each member, (G,).
    """

    def __init__(self, network: GroupedDense, rates: Tensor, betas: tuple[float, float]) -> None:
        self.network, parameters = network, network.flat
        self.parameters, self.rates = parameters, network.of_each(rates.to(parameters.dtype))
        self.beta_1, self.beta_2 = betas
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.steps = 0

    def step(self) -> None:
        """One step of every member."""
        gradient = self.parameters.grad
        assert gradient is not None
        self.steps += 1
        with torch.no_grad():
            self.mean.lerp_(gradient, 1 - self.beta_1)
            self.square.mul_(self.beta_2).addcmul_(gradient, gradient, value=1 - self.beta_2)
            correction = (1 - self.beta_2**self.steps) ** 0.5
            change = self.mean / (self.square.sqrt() / correction).add_(EPSILON)
            self.parameters.sub_(change.mul_(self.rates / (1 - self.beta_1**self.steps)))

    def load(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Go on where optimisers of one parameter (P,) each stopped.

        Raises: ValueError if they took different numbers of steps.
        """
        states = [_state(optimizer) for optimizer in optimizers]
        steps = {int(state["step"]) if state else 0 for state in states}
        if len(steps) > 1:
            raise ValueError(f"the members took {sorted(steps)} steps; they must have taken equally many")
        (self.steps,) = steps
        if self.steps:
            self.mean.copy_(self.network.side_by_side(torch.stack([state["exp_avg"] for state in states])))
            self.square.copy_(self.network.side_by_side(torch.stack([state["exp_avg_sq"] for state in states])))

    def store(self, member: int, optimizer: torch.optim.Optimizer) -> None:
        """Let an optimiser go on where a member stopped."""
        (parameter,) = optimizer.param_groups[0]["params"]
        if self.steps == 0:
            return
        optimizer.state[parameter] = {
            "step": torch.tensor(float(self.steps), device=parameter.device),
            "exp_avg": self.network.apart(self.mean)[member].clone(),
            "exp_avg_sq": self.network.apart(self.square)[member].clone(),
        }


def _state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    (parameter,) = optimizer.param_groups[0]["params"]
    return dict(optimizer.state.get(parameter, {}))
