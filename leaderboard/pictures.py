"""A few pictures of a board as files: its scores, and the best model against full simulation."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from leaderboard import plots
from leaderboard.calibration_plot import calibration_figure
from leaderboard.observable_plots import nearest, panel
from leaderboard.ranking import Table
from leaderboard.ratio_plot import ratio_svg
from leaderboard.records import JsonObject, read_observables, write_atomically
from leaderboard.rendering import TEMPLATES

SIZE = re.compile(r'viewBox="0 0 (\S+) ([^"]+)"')
SHOWN = ("response", "shower_depth", "lateral_eta_front")


def draw_scores(table: Table, path: Path) -> Path:
    """Scores of all rows with their errors and the full-simulation floor."""
    rows = [(row.entry["title"], row.entry) for row in table.rows if row.entry["score"] is not None]
    return _save(plots.score_figure(rows, table.floor), path)


def draw_showers(board: Path, entry: JsonObject, folder: Path) -> list[Path]:
    """Ratio plots of a few observables of one entry, at about 65 GeV as the paper shows them.

    Of a detector without the paper's observables, the first ones; none if no seed completed.
    """
    histograms = read_observables(board, entry["id"]).get("histograms", [])
    energy = nearest([histogram["energy_mev"] for histogram in histograms])
    here = {histogram["observable"]: histogram for histogram in histograms if histogram["energy_mev"] == energy}
    names = [name for name in SHOWN if name in here] or list(here)[: len(SHOWN)]
    return [_save_drawing(ratio_svg(panel(here[name]), here[name]["title"]), folder / f"{name}.svg") for name in names]


def draw_calibration(record: JsonObject, path: Path) -> Path:
    """p-values of full simulation."""
    return _save(calibration_figure(record["p_values"]), path)


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(plots.STYLE):  # with a salt of its own, so that the same picture is the same file
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    return path


def _save_drawing(svg: str, path: Path) -> Path:
    """A drawing of a page as a file of its own, which holds the style sheet and a white ground."""
    style = (TEMPLATES / "plots.css").read_text(encoding="utf-8")
    opening, content = svg.split(">", 1)
    sized = SIZE.sub(r'\g<0> width="\1" height="\2"', opening, count=1)
    write_atomically(path, f'{sized}><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{content}\n')
    return path
