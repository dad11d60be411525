"""An exported model as a generator: with ONNX Runtime, and without torch."""

# Axes: N events, V cells.
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from data_adapters.detector import Detector, detector_from_json
from leaderboard.export.files import CONTRACT_FILE, CONTRACT_VERSION, MODEL_FILE
from leaderboard.export.runtime import open_session, run
from leaderboard.generation import Range
from leaderboard.records import JsonObject, read_json

LATENT = "latent"


class InvalidExport(ValueError):
    """A folder that is no exported model, or one whose program is not the one that its contract speaks of."""


class ExportedModel:
    """A folder that ``arena export --target onnx`` wrote.

    Raises: InvalidExport.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract: JsonObject = read_json(folder / CONTRACT_FILE)
        if self.contract.get("contract") != CONTRACT_VERSION:
            raise InvalidExport(f"{folder}: contract {self.contract.get('contract')}; {CONTRACT_VERSION} is known here")
        if self.contract["target"] != "onnx":
            raise InvalidExport(f"{folder} was made for {self.contract['target']}; export it again with --target onnx")
        with (folder / MODEL_FILE).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.contract["sha256"]:
            raise InvalidExport(f"{folder / MODEL_FILE} has the hash {found[:12]}…; its contract says another one")

    @cached_property
    def detector(self) -> Detector:
        """Whose events it makes."""
        return detector_from_json(self.contract["cells"]["detector"])

    @property
    def trained_range(self) -> dict[str, Range]:
        """Condition → least and largest value in the training sample."""
        return {name: (low, high) for name, (low, high) in self.contract["trained_range"].items()}

    @property
    def origin(self) -> str:
        """What was exported."""
        model = self.contract["model"]
        return f"{model['title']} ({model['entry']}), seed {model['seed']}, with ONNX Runtime"

    def generate(self, conditions: Mapping[str, NDArray[np.float64]], seed: int) -> NDArray[np.float32]:
        """Responses (N, V) in the unit of the detector; the numbers drawn are not those of torch."""
        num_events = len(next(iter(conditions.values())))
        shape = (num_events, self.contract["latent"]["numbers"])
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        told = {name: values.astype(np.float32) for name, values in conditions.items()}
        return run(self._session, {**told, LATENT: noise})

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return open_session(self.folder / MODEL_FILE)
