"""What critic and generator minimise, written once for all models.

The critic's output is a number without activation (a logit for ``js`` and ``kl``): nothing here takes a sigmoid of it
beforehand. Every function returns the mean over events and patches.

- ``js``: binary cross-entropy; the generator minimises −log D(generated) (Goodfellow et al., arXiv:1406.2661,
  non-saturating form), whose optimum is the least Jensen–Shannon divergence.
- ``kl``: the critic as for ``js``; the generator minimises −logit, which is the Kullback–Leibler divergence of the
  generated from the real events at the optimal critic (Sønderby et al., arXiv:1610.04490, section 2).
- ``wasserstein``: differences of means (Arjovsky et al., arXiv:1701.07875); the critic needs a gradient penalty.
"""

# Axes: B events.
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from data_adapters.registry import Registry
from models.data_parallel import ALONE, Processes


@dataclass(frozen=True)
class Labels:
    """What the critic is told of its events.

    Attributes:
        smoothing: Label of real events instead of 1, one-sided (Salimans et al., arXiv:1606.03498, section 3.4).
        switched: Share of labels that are exchanged at random, real for generated and the other way round.
        noise: Labels are moved by uniform noise of at most this size, towards the inside.
        processes: Those that share the events.
    """

    smoothing: float = 1.0
    switched: float = 0.0
    noise: float = 0.0
    processes: Processes = ALONE

    def of(self, output: Tensor, real: bool, random: torch.Generator) -> Tensor:
        """Labels of the events whose critic output is (B, …): the patches of an event share one."""
        shape = (len(output), *[1] * (output.dim() - 1))
        label = torch.full(shape, self.smoothing if real else 0.0, device=output.device)
        if self.noise > 0:
            drawn = self.noise * self.uniform(shape, random, output.device)
            label = label - drawn if real else label + drawn
        if self.switched > 0:
            exchanged = self.uniform(shape, random, output.device) < self.switched
            label = torch.where(exchanged, 0.0 if real else self.smoothing, label)
        return label.expand_as(output)

    def uniform(self, shape: tuple[int, ...], random: torch.Generator, device: torch.device) -> Tensor:
        """Uniform numbers of events, of a shape that begins with their number."""
        events, *others = shape
        return self.processes.draw(events, lambda rows: torch.rand(rows, *others, generator=random, device=device))


PLAIN = Labels()


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Attributes:
        critic: (output, real?, labels, random) to the critic's loss on real or on generated events.
        generator: Output for generated events to the generator's loss.
    """

    name: str
    critic: Callable[[Tensor, bool, Labels, torch.Generator], Tensor]
    generator: Callable[[Tensor], Tensor]


def _cross_entropy(output: Tensor, real: bool, labels: Labels, random: torch.Generator) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output.float(), labels.of(output, real, random))


def _wasserstein(output: Tensor, real: bool, labels: Labels, random: torch.Generator) -> Tensor:
    sign = -1.0 if real else 1.0
    if labels.switched == 0:
        return sign * output.mean()
    shape = (len(output), *[1] * (output.dim() - 1))
    exchanged = labels.uniform(shape, random, output.device) < labels.switched
    return (torch.where(exchanged, -sign, sign) * output).mean()


def _non_saturating(output: Tensor) -> Tensor:
    return functional.softplus(-output.float()).mean()


def _negative_mean(output: Tensor) -> Tensor:
    return -output.mean()


OBJECTIVES = Registry(
    "adversarial objective",
    Objective("js", _cross_entropy, _non_saturating),
    Objective("kl", _cross_entropy, _negative_mean),
    Objective("wasserstein", _wasserstein, _negative_mean),
)


def feature_matching(real: Tensor, generated: Tensor) -> Tensor:
    """Squared distance between the mean features of real and generated events, (B, …) each.

    Source: Salimans et al., arXiv:1606.03498, section 3.1.
    """
    difference = real.detach().mean(dim=0) - generated.mean(dim=0)
    return (difference**2).mean()
