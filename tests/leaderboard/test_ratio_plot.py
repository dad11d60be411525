"""Histograms with a ratio panel, and what all directly written drawings are made of."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from leaderboard import plots
from leaderboard.ratio_plot import centres_of, ratio_svg, ratios, x_axis
from leaderboard.svg_axes import Axis, fitting, png, short, text

OCTAVES = [1e-6 * 2.0**index for index in range(31)]


def series(values: list[float], error: float = 0.1) -> plots.Series:
    return plots.Series(np.array(values), np.full(len(values), error))


def panel_of(
    edges: list[float], reference: list[float] | None = None, generated: list[float] | None = None
) -> plots.Panel:
    ones = [1.0] * (len(edges) - 1)
    return plots.Panel(
        "title", "energy", "number", np.array(edges), series(reference or ones), series(generated or ones), None
    )


def paths(svg: str, style: str) -> str:
    return "".join(re.findall(f'<path class="{style}" d="([^"]*)"', svg))


@pytest.mark.parametrize(
    "edges",
    [
        OCTAVES,
        [float(f"{edge:.6g}") for edge in OCTAVES],  # as they are written
        [6.25 * 2.0**index for index in range(12)],
        [1.0, 10.0, 100.0],
    ],
)
def test_spectra_have_a_logarithmic_axis_with_points_in_the_middle(edges: list[float]) -> None:
    values = np.array(edges)
    assert x_axis(values).logarithmic
    np.testing.assert_allclose(centres_of(values), np.sqrt(values[1:] * values[:-1]))


@pytest.mark.parametrize(
    "edges",
    [
        [0.0, 1.0, 2.0, 3.0],
        [-4.0, -2.0, -1.0],
        [0.0, 1.0, 10.0, 100.0],
        list(np.linspace(1, 30, 26)),
        list(np.linspace(1e5, 1e5 + 3, 4)),
        [1.0, 2.0, 100.0, 300.0],
        [2.0, 4.0],
    ],
)
def test_other_axes_are_linear(edges: list[float]) -> None:
    values = np.array(edges)
    assert not x_axis(values).logarithmic
    np.testing.assert_allclose(centres_of(values), (values[1:] + values[:-1]) / 2)
    assert "nan" not in ratio_svg(panel_of(edges), "label")


def test_points_lie_where_their_values_are() -> None:
    svg = ratio_svg(panel_of([0.0, 1.0, 2.0], [1.0, 1.0], [1.0, 0.5]), "label")
    (x0, y0), (x1, y1), *ratio = re.findall(r"M([\d.]+) ([\d.]+)h0", paths(svg, "d"))
    assert float(x0) < float(x1)
    assert float(y0) < float(y1)  # downwards: the first is the higher one
    zero, height = 186.0, 186.0 - 24.0
    assert zero - float(y0) == pytest.approx(height * 1.0 / (1.1 * 1.1), abs=0.1)  # the highest error bar ends at 1.1
    assert len(ratio) == 2


def test_bins_outside_the_ratio_panel_are_marked_and_empty_ones_left_out() -> None:
    panel = panel_of([0.0, 1.0, 2.0, 3.0, 4.0], [0.2, 0.5, 0.0, 0.5], [0.9, 0.1, 0.4, 0.5])  # 4.5, 0.2, undefined, 1
    np.testing.assert_allclose(ratios(panel).values, [4.5, 0.2, np.nan, 1.0])
    svg = ratio_svg(panel, "label")
    assert paths(svg, "v").count("z") == 2
    assert paths(svg, "d").count("h0") == 4 + 1


def test_empty_samples_and_negative_profiles_are_drawn() -> None:
    for reference, generated in (([0.0, 0.0], [0.0, 0.0]), ([-1.0, 2.0], [-3.0, 1.0])):
        panel = panel_of([0.0, 1.0, 2.0], reference, generated)
        assert "nan" not in ratio_svg(panel, "label")


def test_texts_are_kept_and_escaped_and_the_drawing_takes_the_width_of_the_page() -> None:
    panel = panel_of([0.0, 1.0, 2.0])
    shown = replace(panel, title="Depth & <more>", twin=panel.reference)
    svg = ratio_svg(shown, 'a "label"')
    assert svg.startswith('<svg class="drawn" role="img" aria-label="a &quot;label&quot;" viewBox=')
    assert "Depth &amp; &lt;more&gt;" in svg
    assert len(svg) < 4_000


def test_long_texts_are_written_smaller() -> None:
    assert fitting("short", 12, 200) is None
    smaller = fitting(50 * "m", 12, 200)
    assert smaller is not None
    assert 7 < smaller < 12


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "names", "factor"),
    [
        (0.0, 0.45, False, ["0.0", "0.1", "0.2", "0.3", "0.4"], ""),
        (-2.0, 2.0, False, ["−2", "−1", "0", "1", "2"], ""),
        (0.0, 4e-5, False, ["0", "1", "2", "3", "4"], "×10⁻⁵"),
        (0.0, 4e7, False, ["0", "1", "2", "3", "4"], "×10⁷"),
        (0.5, 2e4, True, ["1", "10", "100", "1000", "10000"], ""),
        (1.0, 12.0, True, ["1", "2", "5", "10"], ""),
        (1e8, 1e11, True, ["10⁸", "10⁹", "10¹⁰", "10¹¹"], ""),
    ],
)
def test_ticks_lie_at_round_numbers(low: float, high: float, logarithmic: bool, names: list[str], factor: str) -> None:
    places, written, common = Axis(low, high, 0.0, 100.0, logarithmic).ticks(5)
    assert (written, common) == (names, factor)
    assert (np.diff(places) > 0).all()


def test_numbers_of_a_drawing_are_short() -> None:
    assert [short(value) for value in (1.04, 1.0, -0.01, -2.26, 100.0)] == ["1", "1", "0", "-2.3", "100"]
    assert text(1.0, 2.0, "a<b") == '<text x="1" y="2">a&lt;b</text>'


def test_a_png_holds_the_colours_of_its_cells() -> None:
    colours = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    levels: NDArray[np.intp] = np.array([[2, 1], [-1, 0], [1, 1]])
    image = imread(io.BytesIO(png(levels, colours)))
    assert image.shape == (3, 2, 4)
    np.testing.assert_allclose(image[0, 0], [0, 1, 1, 1])
    np.testing.assert_allclose(image[0, 1], [1, 0, 0, 1])
    assert image[1, 0, 3] == 0  # transparent
    np.testing.assert_allclose(image[1, 1], [0, 0, 0, 1])
