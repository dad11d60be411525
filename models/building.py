"""From a name and a configuration to a model that is ready to train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_adapters.detector import Detector
from data_adapters.events import Events, InvalidEvents
from models.base import GenerativeModel, ModelSpec
from models.checkpoint import load_generator
from models.config import from_dict
from models.data_parallel import ALONE, Processes
from models.network_model import NetworkModel
from models.registry import MODELS
from models.rows import TrainingSample
from models.storage import UnreadableCheckpoint, read_header


def build_model(
    name: str,
    config: Mapping[str, Any],
    train: TrainingSample,
    seed: int,
    device: str = "cpu",
    base: Path | None = None,
    *,
    compiled: bool = False,
    processes: Processes = ALONE,
) -> GenerativeModel:
    """A model ready for its first epoch.

    Args:
        config: Hyperparameters by name; those that are left out keep their defaults.
        base: Checkpoint of the model that this one is built on (``ModelSpec.built_on``).
        compiled: Compile what can be; pays on GPUs.
        processes: Those that train it together; each of them builds it alike, at the same time.
    Raises: UnknownName; ValueError for a configuration that cannot be; InvalidEvents for a detector or a stream that
        the model does not take; UnreadableCheckpoint for a base that is missing or of another model.
    """
    spec = MODELS[name]
    check_detector(spec, train.detector)
    if not isinstance(train, Events) and not spec.streams:
        raise InvalidEvents(
            f"{name} needs its training sample in memory, and this one comes as a stream because it is too large. "
            f"Give fewer events, or a model that trains on streams ({', '.join(_streaming())})"
        )
    further = {}
    if spec.built_on is not None:
        further["base"] = load_generator(check_base(spec, base), device)
    model = spec.build(from_dict(spec.config_class, config), train, seed, device, **further)
    if not processes.alone:
        _share(spec, model, processes)
    if compiled and isinstance(model, NetworkModel):
        model.compile()
    return model


def _share(spec: ModelSpec, model: GenerativeModel, processes: Processes) -> None:
    if not spec.data_parallel or not isinstance(model, NetworkModel):
        raise ValueError(
            f"{spec.name} cannot be trained by {processes.size} processes together; give one, or a model that can "
            f"({', '.join(data_parallel_models())})"
        )
    model.share(processes)


def data_parallel_models() -> list[str]:
    """Models that several processes can train together."""
    return [name for name, spec in MODELS.items() if spec.data_parallel]


def check_detector(spec: ModelSpec, detector: Detector) -> None:
    """Raises: InvalidEvents, with the reason, for a detector that a model does not take."""
    reason = spec.refuses(detector)
    if reason is not None:
        raise InvalidEvents(f"{spec.name} cannot be trained on {detector.name}: {reason}")


def check_base(spec: ModelSpec, base: Path | None) -> Path:
    """The checkpoint that a model is built on.

    Raises: UnreadableCheckpoint if there is none, or it is of another model.
    """
    if base is None:
        raise UnreadableCheckpoint(
            f"{spec.name} is built on a trained {spec.built_on}: give the folder of its checkpoint"
        )
    found = read_header(base)["model"]
    if found != spec.built_on:
        raise UnreadableCheckpoint(f"{base} holds {found}; {spec.name} is built on {spec.built_on}: give one of that")
    return base


def _streaming() -> list[str]:
    return [name for name, spec in MODELS.items() if spec.streams and spec.trainable]
