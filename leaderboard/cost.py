"""What generating costs: time for each batch size, number of threads and device, and peak memory.

``python -m leaderboard.cost CHECKPOINT CONDITIONS`` prints the measurement as JSON. A fresh process
has one thread from the start, its first event is a cold one, and its peak memory is that of
generating alone.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_adapters.source import FLOAT32_BYTES
from leaderboard.records import JsonObject

if TYPE_CHECKING:
    from models.base import ShowerGenerator

Conditions = Mapping[str, NDArray[np.float64]]

REPEATS = {1: 200, 100: 50, 10_000: 5}
FEWEST_REPEATS, SECONDS_A_BATCH = 3, 20.0  # of slow showers fewer repeats are timed
ELSEWHERE_REPEATS, ELSEWHERE_SECONDS = 20, 5.0  # all threads, GPU: beside the figure that entries are compared by
LARGEST_BATCH = 64 * 2**20  # bytes of showers; what networks need for them is tens of times as much
LONGEST_BATCH = 10.0  # seconds on one thread
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PROCESS_STATUS = Path("/proc/self/status")


class CostNotMeasured(RuntimeError):
    """The measuring process failed; the message holds what it said."""


def measure_generation(checkpoint: Path, conditions: Conditions) -> JsonObject:
    """Warm and cold timings, and peak memory.

    Entries are compared by ``generation_ms_per_shower``: CPU time on one thread in batches of 1, 100 and 10 000 (which
    large or slow showers leave out). ``timings`` holds these, the largest batch that fits, and wall times on all
    threads and, where there is one, a GPU.

    Args:
        checkpoint: Folder of a saved generator.
        conditions: Conditions of the reference, (N,) each; larger batches repeat them.
    Returns: JSON, times in ms an event, the memory in MB.
    Raises: CostNotMeasured if generating fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "conditions.npz"
        np.savez(file, allow_pickle=False, **conditions)
        answer = subprocess.run(  # noqa: S603 — this interpreter and this module
            [sys.executable, "-m", "leaderboard.cost", str(checkpoint.resolve()), str(file)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode != 0:
        raise CostNotMeasured(f"generating from {checkpoint} failed: {answer.stderr.strip()[-800:]}")
    cost: JsonObject = json.loads(answer.stdout.splitlines()[-1])
    return cost


def main(checkpoint: Path, conditions_file: Path) -> None:
    """Measure and print."""
    import torch  # here, so that importing this module stays light

    from models.checkpoint import load_generator

    torch.set_num_threads(1)
    with np.load(conditions_file, allow_pickle=False) as file:
        conditions = {name: file[name] for name in file.files}
    started = time.perf_counter()
    generator = load_generator(checkpoint)
    loaded = time.perf_counter()
    generator.generate(_rows(conditions, 1), seed=0, batch_size=1)
    cold = {"load": (loaded - started) * 1000, "first_event": (time.perf_counter() - loaded) * 1000}
    timings = [_on_one_thread(batch).measure(generator, conditions) for batch in (1, 100)]
    largest = largest_batch(generator.detector.num_cells, timings[-1]["median_ms"])
    if largest is not None:
        timings.append(_on_one_thread(largest).measure(generator, conditions))
    batches = [timing["batch"] for timing in timings]
    answer: JsonObject = {
        "generation_ms_per_shower": {
            f"batch_{timing['batch']}": {"median": timing["median_ms"], "spread": timing["spread_ms"]}
            for timing in timings
            if timing["batch"] in REPEATS
        },
        "cold_ms": cold,
        "peak_memory_mb": peak_memory_mb(),
        "gpu_peak_memory_mb": None,
    }
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads > 1:
        torch.set_num_threads(threads)
        timings += [_elsewhere("cpu", threads, batch).measure(generator, conditions) for batch in batches]
    if torch.cuda.is_available():
        on_gpu = load_generator(checkpoint, "cuda")
        timings += [_elsewhere("gpu", None, batch).measure(on_gpu, conditions) for batch in batches]
        answer["gpu_peak_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    print(json.dumps(answer | {"timings": timings}))


@dataclass(frozen=True)
class _Setting:
    """How generation is timed.

    Attributes:
        threads: Of the CPU; None on a GPU.
        clock: ``CPU`` for the time of all cores added up, ``wall`` for what one waits.
        seconds: After which fewer repeats are enough.
    """

    device: str
    threads: int | None
    batch: int
    clock: str
    repeats: int
    seconds: float

    def measure(self, generator: ShowerGenerator, conditions: Conditions) -> JsonObject:
        """Median and half the central 68 % of the times an event, as an entry holds them."""
        told = _rows(conditions, self.batch)
        now = time.process_time if self.clock == "CPU" else time.perf_counter
        generator.generate(told, seed=0, batch_size=self.batch)  # the first call of this size allocates
        per_event: list[float] = []
        began = time.monotonic()
        while len(per_event) < self.repeats and not self._long_enough(began, per_event):
            started = now()
            # The response comes back as an array of the CPU: a GPU has finished when it is there.
            generator.generate(told, seed=len(per_event), batch_size=self.batch)
            per_event.append((now() - started) * 1000 / self.batch)
        low, median, high = np.quantile(per_event, (0.16, 0.5, 0.84))
        return {
            "device": self.device,
            "threads": self.threads,
            "batch": self.batch,
            "clock": self.clock,
            "median_ms": float(median),
            "spread_ms": float(high - low) / 2,
            "repeats": len(per_event),
        }

    def _long_enough(self, began: float, repeats: list[float]) -> bool:
        return len(repeats) >= FEWEST_REPEATS and time.monotonic() - began > self.seconds


def _on_one_thread(batch: int) -> _Setting:
    return _Setting("cpu", 1, batch, "CPU", REPEATS.get(batch, REPEATS[10_000]), SECONDS_A_BATCH)


def _elsewhere(device: str, threads: int | None, batch: int) -> _Setting:
    return _Setting(device, threads, batch, "wall", ELSEWHERE_REPEATS, ELSEWHERE_SECONDS)


def _rows(conditions: Conditions, batch: int) -> dict[str, NDArray[np.float64]]:
    """So many conditions, from the beginning again where they end."""
    rows = np.arange(batch) % len(next(iter(conditions.values())))
    return {name: values[rows] for name, values in conditions.items()}


def largest_batch(num_cells: int, event_ms: float) -> int | None:
    """10 000 events, or as many as may fill the memory and take ``LONGEST_BATCH``; None if that is no more than 100.

    Args:
        event_ms: CPU time of an event in batches of 100 [ms].
    """
    largest = min(10_000, LARGEST_BATCH // (num_cells * FLOAT32_BYTES), int(1000 * LONGEST_BATCH / event_ms))
    return largest if largest > 100 else None


def peak_memory_mb() -> float:
    """Largest resident memory of this process [MB, 10⁶ bytes]."""
    if PROCESS_STATUS.is_file():  # ru_maxrss would still hold the peak of the process that started this one
        lines = PROCESS_STATUS.read_text(encoding="utf-8").splitlines()
        kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        if kilobytes is not None:
            return int(kilobytes) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
