"""CPU time and peak memory of the scorecard of CLIC-like electrons: 1000 + 1000 showers of 65 025 cells, in files.

Run with ``OMP_NUM_THREADS=1 python benchmarks/clic_scorecard.py``.
"""

# Axes: N events, V cells.
from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from recording import record

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS
from data_adapters.simulators.hdf5_output import write_hdf5
from metrics.condition_cells import condition_cells
from metrics.judge import Judge
from metrics.observed_sample import observe_sample
from metrics.paired_sample import PairedSample
from metrics.scorecards import SCORECARDS

NUM_EVENTS = 1000
REPLICAS = 200
JITTER = 0.03  # of each cell and of the energy, so that showers that come twice are not alike
CARD = SCORECARDS["clic-electrons-v1"]
ROLES = ("reference", "twin", "generated")


def main() -> None:
    """Write three files, and judge them in a process of its own, whose memory is measured."""
    with tempfile.TemporaryDirectory() as folder:
        for number, role in enumerate(ROLES):
            write_showers(Path(folder) / f"{role}.h5", seed=number)
        subprocess.run([sys.executable, __file__, folder], check=True)


def write_showers(path: Path, seed: int) -> None:
    """As many showers as are needed, with the same energies and angles in each file."""
    shipped = DATASETS["clic-electrons-100-200gev"].source
    conditions, cells = np.random.default_rng(0), np.random.default_rng(seed)
    rows = np.resize(np.arange(len(shipped)), NUM_EVENTS)
    factor = conditions.uniform(1 - JITTER, 1 + JITTER, NUM_EVENTS)
    energy = shipped.conditions["incident_energy"][rows] * factor
    blocks = [
        {
            "ECAL": shower * cells.uniform(1 - JITTER, 1 + JITTER, shower.shape).astype(np.float32) * scale,
            "energy": energy[start : start + 1].astype(np.float32),
            "theta": shipped.conditions["theta"][rows[start : start + 1]].astype(np.float32),
        }
        for start, scale in enumerate(factor.astype(np.float32))
        for shower in [shipped.read_response(int(rows[start]), int(rows[start]) + 1).reshape(1, 51, 51, 25)]
    ]
    write_hdf5(path, blocks, {"description": "repeated showers"}, {"ECAL": 1})


def judge_files(folder: Path) -> None:
    """Print seconds and memory."""
    reference, twin, generated = (open_events(folder / f"{role}.h5", "clic-3dgan") for role in ROLES)
    before = peak_memory()
    start = time.process_time()
    names = (*CARD.distributions, *CARD.profiles)
    cells = condition_cells(CARD, reference.detector, reference.conditions)
    samples = [
        observe_sample(PairedSample.of(reference, source), names, cells) for source in (reference, twin, generated)
    ]
    observed = time.process_time()
    judge = Judge(CARD, samples[0], samples[1], replicas=REPLICAS)
    judgement = judge.judge(samples[2])
    judged = time.process_time()
    after = peak_memory()
    print(f"{NUM_EVENTS} + {NUM_EVENTS} showers and their twins, {len(judge.bins)} bins of energy and angle, CPU time")
    print(f"  {'three files read and observed':50} {observed - start:.2f} s")
    print(f"  {'judged: errors, floor, p-values, what is reported':50} {judged - observed:.2f} s")
    record("read, observed and judged", judged - start, "s")
    print(f"  {'together':50} {judged - start:.2f} s")
    print(f"  {'peak memory':50} {after:.0f} MiB, {before:.0f} MiB of it the libraries")
    print(f"  score {judgement.score.value:.3f}")


def peak_memory() -> float:
    """Of this process alone [MiB]; getrusage would count what its parent held when it was forked."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        judge_files(Path(sys.argv[1]))
    else:
        main()
