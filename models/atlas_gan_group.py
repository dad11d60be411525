"""WGAN-GPs of one architecture, trained together as one batched program.

Members share the training sample, the networks' sizes, the mini-batch and the critic steps a generator step; learning
rate, loss weights, initialisation and random numbers are each member's own. A member comes out as if it had been
trained alone, but for rounding: products of matrices are batched, and nothing passes from one member to another.
"""

# Axes: G members, B events of a mini-batch, R critic steps a generator step, V cells, C encoded conditions.
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from models.atlas_gan import ADAM_BETAS, AtlasGan, AtlasGanConfig
from models.averaging import average_weights
from models.base import TrainingDiverged, check_losses
from models.grouped_adam import GroupedAdam
from models.grouped_dense import GroupedDense
from models.wgan import Critic

OWN = ("activity_l1_weight", "kernel_initializer", "gradient_penalty_weight", "gradient_penalty", "learning_rate")

Losses = dict[str, float]


def shared_part(config: AtlasGanConfig) -> AtlasGanConfig:
    """What the members of a group must have in common: the configuration with all else at its default."""
    default = AtlasGanConfig()
    return replace(config, **{name: getattr(default, name) for name in OWN})


class AtlasGanGroup:
    """Members in training; the models that they were made from hold their place until ``write_back``.

    Args:
        models: Of one training sample, after equally many epochs.
    Raises: ValueError naming what differs.
    """

    def __init__(self, models: Sequence[AtlasGan]) -> None:
        self.models = list(models)
        _check_alike(self.models)
        first = self.models[0]
        self.sample, self.num_cells = first.sample, first.num_cells
        self.ratio, self.batch = first.config.training_ratio, first.config.batch_size
        self._stack()

    def _stack(self) -> None:
        models = self.models
        self.trained = GroupedDense([model.trained.network for model in models])
        self.averaged = self.trained.side_by_side(torch.stack([model.generator.network.flat for model in models]))
        self.critics = critics = GroupedDense([model.critic.network for model in models])
        weights = self._own("gradient_penalty_weight")
        one_sided = torch.tensor([model.config.gradient_penalty == "one_sided" for model in models]).to(weights)
        self.critic = Critic(critics, self.num_cells, weights, one_sided)
        self.activity = self._own("activity_l1_weight")[:, None, None]
        rates = self._own("learning_rate")
        self.optimizers = {
            "generator": GroupedAdam(self.trained, rates, ADAM_BETAS),
            "critic": GroupedAdam(critics, rates, ADAM_BETAS),
        }
        for name, optimizer in self.optimizers.items():
            optimizer.load([model.optimizers[name] for model in models])

    def _own(self, name: str) -> Tensor:
        return torch.tensor([getattr(model.config, name) for model in self.models], device=self.sample.device)

    def __len__(self) -> int:
        return len(self.models)

    def train_epoch(self) -> list[Losses | TrainingDiverged]:
        """Train every member for one epoch; its losses, or why its training cannot go on.

        One that diverged goes on like the others, and disturbs none; ``drop`` it.
        """
        rows = zip(*(model.epoch_indices() for model in self.models), strict=True)
        losses = [self._generator_iteration(torch.stack(indices)) for indices in rows]
        for model in self.models:
            model.epoch += 1
        return [_judged(each, model.epoch) for each, model in zip(_mean(losses), self.models, strict=True)]

    def _generator_iteration(self, indices: Tensor) -> Tensor:
        """R critic steps and one generator step at rows (G, R, B) of the sample; both losses, (G, 2)."""
        critic = self._critic_steps(indices)
        generator = self._generator_step(indices[:, -1])
        average_weights(self.averaged, self.trained.flat, self.models[0].generator_steps)
        return torch.stack((critic, generator), dim=1)

    def _critic_steps(self, indices: Tensor) -> Tensor:
        members, ratio, batch = indices.shape
        real = self.sample[indices]  # (G, R, B, V + C)
        inputs = real.new_empty(members, ratio, 3 * batch, real.shape[3])
        inputs[:, :, :batch, self.num_cells :] = real[..., self.num_cells :]
        inputs[:, :, batch : 2 * batch] = real
        with torch.no_grad():
            conditions = real[..., self.num_cells :].flatten(1, 2)
            generated = self._showers(conditions, self._noise(ratio * batch))
        inputs[:, :, :batch, : self.num_cells] = generated.view(members, ratio, batch, -1)
        mixing = self._drawn(lambda random: torch.rand(ratio, batch, 1, generator=random, device=real.device), "mixing")
        total = real.new_zeros(members)
        for step in range(ratio):
            total += self.critic.accumulate(inputs[:, step], mixing[:, step])
            self.optimizers["critic"].step()
        return total / ratio

    def _generator_step(self, indices: Tensor) -> Tensor:
        conditions = self.sample[indices][..., self.num_cells :]
        showers = self._showers(conditions, self._noise(self.batch))
        output, slope = self.critic.input_gradient(torch.cat((showers.detach(), conditions), dim=2))
        gradient = showers.detach().sign().mul_(self.activity).sub_(slope).div_(self.batch)
        self.trained.zero_gradients()
        showers.backward(gradient)  # type: ignore[no-untyped-call]
        self.optimizers["generator"].step()
        for model in self.models:
            model.generator_steps += 1
        return -output.mean(dim=(1, 2))

    def _showers(self, conditions: Tensor, noise: Tensor) -> Tensor:
        """Preprocessed showers (G, N, V)."""
        raw = self.trained(torch.cat((noise, conditions), dim=2))
        like = self.models[0].trained
        showers = like.preprocessing.from_activation(like.output.function(raw.flatten(0, 1)))
        return showers.view(*raw.shape[:2], -1)

    def _noise(self, events: int) -> Tensor:
        latent = self.models[0].config.latent_dim
        device = self.sample.device
        return self._drawn(lambda random: torch.randn(events, latent, generator=random, device=device), "latent")

    def _drawn(self, draw: Callable[[torch.Generator], Tensor], purpose: str) -> Tensor:
        """The same shape of every member, each from its own stream."""
        return torch.stack([draw(model.randoms[purpose]) for model in self.models])

    def write_back(self) -> None:
        """Give the models what was trained: they can generate, be saved, or be trained alone from here."""
        trained, averaged = self.trained.apart(self.trained.flat), self.trained.apart(self.averaged)
        critics = self.critics.apart(self.critics.flat)
        for member, model in enumerate(self.models):
            model.trained.network.flat.copy_(trained[member])
            model.generator.network.flat.copy_(averaged[member])
            model.critic.network.flat.copy_(critics[member])
            for name, optimizer in self.optimizers.items():
                optimizer.store(member, model.optimizers[name])

    def drop(self, members: Sequence[int]) -> None:
        """Take members out, after ``write_back`` for all; the others go on in their order."""
        self.write_back()
        gone = set(members)
        self.models = [model for member, model in enumerate(self.models) if member not in gone]
        if self.models:
            self._stack()


def _mean(losses: Sequence[Tensor]) -> list[list[float]]:
    found: list[list[float]] = torch.stack(list(losses)).mean(dim=0).tolist()
    return found


def _judged(losses: Sequence[float], epoch: int) -> Losses | TrainingDiverged:
    found = {"critic": losses[0], "generator": losses[1]}
    try:
        check_losses(found, epoch)
    except TrainingDiverged as error:
        return error
    return found


def _check_alike(models: Sequence[AtlasGan]) -> None:
    first = models[0]
    for model in models[1:]:
        ours, theirs = shared_part(first.config), shared_part(model.config)
        differing = [f.name for f in fields(ours) if getattr(ours, f.name) != getattr(theirs, f.name)]
        if differing:
            raise ValueError(f"{', '.join(differing)} must be the same for the members of a group")
        if model.epoch != first.epoch or model.sample.shape != first.sample.shape:
            raise ValueError("members of a group are of one training sample, after equally many epochs")
