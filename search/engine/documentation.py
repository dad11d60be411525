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
from leaderboard.pictures import draw_calibration, draw_scores, draw_showers
from leaderboard.ranking import Table, tables
from leaderboard.records import ENTRY_FILE, RESAMPLES_FILE, JsonObject, read_board
from leaderboard.resamples import read_all
from leaderboard.self_test_records import read_calibration
from leaderboard.studies import StudyRecord, read_studies
from leaderboard.text import times, with_error
from search.engine.markdown import code_free, markdown_table
from search.engine.metrics_page import metrics_page
from search.engine.self_test_page import FIGURE, self_test_page
from search.spaces import Space
from search.studies import STUDIES

PageText = Callable[[], str]
MADE_BY = "<!-- Made by `arena docs`; changes belong into the code. -->\n"


def write_documentation(folder: Path, results_from: Path | None = None) -> list[Path]:
    """Write every generated page; returns their paths.

    Args:
        results_from: Output folder of searches, whose entries become the results of the documentation.
    Raises: FileNotFoundError if it holds no leaderboard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if results_from is not None:
        _take_results(results_from / "leaderboard", folder / "results")
    draw_calibration(read_calibration(), folder / FIGURE)
    pages = {
        "data.md": data_page(),
        "hyperparameters.md": hyperparameters(),
        "metrics.md": metrics_page(),
        "metric_tests.md": self_test_page(),
    }
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
        markdown_table(
            ("name", "what", "layout", "events", "twins", "provenance"), map(_dataset_row, DATASETS.values())
        ),
        "\n## File layouts\n",
        "A file is recognised by its keys, whatever its name. `--layout NAME` and `--option NAME=VALUE` of",
        "`arena data`, or a description beside the file, say what a file does not say itself.\n",
        markdown_table(
            ("name", "what", "keys", "options", "written too", "source"),
            map(_layout_row, ADAPTERS.values()),
        ),
        "\n## Simulators\n",
        "`arena data make NAME --events N --out FILE`, and with `--twin-of FILE` the same particles again. Those that",
        "need `refsim` want `pip install -c constraints.txt -e '.[refsim]'` (Linux x86_64, a C compiler).\n",
        markdown_table(
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
    return f"`{adapter.name}`", adapter.title, code_free(adapter.layout), options or "–", written, adapter.source


def hyperparameters() -> str:
    """Every hyperparameter of every study: what the paper lists, and what is searched."""
    parts = [
        "\n# Hyperparameters\n",
        "Of every study. The grid (`--sampler grid`) has the values that its paper lists; where",
        "it gives one or none, those around it are ours. The last column says where the default comes from.\n",
    ]
    for study in STUDIES.values():
        limited = study.space_at(study.laptop)
        parts.append(f"\n## {study.title}\n\nModel `{study.model}`, study `{study.script.split()[-1]}`.\n")
        parts.append(
            markdown_table(
                ("hyperparameter", "meaning", "space", "grid", "default", "preset laptop", "source"),
                _space_rows(study.space, limited),
            )
        )
    return "\n".join(parts)


def _space_rows(space: Space, limited: Space) -> Iterator[Sequence[str]]:
    for row, parameter, narrow in zip(space.table(), space.parameters, limited.parameters, strict=True):
        name, searched, published, optimum, source = row
        laptop = "as the space" if narrow == parameter else narrow.describe()
        if narrow.default != parameter.default:
            laptop += f" (begins at {narrow.default})"
        yield name, parameter.title, searched, published, optimum, laptop, source


def results(folder: Path) -> str:
    """What the documented searches reached, detector by detector."""
    studies = read_studies(folder)[0]
    parts = [
        "\n# Results of the documented searches\n",
        "Made on two CPU cores with the samples that ship with the project, by the commands below, and judged on the",
        "test split. The samples are simulated in simplified geometries: these are not figures of any experiment.",
        "Every table is of one preset: `laptop` ones are smaller networks, detectors or budgets than the papers'.",
        "Models of one [class](ranking.md) cannot be told apart. A search with a later version of the code may try",
        "other configurations; `arena replay` trains that of an entry again.\n",
    ]
    for table in _tables_of(folder):
        parts += [_results_table(table), f"![Scores]({folder.name}/{table_folder(table)}/scores.svg)\n"]
        parts += [_study_line(study) for study in studies if (study["name"], study["preset"]) in _searches(table)]
    return "\n".join(parts) + "\n"


def _tables_of(board: Path) -> list[Table]:
    entries = read_board(board).entries
    return tables(entries, read_all(board, entries)[0])


def table_folder(table: Table) -> str:
    """Where the pictures of a table lie."""
    return f"{table.dataset['name']}.{table.preset}"


def _searches(table: Table) -> set[tuple[str, str]]:
    """Name and preset of the searches whose entries a table holds."""
    return {(row.entry["study"]["name"], table.preset) for row in table.rows if row.entry["kind"] == "model"}


def _study_line(study: StudyRecord) -> str:
    trials = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in sorted(study["trials"].items()))
    return f"- `{study['command']}`: {trials}; took {study['minutes']:.0f} minutes.\n"


def _results_table(table: Table) -> str:
    components = list(table.rows[0].entry["components"])
    header = (
        "class", "model", "score ± error", *components, "seeds", "trained for", "against the mean event",
        "against untrained",
    )  # fmt: skip
    rows = (
        (
            str(row.rank or "–"),
            row.entry["title"],
            with_error(row.entry["score"]),
            *(f"{row.entry['components'][name]['value']:.3g}" for name in components),
            str(len(row.entry["seeds"]) or "–"),
            row.entry["training"]["epochs_label"],
            _against("mean-shower", row.entry),
            _against(f"{row.entry['model']['name']}.untrained", row.entry),
        )
        for row in table.rows
        if row.entry["score"] is not None
    )
    openings = max(row.entry["test_openings"] for row in table.rows)
    return (
        f"\n## {table.dataset['title']}\n\nScorecard {table.scorecard['name']}, preset {table.preset}. "
        f"The test split was opened {times(openings)} for this board. {table.winner_sentence}\n\n"
        + markdown_table(header, rows)
    )


def _against(other: str, entry: JsonObject) -> str:
    """Difference of the scores, and how many standard errors it is."""
    for comparison in entry["comparisons"]:
        if comparison["with"].startswith(other):
            difference = with_error({"value": comparison["difference"], "error": comparison["error"]})
            return f"{difference} ({comparison['standard_errors']:+.1f} standard errors)"
    return ""


def _take_results(board: Path, folder: Path) -> None:
    if not board.is_dir():
        raise FileNotFoundError(2, "there is no leaderboard", str(board))
    for entry in sorted((board / "entries").iterdir()):
        (folder / "entries" / entry.name).mkdir(parents=True, exist_ok=True)
        for name in (ENTRY_FILE, RESAMPLES_FILE):
            if (entry / name).exists():
                shutil.copy(entry / name, folder / "entries" / entry.name / name)
    (folder / "studies").mkdir(parents=True, exist_ok=True)
    for record in sorted((board / "studies").glob("*.json")):  # without the pages
        shutil.copy(record, folder / "studies" / record.name)
    for table in _tables_of(board):
        pictures = folder / table_folder(table)
        draw_scores(table, pictures / "scores.svg")
        if table.best is not None:
            draw_showers(board, table.best.entry, pictures)
