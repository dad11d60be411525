"""Records of the self-test of the metrics: those of the samples that ship, and of any folder. Knows no metric."""

from __future__ import annotations

import json
from pathlib import Path

from leaderboard.records import JsonObject, write_atomically

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
