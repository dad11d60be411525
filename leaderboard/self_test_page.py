"""The page about what the metrics notice."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.calibration_plot import calibration_figure
from leaderboard.records import JsonObject
from leaderboard.rendering import render, svg


def render_self_test(records: Sequence[JsonObject], calibration: JsonObject | None, *, on_board: bool) -> str:
    """The page about what the metrics notice as HTML.

    Args:
        records: Of ``leaderboard.self_test``.
        calibration: p-values of full simulation, as ``benchmarks/metric_calibration.py`` writes them; None without.
        on_board: Whether the board's page lies beside it.
    """
    plot = None if calibration is None else svg(calibration_figure(calibration["p_values"]), "p-values")
    return render("self_test.html", records=records, calibration=calibration, calibration_plot=plot, on_board=on_board)
