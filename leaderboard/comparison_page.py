"""The page of two compared files."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.observable_plots import energies, mean_showers, response_plot
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
    return render(
        "comparison.html",
        record=record,
        header=header,
        whole_sample_header=whole_sample_header,
        helix_table=helix_table,
        energies=energies(observables["histograms"], all_of_them=True),
        response_plots=[response_plot(curve) for curve in observables["response"]],
        mean_showers=mean_showers(observables["images"]),
    )
