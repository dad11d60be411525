"""The page of one entry. Rendered from its records alone."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from markupsafe import Markup

from leaderboard import plots, text
from leaderboard.citation import citation
from leaderboard.gallery_plots import event_svgs
from leaderboard.model_configuration import configuration_rows
from leaderboard.model_cost import timing_rows
from leaderboard.observable_plots import correlations, drawn, energies, mean_showers, response_plot
from leaderboard.ranking import Row
from leaderboard.records import InvalidEntry, JsonObject
from leaderboard.rendering import render, svg
from leaderboard.studies import StudyRecord
from leaderboard.training_plots import loss_svgs, score_svg


def render_model(row: Row, observables: JsonObject, study: StudyRecord | None = None) -> str:
    """The page of one entry as HTML.

    Args:
        study: Record of the search that led to it, where it lies on the board.
    Raises: InvalidEntry if the observables are not what plots can be made of.
    """
    try:
        context = model_context(row, observables, study)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidEntry(f"observables.json cannot be plotted: {error!r}") from error
    return render("model.html", **context)


def model_context(row: Row, observables: JsonObject, study: StudyRecord | None = None) -> dict[str, Any]:
    """What the template of the page is filled with."""
    entry = row.entry
    is_model = entry["kind"] == "model"
    training = score_svg(observables.get("training", []))
    return {
        "entry": entry,
        "standing": _standing(row),
        "in_pareto_set": row.in_pareto_set,
        "components": _component_rows(entry),
        "has_floor": not entry["components"] or entry["floor"] is not None,  # datasets simulated once have none
        "whole_sample": entry.get("whole_sample"),
        "helix": entry.get("helix"),
        "helix_table": text.helix_table(entry["helix"]) if "helix" in entry else [],
        "memorisation": entry.get("memorisation"),
        "memorisation_rows": _memorisation_rows(entry),
        "memorisation_plot": _memorisation_plot(entry),
        "comparisons": text.comparison_sentences(entry, row.against),
        "by_energy": observables.get("judgement", {}).get("by_energy", []),
        "configuration": configuration_rows(entry, study),
        "study": study,
        "plotted_seed": observables.get("seed"),
        "energies": energies(observables.get("histograms", []), all_of_them=is_model),
        "response_plots": [response_plot(curve) for curve in observables.get("response", [])],
        "mean_showers": mean_showers(observables.get("images", []), all_of_them=is_model),
        "gallery": _gallery(observables.get("gallery")),
        "correlations": correlations(observables.get("correlations", []), all_of_them=is_model),
        "training_plot": None if training is None else drawn(training),
        "loss_plots": [drawn(plot) for plot in loss_svgs(observables.get("training", []))],
        "timings": timing_rows(entry["cost"]) if entry["cost"] else [],
        "citation": citation(entry),
        "mlflow": mlflow_access(entry.get("mlflow") or {}),
    }


def _standing(row: Row) -> JsonObject:
    """The tie class of an entry in words: ``rank``, ``words`` and, against the leader, ``difference``."""
    if row.rank is None:
        return {"rank": "not ranked", "words": row.remark, "difference": ""}
    if row.difference is None:
        return {"rank": row.rank, "words": "the best score" if row.rank == 1 else "", "difference": ""}
    tied = row.difference["lower"] <= 0 <= row.difference["upper"]
    words = "tied with the best score" if tied else "not as good as the best score"
    interval = text.with_interval(row.difference["value"], row.difference)
    p_value = text.significant(row.difference.get("p_value_adjusted"), 2)
    return {"rank": row.rank, "words": words, "difference": f"difference {interval}, p = {p_value}"}


def mlflow_access(mlflow: Mapping[str, str]) -> JsonObject | None:
    """How one gets to the MLflow run of an entry: ``run_id``, and a ``link`` to its server or a ``command``.

    Only http and https are linked. None without a run.
    """
    uri, run = mlflow.get("tracking_uri", ""), mlflow.get("run_id", "")
    if not (uri or run):
        return None
    scheme = urlsplit(uri).scheme
    link = uri if scheme in ("http", "https") else None
    command = f"mlflow ui --backend-store-uri {shlex.quote(uri)}" if uri and link is None else None
    return {"run_id": run, "link": link, "command": command}


def _gallery(gallery: JsonObject | None) -> JsonObject | None:
    """The events with their drawings; None of a record without a gallery."""
    if not gallery:
        return None
    events = [
        {"label": event["label"], "told": event["told"], "svgs": [drawn(plot) for plot in event_svgs(gallery, event)]}
        for event in gallery["events"]
    ]
    most = max((len(event["svgs"]) for event in events), default=0)
    return {**gallery, "events": events, "one_drawing": most == 1} if most else None


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
    unit = check["unit"]
    label = "distance to the nearest event" if unit in ("", "1") else f"distance to the nearest event [{unit}]"
    return svg(plots.distance_figure(curves, label), "Distances to the nearest training and held-out event")


def _quantiles(distances: Mapping[str, float]) -> plots.Quantiles:
    ordered = sorted((float(share), distance) for share, distance in distances.items())
    shares, values = np.array(ordered, dtype=np.float64).T
    return plots.Quantiles(shares, values)
