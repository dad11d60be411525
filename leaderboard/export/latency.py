"""How long an exported model and the one that it was made from take: CPU time on one thread, each in its own process.

``python -m leaderboard.export.latency onnx FOLDER`` and ``… torch FOLDER CHECKPOINT`` print it as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from leaderboard.cost import FEWEST_REPEATS, ONE_THREAD, CostNotMeasured, peak_memory_mb
from leaderboard.export.files import CONTRACT_FILE, GOLDEN_FILE, MODEL_FILE
from leaderboard.records import JsonObject, read_json

BATCHES = {1: 200, 100: 50}
SECONDS_A_BATCH = 10.0


def measure_latency(folder: Path, checkpoint: Path) -> list[JsonObject]:
    """``runtime``, ``batch``, ``median_ms`` and ``spread_ms`` an event (CPU time), and ``peak_memory_mb``.

    Args:
        folder: Of an exported model, with its contract and golden events.
        checkpoint: What it was made from.
    Raises: CostNotMeasured.
    """
    return [*_measured("onnx", folder), *_measured("torch", folder, checkpoint)]


def _measured(runtime: str, *arguments: Path) -> list[JsonObject]:
    answer = subprocess.run(  # noqa: S603 — this interpreter and this module
        [sys.executable, "-m", __name__, runtime, *(str(path.resolve()) for path in arguments)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise CostNotMeasured(f"timing {runtime} failed: {answer.stderr.strip()[-800:]}")
    rows: list[JsonObject] = json.loads(answer.stdout.splitlines()[-1])
    return rows


def main(runtime: str, folder: Path, checkpoint: Path | None = None) -> None:
    """Measure and print."""
    contract = read_json(folder / CONTRACT_FILE)
    with np.load(folder / GOLDEN_FILE, allow_pickle=False) as file:
        golden = {name: file[name] for name in file.files}
    inputs = [golden[item["name"]] for item in contract["inputs"]]
    made: Callable[[int], Callable[[], object]]
    made = _onnx(folder, contract, inputs) if checkpoint is None else _torch(contract, inputs, checkpoint)
    batches = {1: BATCHES[1]} if contract["one_event"] else BATCHES
    rows = [{"runtime": runtime, **_timed(made(batch), batch, repeats)} for batch, repeats in batches.items()]
    print(json.dumps([{**row, "peak_memory_mb": peak_memory_mb()} for row in rows]))


def _onnx(folder: Path, contract: JsonObject, inputs: list[np.ndarray]) -> Callable[[int], Callable[[], object]]:
    from leaderboard.export.runtime import open_session, run

    session = open_session(folder / MODEL_FILE)
    names = [item["name"] for item in contract["inputs"]]

    def made(batch: int) -> Callable[[], object]:
        given = dict(zip(names, (_rows(values, batch) for values in inputs), strict=True))
        return lambda: run(session, given)

    return made


def _torch(contract: JsonObject, inputs: list[np.ndarray], checkpoint: Path) -> Callable[[int], Callable[[], object]]:
    import torch

    from leaderboard.export.folder import program_of_contract

    torch.set_num_threads(1)
    program = program_of_contract(contract, checkpoint)
    by_name = dict(zip((item["name"] for item in contract["inputs"]), inputs, strict=True))
    # What the exported program ignores may be anything.
    ignored = np.zeros(len(inputs[0]), dtype=np.float32)

    def made(batch: int) -> Callable[[], object]:
        given = [torch.from_numpy(_rows(by_name.get(name, ignored), batch)) for name in program.input_names]
        return lambda: program(*given)

    torch.set_grad_enabled(False)
    return made


def _rows(values: np.ndarray, batch: int) -> np.ndarray:
    """So many events, from the beginning again where they end."""
    return np.ascontiguousarray(values[np.arange(batch) % len(values)])


def _timed(call: Callable[[], object], batch: int, repeats: int) -> JsonObject:
    call()  # the first one allocates
    per_event: list[float] = []
    began = time.monotonic()
    while len(per_event) < repeats:
        started = time.process_time()
        call()
        per_event.append((time.process_time() - started) * 1000 / batch)
        if len(per_event) >= FEWEST_REPEATS and time.monotonic() - began > SECONDS_A_BATCH:
            break
    low, median, high = np.quantile(per_event, (0.16, 0.5, 0.84))
    return {
        "batch": batch,
        "median_ms": float(median),
        "spread_ms": float(high - low) / 2,
        "repeats": len(per_event),
    }


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
