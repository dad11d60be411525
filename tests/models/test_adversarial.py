"""Objectives, labels, gradient penalty and physics terms on known answers."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from models.adversarial import OBJECTIVES, PLAIN, Labels, feature_matching
from models.gaussians import gaussian_divergence
from models.gradient_penalty import gradient_penalty, penalty_at
from models.physics_terms import absolute_error, percentage_error

LOGIT = 1.5


def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def output(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


@pytest.mark.parametrize("name", ["js", "kl"])
def test_cross_entropy_takes_logits(name: str) -> None:
    probability = 1 / (1 + math.exp(-LOGIT))
    critic = OBJECTIVES[name].critic
    assert critic(output(LOGIT), True, PLAIN, random()).item() == pytest.approx(-math.log(probability))
    assert critic(output(LOGIT), False, PLAIN, random()).item() == pytest.approx(-math.log(1 - probability))


def test_generators_minimise_what_they_say() -> None:
    probability = 1 / (1 + math.exp(-LOGIT))
    assert OBJECTIVES["js"].generator(output(LOGIT)).item() == pytest.approx(-math.log(probability))
    assert OBJECTIVES["kl"].generator(output(LOGIT)).item() == pytest.approx(-LOGIT)
    assert OBJECTIVES["wasserstein"].generator(output(1.0, 4.0)).item() == pytest.approx(-2.5)


def test_a_wasserstein_critic_compares_means() -> None:
    critic = OBJECTIVES["wasserstein"].critic
    assert critic(output(1.0, 3.0), True, PLAIN, random()).item() == pytest.approx(-2.0)
    assert critic(output(1.0, 3.0), False, PLAIN, random()).item() == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["js", "kl", "wasserstein"])
def test_a_critic_learns_from_every_objective(name: str) -> None:
    value = output(0.0, 0.0).requires_grad_(True)
    (up,) = torch.autograd.grad(OBJECTIVES[name].critic(value, True, PLAIN, random()), value)
    (down,) = torch.autograd.grad(OBJECTIVES[name].critic(value, False, PLAIN, random()), value)
    assert (up < 0).all()
    assert (down > 0).all()
    (generator,) = torch.autograd.grad(OBJECTIVES[name].generator(value), value)
    assert (generator < 0).all()


def test_smoothing_is_one_sided() -> None:
    labels = Labels(smoothing=0.9)
    assert labels.of(torch.zeros(2, 3), True, random()).unique().tolist() == pytest.approx([0.9])
    assert labels.of(torch.zeros(2, 3), False, random()).unique().tolist() == [0.0]


def test_switched_labels_are_a_share_of_the_events_and_whole_events() -> None:
    real = Labels(switched=0.1).of(torch.zeros(20_000, 4), True, random())
    assert (real == real[:, :1]).all()
    assert (1 - real[:, 0]).mean().item() == pytest.approx(0.1, abs=0.01)
    generated = Labels(switched=0.1).of(torch.zeros(20_000, 4), False, random())
    assert generated[:, 0].mean().item() == pytest.approx(0.1, abs=0.01)


def test_noise_moves_labels_inside() -> None:
    labels = Labels(noise=0.2)
    real, generated = (labels.of(torch.zeros(1000, 1), kind, random()) for kind in (True, False))
    assert 0.8 <= real.min().item() < 0.85
    assert real.max().item() <= 1.0
    assert generated.min().item() >= 0.0
    assert 0.15 < generated.max().item() <= 0.2


def test_a_switched_wasserstein_label_turns_the_sign() -> None:
    values = torch.arange(1.0, 5001.0)[:, None]
    loss = OBJECTIVES["wasserstein"].critic(values, True, Labels(switched=0.5), random())
    assert abs(loss.item()) < 0.1 * values.mean().item()


def test_feature_matching_compares_means_and_leaves_the_real_ones_alone() -> None:
    real = torch.tensor([[1.0, 0.0], [3.0, 0.0]], requires_grad=True)
    generated = torch.tensor([[0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    loss = feature_matching(real, generated)
    assert loss.item() == pytest.approx((4.0 + 1.0) / 2)
    loss.backward()
    assert real.grad is None
    assert generated.grad is not None


class SmoothCritic(nn.Module):
    """A critic with curvature everywhere, in double precision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).double()

    def forward(self, events: Tensor) -> Tensor:
        result: Tensor = self.layers(events)
        return result


@pytest.fixture
def critic() -> SmoothCritic:
    with torch.random.fork_rng():
        return SmoothCritic()


EVENTS = torch.linspace(-1, 2, 20, dtype=torch.float64).view(5, 4)


def finite_difference_penalty(critic: nn.Module, events: Tensor, one_sided: bool) -> float:
    """The penalty from differences of the critic's output, cell by cell."""
    step, norms = 1e-6, []
    for event in events:
        slopes = []
        for cell in range(len(event)):
            moved = torch.zeros_like(event)
            moved[cell] = step
            with torch.no_grad():
                slopes.append((critic((event + moved)[None]) - critic((event - moved)[None])).item() / (2 * step))
        norms.append(math.hypot(*slopes))
    excess = [max(0.0, norm - 1) if one_sided else norm - 1 for norm in norms]
    return sum(value**2 for value in excess) / len(excess)


@pytest.mark.parametrize("sidedness", ["two_sided", "one_sided"])
@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_the_penalty_equals_finite_differences(
    critic: SmoothCritic, sidedness: Literal["two_sided", "one_sided"], scale: float
) -> None:
    with torch.no_grad():
        critic.get_parameter("layers.2.weight").mul_(scale)
    expected = finite_difference_penalty(critic, EVENTS, sidedness == "one_sided")
    assert penalty_at(critic, EVENTS, sidedness).item() == pytest.approx(expected, rel=1e-6)


def test_the_penalty_trains_the_critic_as_finite_differences_say(critic: SmoothCritic) -> None:
    weight = critic.get_parameter("layers.0.weight")
    (gradient,) = torch.autograd.grad(penalty_at(critic, EVENTS, "two_sided"), weight)
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[2, 1] += sign * step
        values.append(penalty_at(critic, EVENTS, "two_sided").item())
        with torch.no_grad():
            weight[2, 1] -= sign * step
    assert gradient[2, 1].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_the_penalty_lies_between_real_and_generated(critic: SmoothCritic) -> None:
    seen: list[Tensor] = []

    def looked_at(events: Tensor) -> Tensor:
        seen.append(events.detach())
        result: Tensor = critic(events)
        return result

    real, generated = torch.zeros_like(EVENTS), torch.ones_like(EVENTS)
    generated.requires_grad_(True)
    gradient_penalty(looked_at, real, generated, "two_sided", random()).backward()
    assert generated.grad is None
    places = seen[0]
    assert (places == places[:, :1]).all()
    assert ((places > 0) & (places < 1)).all()
    assert len(places[:, 0].unique()) == len(EVENTS)


def test_the_penalty_refuses_other_shapes(critic: SmoothCritic) -> None:
    with pytest.raises(ValueError, match="give the same shape"):
        gradient_penalty(critic, EVENTS, EVENTS[:2], "two_sided", random())


def test_the_truth_is_the_denominator() -> None:
    truth, predicted = torch.tensor([100.0, 50.0]), torch.tensor([50.0, 100.0])
    assert percentage_error(predicted, truth).item() == pytest.approx((50.0 + 100.0) / 2)
    assert percentage_error(truth, predicted).item() == pytest.approx((100.0 + 50.0) / 2)
    assert percentage_error(torch.tensor([1.0]), torch.tensor([4.0])).item() == pytest.approx(75.0)


def test_events_do_not_mix() -> None:
    predicted = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    truth = torch.tensor([1.0, 2.0, 6.0])
    for loss in (percentage_error, absolute_error):
        (gradient,) = torch.autograd.grad(loss(predicted, truth), predicted)
        assert gradient[:2].tolist() == [0.0, 0.0]
        assert gradient[2] < 0
        with pytest.raises(ValueError, match="would be broadcast"):
            loss(predicted[:, None], truth)


def test_divergence_of_known_gaussians() -> None:
    mean, log_variance = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, math.log(4.0)]])
    expected = (4.0 + 4.0 - math.log(4.0) - 1.0) / 2
    assert gaussian_divergence(mean, log_variance).item() == pytest.approx(expected)
    assert gaussian_divergence(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0.0
