"""p-values of full simulation that was simulated a third time: they are to be uniform.

Run with ``python benchmarks/metric_calibration.py``; it writes ``leaderboard/self_tests/calibration.json`` again, which
the page about the metrics and ``docs/metrics.md`` show.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from data_adapters.adapters import open_events
from leaderboard.self_test_records import CALIBRATION
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "metrics" / "samples"
ENERGIES = (1024.0, 2048.0)
DRAWS, EVENTS = 100, 100


def main() -> None:
    """Judge a hundred disjoint draws of photons, each by the score and its components."""
    card = replace(SCORECARDS["atlas-photons-v1"], condition_bins=ENERGIES)
    reference, twin, fresh = (
        open_events(SAMPLES / f"photons_{name}.h5").read() for name in ("reference", "twin", "fresh")
    )
    p_values = []
    for number in range(DRAWS):
        rows = np.arange(number * EVENTS, (number + 1) * EVENTS)
        judge = Judge(card, reference.select(rows), twin.select(rows), replicas=0)
        p_values.append(judge.p_values(fresh.select(rows).response, seed=number))
    columns = {name: [row[name] for row in p_values] for name in p_values[0]}
    tests = {name: float(stats.kstest(column, "uniform").pvalue) for name, column in columns.items()}
    record = {
        "scorecard": card.name,
        "energies_mev": list(ENERGIES),
        "draws": DRAWS,
        "events": EVENTS,
        "p_values": columns,
        "kolmogorov_smirnov": tests,
    }
    CALIBRATION.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for name, value in tests.items():
        print(f"{name:12} Kolmogorov–Smirnov p = {value:.2g} over {DRAWS} draws of {EVENTS} photons")


if __name__ == "__main__":
    main()
