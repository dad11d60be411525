"""CPU time of a training step and of a generated shower of 3DGAN, with our layers and with the plain ones.

A step is a discriminator step on simulated and one on generated showers, and two generator steps. Both kinds of layers
compute the same function of the same parameters: the plain ones are trilinear upsampling followed by a convolution,
``nn.Conv3d`` and ``nn.Dropout``. They are measured in turns, so that whatever else the machine does troubles both
alike; the medians count. The limit is the time of the multiplications and additions at the rate of the largest
convolution; for our layers those that are needed, without the zeros of ``models.paired_convolution``.

    OMP_NUM_THREADS=1 python benchmarks/clic_3dgan_step.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from statistics import median
from typing import Any

import torch
from recording import record
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from data_adapters.datasets import DATASETS
from models.clic_3dgan import Clic3dgan, Clic3dganConfig
from models.clic_3dgan_networks import PaddedConv3d
from models.layers import Dropout
from models.polyphase import UpsampledConv3d

DATASET = "clic-electrons-2-500gev"
LARGEST_INPUT, LARGEST_KERNEL = (8, 54, 54, 48), (8, 8, 6, 6, 8)


class PlainUpsampling(nn.Module):
    """The two layers that ``UpsampledConv3d`` is, with its parameters."""

    def __init__(self, ours: UpsampledConv3d) -> None:
        super().__init__()
        self.factor, self.weight, self.bias = ours.factor, ours.weight, ours.bias

    def forward(self, x: Tensor) -> Tensor:
        fine = functional.interpolate(x, scale_factor=self.factor, mode="trilinear", align_corners=False)
        return functional.conv3d(fine, self.weight, self.bias)


class PlainConvolution(nn.Module):
    """``nn.Conv3d`` with the parameters of ours; the published paddings are the same at both ends."""

    def __init__(self, ours: PaddedConv3d) -> None:
        super().__init__()
        self.padding, self.weight, self.bias = ours.ends, ours.weight, ours.bias

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv3d(x, self.weight, self.bias, padding=self.padding)


PLAIN: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    UpsampledConv3d: PlainUpsampling,
    PaddedConv3d: PlainConvolution,
    Dropout: lambda ours: nn.Dropout(ours.rate),
}


def replace(network: nn.Module, kinds: Iterable[type[nn.Module]]) -> None:
    """Put plain layers in the place of ours."""
    for name, module in network.named_children():
        if type(module) in kinds:
            setattr(network, name, PLAIN[type(module)](module))
        else:
            replace(module, kinds)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--repeats", type=int, default=5)
    flags.add_argument("--batch-size", type=int, default=8)
    given = flags.parse_args()
    torch.set_num_threads(1)
    events = DATASETS[DATASET].source.read(0, given.batch_size)
    config = Clic3dganConfig(batch_size=given.batch_size, first_step_epochs=0)
    ours, plain, needed = (Clic3dgan(config, events, seed=1) for _ in range(3))
    for model, kinds in ((plain, list(PLAIN)), (needed, [PaddedConv3d])):
        for network in model.networks.values():
            replace(network, kinds)
    models = {"plain": (plain, plain), "ours": (ours, needed)}
    batch = next(iter(ours.batches()))
    rate = convolution_rate(given.repeats)
    print(f"largest convolution: {rate / 1e9:.0f} Gflop/s; {len(batch)} events, one thread, float32")

    def step(model: Clic3dgan) -> None:
        model.step(batch)

    def generate(model: Clic3dgan) -> None:
        model.generate(events.conditions, seed=1)

    report("training step", "s", 1.0, rate, models, step, given.repeats)
    report("generated shower", "ms", 1000 / len(batch), rate, models, generate, given.repeats)


def convolution_rate(repeats: int) -> float:
    """Floating-point operations a second of the largest convolution, forward."""
    image, kernel = torch.rand(1, *LARGEST_INPUT), torch.rand(LARGEST_KERNEL)
    work = operations(lambda: functional.conv3d(image, kernel))
    return work / median(seconds(lambda: functional.conv3d(image, kernel)) for _ in range(repeats))


def report(
    what: str,
    unit: str,
    scale: float,
    rate: float,
    models: Mapping[str, tuple[Clic3dgan, Clic3dgan]],
    run: Callable[[Clic3dgan], None],
    repeats: int,
) -> None:
    """Measure in turns and print.

    Args:
        scale: From seconds to ``unit``.
        models: What is timed, and what does the operations that are needed.
    """
    work = {name: operations(partial(run, model)) for name, (_, model) in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for number in range(repeats + 1):
        for name, (model, _) in models.items():
            passed = seconds(partial(run, model))
            if number > 0:  # the first one warms up
                times[name].append(passed)
    for name in models:
        record(f"{what}, {name}", scale * median(times[name]), unit)
        print(
            f"{what}, {name:5}: {scale * median(times[name]):6.2f} {unit}, {scale * min(times[name]):.2f} at best; "
            f"limit {scale * work[name] / rate:.2f} {unit} ({work[name] / 1e9:.0f} Gflop in all)"
        )


def operations(run: Callable[[], object]) -> float:
    """Floating-point operations of a run."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def seconds(run: Callable[[], object]) -> float:
    """CPU time of a run."""
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    main()
