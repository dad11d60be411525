"""Samples of LHCb that are quick to learn from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Detector, Layer
from data_adapters.events import Events
from data_adapters.layouts.lhcb_geometry import CELL_MM, COLUMNS, ROWS

PIONS = "lhcb-pions-geant4"
WINDOW = 8
EVERY = 8


@lru_cache
def showers_around_the_impact() -> Events:
    """8 × 8 cells around the place where each of 375 pions hits the face, so that only the energy matters."""
    events = DATASETS[PIONS].split("train")
    events = events.select(np.arange(0, len(events), EVERY))
    half = WINDOW // 2
    faces = np.pad(events.response.reshape(-1, ROWS, COLUMNS), ((0, 0), (half, half), (half, half)))
    rows = (events.conditions["y"] / CELL_MM + ROWS / 2).astype(np.intp).clip(0, ROWS - 1)
    columns = (events.conditions["x"] / CELL_MM + COLUMNS / 2).astype(np.intp).clip(0, COLUMNS - 1)
    windows = [
        face[row : row + WINDOW, column : column + WINDOW]
        for face, row, column in zip(faces, rows, columns, strict=True)
    ]
    energy = next(condition for condition in events.detector.conditions if condition.energy)
    layer = Layer("hcal", (Axis.numbered("y", WINDOW), Axis.numbered("x", WINDOW)))
    detector = Detector("window", "Around the impact", (layer,), (energy,), quantity="transverse energy")
    response = np.stack(windows).reshape(len(events), -1)
    return Events(detector, {energy.name: events.incident_energy}, response, events.identity)
