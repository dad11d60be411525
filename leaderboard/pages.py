"""The leaderboard as static pages, made from records alone.

No torch, no metric, no model: pages can be made again on any machine that holds the records. They
work from a file, without a network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from leaderboard import plots, text
from leaderboard.calibration_plot import calibration_figure
from leaderboard.ranking import Row, Table, tables
from leaderboard.records import (
    Board,
    DamagedEntry,
    InvalidEntry,
    JsonObject,
    alone,
    read_board,
    read_observables,
    write_atomically,
)
from leaderboard.self_test_records import read_calibration, read_records
from leaderboard.studies import StudyRecord, read_studies

TEMPLATES = Path(__file__).parent / "templates"
OPEN_ENERGY_MEV = 65_536.0  # where the paper shows its distributions
SOME_DRAWS, MOST_DRAWS = 0.15, 0.9  # more than chance leaves; what is expected of a metric
ERRORS = (2.33, 4.0, 6.0)  # one-sided α = 0.01, and much less
LOCK = ".pages.lock"
STAMP = "<!-- made from {} -->\n"

Histogram = Mapping[str, Any]


@dataclass(frozen=True)
class _Section:
    """A table with what is written around it."""

    table: Table
    components: list[str]
    trials: int
    openings: int
    plot: Markup | None


def build_pages(board: Path) -> Path:
    """Write ``index.html``, ``metrics.html`` and ``models/<entry id>.html`` under the folder; returns the first.

    Pages whose records have not changed are left as they are. Records that cannot be read are listed
    with the reason. Two searches that end at the same time wait for each other: otherwise pages made from the records
    of before could replace newer ones.
    """
    with alone(board / LOCK):
        return _build_pages(board)


def _build_pages(board: Path) -> Path:
    content = read_board(board)
    studies, damaged_studies = read_studies(board)
    damaged = [*content.damaged, *damaged_studies]
    grouped = tables(content.entries)
    for table in grouped:
        for row in table.rows:
            try:
                _write_model_page(board, row)
            except InvalidEntry as error:
                damaged.append(DamagedEntry(row.entry["id"], str(error)))
                _write(_model_page(board, row.entry["id"]), _render("model.html", **_model_context(row, {})))
    _write(board / "metrics.html", render_self_test(read_records(), read_calibration(), on_board=True))
    index = board / "index.html"
    _write(index, render_index(Board(content.entries, damaged, content.test_openings), grouped, studies))
    return index


def render_index(board: Board, grouped: Sequence[Table], studies: Sequence[StudyRecord]) -> str:
    """The board's page as HTML."""
    return _render(
        "index.html",
        sections=[_section(table, board.test_openings) for table in grouped],
        damaged=board.damaged,
        studies=studies,
    )


def render_model(row: Row, observables: JsonObject) -> str:
    """The page of one entry as HTML.

    Raises: InvalidEntry if the observables are not what plots can be made of.
    """
    try:
        context = _model_context(row, observables)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidEntry(f"observables.json cannot be plotted: {error!r}") from error
    return _render("model.html", **context)


def render_comparison(
    record: JsonObject,
    observables: JsonObject,
    header: Sequence[str],
    whole_sample_header: Sequence[str],
    helix_table: Sequence[Sequence[str]] = (),
) -> str:
    """The page of two compared files as HTML."""
    images = _shown_images(observables["images"])
    return _render(
        "comparison.html",
        record=record,
        header=header,
        whole_sample_header=whole_sample_header,
        helix_table=helix_table,
        energies=_energies(observables["histograms"], all_of_them=True),
        response_plots=[_response_plot(curve) for curve in observables["response"]],
        images=[_image_plot(layer) for layer in images.get("layers", [])],
        image_label=_bin_label(images) if images else "",
    )


def render_self_test(records: Sequence[JsonObject], calibration: JsonObject | None, *, on_board: bool) -> str:
    """The page about what the metrics notice as HTML.

    Args:
        records: Of ``leaderboard.self_test``.
        calibration: p-values of full simulation, as ``benchmarks/metric_calibration.py`` writes them; None without.
        on_board: Whether the board's page lies beside it.
    """
    plot = None if calibration is None else _svg(calibration_figure(calibration["p_values"]), "p-values")
    return _render("self_test.html", records=records, calibration=calibration, calibration_plot=plot, on_board=on_board)


def _power_class(row: JsonObject) -> str:
    """Of the cell of a table: how often a fault was noticed."""
    power = row["noticed"] / row["draws"]
    shade = sum(power >= limit for limit in (SOME_DRAWS, 0.5, MOST_DRAWS))
    return f" power{shade}" if shade else ""


def _errors_class(standard_errors: float | None) -> str:
    """The same of a metric that states an error."""
    shade = 0 if standard_errors is None else sum(standard_errors > limit for limit in ERRORS)
    return f" power{shade}" if shade else ""


def _write_model_page(board: Path, row: Row) -> None:
    observables = read_observables(board, row.entry["id"])
    page = _model_page(board, row.entry["id"])
    stamp = STAMP.format(_stamp(row, observables))
    if page.is_file() and page.read_text(encoding="utf-8").endswith(stamp):
        return
    _write(page, render_model(row, observables) + stamp)


def _model_page(board: Path, name: str) -> Path:
    return board / "models" / f"{name}.html"


def _write(path: Path, html: str) -> None:
    write_atomically(path, html)


def _stamp(row: Row, observables: JsonObject) -> str:
    made_from = f"{row.rank} {row.in_pareto_set} {row.entry!r} {observables!r} {_code_digest()}"
    return hashlib.sha256(made_from.encode()).hexdigest()


@cache
def _code_digest() -> str:
    files = [*sorted(TEMPLATES.iterdir()), *sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()


def _section(table: Table, openings: Mapping[str, int]) -> _Section:
    components = list(dict.fromkeys(name for row in table.rows for name in row.entry["components"]))
    scored = sorted((row for row in table.rows if row.entry["score"] is not None), key=_score)
    figure = plots.score_figure([(_label(row), row.entry) for row in scored], table.floor) if scored else None
    return _Section(
        table=table,
        components=components,
        trials=sum(_trials_by_study(table).values()),
        openings=openings.get(table.dataset["sha256"], 0),
        plot=None if figure is None else _svg(figure, "Scores of all rows"),
    )


def _trials_by_study(table: Table) -> dict[tuple[str, str], int]:
    """Trials of each search; several entries may come from one."""
    trials: dict[tuple[str, str], int] = {}
    for row in table.rows:
        study = row.entry["study"]
        key = (study["name"], study["directory"])
        trials[key] = max(trials.get(key, 0), study["trials_compared"])
    return trials


def _score(row: Row) -> float:
    return float(row.entry["score"]["value"])


def _label(row: Row) -> str:
    title = str(row.entry["title"])
    shortened = title if len(title) <= 46 else title[:45] + "…"
    return shortened if row.entry["status"] == "complete" else f"{shortened} ({row.entry['status']})"


def _model_context(row: Row, observables: JsonObject) -> dict[str, Any]:
    entry = row.entry
    histograms = observables.get("histograms", [])
    images = _shown_images(observables.get("images", []))
    return {
        "entry": entry,
        "rank": row.rank,
        "in_pareto_set": row.in_pareto_set,
        "components": _component_rows(entry),
        "whole_sample": entry.get("whole_sample"),
        "helix": entry.get("helix"),
        "helix_table": text.helix_table(entry["helix"]) if "helix" in entry else [],
        "memorisation": entry.get("memorisation"),
        "memorisation_rows": _memorisation_rows(entry),
        "memorisation_plot": _memorisation_plot(entry),
        "comparisons": [text.comparison_sentence(entry, comparison) for comparison in entry["comparisons"]],
        "by_energy": observables.get("judgement", {}).get("by_energy", []),
        "plotted_seed": observables.get("seed"),
        "energies": _energies(histograms, all_of_them=entry["kind"] == "model"),
        "response_plots": [_response_plot(curve) for curve in observables.get("response", [])],
        "images": [_image_plot(layer) for layer in images.get("layers", [])],
        "image_label": _bin_label(images) if images else "",
        "training_plot": _training_plot(observables.get("training", [])),
    }


def _component_rows(entry: JsonObject) -> list[JsonObject]:
    """The score and its components, each with what is known of its excess; None of what older records do not hold."""
    nothing = dict.fromkeys(("excess", "p_value", "worth"))
    rows = [
        nothing
        | component
        | {
            "title": text.component_title(name),
            "meaning": text.COMPONENT_MEANINGS.get(name, ""),
            "floor": _exact(component["floor"]),
        }
        for name, component in entry["components"].items()
    ]
    if entry["score"] is None:
        return rows
    own = {name: entry.get(name) for name in nothing}
    return [{"title": "Score", "meaning": "", "floor": entry["floor"], **entry["score"], **own}, *rows]


def _exact(value: float | None) -> JsonObject | None:
    return None if value is None else {"value": value, "error": None}


def _memorisation_rows(entry: JsonObject) -> list[JsonObject]:
    """Generated events, and full simulation for comparison: all of them, and the tenth that may be copies."""
    found = (entry.get("memorisation") or {}).get("found")
    samples = {"Generated": found, "Full simulation": found and found["control"]}
    parts = {"all events": "all_events", "closest tenth": "closest_tenth"}
    return [
        {"title": f"{title}, {words}", **sample[name]}
        for title, sample in samples.items()
        if sample
        for words, name in parts.items()
    ]


def _memorisation_plot(entry: JsonObject) -> Markup | None:
    check = entry.get("memorisation") or {}
    found = check.get("found")
    if not found:
        return None
    curves = {
        "generated to training": _quantiles(found["training_distances"]),
        "generated to held-out": _quantiles(found["held_out_distances"]),
    }
    if found["control"]:
        curves["full simulation to training"] = _quantiles(found["control"]["training_distances"])
    label = _with_unit("distance to the nearest event", check["unit"])
    return _svg(plots.distance_figure(curves, label), "Distances to the nearest training and held-out event")


def _quantiles(distances: Mapping[str, float]) -> plots.Quantiles:
    ordered = sorted((float(share), distance) for share, distance in distances.items())
    shares, values = np.array(ordered, dtype=np.float64).T
    return plots.Quantiles(shares, values)


def _energies(histograms: Sequence[Histogram], *, all_of_them: bool) -> list[dict[str, Any]]:
    """Plots by energy; of rows that are only there for comparison, those of one energy."""
    values = sorted({float(histogram["energy_mev"]) for histogram in histograms})
    opened = nearest(values)
    return [
        {
            "label": next(_bin_label(histogram) for histogram in histograms if histogram["energy_mev"] == value),
            "is_open": value == opened,
            "plots": [_ratio_plot(histogram) for histogram in histograms if histogram["energy_mev"] == value],
        }
        for value in values
        if all_of_them or value == opened
    ]


def _bin_label(record: Mapping[str, Any]) -> str:
    """What the condition bin of a record is called; records of earlier versions know only its energy."""
    return str(record.get("label") or text.gev(record["energy_mev"]))


def nearest(energies: Sequence[float]) -> float | None:
    """The energy nearest to the one that the paper shows; None of none."""
    return min(energies, key=lambda energy: abs(energy - OPEN_ENERGY_MEV), default=None)


def _ratio_plot(histogram: Histogram) -> dict[str, Any]:
    title = str(histogram["title"])
    caption = (
        f"χ² / ndf = {text.significant(histogram['chi2'])} / {histogram['ndf']}, "
        f"p = {text.significant(histogram['p_value'], 2)}"
    )
    label = f"{title} at {_bin_label(histogram)}"
    return {"svg": _svg(plots.ratio_figure(panel(histogram)), label), "caption": caption}


def panel(histogram: Histogram) -> plots.Panel:
    """What a plot shows of one of the ``histograms`` in ``observables.json``."""
    twin = histogram["floor"]
    values = {
        name: np.array(histogram[name], dtype=np.float64)
        for name in ("edges", "reference", "reference_error", "generated", "generated_error")
    }
    is_profile = histogram["kind"] == "profile"
    return plots.Panel(
        title=histogram["title"],
        x_label=_with_unit(
            histogram.get("x_label", "distance from the centre of the window") if is_profile else histogram["title"],
            histogram["edges_unit"],
        ),
        y_label=histogram["y_label"],
        edges=values["edges"],
        reference=plots.Series(values["reference"], values["reference_error"]),
        generated=plots.Series(values["generated"], values["generated_error"]),
        twin=None if twin is None else plots.Series(np.array(twin, dtype=np.float64), np.zeros(len(twin))),
    )


def _with_unit(label: str, unit: str) -> str:
    return label if unit in ("", "1") else f"{label} [{unit}]"


def _response_plot(curve: Mapping[str, Any]) -> Markup:
    names = {"reference": "full simulation", "generated": "generated", "floor": "simulated again"}
    samples = {
        title: plots.Series(np.array(curve[name], dtype=np.float64), np.array(curve[f"{name}_error"], dtype=np.float64))
        for name, title in names.items()
        if curve[name] is not None
    }
    title = {"mean": "Mean response", "resolution": "Energy resolution"}.get(curve["quantity"], curve["quantity"])
    energies = np.array(curve["energy_mev"], dtype=np.float64)
    figure = plots.curve_figure(plots.Curve(energies, samples), title, curve["y_label"])
    return _svg(figure, f"{title} against the incident energy")


def _shown_images(images: Sequence[JsonObject]) -> JsonObject:
    energy = nearest([float(image["energy_mev"]) for image in images])
    return next((image for image in images if image["energy_mev"] == energy), {})


def _image_plot(layer: Mapping[str, Any]) -> Markup:
    image = plots.LayerImage(
        title=_image_title(str(layer["layer"])),
        row_edges=np.array(layer.get("row_edges") or layer["eta_edges"], dtype=np.float64),
        column_edges=np.array(layer.get("column_edges") or layer["phi_edges"], dtype=np.float64),
        row_label=layer.get("row_label", "Δη"),
        column_label=layer.get("column_label", "Δφ [rad]"),
        reference=np.array(layer["reference"], dtype=np.float64),
        generated=np.array(layer["generated"], dtype=np.float64),
    )
    return _svg(plots.image_figure(image), f"Mean shower in the {layer['layer']}")


def _image_title(layer: str) -> str:
    return layer if ", " in layer else layer.capitalize()


def _training_plot(training: Sequence[Mapping[str, Any]]) -> Markup | None:
    curves = [
        plots.TrainingCurve(
            label=f"seed {seed['seed']}",
            epochs=np.array([record["epoch"] for record in seed["history"]], dtype=np.float64),
            scores=np.array([record["score"] for record in seed["history"]], dtype=np.float64),
            best_epoch=seed["best_epoch"],
        )
        for seed in training
        if len(seed["history"]) > 1
    ]
    if not curves:
        return None
    return _svg(plots.training_figure(curves), "Validation score against epoch")


def _svg(figure: Figure, label: str) -> Markup:
    return Markup(plots.to_svg(figure, label))  # noqa: S704 (matplotlib escapes the texts of a plot, to_svg the label)


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "with_error": text.with_error,
        "significant": text.significant,
        "excess": text.signed_with_error,
        "worth": lambda row: text.worth_in_events(row["worth"], row["excess"]),
        "signed": text.signed,
        "count": text.count,
        "gev": text.gev,
        "times": text.times,
        "component_title": text.component_title,
        "power_class": _power_class,
        "errors_class": _errors_class,
        "seeds_label": text.seeds_label,
        "completed_seeds": text.completed_seeds,
        "seed_score": lambda seed: {"value": seed["score"], "error": seed["error"]},
        "timing": lambda timing: text.with_error({"value": timing["median"], "error": timing["spread"]}),
        "per_second": lambda milliseconds: text.significant(1000 / milliseconds, 2) if milliseconds else text.NOTHING,
    }
    environment.globals |= {
        "status_meanings": text.STATUS_MEANINGS,
        "component_meanings": text.COMPONENT_MEANINGS,
        "directions": {"lower": "lower", "higher": "higher", "to_perfect": "nearer to perfect"},
    }
    return environment
