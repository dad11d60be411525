"""3DGAN files of any size, made of the sample that ships with the project; and the memory of a process."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from zlib_ng import zlib_ng

from data_adapters.datasets import SAMPLES

SAMPLE = SAMPLES / "clic_electrons_geant4_100_200GeV.h5"
SHAPE = (51, 51, 25)
CELL_SPREAD, ENERGY_SPREAD = 0.1, 0.005  # relative
GZIP_LEVEL = 1


def make_folder(folder: Path, events: int, files: int, rows_per_chunk: int, workers: int, seed: int = 1) -> None:
    """Files in the layout of 3DGAN, gzip (level 1) and shuffle, as if they had been simulated.

    The sample again and again: each time the energy of a shower and each cell that is not zero change a little, so that
    no two events, chunks or identities are the same. Chunks are compressed by threads and written as they are.
    """
    folder.mkdir(parents=True)
    with h5py.File(SAMPLE) as file:
        cells, energy, theta = (file[key][:] for key in ("ECAL", "energy", "theta"))
    cells = cells.reshape(len(cells), -1)
    per_file = events // files
    with ThreadPoolExecutor(workers) as threads:
        for number in track(range(files), description="making files"):
            random = np.random.default_rng([seed, number])
            which = random.integers(0, len(cells), per_file)
            factor = 1 + ENERGY_SPREAD * random.uniform(-1, 1, per_file)
            with h5py.File(folder / f"part{number:03d}.h5", "w") as file:
                file["energy"] = (energy[which] * factor).astype(np.float32)
                file["theta"] = theta[which]
                chunks = (rows_per_chunk, *SHAPE)
                ecal = file.create_dataset(
                    "ECAL", (per_file, *SHAPE), "<f4", chunks=chunks, compression="gzip", shuffle=True
                )
                starts = range(0, per_file, rows_per_chunk)
                tasks = (
                    partial(_chunk, cells, which[s : s + rows_per_chunk], factor, (seed, number, s), rows_per_chunk)
                    for s in starts
                )
                for start, data in zip(starts, _in_order(threads, tasks, 4 * workers), strict=True):
                    ecal.id.write_direct_chunk((start, 0, 0, 0), data)


def _in_order(threads: ThreadPoolExecutor, tasks: Iterator[Callable[[], bytes]], ahead: int) -> Iterator[bytes]:
    queue: deque[Future[bytes]] = deque(threads.submit(task) for task in itertools.islice(tasks, ahead))
    while queue:
        yield queue.popleft().result()
        queue.extend(threads.submit(task) for task in itertools.islice(tasks, 1))


def _chunk(
    cells: NDArray[np.float32],
    which: NDArray[np.intp],
    factor: NDArray[np.float64],
    seed: tuple[int, int, int],
    rows_per_chunk: int,
) -> bytes:
    """Bytes of a chunk as HDF5 stores it: full size, bytes grouped by significance, compressed."""
    random = np.random.default_rng(seed)
    response = np.zeros((rows_per_chunk, cells.shape[1]), dtype="<f4")
    for row, event in enumerate(which):
        hit = np.flatnonzero(cells[event])
        noise = 1 + CELL_SPREAD * random.uniform(-1, 1, len(hit))
        response[row, hit] = cells[event, hit] * noise * factor[seed[2] + row]
    planes = response.view(np.uint8).reshape(-1, 4)
    return bytes(zlib_ng.compress(b"".join(planes[:, byte].tobytes() for byte in range(4)), GZIP_LEVEL))


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes (pages of mapped files count)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
