"""Showers a second from 3DGAN files (51 × 51 × 25 cells) to batches that are ready for training, against plain h5py.

Files are made of the sample that ships with the project: gzip (level 1), shuffle filter, one shower a chunk. The plain
loops read the same file in the same run:

    in order   ECAL[start:start + 64] for every 64 showers
    shuffled   batch[i] = ECAL[row] for the 64 rows of each part of a random permutation

Runs are interleaved; printed are medians. Memory is the peak of a process of its own for each way of reading.

    python benchmarks/reading.py --events 4000 --repeats 7
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from clic_files import SHAPE, make_folder, peak_memory
from numpy.typing import NDArray
from recording import record

from data_adapters.adapters import open_events
from data_adapters.streaming import EventStream

BATCH = 64
PLAIN = ("plain h5py", "in order"), ("plain h5py", "shuffled")


def plain_in_order(folder: Path) -> Iterator[NDArray[np.float32]]:
    """The obvious loop."""
    with h5py.File(next(folder.iterdir())) as file:
        ecal = file["ECAL"]
        for start in range(0, len(ecal), BATCH):
            yield ecal[start : start + BATCH].reshape(-1, np.prod(SHAPE))


def plain_shuffled(folder: Path) -> Iterator[NDArray[np.float32]]:
    """The obvious loop in a random order."""
    with h5py.File(next(folder.iterdir())) as file:
        ecal = file["ECAL"]
        order = np.random.default_rng(1).permutation(len(ecal))
        for start in range(0, len(ecal), BATCH):
            rows = order[start : start + BATCH]
            batch = np.empty((len(rows), *SHAPE), dtype=np.float32)
            for index, row in enumerate(rows):
                batch[index] = ecal[row]
            yield batch.reshape(len(rows), -1)


def streamed(folder: Path, shuffle: bool, cache: bool, workers: int) -> Iterator[NDArray[np.float32]]:
    """The project's reader; the cache is made by the first run, which is not counted."""
    where = folder.with_name("cache") if cache else None
    stream = EventStream(open_events(folder), seed=1, workers=workers, cache=where, shuffle=shuffle)
    for batch in stream.batches(BATCH, 0):
        yield batch.response


Read = Callable[[Path], Iterator[NDArray[np.float32]]]

WAYS: dict[tuple[str, str], Read] = {
    PLAIN[0]: plain_in_order,
    PLAIN[1]: plain_shuffled,
    **{
        (
            f"{'cache' if cache else 'dense'}, {workers} worker{'s'[: workers - 1]}",
            "shuffled" if shuffle else "in order",
        ): (partial(streamed, shuffle=shuffle, cache=cache, workers=workers))
        for cache in (False, True)
        for workers in (1, 2)
        for shuffle in (False, True)
    },
}


@dataclass(frozen=True)
class Run:
    """Showers a second."""

    wall: float
    cpu: float


def measure(read: Read, folder: Path) -> Run:
    """Read everything once."""
    wall, cpu = time.perf_counter(), time.process_time()
    showers = sum(len(batch) for batch in read(folder))
    return Run(showers / (time.perf_counter() - wall), showers / (time.process_time() - cpu))


def memory_of(number: int, folder: Path) -> str:
    """Peak memory of a process that reads everything once in the way of that number."""
    command = [sys.executable, __file__, "--only", str(number), "--folder", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Make the file, read it in all ways, print."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("--events", type=int, default=4000)
    flags.add_argument("--repeats", type=int, default=7)
    flags.add_argument("--only", type=int, help=argparse.SUPPRESS)
    flags.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = flags.parse_args()
    if given.only is not None:
        measure(list(WAYS.values())[given.only], given.folder)
        print(f"{peak_memory() / 2**20:.0f} MiB")
        return
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "showers"
        make_folder(folder, given.events, files=1, rows_per_chunk=1, workers=2)
        _report(folder, given.repeats)


def _report(folder: Path, repeats: int) -> None:
    runs: dict[tuple[str, str], list[Run]] = {way: [] for way in WAYS}
    for repeat in range(repeats + 1):
        for way, read in WAYS.items():
            run = measure(read, folder)
            if repeat:
                runs[way].append(run)
    middle = {way: Run(*np.median([(run.wall, run.cpu) for run in some], axis=0)) for way, some in runs.items()}
    print("showers a second            wall   times plain   a CPU second   times plain   peak memory")
    for number, ((reader, order), run) in enumerate(middle.items()):
        plain = middle[PLAIN[order == "shuffled"]]
        if (reader, order) not in PLAIN:
            name = f"{reader}, {order}, against plain h5py"
            record(name, run.wall / plain.wall, "times", better="higher", peer="plain h5py")
        print(
            f"{reader:18s} {order:8s} {run.wall:6.0f}  {run.wall / plain.wall:11.2f}  {run.cpu:13.0f}  "
            f"{run.cpu / plain.cpu:12.2f}  {memory_of(number, folder):>12s}"
        )


if __name__ == "__main__":
    main()
