"""Training and generating in bfloat16 against float32: the score on validation, and CPU time, at laptop size.

Of every study that has the choice. Each pair has the same configuration (the laptop preset's first trial), seeds and
number of epochs. On a CPU without matrix units for bfloat16 it is slower; on a GPU it is not.

    OMP_NUM_THREADS=1 python benchmarks/precision.py --seeds 3 --write docs/precision.md
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.progress import Progress

from data_adapters.datasets import DATASETS, DatasetFiles
from leaderboard.training import SeedJob, ValidationScore, train_seed
from metrics.scorecards import scorecard_for
from models.base import TrainingDiverged
from models.building import build_model
from search.engine.markdown import markdown_table
from search.engine.study import Study
from search.studies import STUDIES

PRECISIONS = ("float32", "bfloat16")
HEADER = ("study", "epochs", "precision", "score on validation", "CPU seconds an epoch")


@dataclass(frozen=True)
class Trained:
    """Of one study in one precision: a score for each seed (None where it diverged), and seconds an epoch."""

    study: str
    epochs: int
    precision: str
    scores: list[float | None]
    seconds: float

    def row(self) -> tuple[str, ...]:
        finite = [score for score in self.scores if score is not None]
        spread = f" ± {stdev(finite) / len(finite) ** 0.5:.2g}" if len(finite) > 1 else ""
        score = f"{fmean(finite):.3g}{spread}" if finite else "–"
        diverged = len(self.scores) - len(finite)
        note = f" ({diverged} diverged)" if diverged else ""
        return self.study, str(self.epochs), self.precision, score + note, f"{self.seconds:.3g}"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--study", action="append", help="only this one (repeatable)")
    flags.add_argument("--seeds", type=int, default=3)
    flags.add_argument("--share", type=float, default=0.5, help="of the epochs of the laptop preset")
    flags.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    flags.add_argument("--write", type=Path, help="a page of the documentation")
    given = flags.parse_args()
    torch.set_num_threads(1)
    names = given.study or [name for name, study in STUDIES.items() if "precision" in study.space.default]
    text = _text([row for name in names for row in compare(STUDIES[name], given)], given)
    print(text)
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")


def compare(study: Study, given: argparse.Namespace) -> list[tuple[str, ...]]:
    """Rows of the table for one study."""
    with TemporaryDirectory() as folder:
        base = _base(study, Path(folder), given.device)
        return [_train(study, precision, base, given).row() for precision in PRECISIONS]


def _base(study: Study, folder: Path, device: str) -> Path | None:
    """What it is built on, trained as its own laptop preset says."""
    if study.built_on is None:
        return None
    other, preset = study.built_on, study.built_on.laptop
    job = SeedJob(
        model_name=other.model,
        config=other.space_at(preset).default,
        seed=1,
        epochs=preset.epochs,
        evaluate_every=preset.evaluate_every,
        checkpoint_rule=other.checkpoint_rule,
        dataset=DatasetFiles(preset.dataset or other.dataset),
        scorecard=preset.scorecard or other.scorecard,
        folder=folder,
        device=device,
    )
    return train_seed(job).checkpoint_folder


def _train(study: Study, precision: str, base: Path | None, given: argparse.Namespace) -> Trained:
    preset = study.laptop
    config: dict[str, Any] = {**study.space_at(preset).default, "precision": precision}
    dataset = DATASETS[preset.dataset or study.dataset]
    epochs = max(1, round(given.share * preset.epochs))
    scores: list[float | None] = []
    spent = 0.0
    with Progress() as progress:
        shown = progress.add_task(f"{study.name}, {precision}", total=given.seeds * epochs)
        for seed in range(1, given.seeds + 1):
            model = build_model(study.model, config, dataset.split("train"), seed, given.device, base)
            score = ValidationScore(dataset.split("validation"), _scorecard(study), seed)
            began = time.process_time()
            try:
                for _ in range(epochs):
                    model.train_epoch()
                    progress.advance(shown)
                spent += time.process_time() - began
                scores.append(score(model).score)
            except TrainingDiverged:
                scores.append(None)
    return Trained(study.name, epochs, precision, scores, spent / (given.seeds * epochs))


def _scorecard(study: Study) -> Any:
    preset = study.laptop
    return scorecard_for(DATASETS[preset.dataset or study.dataset], preset.scorecard or study.scorecard)


def _text(rows: list[tuple[str, ...]], given: argparse.Namespace) -> str:
    return "\n".join(
        (
            "<!-- Made by `python benchmarks/precision.py --write …`. -->\n",
            "# bfloat16 against float32\n",
            f"The first configuration of each laptop preset, {given.seeds} seeds, {given.share:g} of its epochs, lower",
            f"scores are better; {'one CPU thread' if given.device == 'cpu' else torch.cuda.get_device_name()}. The",
            "choice is a hyperparameter (`precision`), because it changes what is trained.\n",
            markdown_table(HEADER, rows),
        )
    )


if __name__ == "__main__":
    main()
