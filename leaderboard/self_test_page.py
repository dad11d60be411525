"""The page about the metrics: what they are, what full simulation gets, and what they notice."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.calibration_plot import calibration_figure
from leaderboard.metric_definitions import read_definitions
from leaderboard.ranking import Table
from leaderboard.records import JsonObject
from leaderboard.rendering import render, svg


def render_self_test(
    records: Sequence[JsonObject],
    calibration: JsonObject | None,
    *,
    on_board: bool,
    tables: Sequence[Table] = (),
) -> str:
    """The page about the metrics as HTML.

    Args:
        records: Of ``leaderboard.self_test``.
        calibration: p-values of full simulation, as ``benchmarks/metric_calibration.py`` writes them; None without.
        on_board: Whether the board's page lies beside it.
        tables: Of the board, for the floors.
    """
    plot = None if calibration is None else svg(calibration_figure(calibration["p_values"]), "p-values")
    return render(
        "self_test.html",
        records=records,
        calibration=calibration,
        calibration_plot=plot,
        on_board=on_board,
        definitions=read_definitions(),
        floors=[(table, _component_floors(table)) for table in tables if table.floor is not None],
    )


def _component_floors(table: Table) -> list[tuple[str, float]]:
    floors: dict[str, float] = {}
    for row in table.rows:
        for name, component in row.entry["components"].items():
            if component["floor"] is not None:
                floors.setdefault(name, component["floor"])
    return list(floors.items())
