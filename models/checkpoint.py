"""Generators from checkpoints, without training data."""

from __future__ import annotations

from pathlib import Path

from models.base import ShowerGenerator
from models.registry import MODELS
from models.storage import read_checkpoint, with_prefix, write_checkpoint

GENERATOR = "generator."


def load_generator(folder: Path, device: str = "cpu") -> ShowerGenerator:
    """The generator of any saved model: averaged weights and preprocessing constants, nothing of the training.

    Raises: UnreadableCheckpoint if there is no whole checkpoint; UnknownName if its model is not registered.
    """
    header, tensors = read_checkpoint(folder, GENERATOR)
    return MODELS[header["model"]].load(header, tensors, device)


def copy_generator(folder: Path, to: Path) -> None:
    """Write a checkpoint that holds the generator alone, and can generate but not be trained on.

    Raises: UnreadableCheckpoint.
    """
    header, tensors = read_checkpoint(folder, GENERATOR)
    write_checkpoint(to, header, with_prefix(GENERATOR, tensors))
