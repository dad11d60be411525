"""The written-out gradients of the critic against autograd and finite differences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from models.activations import HIDDEN
from models.base import random_stream
from models.dense import DenseNetwork
from models.wgan import Critic


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


CELLS, CONDITIONS, BATCH = 7, 3, 5


def make_critic(
    activation: str, layers: int, weight: float = 10.0, one_sided: bool = False, kernel: str = "glorot_uniform"
) -> Critic:
    network = DenseNetwork([CELLS + CONDITIONS, *[6] * layers, 1], HIDDEN[activation], "cpu", last_bias=False)
    network.initialize(kernel, "random_normal", random_stream(3, "test"))
    return Critic(network, CELLS, weight, one_sided)


def batch_of(seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(3 * BATCH, CELLS + CONDITIONS, generator=random)
    inputs[:BATCH, CELLS:] = inputs[BATCH : 2 * BATCH, CELLS:]
    return inputs, torch.rand(BATCH, 1, generator=random)


def autograd_loss(critic: Critic, inputs: Tensor, mixing: Tensor, one_sided: bool) -> Tensor:
    """Equation 9, with the penalty from automatic differentiation."""
    generated, real = inputs[:BATCH], inputs[BATCH : 2 * BATCH]
    showers = (mixing * real + (1 - mixing) * generated)[:, :CELLS].requires_grad_()
    output = critic.network(torch.cat((showers, real[:, CELLS:]), dim=1))
    (slope,) = torch.autograd.grad(output.sum(), showers, create_graph=True)
    excess = slope.norm(dim=1) - 1
    excess = excess.clamp(min=0) if one_sided else excess
    wasserstein = critic.network(generated).mean() - critic.network(real).mean()
    loss: Tensor = wasserstein + critic.penalty_weight * (excess**2).mean()
    return loss


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("activation", ["leaky_relu", "selu"])
def test_gradients_equal_autograd(activation: str, layers: int, one_sided: bool) -> None:
    # Kernels of ones give slopes on both sides of one.
    critic = make_critic(activation, layers, one_sided=one_sided)
    with torch.no_grad():
        critic.network.flat *= 1.7
    inputs, mixing = batch_of()
    parameters = [*critic.network.weights, *critic.network.biases]
    loss = autograd_loss(critic, inputs, mixing, one_sided)
    expected = torch.autograd.grad(loss, parameters, allow_unused=True)
    assert critic.accumulate(inputs.clone(), mixing) == pytest.approx(loss.item(), rel=1e-9)
    for parameter, gradient in zip(parameters, expected, strict=True):
        wanted = torch.zeros_like(parameter) if gradient is None else gradient
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("activation", ["leaky_relu", "selu"])
def test_gradients_equal_finite_differences(activation: str, one_sided: bool) -> None:
    critic = make_critic(activation, 2, one_sided=one_sided)
    critic.network.flat.mul_(1.7)
    inputs, mixing = batch_of(seed=1)
    critic.accumulate(inputs.clone(), mixing)
    assert critic.network.flat.grad is not None
    gradient = critic.network.flat.grad.clone()
    step = 1e-6
    for index in range(len(gradient)):
        losses = []
        for sign in (1, -1):
            critic.network.flat[index] += sign * step
            losses.append(autograd_loss(critic, inputs, mixing, one_sided).item())
            critic.network.flat[index] -= sign * step
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(gradient[index].item(), rel=1e-5, abs=1e-6)


def test_input_gradient_equals_autograd() -> None:
    critic = make_critic("selu", 3)
    inputs = batch_of()[0].requires_grad_()
    (expected,) = torch.autograd.grad(critic.network(inputs).sum(), inputs)
    output, gradient = critic.input_gradient(inputs.detach())
    torch.testing.assert_close(output, critic.network(inputs).detach())
    torch.testing.assert_close(gradient, expected[:, :CELLS])


def test_one_sided_forgives_small_slopes() -> None:
    inputs, mixing = batch_of()
    losses = {}
    for one_sided in (False, True):
        critic = make_critic("leaky_relu", 2, one_sided=one_sided)
        critic.network.flat.mul_(0.01)
        losses[one_sided] = critic.accumulate(inputs.clone(), mixing).item()
    assert losses[True] == pytest.approx(0, abs=0.1)
    assert losses[False] == pytest.approx(10, abs=0.5)


def test_no_penalty_without_weight() -> None:
    critic = make_critic("leaky_relu", 2, weight=0.0)
    inputs, mixing = batch_of()
    output = critic.network(inputs[: 2 * BATCH])
    wasserstein = output[:BATCH].mean() - output[BATCH:].mean()
    assert critic.accumulate(inputs, mixing) == pytest.approx(wasserstein.item(), rel=1e-9)


def test_activation_without_slope_is_refused() -> None:
    network = DenseNetwork([3, 2, 1], HIDDEN["elu"], "cpu", last_bias=False)
    with pytest.raises(ValueError, match="slope in closed form"):
        Critic(network, 2, 10.0, one_sided=False)
