"""A sample that does not fit in memory, streamed in random order: showers a second and peak memory.

Makes files in the layout of 3DGAN that would take 20 GB as arrays, reads an epoch of them from the files, then through
the sparse cache, each in a process of its own, and removes everything.

    python benchmarks/large_file.py --events 80000 --files 8 --workers 2
    python benchmarks/large_file.py --rows-per-chunk 8      # a chunk of several events: shuffled in pools
    python benchmarks/large_file.py --train 20              # some steps of a model on the stream instead
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from clic_files import SHAPE, make_folder, peak_memory

from data_adapters.adapters import open_events
from data_adapters.datasets import DatasetFiles
from data_adapters.streaming import Batch, EventStream

BATCH = 64


def read_epoch(folder: Path, cache: Path | None, workers: int, use: Callable[[Batch], object] = len) -> str:
    """Stream all showers once, shuffled; ``use`` is called with every batch.

    Returns: What it took, in a line.
    """
    start = time.perf_counter()
    stream = EventStream(open_events(folder), seed=1, workers=workers, cache=cache)
    opened = time.perf_counter()
    seen = np.zeros(len(stream), dtype=np.uint8)
    for batch in stream.batches(BATCH, epoch=0):
        seen[batch.rows] += 1
        use(batch)
    wall = time.perf_counter() - opened
    assert (seen == 1).all()
    return (
        f"{len(stream) / wall:6.0f} showers/s over {wall:5.1f} s, opened in {opened - start:5.1f} s, "
        f"CPU {time.process_time():6.1f} s, peak memory {peak_memory() / 2**20:5.0f} MiB"
    )


def train(folder: Path, cache: Path | None, workers: int, steps: int) -> str:
    """Steps of the variational autoencoder, all layers as wide as in the paper, on the stream of the train split.

    Returns: What it took, in a line.
    """
    from models.atlas_vae import AtlasVae, AtlasVaeConfig  # torch is not part of what reading takes

    dataset = DatasetFiles("clic-electrons-100-200gev", folder).open()
    before = peak_memory()
    model = AtlasVae(AtlasVaeConfig(batch_size=BATCH), dataset.training_stream(1, cache, workers=workers), seed=1)
    batches = model.rows.batches(BATCH, 0, model.randoms["shuffling"])
    losses, waited, began = [], 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        losses.append(float(model.step(batch)[0]))
    wall = time.perf_counter() - began
    millions = model.parameter_counts()["train"] / 1e6
    return (
        f"{steps} steps of {BATCH} showers, {steps * BATCH / wall:.0f} showers/s, {waited / wall:.0%} waiting for "
        f"data, loss {losses[0]:.3g} to {losses[-1]:.3g}, peak memory {peak_memory() / 2**20:.0f} MiB with a model of "
        f"{millions:.1f} million parameters ({before / 2**20:.0f} MiB before it)"
    )


def drop_from_memory(folder: Path) -> None:
    """Ask the system to forget the pages of all files, so that the disk is read."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def size_gb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def main() -> None:
    """Make, read, print, remove."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("--events", type=int, default=80_000)
    flags.add_argument("--files", type=int, default=8)
    flags.add_argument("--rows-per-chunk", type=int, default=1)
    flags.add_argument("--workers", type=int, default=2)
    flags.add_argument(
        "--in", dest="parent", type=Path, help="folder with room for a few GB (default: the temporary one)"
    )
    flags.add_argument("--train", type=int, default=0, metavar="STEPS", help="train so many steps instead of reading")
    flags.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    flags.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = flags.parse_args()
    if given.read is not None:
        work = partial(train, steps=given.train) if given.train else read_epoch
        print(work(given.read, given.cache, given.workers))
        return
    with TemporaryDirectory(dir=given.parent) as temporary:
        _run(Path(temporary) / "showers", Path(temporary) / "cache", given)


def _run(folder: Path, cache: Path, given: argparse.Namespace) -> None:
    start = time.perf_counter()
    make_folder(folder, given.events, given.files, given.rows_per_chunk, given.workers)
    dense = given.events * 4 * np.prod(SHAPE) / 1e9
    print(
        f"{given.events} showers in {given.files} files, {given.rows_per_chunk} a chunk: {dense:.1f} GB as arrays, "
        f"{size_gb(folder):.2f} GB on disk, made in {time.perf_counter() - start:.0f} s"
    )
    for title, options in (
        ("from the files", []),
        ("cache, made now", ["--cache", str(cache)]),
        ("cache, there already", ["--cache", str(cache)]),
    ):
        drop_from_memory(folder.parent)
        command = [sys.executable, __file__, "--read", str(folder), "--workers", str(given.workers)]
        command += ["--train", str(given.train), *options]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(f"{title:21s} {result.stdout.strip()}")
    print(f"the cache takes {size_gb(cache):.2f} GB")


if __name__ == "__main__":
    main()
