"""Single events, full simulation beside what was generated for the same conditions; one function a kind of detector."""

# Axes: R × C cells of a view, P points of a track.
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leaderboard.image_plots import Cells, Group, Scale, colour_bar, image_row
from leaderboard.observable_plots import cells_of, layer_title
from leaderboard.records import JsonObject
from leaderboard.svg_axes import Axis, Frame, dots, drawing, path, short, text

SAMPLES = {"reference": "full simulation", "generated": "generated"}
DECADES = 4.0  # of the colours; the records leave out what lies below
STATION_SIDE, STATION_ROOM = 168.0, 20.0
LEFT, TOP, BOTTOM = 52.0, 40.0, 44.0
TRACK_SIDE, TRACK_GAP = 200.0, 62.0
TRACK_MARGIN = 0.06  # of the range of the points

Array = NDArray[np.float64]
Event = Mapping[str, Any]


def event_svgs(gallery: JsonObject, event: Event) -> list[str]:
    """The drawings of one event of a ``gallery``; none of a kind that this version does not know."""
    draw = DRAWINGS.get(gallery["kind"])
    return [] if draw is None else draw(gallery, event)


def cell_svgs(gallery: JsonObject, event: Event) -> list[str]:
    """Each layer, or each projection of a volume, with one logarithmic scale of colours for all of them."""
    scale = _scale(gallery, event)
    return [
        image_row(
            layer_title(view),
            cells_of(view),
            [Group({title: _image(view, event[role][index]) for role, title in SAMPLES.items()}, scale)],
            f"{view['layer']} of an event at {event['label']}, full simulation and generated",
        )
        for index, view in enumerate(gallery["views"])
    ]


def station_svgs(gallery: JsonObject, event: Event) -> list[str]:
    """The signal pattern on the ground: stations with a signal as discs, the area and the colour by its logarithm."""
    (view,) = gallery["views"]
    scale, cells = _scale(gallery, event), cells_of(view)
    content: list[str] = []
    left = LEFT
    for role, title in SAMPLES.items():
        frame = Frame(
            Axis(float(cells.column_edges[0]), float(cells.column_edges[-1]), left, left + STATION_SIDE),
            Axis(float(cells.row_edges[0]), float(cells.row_edges[-1]), TOP + STATION_SIDE, TOP),
        )
        content += [text(left, TOP - 8, title, size=11), _discs(_image(view, event[role][0]), cells, frame, scale)]
        content += [frame.ticks(4, 4, name_y=left == LEFT, size=11)]
        content += [text(left + STATION_SIDE / 2, TOP + STATION_SIDE + 36, cells.column_label, "m", size=11)]
        left += STATION_SIDE + STATION_ROOM
    content += [text(14, TOP + STATION_SIDE / 2, cells.row_label, "m", size=11, upright=True)]
    content += [colour_bar(scale, left - 6, TOP, STATION_SIDE), text(4, 14, "Pattern on the ground", "t", size=13)]
    label = f"Signals of the stations in an event at {event['label']}, full simulation and generated"
    return [drawing(left + 56, TOP + STATION_SIDE + BOTTOM, label, content)]


def track_svgs(gallery: JsonObject, event: Event) -> list[str]:
    """The points of a track in x and y and in z and r, both samples in one pair of axes."""
    unit = gallery["unit"]
    across = {role: (_points(event, role, "x"), _points(event, role, "y")) for role in SAMPLES}
    along = {role: (_points(event, role, "z"), np.hypot(*across[role])) for role in SAMPLES}
    panels = [("x", "y", across, True), ("z", "r", along, False)]
    content: list[str] = []
    left = LEFT
    for name, other, points, equal in panels:
        frame = _frame(points, left, equal=equal)
        content += [frame.ticks(4, 4, size=11)]
        for role, style in (("reference", "dr"), ("generated", "dc")):
            x, y = points[role]
            content += [path(style, dots(frame.x(x), frame.y(y)))]
        content += [text(left + TRACK_SIDE / 2, TOP + TRACK_SIDE + 36, f"{name} [{unit}]", "m", size=11)]
        content += [text(left - 42, TOP + TRACK_SIDE / 2, f"{other} [{unit}]", "m", size=11, upright=True)]
        left += TRACK_SIDE + TRACK_GAP
    numbers = {role: len(points[0]) for role, points in across.items()}
    words = f"{numbers['reference']} points simulated, {numbers['generated']} generated"
    content += [text(4, 14, words, "t", size=13)]
    label = f"Points of a track at {event['label']} in x and y and in z and r, full simulation and generated"
    return [drawing(left - TRACK_GAP + 14, TOP + TRACK_SIDE + BOTTOM, label, content)]


DRAWINGS: dict[str, Callable[[JsonObject, Event], list[str]]] = {
    "cells": cell_svgs,
    "stations": station_svgs,
    "tracks": track_svgs,
}


def _scale(gallery: JsonObject, event: Event) -> Scale:
    values = [value for role in SAMPLES for image in event[role] for value in image["values"] if value > 0]
    largest = max(values, default=1.0)
    smallest = max(min(values, default=0.1), largest * 10.0**-DECADES)
    return Scale(min(smallest, largest / 10), largest, logarithmic=True, unit=gallery["unit"])


def _image(view: JsonObject, filled: Event) -> Array:
    shape = len(view["row_edges"]) - 1, len(view["column_edges"]) - 1
    image = np.zeros(shape)
    image.ravel()[filled["cells"]] = filled["values"]
    return image


def _discs(image: Array, cells: Cells, frame: Frame, scale: Scale) -> str:
    levels, palette = scale.levels(image), scale.palette
    largest = 0.48 * STATION_SIDE / max(image.shape)
    x = frame.x((cells.column_edges[1:] + cells.column_edges[:-1]) / 2)
    y = frame.y((cells.row_edges[1:] + cells.row_edges[:-1]) / 2)
    circles = []
    for row, column in np.argwhere(levels >= 0):
        level = levels[row, column]
        radius = largest * np.sqrt(0.12 + 0.88 * level / (len(palette) - 1))
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in palette[level])
        circles.append(f'<circle cx="{short(x[column])}" cy="{short(y[row])}" r="{short(radius)}" fill="{colour}"/>')
    return "".join(circles)


def _points(event: Event, role: str, name: str) -> Array:
    return np.array(event[role][name], dtype=np.float64)


def _frame(points: Mapping[str, tuple[Array, Array]], left: float, *, equal: bool) -> Frame:
    """Around all points; ``equal`` with the same length a unit in both directions."""
    both = [np.concatenate([points[role][index] for role in points]) for index in (0, 1)]
    ranges = [(float(values.min()), float(values.max())) if len(values) else (0.0, 1.0) for values in both]
    spans = [high - low or 1.0 for low, high in ranges]
    if equal:
        spans = [max(spans)] * 2
    limits = []
    for (low, high), span in zip(ranges, spans, strict=True):
        half = span * (0.5 + TRACK_MARGIN)
        limits.append(((low + high) / 2 - half, (low + high) / 2 + half))
    return Frame(Axis(*limits[0], left, left + TRACK_SIDE), Axis(*limits[1], TOP + TRACK_SIDE, TOP))
