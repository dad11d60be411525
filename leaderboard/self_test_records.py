"""Records of the self-test of the metrics: those of the samples that ship, and of any folder. Knows no metric."""

from __future__ import annotations

import json
from pathlib import Path

from leaderboard.records import JsonObject, write_atomically
from leaderboard.text import NOTHING

RECORDS = Path(__file__).parent / "self_tests"
CALIBRATION = RECORDS / "calibration.json"


def write_record(record: JsonObject, folder: Path) -> Path:
    """Write ``<scorecard>.<events>.json``; returns its path."""
    path = folder / f"{record['scorecard']}.{max(record['sizes'])}.json"
    write_atomically(path, json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    return path


def read_records(folder: Path = RECORDS) -> list[JsonObject]:
    """Records of the folder, by the number that each says, small samples before large ones."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.*.json"))]
    return sorted(found, key=lambda record: (record["number"], max(record["sizes"])))


def read_calibration() -> JsonObject:
    """p-values of full simulation, by metric, as ``benchmarks/metric_calibration.py`` wrote them."""
    record: JsonObject = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    return record


def whole_sample_table(record: JsonObject) -> list[tuple[str, ...]]:
    """Header and rows as people read them: metrics of whole samples against faults, in standard errors."""
    faults = list(dict.fromkeys(row["fault"] for row in record["whole_sample"]))
    shown = {(row["fault"], row["metric"]): _errors(row["standard_errors"]) for row in record["whole_sample"]}
    titles = {row["metric"]: row["title"] for row in record["whole_sample"]}
    rows = ((title, *(shown.get((fault, name), NOTHING) for fault in faults)) for name, title in titles.items())
    return [("metric", *faults), *rows]


def _errors(number: float | None) -> str:
    return NOTHING if number is None else f"{round(number, 1) + 0.0:.1f}".replace("-", "−")  # no minus before 0.0
