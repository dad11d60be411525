"""The test split, and the count of its openings.

Only the benchmark imports this module (an import contract says so). Every opening is written down
and shown on the leaderboard, because each look at the test split makes it a little less of a test.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from data_adapters.condition_file import ConditionTable
from data_adapters.datasets import Dataset
from data_adapters.events import Events


def open_test_split(dataset: Dataset, log: Path, reason: str) -> tuple[Events, Events | None]:
    """Test events and their twins (None where the dataset has no twin); appends a line to ``log``.

    Raises: OSError if the opening cannot be written down: then it does not take place.
    """
    opening = {
        "dataset": dataset.name,
        "sha256": dataset.sha256,
        "reason": reason,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # appending is not one step on network file systems
        file.write(json.dumps(opening) + "\n")
        file.flush()
        os.fsync(file.fileno())
    rows = dataset.rows("test")
    return dataset.source.select(rows), dataset.twins_of(rows)


def conditions_of_test_split(dataset: Dataset) -> ConditionTable:
    """What the test events were simulated for.

    This is no opening: a generator is told the conditions, and the response of full simulation stays sealed.
    """
    rows = dataset.rows("test")
    columns = {name: values[rows] for name, values in dataset.source.conditions.items()}
    return ConditionTable(dataset.detector, columns, len(rows))
