"""Tables of the documentation that are made from the code and from records."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from data_adapters.adapter import Adapter
from data_adapters.adapters import ADAPTERS
from data_adapters.datasets import DATASETS, Dataset
from data_adapters.simulators.registry import SIMULATORS
from leaderboard.pictures import draw_scores, draw_showers
from leaderboard.ranking import Table, tables
from leaderboard.records import JsonObject, read_board
from leaderboard.studies import StudyRecord, read_studies
from leaderboard.text import with_error
from metrics import METRICS, OBSERVABLES, SCORECARDS, WHOLE_SAMPLE_METRICS
from metrics.scorecards.atlas_photons import ATLAS_PHOTONS_V1 as BORROWED
from metrics.scorecards.generic import EVENTS_IN_A_BIN, MOST_BINS
from search.spaces import Space
from search.studies import STUDIES

PageText = Callable[[], str]
MADE_BY = "<!-- Made by `arena docs`; changes belong into the code. -->\n"

METRICS_INTRODUCTION = """
# Metrics

Definitions, in the words of the code. They need no study: any two files are judged by

    arena metrics compare REFERENCE GENERATED --twin TWIN --out FOLDER

which prints a table, and writes `comparison.json` and a page with plots, `comparison.html`. The twin, full simulation
of the same particles again, gives the floor: without one there is no excess over it, no p-value, and no number of
events that the sample is worth. Events at other conditions than the reference's are paired with the nearest, and the
mismatch is stated. `arena metrics list` and `arena metrics show NAME` say what there is.
"""
WHOLE_SAMPLE_INTRODUCTION = """
## Metrics of whole samples

Computed once, by `arena metrics compare --whole-sample`, of the distributions of the scorecard, each minus the mean and
over the standard deviation of the reference in its condition bin.
"""


def write_documentation(folder: Path, results_from: Path | None = None) -> list[Path]:
    """Write every generated page; returns their paths.

    Args:
        results_from: Output folder of searches, whose entries become the results of the documentation.
    Raises: FileNotFoundError if it holds no leaderboard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if results_from is not None:
        _take_results(results_from / "leaderboard", folder / "results")
    pages = {"data.md": data_page(), "hyperparameters.md": hyperparameters(), "metrics.md": metrics_page()}
    if (folder / "results").is_dir():
        pages["results.md"] = results(folder / "results")
    for name, text in pages.items():
        (folder / name).write_text(MADE_BY + text, encoding="utf-8")
    return [folder / name for name in pages]


def data_page() -> str:
    """Datasets, file layouts and simulators as registered."""
    parts = [
        "\n# Data\n",
        "What `arena data list` lists, with what it means. Your own file in none of these layouts:",
        "[your own detector](own_data.md).\n",
        "\n## Datasets that ship with the project\n",
        "Simplified detectors, made for this project: [how](../data_adapters/samples/PROVENANCE.md). Events are",
        "divided by a hash into train, validation and test (60 : 20 : 20); twins are the same particles again.\n",
        _table(("name", "what", "layout", "events", "twins", "provenance"), map(_dataset_row, DATASETS.values())),
        "\n## File layouts\n",
        "A file is recognised by its keys, whatever its name. `--layout NAME` and `--option NAME=VALUE` of",
        "`arena data`, or a description beside the file, say what a file does not say itself.\n",
        _table(
            ("name", "what", "keys", "options", "written too", "source"),
            map(_layout_row, ADAPTERS.values()),
        ),
        "\n## Simulators\n",
        "`arena data make NAME --events N --out FILE`, and with `--twin-of FILE` the same particles again. Those that",
        "need `refsim` want `pip install -c constraints.txt -e '.[refsim]'` (Linux x86_64, a C compiler).\n",
        _table(
            ("name", "what", "needs", "simplified"),
            ((f"`{s.name}`", s.title, s.needs, s.provenance) for s in SIMULATORS.values()),
        ),
    ]
    return "\n".join(parts)


def _dataset_row(dataset: Dataset) -> Sequence[str]:
    twins = "–" if dataset.twin_source is None else str(len(dataset.twin_source))
    source = dataset.source
    return f"`{dataset.name}`", dataset.title, f"`{source.layout}`", str(len(source)), twins, dataset.provenance


def _layout_row(adapter: Adapter) -> Sequence[str]:
    options = ", ".join(f"`{item.name}` ({item.default!r})" for item in fields(adapter.options_class))
    written = "yes" if adapter.write is not None else "no"
    return f"`{adapter.name}`", adapter.title, _code_free(adapter.layout), options or "–", written, adapter.source


def _code_free(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    return text.replace("<", "&lt;").replace("|", "&#124;")


def hyperparameters() -> str:
    """Every hyperparameter of every study: what the paper lists, and what is searched."""
    parts = ["\n# Hyperparameters\n"]
    for study in STUDIES.values():
        limited = study.space.limit(study.laptop.limits)
        parts.append(
            f"\n## {study.title}\n\nModel `{study.model}`, study `search/{study.name.replace('-', '_')}.py`.\n"
        )
        parts.append(
            _table(
                ("hyperparameter", "meaning", "space", "paper's values", "paper's optimum", "preset laptop", "source"),
                _space_rows(study.space, limited),
            )
        )
    return "\n".join(parts)


def _space_rows(space: Space, limited: Space) -> Iterator[Sequence[str]]:
    for row, parameter, narrow in zip(space.table(), space.parameters, limited.parameters, strict=True):
        name, searched, published, optimum, source = row
        laptop = "as the space" if narrow == parameter else narrow.describe()
        yield name, parameter.title, searched, published, optimum, laptop, source


def metrics_page() -> str:
    """Observables, metrics and scorecards as registered."""
    parts = [METRICS_INTRODUCTION]
    parts.append("\n## Observables\n")
    parts.append(
        _table(
            ("name", "what", "definition", "unit", "source"),
            ((f"`{o.name}`", o.title, o.definition, o.unit, o.source) for o in OBSERVABLES.values()),
        )
    )
    parts.append("\n## Metrics\n")
    parts.append(
        _table(
            ("name", "definition", "better", "perfect", "unit", "smallest sample", "source"),
            (
                (
                    f"`{m.name}`",
                    m.definition,
                    m.direction,
                    f"{m.perfect:g}",
                    m.unit,
                    f"{m.smallest_sample} a bin",
                    m.source,
                )
                for m in METRICS.values()
            ),
        )
    )
    parts.append(WHOLE_SAMPLE_INTRODUCTION)
    parts.append(
        "Computed once, by `arena metrics compare --whole-sample`, of the distributions of the scorecard, each\n"
    )
    parts.append("minus the mean and over the standard deviation of the reference in its condition bin.\n")
    parts.append(
        _table(
            ("name", "definition", "better", "perfect", "unit", "smallest sample", "source"),
            (
                (
                    f"`{m.name}`",
                    m.definition,
                    m.direction.replace("_", " "),
                    f"{m.perfect:g}",
                    m.unit,
                    str(m.smallest_sample),
                    m.source,
                )
                for m in WHOLE_SAMPLE_METRICS.values()
            ),
        )
    )
    for card in SCORECARDS.values():
        parts.append(f"\n## Scorecard `{card.name}`\n\n{card.title}.\n")
        parts.append("score = Σ w · c / s over its components, the weights adding up to 1.\n")
        rows = ((f"`{name}`", f"{weight:g}", f"{card.scales[name]:.4g}") for name, weight in card.weights.items())
        parts.append(_table(("component c", "weight w", "scale s"), rows))
    parts.append(
        "\n## Any other detector\n\n"
        "A detector without a scorecard of its own gets one that follows from its axes: response (summed response\n"
        "over energy), fraction of cells above the threshold, centre and width of the energy along every axis, and\n"
        "the mean profile along every axis; other real conditions count through their correlations with these.\n"
        f"Bins lie between quantiles of the energy of the validation events, {MOST_BINS} at most and with\n"
        f"{EVENTS_IN_A_BIN} events or more, or are the energies themselves where there are few. Weights and\n"
        f"scales are those of `{BORROWED.name}`: scores of different detectors are not to be compared.\n"
    )
    return "\n".join(parts)


def results(folder: Path) -> str:
    """What the documented searches reached."""
    parts = [
        "\n# Results of the documented searches\n",
        "Made on two CPU cores with the sample that ships with the project, by the commands below, and judged on the",
        "test split. The showers are Geant4 in a simplified geometry: these are not figures of the ATLAS experiment.\n",
    ]
    parts += [_study_line(study) for study in read_studies(folder)[0]]
    parts.append("![Scores of the documented searches](results/scores.svg)\n")
    parts += [_results_table(table) for table in tables(read_board(folder).entries)]
    return "\n".join(parts) + "\n"


def _study_line(study: StudyRecord) -> str:
    trials = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in sorted(study["trials"].items()))
    return f"- `{study['command']}`: {trials}; took {study['minutes']:.0f} minutes.\n"


def _results_table(table: Table) -> str:
    components = list(table.rows[0].entry["components"])
    header = ("model", "score ± error", *components, "seeds", "trained for", "against the mean shower")
    rows = (
        (
            row.entry["title"],
            with_error(row.entry["score"]),
            *(f"{row.entry['components'][name]['value']:.3g}" for name in components),
            str(len(row.entry["seeds"]) or "–"),
            row.entry["training"]["epochs_label"],
            _against_mean_shower(row.entry),
        )
        for row in table.rows
        if row.entry["score"] is not None
    )
    openings = max(row.entry["test_openings"] for row in table.rows)
    return (
        f"\n{table.dataset['title']}, {table.scorecard['name']}, preset {table.preset}. "
        f"The test split was opened {openings} times for this board.\n\n" + _table(header, rows)
    )


def _against_mean_shower(entry: JsonObject) -> str:
    for comparison in entry["comparisons"]:
        if comparison["with"].startswith("mean-shower"):
            difference = with_error({"value": comparison["difference"], "error": comparison["error"]})
            return f"{difference} ({comparison['standard_errors']:+.1f} standard errors)"
    return ""


def _take_results(board: Path, folder: Path) -> None:
    if not board.is_dir():
        raise FileNotFoundError(2, "there is no leaderboard", str(board))
    for entry in sorted((board / "entries").iterdir()):
        (folder / "entries" / entry.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(entry / "entry.json", folder / "entries" / entry.name / "entry.json")
    shutil.copytree(board / "studies", folder / "studies", dirs_exist_ok=True)
    for table in tables(read_board(board).entries):
        draw_scores(table, folder / "scores.svg")
        if table.ranked:
            draw_showers(board, table.ranked[0].entry, folder)


def _table(header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
