"""What generating costs: CPU milliseconds a shower and peak memory, measured in a process of its own.

``python -m leaderboard.cost CHECKPOINT CONDITIONS`` prints the measurement as JSON. A fresh process
has one thread from the start, and its peak memory is that of generating alone.
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
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.source import FLOAT32_BYTES
from leaderboard.records import JsonObject

Conditions = Mapping[str, NDArray[np.float64]]

REPEATS = {1: 200, 100: 50, 10_000: 5}
FEWEST_REPEATS, SECONDS_A_BATCH = 3, 20.0  # of slow showers fewer repeats are timed
LARGEST_BATCH = 64 * 2**20  # bytes of showers; what networks need for them is tens of times as much
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PROCESS_STATUS = Path("/proc/self/status")


class CostNotMeasured(RuntimeError):
    """The measuring process failed; the message holds what it said."""


def measure_generation(checkpoint: Path, conditions: Conditions) -> JsonObject:
    """Timings in ms a shower for batches of 1, 100 and 10 000 (which large showers leave out), and peak memory.

    Args:
        checkpoint: Folder of a saved generator.
        conditions: Conditions of the reference, (N,) each; larger batches repeat them.
    Returns: JSON, the memory in MB.
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
    generator = load_generator(checkpoint)
    with np.load(conditions_file, allow_pickle=False) as file:
        conditions = {name: file[name] for name in file.files}
    timings = {}
    for batch, repeats in repeats_of(generator.detector.num_cells).items():
        rows = np.arange(batch) % len(next(iter(conditions.values())))
        told = {name: values[rows] for name, values in conditions.items()}
        generator.generate(told, seed=0, batch_size=batch)  # the first call allocates
        per_shower: list[float] = []
        began = time.monotonic()
        while len(per_shower) < repeats and not _long_enough(began, per_shower):
            repeat = len(per_shower)
            started = time.process_time()
            generator.generate(told, seed=repeat, batch_size=batch)
            per_shower.append((time.process_time() - started) * 1000 / batch)
        low, median, high = np.quantile(per_shower, (0.16, 0.5, 0.84))
        timings[f"batch_{batch}"] = {"median": float(median), "spread": float(high - low) / 2}
    print(json.dumps({"generation_ms_per_shower": timings, "peak_memory_mb": peak_memory_mb()}))


def repeats_of(num_cells: int) -> dict[int, int]:
    """Batches to be timed and how often, without those whose showers alone would fill the memory."""
    return {batch: repeats for batch, repeats in REPEATS.items() if batch * num_cells * FLOAT32_BYTES <= LARGEST_BATCH}


def _long_enough(began: float, repeats: list[float]) -> bool:
    return len(repeats) >= FEWEST_REPEATS and time.monotonic() - began > SECONDS_A_BATCH


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
