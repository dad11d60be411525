"""From ``observables.json`` to drawings: what the page of a model and that of two compared files have in common."""

# Axes: O observables.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from leaderboard import plots, text
from leaderboard.image_plots import Cells, Group, Scale, amounts, correlation_row, difference, image_row
from leaderboard.ratio_plot import ratio_svg
from leaderboard.records import JsonObject
from leaderboard.response_curves import furthest, response_svg

OPEN_ENERGY_MEV = 65_536.0  # where the paper shows its distributions
SMALLEST_P_VALUE = 1e-300  # below, double precision has nothing but 0
UNLIKELY = 0.01  # p-values below are counted beside each energy
SMALLEST_SCALE = 0.1  # of differences between correlations: less is noise, and looks like it

Histogram = Mapping[str, Any]


def drawn(svg_text: str) -> Markup:
    """A drawing of ``leaderboard.svg_axes``, which escapes every text in it."""
    return Markup(svg_text)  # noqa: S704


def energies(histograms: Sequence[Histogram], *, all_of_them: bool) -> list[dict[str, Any]]:
    """Plots by energy; of rows that are only there for comparison, those of one energy."""
    values = sorted({float(histogram["energy_mev"]) for histogram in histograms})
    opened = nearest(values)
    return [
        _energy([histogram for histogram in histograms if histogram["energy_mev"] == value], is_open=value == opened)
        for value in values
        if all_of_them or value == opened
    ]


def _energy(histograms: Sequence[Histogram], *, is_open: bool) -> dict[str, Any]:
    unlikely = sum(histogram["p_value"] < UNLIKELY for histogram in histograms)
    return {
        "label": bin_label(histograms[0]),
        "is_open": is_open,
        "plots": [_ratio_plot(histogram) for histogram in histograms],
        "unlikely": f"p < {UNLIKELY} in {unlikely} of {len(histograms)}",
        "mostly_unlikely": 2 * unlikely > len(histograms),
    }


def bin_label(record: Mapping[str, Any]) -> str:
    """What the condition bin of a record is called; records of earlier versions know only its energy."""
    return str(record.get("label") or text.gev(record["energy_mev"]))


def nearest(values: Sequence[float]) -> float | None:
    """The energy nearest to the one that the paper shows; None of none."""
    return min(values, key=lambda energy: abs(energy - OPEN_ENERGY_MEV), default=None)


def by_bin(records: Sequence[JsonObject]) -> list[dict[str, Any]]:
    """Records of condition bins with what the bin is called and whether it is the one that is shown first."""
    opened = nearest([float(record["energy_mev"]) for record in records])
    return [
        {"label": bin_label(record), "is_open": record["energy_mev"] == opened, "record": record} for record in records
    ]


def _ratio_plot(histogram: Histogram) -> dict[str, Any]:
    label = f"{histogram['title']} at {bin_label(histogram)}, full simulation and generated, and their ratio"
    return {"svg": drawn(ratio_svg(panel(histogram), label)), "caption": _agreement(histogram)}


def _agreement(histogram: Histogram) -> str:
    if histogram["ndf"] == 0:
        return "no χ²: the full simulation fills too few bins"
    return (
        f"χ² / ndf = {text.significant(histogram['chi2'])} / {histogram['ndf']}, "
        f"p {'=' if histogram['p_value'] else '<'} {text.significant(histogram['p_value'] or SMALLEST_P_VALUE, 2)}"
    )


def panel(histogram: Histogram) -> plots.Panel:
    """What a plot shows of one of the ``histograms`` in ``observables.json``."""
    twin = histogram["floor"]
    values = {
        name: np.array(histogram[name], dtype=np.float64)
        for name in ("edges", "reference", "reference_error", "generated", "generated_error")
    }
    is_profile = histogram["kind"] == "profile"
    return plots.Panel(
        title=str(histogram["title"]),
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
    """Without the unit of a logarithm, which the label names itself."""
    return label if unit in ("", "1") or unit.startswith("log") else f"{label} [{unit}]"


def response_plot(curve: Mapping[str, Any]) -> dict[str, Any]:
    """Mean or resolution of the response against energy, and where it is furthest from full simulation."""
    return {"svg": drawn(response_svg(curve)), "caption": furthest(curve)}


def mean_showers(images: Sequence[JsonObject], *, all_of_them: bool = True) -> list[dict[str, Any]]:
    """Mean showers by condition bin: a drawing for each layer, and what its cells hold."""
    return [
        {
            "label": shown["label"],
            "is_open": shown["is_open"],
            "value_label": shown["record"].get("value_label", "energy / incident energy"),
            "svgs": [image_plot(layer, shown["label"]) for layer in shown["record"]["layers"]],
        }
        for shown in by_bin(images)
        if all_of_them or shown["is_open"]
    ]


def image_plot(layer: Mapping[str, Any], label: str) -> Markup:
    """Mean content of the cells of a layer: reference, generated, and generated minus reference."""
    reference, generated = (np.array(layer[name], dtype=np.float64) for name in ("reference", "generated"))
    groups = [
        amounts({"full simulation": reference, "generated": generated}),
        difference("difference", generated - reference),
    ]
    words = f"Mean shower at {label}, {layer['layer']}: full simulation, generated, difference"
    return drawn(image_row(layer_title(layer), cells_of(layer), groups, words))


def cells_of(layer: Mapping[str, Any]) -> Cells:
    """Where the cells of a layer are; earlier records know only η and φ."""
    return Cells(
        row_edges=np.array(layer.get("row_edges") or layer["eta_edges"], dtype=np.float64),
        column_edges=np.array(layer.get("column_edges") or layer["phi_edges"], dtype=np.float64),
        row_label=layer.get("row_label", "Δη"),
        column_label=layer.get("column_label", "Δφ [rad]"),
    )


def layer_title(layer: Mapping[str, Any]) -> str:
    """Name of a layer with its depth where that is known; of a projection its axes."""
    name = str(layer["layer"])
    if ", " in name:
        upwards, across = name.split(", ", 1)
        return f"{upwards if len(upwards) == 1 else upwards.capitalize()} against {across}"
    depth = layer.get("depth_x0")
    return name.capitalize() if depth is None else f"{name.capitalize()}, at {text.significant(depth)} X₀"


def correlations(records: Sequence[JsonObject], *, all_of_them: bool) -> list[dict[str, Any]]:
    """Correlation matrices by condition bin, drawn; of rows that are only there for comparison, those of one bin."""
    return [
        {
            "label": shown["label"],
            "is_open": shown["is_open"],
            "svg": _correlation_plot(shown["record"], shown["label"]),
            "record": shown["record"],
        }
        for shown in by_bin(records)
        if all_of_them or shown["is_open"]
    ]


def _correlation_plot(record: JsonObject, label: str) -> Markup:
    reference, generated = (np.array(record[name], dtype=np.float64) for name in ("reference", "generated"))
    names = [str(name).replace("_", " ") for name in record["observables"]]
    if not reference.shape == generated.shape == (len(names), len(names)):
        raise ValueError(f"matrices of {reference.shape} and {generated.shape} for {len(names)} observables")
    change = generated - reference
    groups = [
        Group({"full simulation": reference, "generated": generated}, Scale(-1.0, 1.0, "PuOr")),
        difference("difference", change, largest=max(SMALLEST_SCALE, float(np.abs(change).max()))),
    ]
    words = f"Correlations of the observables at {label}: full simulation, generated, difference"
    return drawn(correlation_row(names, groups, words))
