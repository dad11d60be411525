"""Every benchmark of a suite, one after the other, and the page that shows what came out.

    python benchmarks/run_all.py --suite quick          # make bench-quick
    python benchmarks/run_all.py --write docs           # make bench

Each runs in a process of its own, whose CPU time and wall time are measured too. Results go to ``bench.json`` in the
folder of ``--out``; with ``--write`` also to ``docs/performance.json`` and ``docs/performance.md``, which compares with
the former ones: what got slower by more than ``TOLERANCE`` is marked. If one fails, the documentation stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recording import VARIABLE

from leaderboard.provenance import code_state, machine
from leaderboard.text import significant

ROOT = Path(__file__).parents[1]
TOLERANCE = 0.15  # timing on shared machines is not better than that


@dataclass(frozen=True)
class Benchmark:
    """A script with its arguments in both suites; None where it is left out."""

    script: str
    what: str
    full: str
    quick: str | None = None


BENCHMARKS = (
    Benchmark("gan_iteration", "a WGAN-GP generator iteration, against the textbook", "--repeats 15", "--repeats 5"),
    Benchmark("group_training", "ATLAS GANs one by one and together", "--members 1 4 16", "--members 1 4 --rounds 2"),
    Benchmark("clic_3dgan_step", "a training step of 3DGAN, against plain layers", "", None),
    Benchmark("data_parallel", "a mini-batch of 3DGAN in two processes", "--processes 2", None),
    Benchmark("trial_overhead", "what the platform costs per trial", "--trials 200", "--trials 30"),
    Benchmark("trial_overhead", "what the platform costs per trial of a thousand", "--trials 1000", None),
    Benchmark("overhead_peers", "a trial here, in bare Ray Tune and in Optuna alone", "--trials 200 --rounds 3", None),
    Benchmark("overhead_peers", "the same, of a thousand trials", "--trials 1000", None),
    Benchmark(
        "profile_search", "where the time of an ATLAS GAN trial goes", "trial atlas-gan", "trial atlas-gan --epochs 25"
    ),
    Benchmark("profile_search", "where the time of a 3DGAN trial goes", "trial clic-3dgan --epochs 4", None),
    Benchmark(
        "profile_search",
        "where the time of a search goes",
        "search atlas-gan -- --trials 6 --epochs 100 --seeds 2",
        None,
    ),
    Benchmark("search_scale", "what grows with the number of trials", "", "--trials 100 1000"),
    Benchmark("mlflow_latency", "MLflow's time for the records of a search", "--trials 10000", "--trials 200"),
    Benchmark("atlas_scorecard", "judging 10 000 photons", "", ""),
    Benchmark("clic_scorecard", "judging 1 000 electrons", "", None),
    Benchmark("reading", "showers a second from files, against plain h5py", "--repeats 7", "--events 1000 --repeats 3"),
    Benchmark("airshower_simulation", "air showers a second", "", "--events 2000 --repeats 3"),
    Benchmark(
        "leaderboard_pages",
        "pages of 1 000 entries",
        "--entry docs/results/entries/{atlas-gan}/entry.json",
        "--entries 200 --entry docs/results/entries/{atlas-gan}/entry.json",
    ),
)


def main() -> None:
    """Run a suite."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--suite", choices=("full", "quick"), default="full")
    flags.add_argument("--only", action="append", help="this script (repeatable)")
    flags.add_argument("--out", type=Path, default=Path("runs"), help="where bench.json goes (default: runs)")
    flags.add_argument("--write", type=Path, metavar="DOCS", help="folder of the documentation, to be written again")
    given = flags.parse_args()
    unknown = set(given.only or ()) - {benchmark.script for benchmark in BENCHMARKS}
    if given.write and (given.only or given.suite != "full"):
        flags.error("--write makes the whole page again; without --only and --suite quick, please")
    if unknown:
        flags.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(b.script for b in BENCHMARKS)}")
    chosen = [b for b in BENCHMARKS if not given.only or b.script in given.only]
    todo = [(b, arguments) for b in chosen if (arguments := getattr(b, given.suite)) is not None]
    runs: list[dict[str, Any]] = []
    result = {"suite": given.suite, "environment": environment(), "runs": runs}
    given.out.mkdir(parents=True, exist_ok=True)
    for number, (benchmark, arguments) in enumerate(todo, start=1):
        print(f"\n{number} of {len(todo)}: {benchmark.what}", flush=True)
        runs.append(run(benchmark, arguments))
        _write(given.out / "bench.json", result)  # what there is, should it be stopped
    print(f"{given.out / 'bench.json'}: {sum(len(each['numbers']) for each in runs)} numbers")
    failed = [each["command"] for each in runs if each["status"] != 0]
    if failed:
        raise SystemExit("failed: " + "; ".join(failed))
    if given.write is not None:
        former = given.write / "performance.json"
        before = json.loads(former.read_text(encoding="utf-8")) if former.is_file() else None
        (given.write / "performance.md").write_text(page(result, before), encoding="utf-8")
        _write(former, result)


def run(benchmark: Benchmark, arguments: str) -> dict[str, Any]:
    """Run a script, pass on what it prints, and gather its numbers."""
    command = [sys.executable, f"benchmarks/{benchmark.script}.py", *_filled(arguments).split()]
    shown = " ".join(["python", *command[1:]])
    print(shown, flush=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"
        settings = {**os.environ, VARIABLE: str(record), "OMP_NUM_THREADS": "1"}
        status = subprocess.run(command, cwd=ROOT, env=settings, check=False).returncode
        lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "script": benchmark.script,
        "what": benchmark.what,
        "command": shown,
        "status": status,
        "wall_s": time.monotonic() - began,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "numbers": [json.loads(line) for line in lines],
    }


def _filled(arguments: str) -> str:
    """``{model}`` stands for an entry of that model among the documented ones."""
    for name in ("atlas-gan",):
        if f"{{{name}}}" in arguments:
            found = sorted((ROOT / "docs" / "results" / "entries").glob(f"{name}.laptop.*"))
            arguments = arguments.replace(f"{{{name}}}", found[0].name)
    return arguments


def environment() -> dict[str, Any]:
    """Machine, code, time, and the load that was there before."""
    commit, dirty = code_state(ROOT)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"machine": machine(), "code_commit": commit, "code_dirty": dirty, "time": now, "load_before": load}


def page(result: dict[str, Any], before: dict[str, Any] | None) -> str:
    """The page of the documentation."""
    where = result["environment"]
    commit = where["code_commit"] or "unknown"
    machine_words = f"{where['machine']['processor']}, {where['machine']['cores']} cores"
    lines = [
        "<!-- Made by `make bench`; changes belong into benchmarks/. -->",
        "",
        "# Performance",
        "",
        f"Made by `make bench` on {machine_words}, commit `{commit[:12]}`, {where['time'][:10]}.",
        "Timing on shared machines is noisy: ratios are of runs on one machine, interleaved or one after the other; "
        "medians throughout.",
        "A ratio to a peer above 1 says that this project is the faster one, below 1 that the peer is.",
        "",
    ]
    former = _numbers(before) if before else {}
    for each in result["runs"]:
        lines += [f"## {each['what'][0].upper()}{each['what'][1:]}", "", f"    {each['command']}", ""]
        lines += [f"Took {each['wall_s']:.0f} s, {each['cpu_s']:.0f} s of CPU time.", ""]
        if each["numbers"]:
            lines += ["| | value | before | |", "|---|---|---|---|"]
            lines += [_row(each["what"], number, former) for number in each["numbers"]]
            lines.append("")
    return "\n".join(lines)


def _numbers(result: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(each["what"], n["name"]): n["value"] for each in result["runs"] for n in each["numbers"]}


def _row(what: str, number: dict[str, Any], former: dict[tuple[str, str], float]) -> str:
    old = former.get((what, number["name"]))
    remark = verdict(number, old)
    if number["peer"] and number["value"] < 1:
        remark = f"{number['peer']} is the better one. {remark}".strip()
    before = "" if old is None else f"{significant(old)} {number['unit']}"
    return f"| {number['name']} | {significant(number['value'])} {number['unit']} | {before} | {remark} |"


def verdict(number: dict[str, Any], old: float | None) -> str:
    """Whether a number became worse or better than it was; empty where it is about the same, or neither is better."""
    if not old or not number["value"] or number["better"] == "neither":
        return ""
    worse = number["value"] / old if number["better"] == "lower" else old / number["value"]
    if worse > 1 + TOLERANCE:
        return f"**worse by {100 * (worse - 1):.0f} %**"
    return f"better by {100 * (1 - worse):.0f} %" if worse < 1 - TOLERANCE else ""


def _write(path: Path, result: dict[str, Any]) -> None:
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
