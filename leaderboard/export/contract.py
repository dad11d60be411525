"""What must be known to run an exported model, as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from data_adapters.detector import Condition, Detector, detector_to_json
from leaderboard.export.files import CONTRACT_VERSION, GOLDEN_FILE, MODEL_FILE
from leaderboard.records import JsonObject
from leaderboard.trained import Trained
from models.export.onnx_program import EVENTS, OPSET, RESPONSE
from models.export.physical_generator import LATENT, PhysicalGenerator
from models.export.targets import Choices, Target

TOLERANCE = 1e-5  # of the largest cell of an event


@dataclass(frozen=True)
class Golden:
    """Events by which a runtime is checked.

    Attributes:
        names: Inputs of what was traced; those that change nothing are none of the program.
        inputs: As the program takes them, by name.
        response: What torch gave.
        difference: Largest one to ONNX Runtime, over the largest cell of the event.
    """

    names: Sequence[str]
    inputs: Mapping[str, NDArray[np.float32]]
    response: NDArray[np.float32]
    difference: float


def contract_of(
    trained: Trained, module: PhysicalGenerator, target: Target, choices: Choices, program: bytes, golden: Golden
) -> JsonObject:
    """Names, shapes and units; who draws the random numbers; ranges; order of the cells; golden events."""
    detector = module.generator.detector
    entry = trained.entry
    return {
        "contract": CONTRACT_VERSION,
        "target": target.name,
        "choices": asdict(choices),
        "file": MODEL_FILE,
        "sha256": hashlib.sha256(program).hexdigest(),
        "opset": OPSET,
        "one_event": target.one_event,
        "model": {
            "title": trained.title,
            "entry": None if entry is None else entry["id"],
            "seed": trained.seed,
            "dataset": None if entry is None else entry["dataset"]["name"],
            "dataset_sha256": None if entry is None else entry["dataset"]["sha256"],
        },
        "inputs": [_input(name, values, target, module, trained) for name, values in golden.inputs.items()],
        "latent": {
            "numbers": module.generator.latent_dim,
            "distribution": "normal, independent",
            "mean": target.noise[0],
            "deviation": target.noise[1],
            "drawn_by": "whoever runs the program, which draws nothing itself",
        },
        "output": {
            "name": RESPONSE,
            "shape": [_events(target), golden.response.shape[1]],
            "type": "float32",
            "quantity": detector.quantity,
            "unit": target.output_unit or detector.unit,
        },
        "cells": {"order": target.order, "detector": detector_to_json(detector)},
        "thresholds": {
            "in_the_program": "none beyond what the model itself does",
            "to_apply": f"a cell counts as hit above {detector.threshold:g} {detector.unit}",
            "value": detector.threshold,
            "unit": detector.unit,
        },
        "fixed": dict(choices.fixed),
        "ignored_conditions": [name for name in golden.names if name not in golden.inputs],
        "trained_range": {name: list(limits) for name, limits in trained.trained_range.items()},
        "golden": {
            "file": GOLDEN_FILE,
            "events": len(golden.response),
            "largest_difference": golden.difference,
            "tolerance": TOLERANCE,
            "relative_to": "the largest cell of the event",
        },
    }


def _events(target: Target) -> int | str:
    return 1 if target.one_event else EVENTS


def _input(
    name: str, values: NDArray[np.float32], target: Target, module: PhysicalGenerator, trained: Trained
) -> JsonObject:
    condition = _condition(module.generator.detector, name)
    found: JsonObject = {"name": name, "shape": [_events(target), *values.shape[1:]], "type": "float32"}
    if condition is None:
        meaning = "latent numbers" if name == LATENT else f"as {target.title} fills it"
        return {**found, "unit": "1", "meaning": meaning}
    limits: Sequence[float] | None = trained.trained_range.get(name)
    return {
        **found,
        "unit": condition.unit,
        "meaning": "condition, as it is",
        "range": None if limits is None else list(limits),
        "categories": condition.categories,
    }


def _condition(detector: Detector, name: str) -> Condition | None:
    return next((condition for condition in detector.conditions if condition.name == name), None)
