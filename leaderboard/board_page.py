"""The board: one table for each group of comparable entries, and the searches. Rendered from records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from leaderboard import plots, text
from leaderboard.board_plots import TimedScore, pareto_figure
from leaderboard.downloads import table_name, time_a_shower
from leaderboard.ranking import Row, Table
from leaderboard.records import Board, JsonObject
from leaderboard.rendering import render, shortened, svg
from leaderboard.studies import StudyRecord

MOST_BARS, MOST_POINTS = 40, 200  # rows in the plots of a table; more are not told apart, and make the page heavy
PLOT_LETTERS, POINT_LETTERS = 46, 30


@dataclass(frozen=True)
class Cell:
    """What a table shows of a row in one column.

    Attributes:
        order: What the column is sorted by; None goes last.
    """

    words: str
    order: float | str | None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        shown: Whether it is among those that are shown at first.
    """

    key: str
    title: str
    meaning: str
    shown: bool
    cell: Callable[[Row], Cell]
    numeric: bool = True


@dataclass(frozen=True)
class Section:
    """A table with what is written around it."""

    name: str
    table: Table
    columns: list[Column]
    components: list[str]
    trials: int
    openings: int
    plots: list[tuple[Markup, str]]
    leaders: list[str]

    @property
    def starts(self) -> set[str]:
        """Ids of the first entry of each class but the first."""
        return {members[0].entry["id"] for members in self.table.tie_classes[1:]}


def render_index(
    board: Board,
    grouped: Sequence[Table],
    studies: Sequence[StudyRecord],
    published: Sequence[JsonObject],
    folder: Path,
) -> str:
    """The board's page as HTML.

    Args:
        folder: Of the board; searches that have a page there are linked.
    """
    sections = [_section(table, board.test_openings) for table in grouped]
    return render(
        "index.html",
        detectors=[(name, list(members)) for name, members in groupby(sections, lambda item: item.table.detector)],
        choices=_choices(sections),
        num_models=sum(len(table.ranked) + len(table.unranked) for table in grouped),
        damaged=board.damaged,
        studies=[(study, _study_page(folder, study)) for study in studies],
        published=published,
        milliseconds=lambda row: (time_a_shower(row.entry) or {}).get("median"),
    )


def _study_page(folder: Path, study: StudyRecord) -> str:
    """Address of the page of a search, from the board's page; empty where there is none."""
    address = f"studies/{study['name']}-{study['directory']}.html"
    return address if (folder / address).is_file() else ""


def _choices(sections: Sequence[Section]) -> list[Column]:
    """Every column that a reader may show or hide, once."""
    return list({column.key: column for section in sections for column in section.columns}.values())


def _section(table: Table, openings: Mapping[str, int]) -> Section:
    components = list(dict.fromkeys(name for row in table.rows for name in row.entry["components"]))
    return Section(
        name=table_name(table),
        table=table,
        columns=_columns(table, components),
        components=components,
        trials=sum(_trials_by_study(table).values()),
        openings=openings.get(table.dataset["sha256"], 0),
        plots=[plot for plot in (_score_plot(table), _pareto_plot(table)) if plot is not None],
        leaders=[row.entry["title"] for row in next(iter(table.tie_classes), [])],
    )


def _columns(table: Table, components: Sequence[str]) -> list[Column]:
    sizes = {members[0].rank: len(members) for members in table.tie_classes}
    rank = Column(
        "class",
        "Class",
        "entries of a class are not told apart from its best one at 95 %",
        True,
        lambda row: _rank(row, sizes),
    )
    own = [_component_column(name) for name in components]
    return [rank, _SCORE, _DIFFERENCE, *own, *_OTHERS]


def _rank(row: Row, sizes: Mapping[int | None, int]) -> Cell:
    if row.rank is None:
        return Cell(text.NOTHING, None)
    tied = sizes[row.rank] - 1
    return Cell(str(row.rank), row.rank, f"tied with {text.count(tied)}" if tied else "")


def _component_column(name: str) -> Column:
    def cell(row: Row) -> Cell:
        component = row.entry["components"].get(name)
        if component is None:
            return Cell(text.NOTHING, None)
        floor = component["floor"]
        note = "" if floor is None else f"floor {text.significant(floor)}"
        return Cell(text.with_error(component), component["value"], note)

    title = text.component_title(name)
    return Column(f"part-{name}", title, text.COMPONENT_MEANINGS.get(name, name), True, cell)


def _score(row: Row) -> Cell:
    score = row.entry["score"]
    return Cell(text.with_error(score), None if score is None else score["value"])


def _difference(row: Row) -> Cell:
    found = row.difference
    if found is None:
        return Cell("leads" if row.rank == 1 else text.NOTHING, 0.0 if row.rank == 1 else None)
    value, _, interval = text.with_interval(found["value"], found).partition(" ")
    return Cell(value, found["value"], interval)


def _distance_to_floor(row: Row) -> Cell:
    z, p_value = row.entry["z"], row.entry.get("p_value")
    return Cell(text.signed(z), z, "" if p_value is None else f"p = {text.significant(p_value, 2)}")


def _time(batch: str) -> Callable[[Row], Cell]:
    def cell(row: Row) -> Cell:
        timing = time_a_shower(row.entry, batch)
        if timing is None:
            return Cell(text.NOTHING, None)
        spread = f"± {text.significant(timing['spread'], 1)}" if timing["spread"] else ""
        return Cell(text.significant(timing["median"], 2), timing["median"], spread)

    return cell


def _parameters(row: Row) -> Cell:
    if row.entry["cost"] is None:
        return Cell(text.NOTHING, None)
    number = row.entry["model"]["num_parameters"]["generate"]
    return Cell(text.count(number), number)


def _seeds(row: Row) -> Cell:
    planned = len(row.entry["training"]["seeds_planned"])
    if not planned:
        return Cell(text.NOTHING, None)
    completed = text.completed_seeds(row.entry)
    return Cell(f"{completed} of {planned}", completed)


def _training(row: Row) -> Cell:
    training = row.entry["training"]
    return Cell(shortened(training["epochs_label"], 200), training["epochs_label"])


def _hardware(row: Row) -> Cell:
    words = text.NOTHING if row.entry["cost"] is None else str(row.entry["cost"]["hardware"])
    return Cell(shortened(words, 80), words)


def _floor(row: Row) -> Cell:
    floor = row.entry["floor"]
    return Cell(text.with_error(floor), None if floor is None else floor["value"])


def _date(row: Row) -> Cell:
    day = str(row.entry["provenance"]["time"])[:10]
    return Cell(day, day)


def _whole_number(number: int) -> Cell:
    return Cell(text.count(number), number)


_SCORE = Column("score", "Score ± error", "lower is better", True, _score)
_DIFFERENCE = Column(
    "difference",
    "To the leader",
    "difference of the scores on the same test events, with its 95 % interval, adjusted for the number of comparisons",
    True,
    _difference,
)
_OTHERS = [
    Column("floor", "Floor", "score of a second full simulation of the same particles", False, _floor),
    Column("z", "σ to the floor", "excess over the floor, divided by its error", True, _distance_to_floor),
    Column("ms", "ms a shower", "CPU milliseconds a shower on one thread, in batches of 100", True, _time("batch_100")),
    Column("ms-alone", "ms alone", "the same for a shower alone", False, _time("batch_1")),
    Column("parameters", "Parameters", "numbers needed to generate", True, _parameters),
    Column("seeds", "Seeds", "trainings that completed, of those planned", True, _seeds),
    Column("training", "Trained for", "budget of each seed", False, _training, False),
    Column("hardware", "Hardware", "on which it was timed", False, _hardware, False),
    Column("date", "Date", "when it was judged", False, _date, False),
    Column(
        "trials",
        "Trials",
        "trials that its search compared on validation data",
        False,
        lambda row: _whole_number(row.entry["study"]["trials_compared"]),
    ),
    Column(
        "openings",
        "Test openings",
        "how often the test split had been opened when it was judged",
        False,
        lambda row: _whole_number(row.entry["test_openings"]),
    ),
]


def _trials_by_study(table: Table) -> dict[tuple[str, str], int]:
    """Trials of each search; several entries may come from one."""
    trials: dict[tuple[str, str], int] = {}
    for row in table.rows:
        study = row.entry["study"]
        key = (study["name"], study["directory"])
        trials[key] = max(trials.get(key, 0), study["trials_compared"])
    return trials


def _score_plot(table: Table) -> tuple[Markup, str] | None:
    scored = sorted((row for row in table.rows if row.entry["score"] is not None), key=_score_value)
    if not scored:
        return None
    drawn = [row for row in scored if row.entry["kind"] != "model"]
    models = [row for row in scored if row.entry["kind"] == "model"]
    drawn = sorted([*drawn, *models[:MOST_BARS]], key=_score_value)
    figure = plots.score_figure([(_label(row), row.entry) for row in drawn], table.floor)
    caption = f"Scores with standard errors. {_left_out('models', len(models), MOST_BARS)}"
    return svg(figure, f"Scores with errors of {len(drawn)} rows, all in the table above"), caption


def _pareto_plot(table: Table) -> tuple[Markup, str] | None:
    timed = [row for row in table.ranked if time_a_shower(row.entry) is not None]
    if not timed:
        return None
    chosen = [row for row in timed if row.in_pareto_set]
    others = [row for row in timed if not row.in_pareto_set]
    drawn = [_timed_score(row) for row in (*chosen, *others[:MOST_POINTS])]
    figure = pareto_figure(drawn, table.floor)
    members = "; ".join(f"{_label(row)}: {_score(row).words} at {_time('batch_100')(row).words} ms" for row in chosen)
    caption = f"Fidelity against generation time, with standard errors. Pareto set: {members}. "
    caption += _left_out("models outside the set", len(others), MOST_POINTS)
    return svg(figure, f"Score against milliseconds a shower of {len(drawn)} models. Pareto set: {members}"), caption


def _timed_score(row: Row) -> TimedScore:
    timing = time_a_shower(row.entry)
    assert timing is not None
    score = row.entry["score"]
    return TimedScore(
        shortened(row.entry["title"], POINT_LETTERS),
        score["value"],
        score["error"],
        timing["median"],
        timing["spread"],
        row.in_pareto_set,
    )


def _left_out(what: str, number: int, most: int) -> str:
    return f"The best {most} of {text.count(number)} {what} are drawn." if number > most else ""


def _score_value(row: Row) -> float:
    return float(row.entry["score"]["value"])


def _label(row: Row) -> str:
    title = shortened(row.entry["title"], PLOT_LETTERS)
    return title if row.entry["status"] == "complete" else f"{title} ({row.entry['status']})"
