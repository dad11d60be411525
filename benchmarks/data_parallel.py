"""How much faster several processes train a mini-batch of 3DGAN than one, each with one thread of one machine.

The paper's networks on 51 × 51 × 25 cells. One process alone and all together are timed in turns, so that whatever else
the machine does troubles both alike; medians count. At best the ratio is the number of processes.

    python benchmarks/data_parallel.py --processes 2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from recording import record
from torch import distributed
from torch.multiprocessing.spawn import spawn

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from models.building import build_model
from models.data_parallel import ALONE, LOOPBACK, Processes, join, leave, meeting_point, met_at
from models.network_model import NetworkModel

DATASET = "clic-electrons-2-500gev"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--processes", type=int, default=2)
    flags.add_argument("--batch-size", type=int, default=16)
    flags.add_argument("--repeats", type=int, default=5)
    given = flags.parse_args()
    store = meeting_point(LOOPBACK, given.processes)
    arguments = (store.port, given.processes, given.batch_size, given.repeats)
    spawn(measure, arguments, given.processes)  # type: ignore[no-untyped-call]


def measure(rank: int, port: int, size: int, batch_size: int, repeats: int) -> None:
    """What each process does; the first one prints."""
    torch.set_num_threads(1)
    events = DATASETS[DATASET].source.read(0, batch_size)
    processes = join(met_at(LOOPBACK, port, size), rank, size)
    alone, together = model(events, ALONE), model(events, processes)
    times: dict[str, list[float]] = {"alone": [], "together": []}
    for number in range(repeats + 1):
        first = seconds(alone.train_epoch) if rank == 0 else 0.0
        distributed.barrier()
        both = seconds(together.train_epoch)
        if number > 0:  # the first one warms up
            times["alone"].append(first)
            times["together"].append(both)
    if rank == 0:
        ratios = [one / all_ for one, all_ in zip(times["alone"], times["together"], strict=True)]
        print(
            f"{size} processes, mini-batches of {batch_size}: {median(ratios):.2f} times as fast as one "
            f"({min(ratios):.2f} to {max(ratios):.2f} in {repeats} turns)"
        )
        record(f"{size} processes", median(ratios), "times as fast as one", better="higher", peer="one process")
    leave()


def model(events: Events, processes: Processes) -> NetworkModel:
    """3DGAN whose epoch is one mini-batch."""
    config = {"batch_size": len(events), "first_step_epochs": 0}
    built = build_model("clic-3dgan", config, events, seed=1, processes=processes)
    assert isinstance(built, NetworkModel)
    return built


def seconds(run: Callable[[], object]) -> float:
    """Wall time of a run."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
