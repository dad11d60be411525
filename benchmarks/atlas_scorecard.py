"""CPU time and peak memory of the scorecard of ATLAS-like photons: 10 000 showers, errors, floor and p-values.

Run with ``OMP_NUM_THREADS=1 python benchmarks/atlas_scorecard.py``.
"""

# Axes: N events, V cells.
from __future__ import annotations

import resource
import statistics
import time

import numpy as np
from recording import record

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS

NUM_EVENTS = 10_000
REPLICAS = 200
REPEATS = 5
JITTER = 0.03  # of each cell, so that showers that come twice are not alike


def main() -> None:
    """Print the medians of the repeats."""
    dataset = DATASETS["atlas-photons-geant4"]
    if dataset.twin_source is None:
        raise ValueError(f"{dataset.name} has no twin")
    reference, twin = dataset.source.read(), dataset.twin_source.read()
    generator = np.random.default_rng(0)
    rows = np.resize(np.arange(len(reference)), NUM_EVENTS)
    samples = [jittered(events.select(rows), generator) for events in (reference, twin, twin)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    timings = [measured(*samples) for _ in range(REPEATS)]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{NUM_EVENTS} + {NUM_EVENTS} showers of {reference.detector.num_cells} cells, {REPLICAS} replicas, CPU time")
    for name, values in zip(
        ("reference prepared", "judged, with errors and floor", "p-values"), zip(*timings, strict=True), strict=True
    ):
        record(name, statistics.median(values), "s")
        print(f"  {name:32} {statistics.median(values):.2f} s")
    print(f"  {'peak memory':32} {after:.0f} MiB, {before:.0f} MiB of it the showers and the libraries")


def jittered(events: Events, generator: np.random.Generator) -> Events:
    """Showers with every cell multiplied by a factor near 1."""
    factor = generator.uniform(1 - JITTER, 1 + JITTER, events.response.shape).astype(np.float32)
    return events.with_response(events.response * factor)


def measured(reference: Events, twin: Events, generated: Events) -> tuple[float, float, float]:
    """Seconds of preparing, judging, and of the p-values."""
    times = [time.process_time()]
    judge = Judge(SCORECARDS["atlas-photons-v1"], reference, twin, replicas=REPLICAS)
    times.append(time.process_time())
    judge.judge(generated.response, reported=False)
    times.append(time.process_time())
    judge.p_values(generated.response)
    times.append(time.process_time())
    first, second, third = np.diff(times).tolist()
    return first, second, third


if __name__ == "__main__":
    main()
