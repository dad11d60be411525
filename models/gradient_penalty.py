"""The gradient penalty of a Wasserstein critic, for any critic.

mean over events of (|∇D(x̂)| − 1)², with x̂ on the straight line between a real and a generated event
(Gulrajani et al., arXiv:1704.00028, equation 3); one-sided, only norms above one count (their section 4).
"""

# Axes: B events.
from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Sidedness = Literal["two_sided", "one_sided"]


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    generated: Tensor,
    sidedness: Sidedness,
    random: torch.Generator,
) -> Tensor:
    """The penalty without its weight; its gradient reaches the critic's parameters.

    Args:
        critic: Events (B, …) to outputs (B, …); each output depends on its own event alone.
        real, generated: Events (B, …) of the same conditions; the generated ones are detached.
        random: Of the place on the line between them.
    Raises: ValueError if the two have different shapes.
    """
    if real.shape != generated.shape:
        raise ValueError(f"real {tuple(real.shape)}, generated {tuple(generated.shape)} events; give the same shape")
    shape = (len(real), *[1] * (real.dim() - 1))
    place = torch.rand(shape, generator=random, device=real.device, dtype=real.dtype)
    return penalty_at(critic, torch.lerp(generated.detach(), real, place), sidedness)


def distance_and_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    generated: Tensor,
    weight: float,
    sidedness: Sidedness,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Estimated Wasserstein distance E[f(x)] − E[f(x̃)] and weighted penalty; a critic minimises their difference.

    Args:
        critic, real, generated, sidedness, random: See ``gradient_penalty``.
        weight: Of the penalty.
    """
    of_real, of_generated = critic(torch.cat((real, generated.detach()))).chunk(2)
    penalty = weight * gradient_penalty(critic, real, generated, sidedness, random)
    return of_real.mean() - of_generated.mean(), penalty


def penalty_at(critic: Callable[[Tensor], Tensor], events: Tensor, sidedness: Sidedness) -> Tensor:
    """The penalty at given events (B, …)."""
    events = events.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(events).sum(), events, create_graph=True)
    excess = gradient.flatten(1).norm(dim=1) - 1.0
    if sidedness == "one_sided":
        excess = excess.clamp(min=0.0)
    penalty: Tensor = (excess**2).mean()
    return penalty
