"""CPU time of a training step and of a generated event, for every model with the paper's networks and batch size.

A training step is what the model does for one generator update: all of its critic steps too. The limit is the time in
which one thread does the step's multiplications and additions at the best rate that it reaches in a large matrix
product or convolution, just before and just after: what runs beside it on a core changes both.

    OMP_NUM_THREADS=1 python benchmarks/model_speed.py --write docs/model_speed.md
    python benchmarks/model_speed.py --device cuda
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from models.base import GenerativeModel
from models.building import build_model
from models.network_model import NetworkModel
from search.engine.markdown import markdown_table
from search.engine.study import Study
from search.studies import STUDIES

MATRIX = 1024
IMAGES, CHANNELS, SIDE, KERNEL = 16, 128, 32, 3
RATE_REPEATS = 9
GENERATED_SECONDS = 1.0  # a generation that takes longer is timed with fewer events
HEADER = (
    "study", "batch", "parameters", "step [s]", "step: limit [s]", "of limit", "event [ms]", "event: limit [ms]",
    "of limit", "GFLOP/s",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Seconds, and floating-point operations, of one thing."""

    seconds: float
    operations: float

    def limit(self, rate: float) -> float:
        """Seconds at so many operations a second."""
        return self.operations / rate


@dataclass(frozen=True)
class Speed:
    """Of one study's model."""

    study: str
    batch_size: int
    parameters: int
    step: Measured
    event: Measured
    rate: float

    def row(self) -> tuple[str, ...]:
        step_limit, event_limit = self.step.limit(self.rate), self.event.limit(self.rate)
        return (
            self.study,
            str(self.batch_size),
            f"{self.parameters:,}".replace(",", "\N{NO-BREAK SPACE}"),
            f"{self.step.seconds:.3g}",
            f"{step_limit:.2g}",
            f"{self.step.seconds / step_limit:.1f}",
            f"{1000 * self.event.seconds:.3g}",
            f"{1000 * event_limit:.2g}",
            f"{self.event.seconds / event_limit:.1f}",
            f"{self.rate / 1e9:.0f}",
        )


class Clock:
    """CPU time of this process, or of the GPU once it has finished."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def main() -> None:
    given = _arguments()
    torch.set_num_threads(1)
    chosen = [STUDIES[name] for name in given.study] if given.study else list(STUDIES.values())
    clock = Clock(given.device)
    speeds = [speed_of(study, clock, given.repeats, given.batch_size) for study in track(chosen, description="studies")]
    text = _text(speeds, given)
    print(text)
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--study", action="append", help="only this one (repeatable)")
    flags.add_argument("--repeats", type=int, default=3)
    flags.add_argument("--batch-size", type=int, help="instead of the paper's")
    flags.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    flags.add_argument("--write", type=Path, help="a page of the documentation")
    return flags.parse_args()


@torch.no_grad()
def multiplication_rate(clock: Clock) -> float:
    """Floating-point operations a second, float32: in matrix products or convolutions, whose libraries differ."""
    a, b = (torch.rand(MATRIX, MATRIX, device=clock.device) for _ in range(2))
    convolution = torch.nn.Conv2d(CHANNELS, CHANNELS, KERNEL, padding="same", bias=False, device=clock.device)
    images = torch.rand(IMAGES, CHANNELS, SIDE, SIDE, device=clock.device)
    operations: dict[Callable[[], Tensor], int] = {
        lambda: a @ b: 2 * MATRIX**3,
        lambda: convolution(images): 2 * IMAGES * (CHANNELS * KERNEL * SIDE) ** 2,
    }
    return max(count / _median_seconds(action, clock) for action, count in operations.items())


def _median_seconds(action: Callable[[], object], clock: Clock) -> float:
    action()
    return median(_seconds(action, clock) for _ in range(RATE_REPEATS))


def speed_of(study: Study, clock: Clock, repeats: int, batch_size: int | None) -> Speed:
    """Measure the model of a study at the configuration of its paper."""
    config = study.space_at(study.paper).default | ({} if batch_size is None else {"batch_size": batch_size})
    events = DATASETS[study.paper.dataset or study.dataset].split("train")
    with TemporaryDirectory() as folder:
        base = _untrained_base(study, Path(folder), clock.device)
        model = build_model(study.model, config, events, 1, clock.device, base)
    rate = multiplication_rate(clock)
    train = _Training(model)
    train()
    operations = _operations(train) / train.updates
    seconds = median(_seconds(train, clock) / train.updates for _ in range(repeats))
    event = _generation(model, events, int(config["batch_size"]), clock, repeats)
    return Speed(
        study.name,
        int(config["batch_size"]),
        model.parameter_counts()["train"],
        Measured(seconds, operations),
        event,
        (rate + multiplication_rate(clock)) / 2,
    )


def _untrained_base(study: Study, folder: Path, device: str) -> Path | None:
    """The model that it is built on, as it is before training: as fast as a trained one."""
    if study.built_on is None:
        return None
    base = study.built_on
    sample = DATASETS[base.paper.dataset or base.dataset].split("train")
    build_model(base.model, base.space_at(base.paper).default, sample, 1, device).save(folder)
    return folder


class _Training:
    """Each call makes one generator update, or an epoch of them; ``updates`` is how many it made."""

    def __init__(self, model: GenerativeModel) -> None:
        self.model, self.updates = model, 1
        self.batches: Iterator[Any] = iter(())

    def __call__(self) -> None:
        if isinstance(self.model, NetworkModel):
            self.model.step(self._next_batch(self.model))
            return
        before = _updates(self.model)
        self.model.train_epoch()
        self.updates = _updates(self.model) - before

    def _next_batch(self, model: NetworkModel) -> Any:
        for batch in self.batches:
            return batch
        self.batches = iter(model.batches())
        return next(self.batches)


def _updates(model: Any) -> int:
    return int(getattr(model, "generator_steps", 0) or getattr(model, "steps", 0))


def _generation(model: GenerativeModel, events: Events, batch_size: int, clock: Clock, repeats: int) -> Measured:
    """Of one event, in batches of the paper's size."""
    some = {name: values[:batch_size] for name, values in events.conditions.items()}
    count = len(next(iter(some.values())))

    def generate() -> None:
        model.generate(some, seed=1, batch_size=batch_size)

    generate()
    operations = _operations(generate)
    return Measured(median(_seconds(generate, clock) for _ in range(repeats)) / count, operations / count)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of products and convolutions, also inside gradients of gradients."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: float = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.operations += count(*args, **(kwargs or {}), out_val=result)
        return result


def _operations(action: Callable[[], object]) -> float:
    counter = _Counter()
    with counter:
        action()
    return counter.operations


def _seconds(action: Callable[[], object], clock: Clock) -> float:
    began = clock()
    action()
    return clock() - began


def _text(speeds: list[Speed], given: argparse.Namespace) -> str:
    where = "one CPU thread, CPU time" if given.device == "cpu" else torch.cuda.get_device_name()
    command = "python benchmarks/model_speed.py" + ("" if given.device == "cpu" else f" --device {given.device}")
    return "\n".join(
        (
            f"<!-- Made by `{command} --write …`. -->\n",
            "# How fast the models are\n",
            f"The papers' networks at the papers' batch sizes, float32, {where}; medians of {given.repeats} repeats.",
            "A step is all that belongs to one generator update, critic steps included. The limit is the time of its",
            "multiplications and additions at the best rate of large matrix products or convolutions beside it, the",
            "last column.\n",
            markdown_table(HEADER, (speed.row() for speed in speeds)),
        )
    )


if __name__ == "__main__":
    main()
