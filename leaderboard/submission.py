"""Showers that somebody generated elsewhere for the published test conditions.

Nothing about their quality is taken on trust: the files hold showers, and the platform computes every number. What is
said about the model (its title, where it is described) is shown as said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_adapters.adapters import open_events
from data_adapters.condition_file import (
    ConditionTable,
    check_same_conditions,
    dataset_of,
    is_condition_file,
)
from data_adapters.datasets import DATASETS, Dataset, DatasetFiles
from data_adapters.problems import Problem, UnreadableFile
from data_adapters.sealed_test import conditions_of_test_split
from leaderboard import records
from leaderboard.records import JsonObject
from metrics.scorecards import SCORECARDS

MODEL_NAME = "submitted"
SAYS_NOTHING = "Generated elsewhere; nothing was said about how."


@dataclass(frozen=True)
class Submission:
    """Files of showers, one for each independently trained model of one kind; a single one has no rank.

    Attributes:
        title, source: Of the model, as its authors say: a name, and where it is described.
        preset: The budget that it was trained with, in a word; entries of different presets are not ranked together.
        layout: Name of the adapter of the files; None where they tell themselves.
        scorecard: Name of the scorecard; None for the newest of the detector.
    """

    files: tuple[Path, ...]
    dataset: DatasetFiles
    title: str
    source: str = SAYS_NOTHING
    preset: str = MODEL_NAME
    layout: str | None = None
    scorecard: str | None = None

    @cached_property
    def sha256(self) -> tuple[str, ...]:
        """Hash of each file."""
        return tuple(_hash(file) for file in self.files)

    @property
    def scorecard_name(self) -> str:
        return self.scorecard or newest_scorecard(self.dataset.open())

    @property
    def id(self) -> str:
        """Follows from the showers, the data, the scorecard and the preset; another title makes no other entry."""
        what = {
            "files": sorted(self.sha256),
            "dataset": self.dataset.open().sha256,
            "scorecard": self.scorecard_name,
            "preset": self.preset,
        }
        return records.entry_id(MODEL_NAME, "", what)

    @property
    def file_records(self) -> list[JsonObject]:
        """Name and hash of each file, in the order of the seeds."""
        return [
            {"name": file.name[:300], "sha256": sha256} for file, sha256 in zip(self.files, self.sha256, strict=True)
        ]

    def check(self) -> None:
        """Everything that can be wrong with the files, before the test split is opened for them.

        Raises: UnreadableFile for files that cannot be read, are of another detector or of other conditions, or hold
            what no detector produces; ValueError for a file that is given twice.
        """
        expected = conditions_of_test_split(self.dataset.open())
        for file in self.files:
            _check_file(file, self.layout, expected)
        if len(set(self.sha256)) < len(self.files):
            raise ValueError(
                "two of the files are the same: each file stands for a training of its own, and their spread for how "
                "much the score changes from training to training. Give every file once"
            )

    def responses(self) -> Iterator[NDArray[np.float32]]:
        """Showers of each file, shape (N, V), in the unit of the detector."""
        for file in self.files:
            yield open_events(file, self.layout).read().response


def dataset_for(files: Sequence[Path], name: str | None) -> str:
    """The dataset that was named, else the one that the files were made from.

    Raises: UnknownName; ValueError if neither says it, or they do not agree.
    """
    found = {said for file in files if (said := dataset_of(file)) is not None}
    if name is None and len(found) != 1:
        said = f"they say {', '.join(sorted(found))}" if found else "the files do not say it"
        raise ValueError(f"--dataset: for which test conditions? ({said}) One of {', '.join(DATASETS)}")
    if name is not None and found - {name}:
        raise ValueError(f"--dataset is {name}; the files were made for {', '.join(sorted(found))}")
    return DATASETS[name or found.pop()].name


def newest_scorecard(dataset: Dataset) -> str:
    """The last registered scorecard of the detector; for a detector without one any name does, and one is derived."""
    own = [card.name for card in SCORECARDS.values() if card.detector == dataset.detector.name]
    return own[-1] if own else next(iter(SCORECARDS))


def _check_file(file: Path, layout: str | None, expected: ConditionTable) -> None:
    if layout is None and is_condition_file(file):
        problem = "it holds conditions and no showers"
        mend = f"Write them as float32 of shape ({expected.num_events}, {expected.detector.num_cells})"
        raise UnreadableFile(file, Problem(problem, mend, key="response"))
    source = open_events(file, layout)
    check_same_conditions(file, expected, ConditionTable(source.detector, source.conditions, len(source)))
    for _ in source.blocks():
        pass


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
