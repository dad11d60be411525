"""The checkpoint file: tensors with a JSON header, written at once. Reading it runs no code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FILE = "checkpoint.safetensors"
FORMAT = 2


class UnreadableCheckpoint(ValueError):
    """A checkpoint that is missing, damaged or of another format."""


def write_checkpoint(folder: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint in ``folder``; whoever reads it sees the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"header": json.dumps({"format": FORMAT, **header}, allow_nan=False)},
    )
    temporary = folder / f".{FILE}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)


def holds_checkpoint(folder: Path) -> bool:
    """Whether one was written there; a process that was lost while it wrote leaves a folder without."""
    return (folder / FILE).is_file()


def read_checkpoint(folder: Path, prefix: str = "") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header, and the tensors whose names begin with ``prefix`` (which is taken off).

    Raises: UnreadableCheckpoint if there is none, or it is damaged or of another format.
    """
    path = folder / FILE
    if not holds_checkpoint(folder):
        raise UnreadableCheckpoint(f"{folder}: there is no {FILE} in this folder. Give the folder of a saved model")
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})["header"])
            tensors = {name[len(prefix) :]: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118 (no mapping)
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UnreadableCheckpoint(
            f"{path}: not a checkpoint of this project ({error}). Train the model again"
        ) from error
    if header.get("format") != FORMAT:
        raise UnreadableCheckpoint(f"{path}: format {header.get('format')}; this version reads format {FORMAT}")
    return header, tensors


def read_header(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of itself, without its tensors. Raises: UnreadableCheckpoint."""
    return read_checkpoint(folder, prefix="\0")[0]


def hash_of(folder: Path) -> str:
    """SHA-256 of the checkpoint in a folder. Raises: OSError if there is none."""
    with (folder / FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_same(header: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises: ValueError if a checkpoint differs from the model that wants to continue from it."""
    for key, value in expected.items():
        if header.get(key) != value:
            raise ValueError(
                f"the checkpoint has {key} {header.get(key)!r}, this model {value!r}; build the model as it was saved"
            )


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, named ``prefix + name``."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors named ``prefix + name``, by name."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """State of an optimiser, named by the number of the parameter and the quantity."""
    states: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value) for index, state in states.items() for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of ``optimizer_tensors``; nothing saved means no step taken."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        states.setdefault(int(index), {})[name] = _in_order_of(parameters[int(index)], tensor)
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _in_order_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A tensor of the parameter's shape in its memory order, which fused optimisers rely on; others as they are."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
