"""Samples of LHCb that are quick to learn from."""

from __future__ import annotations

import atexit
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

from data_adapters.datasets import DATASETS
from data_adapters.detector import Axis, Detector, Layer
from data_adapters.events import Events
from data_adapters.layouts.lhcb_geometry import CELL_MM, COLUMNS, ROWS
from models.checkpoint import load_generator
from models.config import from_dict
from models.lhcb_single_track import SingleTrack, SingleTrackConfig, SingleTrackGenerator

PIONS, EVENTS = "lhcb-pions-geant4", "lhcb-events-geant4"
WINDOW, COARSE = 8, 4
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


@lru_cache
def single_track_folder() -> Path:
    """Checkpoint of a single-track model that was hardly trained, to build a refinement on."""
    train = DATASETS[PIONS].split("train").select(np.arange(40))
    config = {"generator_filters": 8, "critic_filters": 4, "batch_size": 8, "latent_dim": 4, "critic_steps": 1}
    model = SingleTrack(from_dict(SingleTrackConfig, config), train, seed=1)
    model.train_epoch()
    folder = Path(mkdtemp(prefix="single-track-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    model.save(folder)
    return folder


def single_track() -> SingleTrackGenerator:
    """Its generator."""
    generator = load_generator(single_track_folder())
    assert isinstance(generator, SingleTrackGenerator)
    return generator


@lru_cache
def coarse_events() -> Events:
    """280 full events, 4 × 4 cells taken as one."""
    events = DATASETS[EVENTS].split("train")
    events = events.select(np.arange(0, len(events), COARSE))
    face = events.detector.layers[0]
    axes = tuple(Axis(axis.name, axis.edges[::COARSE], axis.unit) for axis in face.axes)
    detector = replace(events.detector, name="coarse", layers=(Layer(face.name, axes),))
    blocks = events.response.reshape(-1, ROWS // COARSE, COARSE, COLUMNS // COARSE, COARSE)
    return Events(detector, events.conditions, blocks.sum(axis=(2, 4)).reshape(len(events), -1), events.identity)
