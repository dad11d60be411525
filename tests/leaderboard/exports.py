"""Small trained models on disk, as a final training leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_adapters.datasets import DATASETS
from data_adapters.events import Events
from leaderboard.trained import SEED_FILE, Trained, find_trained
from models.base import GenerativeModel
from tests.leaderboard.conftest import _entry
from tests.models.samples import SAMPLES, trained

CHECKPOINT = "checkpoint-0"


def saved(model: GenerativeModel, name: str, events: Events, folder: Path, entry: dict[str, Any] | None) -> Trained:
    """A model in a folder, with the record of its training, and the entry that it belongs to."""
    model.save(folder / CHECKPOINT)
    limits = {key: (float(values.min()), float(values.max())) for key, values in events.conditions.items()}
    record = {
        "job": {"model": name},
        "seed": 1,
        "status": "completed",
        "checkpoint": CHECKPOINT,
        "trained_range": limits,
    }
    (folder / SEED_FILE).write_text(json.dumps(record | {"trained_range": limits}))
    if entry is not None:
        (folder / "entry.json").write_text(json.dumps(entry))
    return find_trained(str(folder), folder)


def trained_on_disk(name: str, folder: Path, epochs: int = 1, **changes: Any) -> Trained:
    """A registered model on its sample for tests, and an entry of the dataset that has such events."""
    events = SAMPLES[name].events()
    entry = _entry(id=f"{name}.test")
    for dataset in DATASETS.values():
        if dataset.detector == events.detector:
            entry["dataset"] |= {"name": dataset.name, "sha256": dataset.sha256}
    return saved(trained(name, epochs, **changes), name, events, folder, entry)
