"""How much faster than full simulation: milliseconds a shower of both, on one thread of this machine.

    python benchmarks/generation_speed.py --write docs/speed.md

Full simulation is run anew where this project has the program (Geant4, the extra ``refsim``; the parameterised air
showers): CPU time of two runs of different size, whose difference leaves the start out. A generator of the
configuration of every study's best model is exported, and timed in torch and ONNX Runtime, one event at a time and in
batches of 100. It is not trained: the numbers in its weights do not change what is computed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import track

from data_adapters.adapters import open_events
from data_adapters.datasets import DATASETS, DatasetFiles
from leaderboard.export.folder import export_model
from leaderboard.provenance import hardware
from leaderboard.records import JsonObject, read_board
from leaderboard.text import significant
from leaderboard.trained import find_trained
from leaderboard.training import SeedJob, SeedTraining, train_seed
from models.export.onnx_program import CannotExport
from models.export.targets import TARGETS, Choices
from search.studies import STUDIES

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
REPEATS = 3
DOCUMENTED = Path("docs/results")
PROGRAM = "from search.engine.arena import main; main()"


@dataclass(frozen=True)
class Simulation:
    """How a detector's reference was made, and how many events show how long that takes."""

    simulator: str
    layout: str | None
    suffix: str
    fewer: int
    more: int


GEANT4 = {
    "atlas-photons-geant4": Simulation("atlas-photons", "atlas-hdf5", ".h5", 9, 27),
    "clic-electrons-coarse": Simulation("clic-electrons", "clic-3dgan", ".h5", 4, 16),
    "lhcb-pions-geant4": Simulation("lhcb-pions", "lhcb-tracks", ".root", 30, 150),
    "lhcb-events-geant4": Simulation("lhcb-events", "lhcb-events", ".root", 4, 16),
    "alice-tracks-geant4": Simulation("alice-tracks", "alice-hdf5", ".h5", 10, 50),
    "airshower-data-patterns": Simulation("airshower-data", "airshower-pattern", ".h5", 200, 2000),
    "airshower-refinement": Simulation("airshower-simulation", "airshower-array", ".h5", 200, 2000),
}


def main() -> None:
    """Measure, print, and write the table."""
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--board", type=Path, default=DOCUMENTED, help=f"whose models (default: {DOCUMENTED})")
    command.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page, between its marks")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the numbers, too")
    command.add_argument("--repeats", type=int, default=REPEATS, help=f"of each simulation (default: {REPEATS})")
    given = command.parse_args()
    datasets = track(GEANT4, description="simulating and timing", console=Console(stderr=True))
    rows = [row for dataset in datasets for row in measured(dataset, given.board, given.repeats)]
    result = {"hardware": hardware(), "rows": rows}
    table = as_table(rows, hardware())
    print(table)
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if given.write is not None:
        page = given.write.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        given.write.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def measured(dataset: str, board: Path, repeats: int) -> list[dict[str, Any]]:
    """A row for the best model of each study of a dataset."""
    entries = best_models(board, dataset)
    rows = []
    simulation_ms = simulated(GEANT4[dataset], repeats) if entries else 0.0
    for entry in entries:
        try:
            latency = exported_latency(entry)
        except CannotExport as error:
            print(f"{entry['id']}: {error}", file=sys.stderr)
            continue
        rows.append({"dataset": dataset, "entry": entry["id"], "title": entry["model"]["title"],
                     "preset": entry["preset"], "simulation_ms": simulation_ms, **latency})  # fmt: skip
    return rows


def best_models(board: Path, dataset: str) -> list[JsonObject]:
    """Of each study the model with the lowest score."""
    best: dict[str, JsonObject] = {}
    for entry in read_board(board).entries:
        if entry["kind"] != "model" or entry["dataset"]["name"] != dataset or entry["score"] is None:
            continue
        former = best.setdefault(entry["study"]["name"], entry)
        if entry["score"]["value"] < former["score"]["value"]:
            best[entry["study"]["name"]] = entry
    return list(best.values())


def simulated(simulation: Simulation, repeats: int) -> float:
    """CPU milliseconds an event, the median of several runs."""
    return median(_slope(simulation, seed) for seed in range(1, repeats + 1))


def _slope(simulation: Simulation, seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        fewer, few_s = _run(simulation, simulation.fewer, seed, Path(folder))
        more, more_s = _run(simulation, simulation.more, seed, Path(folder))
    return 1000 * (more_s - few_s) / (more - fewer)


def _run(simulation: Simulation, events: int, seed: int, folder: Path) -> tuple[int, float]:
    """Events in the file, and CPU seconds that making it took."""
    out = folder / f"{events}{simulation.suffix}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "data", "make", simulation.simulator, "--events", str(events),
         "--seed", str(seed), "--out", str(out)],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return len(open_events(out, simulation.layout)), cpu


def exported_latency(entry: JsonObject) -> dict[str, float]:
    """Milliseconds an event: ``onnx_1``, ``onnx_100``, ``torch_1``, ``torch_100``."""
    with tempfile.TemporaryDirectory() as folder:
        trained = replace(find_trained(str(untrained(entry, Path(folder))), Path(folder)), entry=entry)
        contract = export_model(trained, TARGETS["onnx"], Choices(), Path(folder) / "model")
    return {f"{row['runtime']}_{row['batch']}": row["median_ms"] for row in contract["latency"]}


def untrained(entry: JsonObject, folder: Path) -> Path:
    """Folder of a generator of the entry's configuration, built on another one where it has to be."""
    built_on = STUDIES[entry["study"]["name"]].built_on
    base = None
    if built_on is not None:
        preset = built_on.preset(entry["preset"])
        dataset = preset.dataset or built_on.dataset
        config = built_on.space_at(preset).default
        base = _initial(built_on.model, config, dataset, built_on.scorecard, folder / "base", None).checkpoint_folder
    model, dataset, scorecard = entry["model"], entry["dataset"]["name"], entry["scorecard"]["name"]
    return _initial(model["name"], model["config"], dataset, scorecard, folder / "whole", base).folder


def _initial(
    model: str, config: Mapping[str, Any], dataset: str, scorecard: str, folder: Path, base: Path | None
) -> SeedTraining:
    return train_seed(SeedJob(model, config, 1, 0, 1, "last", DatasetFiles(dataset), scorecard, folder, base=base))


def as_table(rows: list[dict[str, Any]], where: str) -> str:
    """Markdown."""
    lines = [
        "| dataset | model | full simulation, ms | torch, alone | torch, batches of 100 | ONNX Runtime, alone "
        "| ONNX Runtime, batches of 100 | faster than simulation, alone … in batches |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = [significant(row[key]) for key in ("simulation_ms", "torch_1", "torch_100", "onnx_1", "onnx_100")]
        ratios = " … ".join(_rounded(row["simulation_ms"] / row[key]) for key in ("onnx_1", "onnx_100"))
        title = f"{row['title']} (`{row['entry']}`)"
        lines.append(f"| {DATASETS[row['dataset']].title} | {title} | {' | '.join(times)} | {ratios} × |")
    return "\n".join([*lines, "", f"CPU milliseconds a shower (a track, an event) on one thread of: {where}."])


def _rounded(ratio: float) -> str:
    """Two digits."""
    return f"{float(f'{ratio:.2g}'):g}"


if __name__ == "__main__":
    main()
