"""Streams of events: order, threads, errors, the sparse cache."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import zlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_adapters import layouts
from data_adapters.adapters import open_events
from data_adapters.problems import UnreadableFile
from data_adapters.source import EventSource
from data_adapters.streaming import Batch, EventStream, sparse_cache, stored_chunks, stream
from data_adapters.streaming.descriptors import Descriptors
from data_adapters.streaming.order import epoch_order

SHAPE = (25, 25, 25)
EVENTS, FILES = 30, 3
ALL = EVENTS * FILES
ROOT = Path(layouts.__file__).parents[2]


def showers(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    cells = random.gamma(0.5, 0.01, (EVENTS, *SHAPE)).astype(np.float32)
    cells[random.random(cells.shape) < 0.95] = 0.0
    return cells


def make(path: Path, cells: np.ndarray, energy: np.ndarray, **storage: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("ECAL", data=cells, **storage)
        file["target"] = np.stack([np.zeros_like(energy), energy], axis=1)
    return path


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """Of all files, shape (ALL, 15625)."""
    return np.concatenate([showers(seed) for seed in range(FILES)]).reshape(ALL, -1)


def make_folder(folder: Path, cells: np.ndarray, **storage: object) -> EventSource:
    for number in range(FILES):
        part = slice(number * EVENTS, (number + 1) * EVENTS)
        energy = 2.0 + np.arange(ALL)[part]
        make(folder / f"part{number}.h5", cells[part].reshape(-1, *SHAPE), energy, **storage)
    return open_events(folder)


PACKED: dict[str, Any] = {"chunks": (1, *SHAPE), "compression": "gzip", "compression_opts": 1, "shuffle": True}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, cells: np.ndarray) -> EventSource:
    """Three files with one event a chunk."""
    return make_folder(tmp_path_factory.mktemp("one"), cells, **PACKED)


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory, cells: np.ndarray) -> EventSource:
    """Three files with four events a chunk; the last chunk is not full."""
    return make_folder(tmp_path_factory.mktemp("four"), cells, **{**PACKED, "chunks": (4, *SHAPE)})


@pytest.fixture
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "POOL_BYTES", 20 * cell_bytes())


def cell_bytes() -> int:
    return 4 * 25**3


def rows_of(batches: Iterator[Batch]) -> np.ndarray:
    return np.concatenate([batch.rows for batch in batches])


STORAGES: dict[str, dict[str, Any]] = {
    "gzip and shuffle": PACKED,
    "gzip": {"chunks": (3, *SHAPE), "compression": "gzip"},
    "shuffle": {"chunks": (7, *SHAPE), "shuffle": True},
    "not compressed": {"chunks": (2, *SHAPE)},
    "in one piece": {},
    "lzf": {"chunks": (4, *SHAPE), "compression": "lzf"},
    "with check sums": {"chunks": (1, *SHAPE), "compression": "gzip", "fletcher32": True},
    "parts of events": {"chunks": (8, 5, 25, 25), "compression": "gzip", "shuffle": True},
    "float64": {**PACKED, "dtype": "<f8"},
    "float16": {**PACKED, "dtype": "<f2"},
    "big-endian": {**PACKED, "dtype": ">f4"},
    "big-endian in one piece": {"dtype": ">f4"},
}
READ_BY_HDF5 = {"lzf", "with check sums", "parts of events"}


@pytest.mark.parametrize("storage", STORAGES)
def test_events_arrive_as_hdf5_reads_them(tmp_path: Path, cells: np.ndarray, storage: str) -> None:
    source = make_folder(tmp_path / "own", cells, **STORAGES[storage])
    with h5py.File(source.files[0]) as file:
        located = stored_chunks.locate_chunks(source.files[0], "ECAL")
        assert (located is None) == (storage in READ_BY_HDF5)
        first = file["ECAL"][:].astype(np.float32).reshape(EVENTS, -1)
    seen = np.zeros(ALL, dtype=int)
    for batch in EventStream(source, seed=1, workers=2).batches(16, 0):
        seen[batch.rows] += 1
        inside = batch.rows < EVENTS
        np.testing.assert_array_equal(batch.response[inside], first[batch.rows[inside]])
        if storage != "float16":
            np.testing.assert_array_equal(batch.response, cells[batch.rows])
        np.testing.assert_array_equal(batch.conditions["incident_energy"], 2.0 + batch.rows)
        assert (batch.response.dtype, batch.response.flags.c_contiguous) == (np.dtype(np.float32), True)
    assert (seen == 1).all()


@pytest.mark.parametrize("storage", ["gzip and shuffle", "lzf"])
def test_scale_and_threshold_are_applied_as_everywhere(tmp_path: Path, cells: np.ndarray, storage: str) -> None:
    make_folder(tmp_path / "own", cells, **STORAGES[storage])
    source = open_events(tmp_path / "own", "clic-3dgan-fixed", {"scale": 0.02, "threshold": 1e-4})
    whole = source.read().response
    assert 0 < np.count_nonzero(whole) < np.count_nonzero(cells)
    for cache in (None, tmp_path / "cache"):
        (batch,) = EventStream(source, seed=1, cache=cache).batches(ALL, 0)
        assert batch.response.tobytes() == whole[batch.rows].tobytes()


def test_any_source_can_be_streamed(chunked: EventSource, cells: np.ndarray) -> None:
    other = replace(chunked, read_response=lambda start, stop: chunked.read_response(start, stop))
    batches = list(EventStream(other, seed=1, workers=2).batches(16, 0))
    np.testing.assert_array_equal(np.sort(rows_of(iter(batches))), np.arange(ALL))
    for batch in batches:
        np.testing.assert_array_equal(batch.response, cells[batch.rows])


def test_a_stream_can_be_sent_to_another_process(chunked: EventSource) -> None:
    here = EventStream(chunked, seed=1)
    there = pickle.loads(pickle.dumps(here))  # noqa: S301
    np.testing.assert_array_equal(rows_of(here.batches(16, 0)), rows_of(there.batches(16, 0)))


def test_a_chunk_that_was_never_written_is_zero(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file.create_dataset("ECAL", (4, *SHAPE), dtype="f4", chunks=(2, *SHAPE), compression="gzip")
        file["ECAL"][0] = 0.25
        file["target"] = np.full((4, 2), 100.0)
    (batch,) = EventStream(open_events(tmp_path / "own.h5"), seed=1, shuffle=False).batches(4, 0)
    np.testing.assert_array_equal(batch.response.max(axis=1), [0.25, 0, 0, 0])


@pytest.mark.parametrize("kind", ["source", "chunked"])
@pytest.mark.usefixtures("small_pools")
def test_the_order_does_not_depend_on_the_workers(kind: str, request: pytest.FixtureRequest) -> None:
    orders = []
    for workers in (1, 2, 4):
        batches = EventStream(request.getfixturevalue(kind), seed=3, workers=workers).batches(16, 2)
        orders.append([(batch.rows.tolist(), batch.response.tobytes()) for batch in batches])
    assert orders[0] == orders[1] == orders[2]
    assert [len(rows) for rows, _ in orders[0]] == [16] * 5 + [10]


@pytest.mark.usefixtures("small_pools")
def test_the_order_does_not_depend_on_the_batch_size(chunked: EventSource) -> None:
    stream_ = EventStream(chunked, seed=3)
    orders = [rows_of(stream_.batches(size, 0)) for size in (1, 7, 16, ALL, 1000)]
    assert all(np.array_equal(order, orders[0]) for order in orders)


def test_the_order_from_the_cache_is_that_from_the_file(source: EventSource, tmp_path: Path) -> None:
    first, second = (rows_of(EventStream(source, seed=3, cache=cache).batches(8, 1)) for cache in (None, tmp_path))
    np.testing.assert_array_equal(first, second)


@pytest.mark.usefixtures("small_pools")
def test_epochs_and_seeds_have_orders_of_their_own(chunked: EventSource) -> None:
    orders = [rows_of(EventStream(chunked, seed=s).batches(16, e)) for s, e in [(1, 0), (1, 1), (2, 0), (0, 1)]]
    for index, order in enumerate(orders):
        np.testing.assert_array_equal(np.sort(order), np.arange(ALL))
        assert not any(np.array_equal(order, other) for other in orders[:index])


@pytest.mark.parametrize("kind", ["source", "chunked"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.usefixtures("small_pools")
def test_only_the_rows_that_were_asked_for(kind: str, shuffle: bool, request: pytest.FixtureRequest) -> None:
    rows = np.random.default_rng(0).permutation(ALL)[:50]
    some = EventStream(request.getfixturevalue(kind), rows, seed=1, workers=2, shuffle=shuffle)
    seen = rows_of(some.batches(8, 0))
    np.testing.assert_array_equal(seen if not shuffle else np.sort(seen), rows if not shuffle else np.sort(rows))
    assert len(some) == 50
    np.testing.assert_array_equal(some.conditions["incident_energy"], 2.0 + rows)
    np.testing.assert_array_equal(some.identity, some.source.identity[rows])


@pytest.mark.parametrize("kind", ["source", "chunked", "cache"])
@pytest.mark.parametrize("first", [0, 1, 2, 5, 6])
@pytest.mark.usefixtures("small_pools")
def test_an_epoch_goes_on_as_if_it_had_not_been_interrupted(
    kind: str, first: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source = request.getfixturevalue("source" if kind == "cache" else kind)
    stream_ = EventStream(source, seed=5, workers=2, cache=tmp_path if kind == "cache" else None)
    whole, rest = list(stream_.batches(16, 3)), list(stream_.batches(16, 3, first_batch=first))
    assert len(rest) == 6 - first
    for expected, found in zip(whole[first:], rest, strict=True):
        np.testing.assert_array_equal(expected.rows, found.rows)
        np.testing.assert_array_equal(expected.response, found.response)


def test_going_on_reads_nothing_of_what_came_before(source: EventSource, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = stored_chunks.StoredChunks.load

    def noted(self: stored_chunks.StoredChunks, chunk: int, files: Descriptors) -> np.ndarray:
        loaded.append((self.path, chunk))
        return load(self, chunk, files)

    monkeypatch.setattr(stored_chunks.StoredChunks, "load", noted)
    assert len(list(EventStream(source, seed=5).batches(16, 3, first_batch=4))) == 2
    assert len(loaded) == ALL - 64


def test_one_event_a_chunk_gives_every_order_of_all_files() -> None:
    # Spearman's rank correlation of a random order of n: mean 0, standard deviation 1 / sqrt(n - 1).
    n, epochs = 500, 200
    orders = np.array([epoch_order(np.arange(n), 50, 7, epoch)[0] for epoch in range(epochs)])
    ranks = np.array([np.corrcoef(order, np.arange(n))[0, 1] for order in orders])
    assert abs(ranks.mean()) < 4 / np.sqrt((n - 1) * epochs)
    assert ranks.std() == pytest.approx(1 / np.sqrt(n - 1), rel=0.25)
    distance = np.abs(np.diff(orders, axis=1)).mean()
    assert distance == pytest.approx((n + 1) / 3, rel=0.02)
    where = np.argsort(orders, axis=1).mean(axis=0)  # mean place of each event
    assert np.abs(where - (n - 1) / 2).max() < 5 * n / np.sqrt(12 * epochs)


def test_chunks_with_several_events_are_mixed_within_pools_of_many() -> None:
    n, chunk, pool = 6000, 10, 1000
    units = np.arange(n) // chunk
    order, ends = epoch_order(units, pool, 7, 0)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    assert abs(np.corrcoef(order, np.arange(n))[0, 1]) < 4 / np.sqrt(n / chunk)
    assert np.abs(np.diff(order)).mean() == pytest.approx(n / 3, rel=0.05)
    neighbours_of_one_chunk = (units[order[1:]] == units[order[:-1]]).mean()
    assert neighbours_of_one_chunk == pytest.approx((chunk - 1) / (pool - 1), rel=0.5)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        assert end - begin == pool
        assert len(np.unique(units[order[begin:end]])) == pool // chunk


@pytest.mark.usefixtures("small_pools")
def test_all_files_are_in_every_part_of_an_epoch(chunked: EventSource) -> None:
    counts = np.zeros((3, FILES))
    for epoch in range(60):
        file = rows_of(EventStream(chunked, seed=1).batches(ALL, epoch)) // EVENTS
        counts += [np.bincount(part, minlength=FILES) for part in np.split(file, 3)]
    np.testing.assert_allclose(counts / counts.sum(), 1 / 9, rtol=0.15)


def test_without_shuffling_the_order_is_that_of_the_rows(chunked: EventSource) -> None:
    np.testing.assert_array_equal(rows_of(EventStream(chunked, seed=1, shuffle=False).batches(7, 4)), np.arange(ALL))


@pytest.mark.parametrize("kind", ["source", "chunked"])
@pytest.mark.usefixtures("small_pools")
def test_closing_early_stops_the_threads(kind: str, request: pytest.FixtureRequest) -> None:
    def readers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("event-stream")]

    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    batches = EventStream(request.getfixturevalue(kind), seed=1, workers=3).batches(4, 0)
    next(batches)
    assert readers()
    assert isinstance(batches, Generator)
    batches.close()
    assert not readers()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def bad_folder(folder: Path, cells: np.ndarray, value: float, **storage: object) -> EventSource:
    cells = cells.copy()
    cells[EVENTS + 17, 99] = value
    return make_folder(folder, cells, **storage)


@pytest.mark.parametrize("storage", ["gzip and shuffle", "gzip", "lzf", "parts of events", "in one piece"])
@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_a_cell_that_cannot_be_reaches_the_reader(
    tmp_path: Path, cells: np.ndarray, storage: str, value: float
) -> None:
    source = bad_folder(tmp_path / "own", cells, value, **STORAGES[storage])
    with pytest.raises(UnreadableFile, match=r"part1\.h5: key 'ECAL', event 17: cell 99 holds"):
        list(EventStream(source, seed=1, workers=2).batches(16, 0))
    with pytest.raises(UnreadableFile, match=r"part1\.h5: key 'ECAL', event 17: cell 99 holds"):
        EventStream(source, seed=1, workers=2, cache=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_damaged_chunk_is_named(tmp_path: Path, cells: np.ndarray) -> None:
    source = make_folder(tmp_path / "own", cells, **STORAGES["gzip"])
    stream_ = EventStream(source, seed=1)
    located = stored_chunks.locate_chunks(source.files[2], "ECAL")
    assert located is not None
    with source.files[2].open("r+b") as file:
        file.seek(int(located.offset[4]) + 100)
        file.write(bytes(200))
    with pytest.raises(UnreadableFile, match=r"part2\.h5: key 'ECAL', event 12: its chunk is damaged"):
        list(stream_.batches(16, 0))


def test_a_file_cut_short_while_it_is_read_is_named(tmp_path: Path, cells: np.ndarray) -> None:
    source = make_folder(tmp_path / "own", cells, **PACKED)
    stream_ = EventStream(source, seed=1)
    os.truncate(source.files[1], 20_000)
    with pytest.raises(UnreadableFile, match=r"part1\.h5: it ends before byte"):
        list(stream_.batches(16, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "at least one"),
        ({"rows": np.array([0, ALL])}, "the events 0 to 89"),
        ({"rows": np.array([-1])}, "the events 0 to 89"),
        ({"rows": np.array([], dtype=int)}, "give at least one"),
        ({"rows": np.array([4, 4])}, "twice"),
    ],
)
def test_streams_that_make_no_sense_are_refused(source: EventSource, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EventStream(source, seed=1, **arguments)


@pytest.mark.parametrize("numbers", [(0, 0, 0), (16, -1, 0), (16, 0, -1)])
def test_epochs_that_make_no_sense_are_refused_at_once(source: EventSource, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1, 0 and 0"):
        EventStream(source, seed=1).batches(*numbers)


# The sparse cache


def cache_folder(cache: Path) -> Path:
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    return folder


def test_file_and_cache_are_read_without_loss(tmp_path: Path, cells: np.ndarray) -> None:
    odd = cells.copy()
    odd[3] = 0.0
    odd[4] = 1.0
    odd[5, :4] = [-0.0, 2.0**-149, 3e38, 1e-42]
    source = make_folder(tmp_path / "own", odd, **PACKED)
    for cache in (None, tmp_path / "cache"):
        for batch in EventStream(source, seed=1, workers=2, cache=cache).batches(16, 0):
            assert batch.response.tobytes() == odd[batch.rows].tobytes()
    assert cache_folder(tmp_path / "cache").joinpath("cells.bin").stat().st_size == 6 * np.count_nonzero(
        odd.view(np.uint32)
    )


def test_detectors_with_many_cells_have_longer_indices(
    tmp_path: Path, source: EventSource, monkeypatch: pytest.MonkeyPatch, cells: np.ndarray
) -> None:
    monkeypatch.setattr(sparse_cache, "SMALL_INDEX_CELLS", 1000)
    (batch,) = EventStream(source, seed=1, cache=tmp_path).batches(ALL, 0)
    np.testing.assert_array_equal(batch.response, cells[batch.rows])


def test_a_cache_is_made_once_and_used_again(tmp_path: Path, source: EventSource) -> None:
    EventStream(source, seed=1, cache=tmp_path)
    before = cache_folder(tmp_path).joinpath("cells.bin").stat()
    EventStream(source, seed=2, cache=tmp_path)
    after = cache_folder(tmp_path).joinpath("cells.bin").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_other_files_or_options_have_a_cache_of_their_own(tmp_path: Path, cells: np.ndarray) -> None:
    source = make_folder(tmp_path / "own", cells, **PACKED)
    EventStream(source, seed=1, cache=tmp_path / "cache")
    EventStream(open_events(tmp_path / "own", "clic-3dgan-fixed", {"scale": 2}), seed=1, cache=tmp_path / "cache")
    make(source.files[1], 2 * showers(1), 50 + np.arange(EVENTS, dtype=float), **PACKED)
    (batch,) = EventStream(open_events(tmp_path / "own"), seed=1, cache=tmp_path / "cache").batches(ALL, 0)
    assert sum(path.is_dir() for path in (tmp_path / "cache").iterdir()) == 3
    changed = (batch.rows >= EVENTS) & (batch.rows < 2 * EVENTS)
    np.testing.assert_array_equal(batch.response[changed], 2 * cells[batch.rows[changed]])


def flip_a_byte(folder: Path) -> None:
    with (folder / "cells.bin").open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 1]))


def change_a_start(folder: Path) -> None:
    starts = np.load(folder / "starts.npy", allow_pickle=False)
    starts[5] += 1
    np.save(folder / "starts.npy", starts)


DAMAGES = {
    "a flipped bit": flip_a_byte,
    "other starts": change_a_start,
    "cut short": lambda folder: os.truncate(folder / "cells.bin", 10_000),
    "no cells": lambda folder: (folder / "cells.bin").unlink(),
    "no description": lambda folder: (folder / "cache.json").unlink(),
    "half a description": lambda folder: os.truncate(folder / "cache.json", 30),
    "another description": lambda folder: (folder / "cache.json").write_text(json.dumps([1, 2])),
    "no array": lambda folder: (folder / "starts.npy").write_bytes(b"PK"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(tmp_path: Path, source: EventSource, cells: np.ndarray, damage: str) -> None:
    EventStream(source, seed=1, cache=tmp_path)
    DAMAGES[damage](cache_folder(tmp_path))
    (batch,) = EventStream(source, seed=1, cache=tmp_path).batches(ALL, 0)
    np.testing.assert_array_equal(batch.response, cells[batch.rows])


def test_what_a_process_left_that_died_is_no_hindrance(tmp_path: Path, source: EventSource) -> None:
    EventStream(source, seed=1, cache=tmp_path)
    folder = cache_folder(tmp_path)
    folder.rename(folder.with_name(f"{folder.name}.making"))
    EventStream(source, seed=1, cache=tmp_path)
    assert cache_folder(tmp_path).name == folder.name


def test_a_full_disk_is_seen_before_anything_is_written(
    tmp_path: Path, source: EventSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 100_000})()
    monkeypatch.setattr("data_adapters.streaming.sparse_cache.shutil.disk_usage", lambda _: usage)
    with pytest.raises(sparse_cache.CacheFolderFull, match=r"needs about 0\.0 GB, 0\.0 GB are free; give another"):
        EventStream(source, seed=1, cache=tmp_path)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_a_reader_that_hides_its_options_cannot_be_cached(tmp_path: Path, source: EventSource) -> None:
    hidden = replace(source, read_response=lambda start, stop: source.read_response(start, stop))
    with pytest.raises(ValueError, match="does not tell its options"):
        EventStream(hidden, seed=1, cache=tmp_path)


MAKE_A_CACHE = """
import sys
from pathlib import Path
from data_adapters.adapters import open_events
from data_adapters.streaming import EventStream, sparse_cache

make = sparse_cache._make
def counted(*arguments):
    with open(sys.argv[3], "a") as log:
        log.write("made\\n")
    make(*arguments)
sparse_cache._make = counted

source = open_events(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for batch in EventStream(source, seed=1, cache=Path(sys.argv[2])).batches(1000, 0):
    print(batch.response.sum(dtype=float))
assert "torch" not in sys.modules
"""


def test_several_processes_make_it_once(tmp_path: Path, source: EventSource, cells: np.ndarray) -> None:
    command = [sys.executable, "-c", MAKE_A_CACHE, str(source.path), str(tmp_path / "cache"), str(tmp_path / "log")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    sums = [float(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sums == [pytest.approx(cells.sum(dtype=float))] * 2
    assert (tmp_path / "log").read_text() == "made\n"


# Memory

READ_ALL = """
import sys
from pathlib import Path
from data_adapters.adapters import open_events
from data_adapters.streaming import EventStream

cache = Path(sys.argv[2]) if len(sys.argv) > 2 else None
stream = EventStream(open_events(Path(sys.argv[1])), seed=1, workers=2, cache=cache)
print(sum(len(batch) for batch in stream.batches(64, 0)))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""

LARGE_ROWS, LARGE_SHAPE = 9_000, (51, 51, 25)  # 2.3 GB as an array


def make_large(path: Path, chunk_rows: int) -> None:
    """The same chunk again and again, under different energies."""
    showers = np.zeros((chunk_rows, *LARGE_SHAPE), dtype=np.float32)
    showers[:, 10:40, 10:40] = np.random.default_rng(1).random((30, 30, 25))
    planes = showers.view(np.uint8).reshape(-1, 4).T
    packed = zlib.compress(planes.tobytes(), 1)
    with h5py.File(path, "w") as file:
        file["energy"] = np.linspace(2, 500, LARGE_ROWS)
        file["theta"] = np.full(LARGE_ROWS, 1.5)
        ecal = file.create_dataset(
            "ECAL",
            (LARGE_ROWS, *LARGE_SHAPE),
            "f4",
            chunks=(chunk_rows, *LARGE_SHAPE),
            compression="gzip",
            shuffle=True,
        )
        for start in range(0, LARGE_ROWS, chunk_rows):
            ecal.id.write_direct_chunk((start, 0, 0, 0), packed)
        np.testing.assert_array_equal(ecal[-1], showers[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("chunk_rows", "cached"), [(1, False), (100, False), (400, False), (1, True), (100, True)])
def test_memory_stays_bounded_whatever_the_size_of_the_file(tmp_path: Path, chunk_rows: int, cached: bool) -> None:
    make_large(tmp_path / "large.h5", chunk_rows)
    command = [sys.executable, "-c", READ_ALL, str(tmp_path / "large.h5"), *([str(tmp_path / "cache")] * cached)]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    showers, peak_kib = map(int, result.stdout.split())
    assert showers == LARGE_ROWS
    assert peak_kib / 2**20 < 1.5  # GiB
