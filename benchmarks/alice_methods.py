"""The six methods for ALICE tracks, trained alike and judged as in the paper.

    python benchmarks/alice_methods.py --write docs/alice_methods.md

Trains each method for the epochs of the study's laptop preset with its defaults, without and with the momentum, and
writes a table beside the paper's, the order of the methods, and pictures of tracks in a folder ``alice`` beside the
page. Judged are the conditions of the validation split. Times are of one core: mean of ten runs, as in the paper. Two
processes train at a time.
"""

# Axes: N tracks, P places for points.
from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from data_adapters.datasets import ALICE_TRACKS_GEANT4
from data_adapters.events import Events
from leaderboard import plots
from leaderboard.text import significant
from metrics.helix_report import PUBLISHED_FACTOR, PUBLISHED_MSE, HelixReport, helix_report
from metrics.judge import Judge
from metrics.scorecards import SCORECARDS
from models.alice_config import METHODS
from models.building import build_model
from models.checkpoint import load_generator
from search.alice_tracks import STUDY
from search.engine.markdown import markdown_table

TITLES = {
    "gan-mlp": "GAN-MLP",
    "gan-lstm": "GAN-LSTM",
    "vae": "VAE",
    "cvae": "cVAE",
    "dcgan": "DCGAN",
    "progan": "proGAN",
}
PUBLISHED_SPEED_UP = {
    "gan-mlp": "10⁴",
    "gan-lstm": "10⁴",
    "vae": "10⁴",
    "dcgan": "10²",
    "cvae": "10",
    "progan": "30",
}
CONDITIONINGS = {"none": "Without conditions, as in the paper", "momentum": "Told momentum and charge"}
SEED, RUNS, PROCESSES = 1, 10, 2
COUNTS = (1, 10, 100, 1000)  # tracks generated at once
SHOWN_TRACKS = 12
RADIUS_MM = (800.0, 2520.0)  # where random points lie
HALF_LENGTH_MM = 2500.0
HEADER = (
    "method", "MSE", "MSE × 500", "RMS [mm]", "without helix", "score", "parameters", "training [CPU s]", "track [ms]",
    "speed-up", "paper: MSE", "paper: “mm”", "paper: speed-up",
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A method after its training."""

    method: str
    conditioning: str
    checkpoint: Path
    seconds: float


@dataclass(frozen=True)
class Judged:
    """What it generates, and how long a track takes [ms] if so many are generated at once."""

    trained: Trained
    tracks: Events
    report: HelixReport
    score: float
    milliseconds: dict[int, float]
    parameters: int


def train(method: str, conditioning: str, folder: Path, epochs: int) -> Trained:
    """Train with the defaults of the laptop preset and save."""
    torch.set_num_threads(1)
    config: dict[str, Any] = {**STUDY.laptop.defaults, "method": method, "conditioning": conditioning}
    model = build_model(STUDY.model, config, ALICE_TRACKS_GEANT4.split("train"), SEED)
    started = time.process_time()
    for _ in range(epochs):
        model.train_epoch()
    seconds = time.process_time() - started
    checkpoint = folder / f"{method}-{conditioning}"
    model.save(checkpoint)
    return Trained(method, conditioning, checkpoint, seconds)


def judge(trained: Trained, scorer: Judge) -> Judged:
    """Generate at the conditions of the reference, measure distances to helices, score and time."""
    generator = load_generator(trained.checkpoint)
    reference = scorer.reference
    assert isinstance(reference, Events), "tracks are events"
    tracks = reference.with_response(generator.generate(reference.conditions, SEED))
    milliseconds = {}
    for number in COUNTS:
        rows = np.arange(number) % len(reference)
        conditions = {name: values[rows] for name, values in reference.conditions.items()}
        generator.generate(conditions, SEED)  # the first call allocates
        started = time.process_time()
        for run in range(RUNS):
            generator.generate(conditions, run)
        milliseconds[number] = (time.process_time() - started) * 1000 / RUNS / number
    return Judged(
        trained, tracks, helix_report([tracks]), _score(scorer, tracks), milliseconds, generator.num_parameters()
    )


def _score(scorer: Judge, tracks: Events) -> float:
    return scorer.judge(tracks.response, errors=False, reported=False).score.value


def random_tracks(reference: Events) -> Events:
    """Points anywhere in the chamber, 159 a track."""
    random = np.random.default_rng(SEED)
    shape = len(reference), reference.detector.layers[0].shape[0]
    radius = np.sqrt(random.uniform(RADIUS_MM[0] ** 2, RADIUS_MM[1] ** 2, shape))
    phi = random.uniform(-np.pi, np.pi, shape)
    z = random.uniform(-HALF_LENGTH_MM, HALF_LENGTH_MM, shape)
    points = np.stack((radius * np.cos(phi), radius * np.sin(phi), z), axis=2)
    return reference.with_response(points.reshape(len(reference), -1).astype(np.float32))


# ------------------------------------------------------------------ the page


def page(judged: Sequence[Judged], scorer: Judge, epochs: int) -> str:
    """The page as Markdown."""
    reference = scorer.reference
    simulation = ALICE_TRACKS_GEANT4.simulation_ms
    told = {"epochs": epochs, "full": _epochs_at_full_length(epochs), "tracks": len(reference)}
    parts = [INTRODUCTION.format(**told, simulation=significant(simulation, 2))]
    for conditioning, title in CONDITIONINGS.items():
        here = [result for result in judged if result.trained.conditioning == conditioning]
        rows = [_full_simulation_row(scorer), _random_row(scorer), *(_row(result) for result in here)]
        parts += [f"## {title}\n", markdown_table(HEADER, rows), _order(here)]
        parts += [f"![{TITLES[r.trained.method]}](alice/{_picture_name(r)})\n" for r in here]
    parts += ["## Cost against the number of points\n", "![Cost](alice/cost.svg)\n"]
    return "\n".join(parts)


def _epochs_at_full_length(epochs: int) -> int:
    """Of proGAN, so many epochs after its last fade-in."""
    space = STUDY.space_at(STUDY.laptop).default
    growing = float(space["growth_steps"]) * (float(space["growth_epochs"]) + float(space["fade_epochs"]))
    return max(0, round(epochs - growing))


INTRODUCTION = """# The six methods for ALICE tracks

Made by `python benchmarks/alice_methods.py --write docs/alice_methods.md`. Each method of *Generative Models for Fast
Cluster Simulations in the TPC for the ALICE Experiment* trained for {epochs} epochs of the training split with the
defaults of the study's laptop preset, and judged on {tracks} tracks of the validation split: the mean squared distance
of points to the helix that fits their track best, mean over a track, then over tracks.

- MSE: coordinates as fractions of 5 m. MSE × 500 is how the paper comes to its column “MSE (mm)”; it is no length. RMS
  is one: the square root of the mean squared distance.
- Tracks of fewer than four points have no helix and are counted apart. Points on some helix are not yet the right ones:
  the score (`alice-tracks-v1`, lower is better) also asks for their number, and for the curvature and direction that
  belong to the momentum, which a generator without conditions cannot know.
- A track [ms]: CPU time of one core, 1000 tracks at once, mean of ten runs. The full simulation takes {simulation} ms
  (Geant4 transport alone; `benchmarks/alice_simulation.py`): its chamber is simpler, its points are crossings, and it
  writes no clusters, so that speed-ups are smaller than those of the paper.
- The paper trained on 60 000 tracks of Geant3 for a time that it does not tell. Its figures stand beside ours for the
  order of the methods rather than for their size: it does not say how arcs are fitted, and its estimate for random
  points, 0.33, is more than the variance of points in a unit cube (0.25).
- Budgets are equal in epochs, not in CPU time. proGAN has its full length in the last {full} of them: its order among
  the methods is that of short trainings.

Pictures: the first tracks in the bending plane and along the beam; grey, full simulation of the same particles.
"""


def _row(result: Judged) -> tuple[str, ...]:
    method, report = result.trained.method, result.report
    published = PUBLISHED_MSE[TITLES[method]]
    milliseconds = result.milliseconds[COUNTS[-1]]
    return (
        TITLES[method],
        *_distances(report),
        significant(result.score),
        f"{result.parameters:,}".replace(",", "\N{NO-BREAK SPACE}"),
        f"{result.trained.seconds:.0f}",
        significant(milliseconds, 2),
        significant((ALICE_TRACKS_GEANT4.simulation_ms or 0.0) / milliseconds, 2),
        *_published(published),
        PUBLISHED_SPEED_UP[method],
    )


def _full_simulation_row(scorer: Judge) -> tuple[str, ...]:
    """The same particles, simulated again."""
    again = ALICE_TRACKS_GEANT4.twin_split("validation")
    if again is None:
        raise AssertionError("the sample has a twin")
    return (
        "full simulation", *_distances(helix_report([again])), significant(_score(scorer, again)), "", "",
        significant(ALICE_TRACKS_GEANT4.simulation_ms, 2), "1", *_published(PUBLISHED_MSE["GEANT3"]), "1",
    )  # fmt: skip


def _random_row(scorer: Judge) -> tuple[str, ...]:
    assert isinstance(scorer.reference, Events), "tracks are events"
    tracks = random_tracks(scorer.reference)
    distances = _distances(helix_report([tracks]))
    score = significant(_score(scorer, tracks))
    return ("random points", *distances, score, "", "", "", "", *_published(PUBLISHED_MSE["random"]), "")


def _distances(report: HelixReport) -> tuple[str, ...]:
    values = (report.mse_scaled, report.published_column, report.rms_mm)
    return (*(significant(value) for value in values), str(report.tracks_without_helix))


def _published(mse: float) -> tuple[str, str]:
    return significant(mse), significant(PUBLISHED_FACTOR * mse)


def _order(results: Sequence[Judged]) -> str:
    """The methods from the least MSE on, here and in the paper."""
    ours = sorted(results, key=lambda result: result.report.mse_scaled)
    published = sorted(METHODS, key=lambda method: PUBLISHED_MSE[TITLES[method]])
    here = " < ".join(TITLES[result.trained.method] for result in ours)
    there = " < ".join(TITLES[method] for method in published)
    return f"By MSE, here: {here}.  \nIn the paper: {there}.\n"


# ------------------------------------------------------------------ pictures


def draw(judged: Iterable[Judged], reference: Events, folder: Path) -> None:
    """A picture of tracks for each method, and one of the cost."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = list(judged)
    for result in judged:
        _save(tracks_figure(result.tracks, reference, TITLES[result.trained.method]), folder / _picture_name(result))
    _save(cost_figure(judged, reference), folder / "cost.svg")


def tracks_figure(tracks: Events, reference: Events, title: str) -> Figure:
    """The first tracks in the bending plane, and along the beam against the distance from it."""
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        across, along = figure.subplots(1, 2)
        for events, color, width in ((reference, plots.MUTED, 0.8), (tracks, plots.GENERATED, 1.0)):
            for points in _points(events):
                x, y, z = points.T / 1000
                across.plot(x, y, color=color, linewidth=width)
                along.plot(np.hypot(x, y), z, color=color, linewidth=width)
        across.set(xlabel="x [m]", ylabel="y [m]", title=title, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
        along.set(xlabel="distance from the beam [m]", ylabel="z [m]", xlim=(0, 2.6), ylim=(-2.6, 2.6))
        return figure


def _points(events: Events) -> list[NDArray[np.float32]]:
    """Points of the first tracks, each (points, 3)."""
    tracks = events.response[:SHOWN_TRACKS].reshape(-1, *events.detector.layers[0].shape)
    return [track[track.any(axis=1)] for track in tracks]


def cost_figure(judged: Sequence[Judged], reference: Events) -> Figure:
    """CPU time against the number of points (figure 6 of the paper), of the unconditioned methods."""
    points = float(np.mean(reference.response.reshape(len(reference), -1, 3).any(axis=2).sum(axis=1)))
    numbers = np.array(COUNTS)
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        axes = figure.subplots()
        here = [result for result in judged if result.trained.conditioning == "none"]
        for result, color in zip(here, plots.SERIES_COLORS, strict=False):
            seconds = np.array([result.milliseconds[number] for number in COUNTS]) * numbers / 1000
            axes.plot(numbers * points, seconds, "o-", color=color, label=TITLES[result.trained.method], markersize=3)
        if ALICE_TRACKS_GEANT4.simulation_ms is not None:
            full = numbers * ALICE_TRACKS_GEANT4.simulation_ms / 1000
            axes.plot(numbers * points, full, "--", color=plots.REFERENCE, label="full simulation")
        axes.set(xscale="log", yscale="log", xlabel="points", ylabel="CPU time [s]")
        axes.legend()
        return figure


def _picture_name(result: Judged) -> str:
    return f"{result.trained.method}-{result.trained.conditioning}.svg"


def _save(figure: Figure, path: Path) -> None:
    """A file that stands alone, with a third of the characters."""
    with mpl.rc_context(plots.STYLE):
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    path.write_text(_compacted(path.read_text(encoding="utf-8")), encoding="utf-8")


def _compacted(svg: str) -> str:
    return plots.compact(svg).replace("<svg ", '<svg style="font-family: sans-serif" ', 1)


# ------------------------------------------------------------------ the command


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--epochs", type=int, default=STUDY.laptop.epochs, help="of each training")
    flags.add_argument("--write", type=Path, help="the page; pictures go into a folder alice beside it")
    given = flags.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that train
    torch.set_num_threads(1)
    console = Console()
    reference = ALICE_TRACKS_GEANT4.split("validation")
    scorer = Judge(SCORECARDS[STUDY.scorecard], reference, None)
    with TemporaryDirectory() as scratch:
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            # The longest trainings first, so that both processes end together.
            jobs = [
                pool.submit(train, method, conditioning, Path(scratch), given.epochs)
                for method in reversed(METHODS)
                for conditioning in CONDITIONINGS
            ]
            trained: list[Trained] = []
            for job in jobs:
                trained.append(job.result())
                console.print(f"{trained[-1].method}, {trained[-1].conditioning}: {trained[-1].seconds:.0f} CPU s")
        trained.sort(key=lambda one: METHODS.index(one.method))
        judged = [judge(one, scorer) for one in trained]
    text = page(judged, scorer, given.epochs)
    console.print(text, markup=False, highlight=False)
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")
        draw(judged, reference, given.write.parent / "alice")
    console.print(f"mean training: {mean(one.seconds for one in trained):.0f} CPU s")


if __name__ == "__main__":
    main()
