"""What each metric is, as a record: the pages state it without loading the metrics themselves.

``python -m leaderboard.metric_definitions`` writes the record again after a metric has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from leaderboard.records import JsonObject, read_json, write_atomically

FILE = Path(__file__).parent / "metric_definitions.json"


def read_definitions() -> JsonObject:
    """``metrics``, of condition bins, and ``whole_sample``: lists in the order of their registries."""
    return read_json(FILE)


def definitions() -> JsonObject:
    """The same from the registries."""
    from metrics import METRICS, WHOLE_SAMPLE_METRICS

    fields = ("name", "title", "definition", "unit", "direction", "perfect", "smallest_sample", "source")
    return {
        kind: [{field: getattr(metric, field) for field in fields} for metric in registry.values()]
        for kind, registry in (("metrics", METRICS), ("whole_sample", WHOLE_SAMPLE_METRICS))
    }


if __name__ == "__main__":
    write_atomically(FILE, json.dumps(definitions(), indent=1, ensure_ascii=False) + "\n")
