"""How long a board of 1 000 synthetic entries takes to build, how large its pages are, and how fast its table is.

python benchmarks/leaderboard_pages.py --entry docs/results/entries/atlas-gan.laptop.9b4260ef/entry.json

The entries are made up, as their titles say, and lie in a temporary folder. Times in the browser need Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from recording import record

from leaderboard.pages import build_pages
from leaderboard.records import write_entry
from leaderboard.resamples import record_of

REPLICAS, HALF_SPLITS, SEEDS = 50, 50, 3
REPEATS = 5
CHANGE = """async (change) => {
  const start = performance.now();
  if (change === "sort") document.querySelector("table.board th[data-key=ms] button").click();
  else {
    const filter = document.getElementById("filter");
    filter.value = change;
    filter.dispatchEvent(new Event("input", { bubbles: true }));
  }
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));  // after it was drawn
  return performance.now() - start;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--entry", type=Path, required=True, help="entry.json of a model, taken as a pattern")
    given = parser.parse_args()
    pattern = json.loads(given.entry.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        board = Path(scratch)
        write_synthetic(board, pattern, given.entries)
        for what in ("first build", "again, nothing new"):
            started, cpu = time.perf_counter(), time.process_time()
            index = build_pages(board)
            print(
                f"{what}: {time.perf_counter() - started:.1f} s, {time.process_time() - cpu:.1f} s of CPU", flush=True
            )
        report_sizes(board)
        in_browser(index)


def write_synthetic(board: Path, pattern: dict[str, Any], number: int) -> None:
    """Entries of the pattern's kind with scores and times of their own; resampled events fluctuate alike."""
    random = np.random.default_rng(0)
    events = random.normal(size=REPLICAS + HALF_SPLITS) * 0.02
    for index in range(number):
        score = float(np.exp(random.normal(0, 0.5)))
        scores = score + random.normal(0, 0.01, SEEDS)
        seeds = [
            pattern["seeds"][0] | {"seed": seed, "score": float(value), "status": "completed"}
            for seed, value in enumerate(scores)
        ]
        median = float(np.exp(random.normal(-3, 1.5)))
        timings = {batch: {"median": median * factor, "spread": median / 20} for batch, factor in BATCHES}
        entry = pattern | {
            "id": f"synthetic.{index:05}",
            "title": f"Synthetic entry {index}, made up by a benchmark",
            "seeds": seeds,
            "status": "complete",
            "score": {"value": float(scores.mean()), "error": 0.03},
            "training": pattern["training"] | {"seeds_planned": list(range(SEEDS))},
            "cost": pattern["cost"] | {"generation_ms_per_shower": timings},
        }
        resampled = {
            seed["seed"]: np.split(seed["score"] + events + random.normal(0, 0.005, len(events)), [REPLICAS])
            for seed in seeds
        }
        record = record_of(entry, {seed: (both[0], both[1]) for seed, both in resampled.items()})
        write_entry(board, entry, {"schema": 1, "seed": 0, "training": []}, record)


BATCHES = (("batch_1", 10.0), ("batch_100", 1.0))


def report_sizes(board: Path) -> None:
    pages = [*board.glob("*.html"), *board.glob("models/*.html"), *board.glob("downloads/*")]
    for name in ("index.html", "metrics.html"):
        print(f"{name}: {(board / name).stat().st_size / 1e6:.2f} MB")
    print(f"all {len(pages)} pages and downloads: {sum(page.stat().st_size for page in pages) / 1e6:.1f} MB")


def in_browser(index: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no chromium here: no times in a browser")
        return
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        found: dict[str, list[float]] = {"usable after": [], "a sort": [], "a filter": []}
        for _ in range(REPEATS):
            page.goto(index.as_uri())
            found["usable after"].append(page.evaluate("performance.getEntriesByName('board-ready')[0].startTime"))
            found["a sort"].append(page.evaluate(CHANGE, "sort"))
            found["a filter"].append(page.evaluate(CHANGE, "entry 77"))
        browser.close()
    for what, times in found.items():
        record(what, float(np.median(times)), "ms")
        print(f"{what}: {np.median(times):.0f} ms (of {REPEATS}: {min(times):.0f} to {max(times):.0f})")


if __name__ == "__main__":
    main()
