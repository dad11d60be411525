"""The page of the studies: its figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from leaderboard.airshower import plots
from leaderboard.airshower.energy_study import ENERGY_EDGES_EEV, Resolution
from leaderboard.airshower.refiner_study import RefinerStudy
from leaderboard.airshower.wgan_study import WganStudy
from leaderboard.plots import STYLE

PAGE, FIGURES = "airshower_models.md", "airshower"


def write_wgan(docs: Path, study: WganStudy) -> str:
    """Draw figures 2 to 4; what the page says of them."""
    losses = study.losses
    panels = {
        "critic": {"C₁, estimated distance": losses["wasserstein_distance"], "C₂, penalty": losses["gradient_penalty"]},
        "constrainer, on data": {"C₄": losses["constrainer"]},
        "generator": {"C₃": losses["constraint"]},
    }
    draw(docs, "wgan_patterns", lambda: plots.patterns_figure(study))
    draw(docs, "wgan_energy", lambda: plots.reconstruction_figure(study))
    draw(docs, "wgan_losses", lambda: plots.losses_figure(study.steps, panels, "generator steps"))
    rows = [
        ("generated", "constrainer, trained with the generator", study.by_constrainer),
        ("generated", "independent AixNet, trained on data", study.by_judge),
        ("data", "independent AixNet, trained on data", study.data_by_judge),
    ]
    header = ("patterns", "energy from", "correlation with the energy told", "mean error [EeV]", "its deviation [EeV]")
    lines = _head(header)
    for patterns, network, energy in rows:
        wrong = energy - study.energy
        correlation = np.corrcoef(study.energy, energy)[0, 1]
        lines.append(f"| {patterns} | {network} | {correlation:.4f} | {wrong.mean():+.2f} | {wrong.std():.2f} |")
    distance = losses["wasserstein_distance"]
    first, most, last = (f"{value:.2f}" for value in (distance[0], max(distance), distance[-1]))
    steps = study.steps[-1]
    lines.append(
        f"\n{steps} generator steps. C₁, mean of an epoch: {first} in the first, {most} at most, {last} at last."
    )
    return "\n".join(lines)


def write_refiner(docs: Path, study: RefinerStudy) -> str:
    """Draw figures 5 to 7; what the page says of them."""
    draw(docs, "refiner_traces", lambda: plots.traces_figure(study.event))
    draw(docs, "refiner_energy", lambda: plots.energy_study_figure(study.energy))
    if study.losses:
        distance, penalty = (np.array(study.losses[name]) for name in ("wasserstein_distance", "gradient_penalty"))
        panels = {"critic": {"−C₁ + C₂": list(penalty - distance), "C₂": list(penalty)}}
        draw(docs, "refiner_losses", lambda: plots.losses_figure(study.steps, panels, "refiner iterations"))
    return "\n\n".join((energy_table(study.energy), score_table(study.scores)))


def energy_table(studies: Mapping[str, Resolution]) -> str:
    """Bias and resolution of each study in every bin of energy, and on average."""
    bins = [f"{low:g}–{high:g}" for low, high in pairwise(ENERGY_EDGES_EEV)]
    lines = _head(("energy [EeV]", "", *bins, "mean"))
    for key, study in studies.items():
        of_bias = [_percent(*pair) for pair in zip(study.bias, study.bias_error, strict=True)]
        of_resolution = [_percent(*pair) for pair in zip(study.resolution, study.resolution_error, strict=True)]
        mean = f"{_percent(*study.absolute_bias)} (of its size)"
        lines.append(f"| ({key}) {study.label} | bias [%] | {' | '.join(of_bias)} | {mean} |")
        lines.append(f"| | resolution [%] | {' | '.join(of_resolution)} | {_percent(*study.overall)} |")
    return "\n".join(lines)


def score_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Score of each sample and its components."""
    names = list(next(iter(scores.values())))
    lines = _head(("sample", *names))
    lines += [f"| {name} | {' | '.join(f'{values[key]:.3g}' for key in names)} |" for name, values in scores.items()]
    return "\n".join(lines)


def draw(docs: Path, name: str, make: Callable[[], Figure]) -> None:
    """Write a figure as SVG into the page's folder."""
    folder = docs / FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        make().savefig(folder / f"{name}.svg", metadata={"Date": None}, dpi=150)


def write_page(docs: Path, parts: Mapping[str, str]) -> Path:
    """Put each part between its marks in the page; returns the page.

    Raises: ValueError if the page has lost the marks of a part.
    """
    page = docs / PAGE
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- begin: python benchmarks/airshower_models.py, {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{page}: the marks of {name} are missing; put {begin!r} and {end!r} where it belongs")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    page.write_text(text, encoding="utf-8")
    return page


def _percent(value: float, error: float) -> str:
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def _head(names: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
