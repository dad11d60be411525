"""A study: what is searched, on what data, how it is judged, for how long."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from search.spaces import Space
from search.spaces.space import Limits

SamplerName = Literal["tpe", "random", "grid"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
CheckpointRule = Literal["best_validation", "last"]


class StudyError(ValueError):
    """A search that cannot be run as asked; the message says what to change."""


@dataclass(frozen=True)
class Preset:
    """A size of search.

    Attributes:
        epochs: Training of one trial, and of the final trainings.
        evaluate_every: Epochs between two evaluations on validation.
        trials: Number of trials where neither trials nor hours are asked for.
        limits: Hyperparameters held within limits at this size.
    """

    epochs: int
    evaluate_every: int
    trials: int
    limits: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Dataset, model, space, scorecard and budget.

    Attributes:
        budget_label: What a number of epochs is in the paper's terms; ``{epochs}`` stands for it.
        laptop, paper: Presets without and with a GPU.
        reduction_factor: Of each rung, one trial in so many goes on (ASHA).
        first_rung: Share of the epochs after which a trial can first be stopped.
        final_seeds: Trainings from scratch of the champion and of the paper's configuration.
        checkpoint_rule: Which state of a final training is judged; fixed before it starts.
    """

    name: str
    title: str
    dataset: str
    model: str
    space: Space
    scorecard: str
    budget_label: str
    laptop: Preset
    paper: Preset
    sampler: SamplerName = "tpe"
    reduction_factor: int = 3
    first_rung: float = 1 / 9
    final_seeds: int = 3
    checkpoint_rule: CheckpointRule = "best_validation"
    seed: int = 1


def derive_seed(*parts: int | str) -> int:
    """A seed of 63 bits that follows from the parts alone, on every machine."""
    digest = hashlib.blake2b("/".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
