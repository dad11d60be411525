"""Air showers a second on one core: simulated alone, and with the file written.

OMP_NUM_THREADS=1 python benchmarks/airshower_simulation.py --repeats 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from recording import record

from data_adapters.simulators.airshower import (
    AIRSHOWER_DATA,
    AIRSHOWER_SIMULATION,
    DATA,
    SIMULATION,
    simulate_blocks,
)
from data_adapters.simulators.component import Request


def events_per_second(work: Callable[[], int]) -> float:
    """Events over CPU time of the whole process, so that a second thread would count."""
    start = time.process_time()
    events = work()
    return events / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Air showers a second on one core.")
    parser.add_argument("--events", type=int, default=5000, help="showers of each measurement (default: 5000)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each kind (default: 5)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        out = Path(folder) / "showers.h5"
        request = Request(events=arguments.events, out=out, force=True)
        works: dict[str, Callable[[], int]] = {
            "data, simulated": lambda: sum(map(len, simulate_blocks(DATA, arguments.events, seed=1))),
            "simulation, simulated": lambda: sum(map(len, simulate_blocks(SIMULATION, arguments.events, seed=1))),
            "data, written": lambda: AIRSHOWER_DATA.make(request),
            "simulation, written": lambda: AIRSHOWER_SIMULATION.make(request),
        }
        for name, work in works.items():
            low, median, high = np.percentile([events_per_second(work) for _ in range(arguments.repeats)], [16, 50, 84])
            record(name, float(median), "events/s", better="higher")
            print(f"{name:22s} {median:6.0f} events/s (16 % to 84 % of repeats: {low:.0f} to {high:.0f})")
            if "written" in name:
                print(f"{'':22s} {out.stat().st_size / arguments.events:6.0f} bytes an event")


if __name__ == "__main__":
    main()
