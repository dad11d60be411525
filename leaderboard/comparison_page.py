"""The page of two compared files."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.model_page import bin_label, energies, image_plot, response_plot, shown_images
from leaderboard.records import JsonObject
from leaderboard.rendering import render


def render_comparison(
    record: JsonObject,
    observables: JsonObject,
    header: Sequence[str],
    whole_sample_header: Sequence[str],
    helix_table: Sequence[Sequence[str]] = (),
) -> str:
    """The page of two compared files as HTML."""
    images = shown_images(observables["images"])
    return render(
        "comparison.html",
        record=record,
        header=header,
        whole_sample_header=whole_sample_header,
        helix_table=helix_table,
        energies=energies(observables["histograms"], all_of_them=True),
        response_plots=[response_plot(curve) for curve in observables["response"]],
        images=[image_plot(layer) for layer in images.get("layers", [])],
        image_label=bin_label(images) if images else "",
    )
