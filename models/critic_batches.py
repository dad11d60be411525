"""Mini-batches of models whose critic takes several steps for each step of the generator."""

# Axes: B events of a mini-batch, R critic steps a generator step, W columns of a row.
from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, islice

import torch
from torch import Tensor

from models.rows import TrainingRows


def endless_batches(rows: TrainingRows, batch_size: int, epoch: int, random: torch.Generator) -> Iterator[Tensor]:
    """Whole mini-batches of rows (B, W), pass after pass over the sample.

    A sample that is smaller than a mini-batch is one.
    """
    return chain.from_iterable(rows.batches(batch_size, epoch, random, whole=True) for _ in count())


def critic_batches(
    rows: TrainingRows, batch_size: int, training_ratio: int, epoch: int, random: torch.Generator
) -> Iterator[Tensor]:
    """For each generator step of an epoch the mini-batches of its critic steps, (R, B, W).

    An epoch is one pass of the critic over the sample, rounded down to whole generator steps, at least one: a sample
    that is smaller is passed through repeatedly.
    """
    steps = max(1, rows.num_events // (batch_size * training_ratio))
    batches = endless_batches(rows, batch_size, epoch, random)
    for _ in range(steps):
        yield torch.stack(list(islice(batches, training_ratio)))
