"""The page of one entry. Rendered from its records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from leaderboard import plots, text
from leaderboard.ranking import Row
from leaderboard.records import InvalidEntry, JsonObject
from leaderboard.rendering import render, svg

OPEN_ENERGY_MEV = 65_536.0  # where the paper shows its distributions

Histogram = Mapping[str, Any]


def render_model(row: Row, observables: JsonObject) -> str:
    """The page of one entry as HTML.

    Raises: InvalidEntry if the observables are not what plots can be made of.
    """
    try:
        context = model_context(row, observables)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidEntry(f"observables.json cannot be plotted: {error!r}") from error
    return render("model.html", **context)


def model_context(row: Row, observables: JsonObject) -> dict[str, Any]:
    entry = row.entry
    histograms = observables.get("histograms", [])
    images = shown_images(observables.get("images", []))
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
        "energies": energies(histograms, all_of_them=entry["kind"] == "model"),
        "response_plots": [response_plot(curve) for curve in observables.get("response", [])],
        "images": [image_plot(layer) for layer in images.get("layers", [])],
        "image_label": bin_label(images) if images else "",
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
    return svg(plots.distance_figure(curves, label), "Distances to the nearest training and held-out event")


def _quantiles(distances: Mapping[str, float]) -> plots.Quantiles:
    ordered = sorted((float(share), distance) for share, distance in distances.items())
    shares, values = np.array(ordered, dtype=np.float64).T
    return plots.Quantiles(shares, values)


def energies(histograms: Sequence[Histogram], *, all_of_them: bool) -> list[dict[str, Any]]:
    """Plots by energy; of rows that are only there for comparison, those of one energy."""
    values = sorted({float(histogram["energy_mev"]) for histogram in histograms})
    opened = nearest(values)
    return [
        {
            "label": next(bin_label(histogram) for histogram in histograms if histogram["energy_mev"] == value),
            "is_open": value == opened,
            "plots": [_ratio_plot(histogram) for histogram in histograms if histogram["energy_mev"] == value],
        }
        for value in values
        if all_of_them or value == opened
    ]


def bin_label(record: Mapping[str, Any]) -> str:
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
    label = f"{title} at {bin_label(histogram)}"
    return {"svg": svg(plots.ratio_figure(panel(histogram)), label), "caption": caption}


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


def response_plot(curve: Mapping[str, Any]) -> Markup:
    names = {"reference": "full simulation", "generated": "generated", "floor": "simulated again"}
    samples = {
        title: plots.Series(np.array(curve[name], dtype=np.float64), np.array(curve[f"{name}_error"], dtype=np.float64))
        for name, title in names.items()
        if curve[name] is not None
    }
    title = {"mean": "Mean response", "resolution": "Energy resolution"}.get(curve["quantity"], curve["quantity"])
    energies = np.array(curve["energy_mev"], dtype=np.float64)
    figure = plots.curve_figure(plots.Curve(energies, samples), title, curve["y_label"])
    return svg(figure, f"{title} against the incident energy")


def shown_images(images: Sequence[JsonObject]) -> JsonObject:
    energy = nearest([float(image["energy_mev"]) for image in images])
    return next((image for image in images if image["energy_mev"] == energy), {})


def image_plot(layer: Mapping[str, Any]) -> Markup:
    image = plots.LayerImage(
        title=_image_title(str(layer["layer"])),
        row_edges=np.array(layer.get("row_edges") or layer["eta_edges"], dtype=np.float64),
        column_edges=np.array(layer.get("column_edges") or layer["phi_edges"], dtype=np.float64),
        row_label=layer.get("row_label", "Δη"),
        column_label=layer.get("column_label", "Δφ [rad]"),
        reference=np.array(layer["reference"], dtype=np.float64),
        generated=np.array(layer["generated"], dtype=np.float64),
    )
    return svg(plots.image_figure(image), f"Mean shower in the {layer['layer']}")


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
    return svg(plots.training_figure(curves), "Validation score against epoch")
