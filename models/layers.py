"""Building blocks of networks that are torch modules."""

# Axes: B events, F features.
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from data_adapters.registry import UnknownName
from models.base import random_stream
from models.data_parallel import ALONE, Processes

MAX_SEED = 2**63 - 1


@contextmanager
def building(seed: int, purpose: str) -> Iterator[None]:
    """Construct modules in here: what they draw follows from seed and purpose, and nobody else's numbers change."""
    with torch.random.fork_rng(devices=[]):
        draw = torch.randint(MAX_SEED, (1,), generator=random_stream(seed, purpose))
        torch.manual_seed(int(draw))
        yield


Kernels = Callable[[Tensor], Tensor]


def _normal(deviation: float) -> Kernels:
    def fill(kernel: Tensor) -> Tensor:
        return nn.init.normal_(kernel, std=deviation)

    return fill


KERNEL_INITIALIZERS: dict[str, Kernels] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_uniform": nn.init.kaiming_uniform_,
    "he_normal": nn.init.kaiming_normal_,
    "normal_0.02": _normal(0.02),
}

WITH_KERNEL = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


def initialize(network: nn.Module, kernel_initializer: str) -> None:
    """Kernels of dense and convolution layers as named, their biases zero; inside ``building``.

    Raises: UnknownName.
    """
    if kernel_initializer not in KERNEL_INITIALIZERS:
        raise UnknownName("kernel initialiser", kernel_initializer, list(KERNEL_INITIALIZERS))
    for module in network.modules():
        if isinstance(module, WITH_KERNEL):
            KERNEL_INITIALIZERS[kernel_initializer](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Dropout(nn.Module):
    """Dropout with random numbers of its own, which a model in training sets and saves.

    Args:
        rate: Share of the values that are set to zero; the others grow, so that the mean stays.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"the dropout rate is {rate}; it must be at least 0 and below 1")
        self.rate = rate
        self.random: torch.Generator | None = None
        self.processes = ALONE

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        if self.random is None:
            raise AssertionError("a model in training gives its dropout layers their random numbers")
        kept: Tensor = _kept(x, self.rate, self.random, self.processes)
        return x * kept

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


@torch.compiler.disable  # type: ignore[untyped-decorator]  # it cannot trace random numbers of one's own
def _kept(x: Tensor, rate: float, random: torch.Generator, processes: Processes) -> Tensor:
    """Zeros, and elsewhere what the kept values grow by; 16 random bits a value, five times as fast as Bernoulli's."""

    def draw(rows: int) -> Tensor:
        values = rows * x[0].numel()
        quarter = torch.empty(-(-values // 4), dtype=torch.int64, device=x.device)
        bits = quarter.random_(-(2**63), None, generator=random).view(torch.int16)
        return bits[:values].view(rows, *x.shape[1:])

    bits = processes.draw(len(x), draw)
    return torch.ge(bits, round(2**16 * rate) - 2**15, out=torch.empty_like(x)).div_(1 - rate)


def activation(name: str, slope: float = 0.3) -> nn.Module:
    """The activation of a hidden layer as a module.

    Args:
        slope: Of LeakyReLU below zero.
    Raises: UnknownName.
    """
    modules: dict[str, Callable[[], nn.Module]] = {
        "leaky_relu": lambda: nn.LeakyReLU(slope),
        "relu": nn.ReLU,
        "elu": nn.ELU,
        "selu": nn.SELU,
        "tanh": nn.Tanh,
        "swish": nn.SiLU,
    }
    if name not in modules:
        raise UnknownName("activation", name, list(modules))
    return modules[name]()


class MinibatchDiscrimination(nn.Module):
    """Appends to each event's features how near the others of its mini-batch are.

    o_b = Σ over the other events of exp(−|M_i,b − M_j,b|₁), where M = f(x)·T; a critic sees a collapse by it.

    Args:
        features: F, of the input (B, F); the output is (B, F + kernels).
        kernels, width: T has the shape (F, kernels, width).
    Source: Salimans et al., arXiv:1606.03498, section 3.2.
    """

    def __init__(self, features: int, kernels: int, width: int) -> None:
        super().__init__()
        self.transform = nn.Parameter(torch.empty(features, kernels, width))
        nn.init.normal_(self.transform, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        projected = torch.einsum("bf,fkw->bkw", x, self.transform)
        distance = (projected[:, None] - projected[None]).abs().sum(dim=3)  # (B, B, kernels)
        nearness = torch.exp(-distance).sum(dim=1) - 1.0  # without the event itself
        return torch.cat((x, nearness), dim=1)
