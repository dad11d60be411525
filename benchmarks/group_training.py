"""Trainings an hour of ATLAS GANs: one by one, and as one batched program.

    OMP_NUM_THREADS=1 python benchmarks/group_training.py --members 1 4 16
    python benchmarks/group_training.py --device cuda --members 1 8 32 128

Interleaved: in each round every way trains for one epoch; medians over the rounds. On a CPU one thread is used.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch
from recording import record

from data_adapters.datasets import ATLAS_PHOTONS_GEANT4
from leaderboard.provenance import machine
from models.atlas_gan import AtlasGan, AtlasGanConfig
from models.atlas_gan_group import AtlasGanGroup


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--members", type=int, nargs="+", default=[1, 4, 16])
    flags.add_argument("--units", type=int, default=128)
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = flags.parse_args()
    torch.set_num_threads(1)
    rows = measured(given.members, given.units, given.rounds, given.device)
    for row in rows:
        print(
            f"{row['members']:4} members: {row['epochs_per_second']:8.2f} epochs of one training a second, "
            f"{row['times_alone']:5.2f} times as many as one by one"
        )
    for row in rows:
        name = f"{row['members']:g} together, against one by one"
        record(name, row["times_alone"], "times", better="higher", peer="training one by one")
    print(json.dumps({"device": given.device, "machine": machine(), "units": given.units, "rows": rows}))


def measured(members: list[int], units: int, rounds: int, device: str) -> list[dict[str, float]]:
    """Epochs of one training that end in a second, for each size of a group; and of one training alone."""
    train = ATLAS_PHOTONS_GEANT4.split("train")
    config = AtlasGanConfig(units=units)
    alone = AtlasGan(config, train, 0, device)
    groups = {size: AtlasGanGroup([AtlasGan(config, train, seed, device) for seed in range(size)]) for size in members}
    seconds: dict[int, list[float]] = {0: [], **{size: [] for size in members}}
    for number in range(rounds + 1):
        for size in seconds:
            took = _seconds(alone.train_epoch if size == 0 else groups[size].train_epoch, device)
            if number:  # the first round warms up
                seconds[size].append(took)
    one = median(seconds.pop(0))
    return [
        {
            "members": size,
            "epochs_per_second": size / median(times),
            "times_alone": size / median(times) * one,
            "alone_epochs_per_second": 1 / one,
        }
        for size, times in seconds.items()
    ]


def _seconds(train: Callable[[], object], device: str) -> float:
    now = time.process_time if device == "cpu" else time.perf_counter
    started = now()
    train()
    if device == "cuda":
        torch.cuda.synchronize()
    return now() - started


if __name__ == "__main__":
    main()
