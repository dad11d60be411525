"""A study: what is searched, on what data, how it is judged, for how long."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from search.spaces import Space
from search.spaces.space import Limits, Value, When

PresetName = Literal["laptop", "paper"]
SamplerName = Literal["tpe", "random", "grid"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
CheckpointRule = Literal["best_validation", "last", "best_sampling_fraction_of_last_ten"]


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
        defaults: Hyperparameters whose default, the first trial's, is another one at this size.
        dataset, scorecard: Other ones than the study's: a cropped or coarser detector, a part of the energies.
    """

    epochs: int
    evaluate_every: int
    trials: int
    limits: Mapping[str, Limits] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)
    dataset: str = ""
    scorecard: str = ""


@dataclass(frozen=True)
class MoreGpus:
    """Configurations for which ``when`` holds take ``factor`` times the GPUs that a trial is given."""

    when: When
    factor: float


@dataclass(frozen=True)
class Study:
    """Dataset, model, space, scorecard and budget.

    Attributes:
        budget_label: What a number of epochs is in the paper's terms; ``{epochs}`` stands for it.
        laptop, paper: Presets without and with a GPU.
        reduction_factor: Of each rung, one trial in so many goes on (successive halving).
        first_rung: Share of the epochs after which a trial can first be stopped; a ninth found good models sooner than
            a third (docs/search_efficiency_atlas-vae.md, docs/search_efficiency_atlas-gan.md).
        final_seeds: Trainings from scratch of the champion and of the paper's configuration.
        checkpoint_rule: Which state of a final training is judged; fixed before it starts.
        built_on: The study of the model whose trained generator this study's model needs.
        more_gpus: Which configurations take more GPUs than the others; factors of several that hold multiply.
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
    built_on: Study | None = None
    more_gpus: tuple[MoreGpus, ...] = ()

    @property
    def script(self) -> str:
        """How its script is called."""
        return f"python search/{self.name.replace('-', '_')}.py"

    def preset(self, name: PresetName) -> Preset:
        """The preset of that name."""
        return self.paper if name == "paper" else self.laptop

    def space_at(self, preset: Preset) -> Space:
        """What is searched at a size."""
        return self.space.with_defaults(preset.defaults).limit(preset.limits)


def derive_seed(*parts: int | str) -> int:
    """A seed of 63 bits that follows from the parts alone, on every machine."""
    digest = hashlib.blake2b("/".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
