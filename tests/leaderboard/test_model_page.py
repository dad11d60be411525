"""The page of one entry, from made-up records."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from leaderboard.citation import citation, software
from leaderboard.gallery_plots import event_svgs
from leaderboard.image_plots import Cells, Scale
from leaderboard.model_configuration import configuration_rows, top_of
from leaderboard.model_cost import timing_rows
from leaderboard.model_page import mlflow_access, render_model
from leaderboard.observable_plots import layer_title
from leaderboard.pages import build_pages, study_of
from leaderboard.ranking import Row
from leaderboard.records import write_entry
from leaderboard.response_curves import furthest, response_svg
from leaderboard.studies import write_study
from leaderboard.training_plots import loss_svgs, score_svg

Make = Callable[..., dict[str, Any]]
SCRIPT = "<script>alert('x')</script>"
VIEW = {
    "layer": "front",
    "depth_x0": 4.83,
    "row_edges": [0.0, 1.0, 2.0],
    "column_edges": [0.0, 1.0, 2.0, 3.0],
    "row_label": "y [mm]",
    "column_label": "x [mm]",
}
FILLED = {"cells": [0, 4], "values": [1.0, 250.0]}
TRACK = {"x": [800.0, 900.0], "y": [0.0, 10.0], "z": [-5.0, -6.0]}


def gallery_of(kind: str, sample: Any) -> dict[str, Any]:
    event = {"label": "65.5 GeV", "told": "incident energy 65.5 GeV", "reference": sample, "generated": sample}
    views = [] if kind == "tracks" else [VIEW]
    return {"kind": kind, "quantity": "energy", "unit": "MeV", "num_bins": 9, "views": views, "events": [event] * 4}


def correlations_of(**changes: Any) -> dict[str, Any]:
    return {
        "energy_mev": 65536.0,
        "label": "65.5 GeV",
        "num_events": 101,
        "observables": ["response", "shower_depth"],
        "titles": ["Total energy / incident energy", "Shower depth"],
        "reference": [[1.0, 0.5], [0.5, 1.0]],
        "generated": [[1.0, -0.25], [-0.25, 1.0]],
        "generated_difference": 0.75,
        "floor_difference": 0.125,
    } | changes


def study_record(**changes: Any) -> Any:
    learned = [
        {"parameter": "learning_rate", "default": 5e-5, "best": 5e-4, "top_range": [2e-4, 9e-4], "importance": 0.61},
        {"parameter": "units", "default": 128, "best": 128, "top_range": [64, 128, 512], "importance": None},
    ]
    return {
        "name": "atlas_gan",
        "title": "A search",
        "directory": "atlas-gan-1",
        "status": "finished",
        "preset": "laptop",
        "sampler": "tpe",
        "epochs": 100,
        "command": "python search/atlas_gan.py",
        "minutes": 35.0,
        "trials": {"completed": 12},
        "best_validation": 0.8,
        "best_validation_error": 0.02,
        "best_trial": 3,
        "learned": learned,
    } | changes


class Outline(HTMLParser):
    """Levels of headings, ids, links inside the page, and pictures without a text in their place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.silent: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in given and "path" not in tag:
            self.ids.append(given["id"])
        if tag == "a" and given.get("href", "").startswith("#"):
            self.targets.append(given["href"][1:])
        if tag == "svg" and not (given.get("role") == "img" and given.get("aria-label")):
            self.silent.append(tag)
        if tag == "script" or given.get("src", "").startswith("http"):
            self.loaded.append(tag)


def full_observables(make_observables: Make) -> dict[str, Any]:
    return make_observables(gallery=gallery_of("cells", [FILLED]), correlations=[correlations_of()])


@pytest.fixture
def page(make_measured_entry: Make, make_observables: Make) -> str:
    return render_model(Row(1, make_measured_entry()), full_observables(make_observables), study_record())


def test_headings_are_in_order_and_every_jump_leads_somewhere(page: str) -> None:
    outline = Outline(page)
    assert outline.levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(outline.levels[:-1], outline.levels[1:], strict=True))
    assert len(outline.targets) > 12
    assert set(outline.targets) <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))


def test_every_picture_has_a_text_in_its_place_and_every_table_a_caption(page: str) -> None:
    outline = Outline(page)
    assert outline.silent == []
    assert outline.loaded == []
    assert page.count("<caption>") == page.count("<table>") > 5
    assert page.count("<img") == 0


def test_old_records_have_neither_gallery_nor_correlations(make_entry: Make, make_observables: Make) -> None:
    page = render_model(Row(1, make_entry()), make_observables())
    assert "Single events" not in page
    assert "<h2>Correlations" not in page
    assert "Importance" not in page
    assert "MLflow" not in page


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"rank": 1}, "the best score"),
        ({"rank": None, "remark": "scored again by another version"}, "scored again by another version"),
        (
            {"rank": 1, "difference": {"value": 0.1, "lower": -0.1, "upper": 0.3, "p_value_adjusted": 0.21}},
            "difference 0.10 (−0.10 … 0.30), p = 0.21",
        ),
        (
            {"rank": 2, "difference": {"value": 0.3, "lower": 0.1, "upper": 0.5, "p_value_adjusted": 0.01}},
            "not as good as the best score",
        ),
    ],
)
def test_the_headline_says_how_an_entry_stands(
    make_entry: Make, make_observables: Make, row: dict[str, Any], shown: str
) -> None:
    assert shown in render_model(Row(entry=make_entry(), **row), make_observables())


def test_a_dataset_simulated_once_has_no_floor_to_read_the_values_by(
    make_entry: Make, make_observables: Make, page: str
) -> None:
    entry = make_entry()
    components = {name: {**component, "floor": None} for name, component in entry["components"].items()}
    without = render_model(
        Row(1, {**entry, "components": components, "floor": None, "excess": None, "z": None}), make_observables()
    )
    for words in ("Full-simulation floor", "Worth, events", "the same particles, simulated again"):
        assert words in page
        assert words not in without
    assert "simulated once" in without


# ---------------------------------------------------------------- configuration


def test_the_configuration_stands_beside_the_papers_and_what_the_search_learned(make_entry: Make) -> None:
    rows = {row["name"]: row for row in configuration_rows(make_entry(), study_record())}
    assert rows["learning_rate"] == {
        "name": "learning_rate",
        "here": "0.0005",
        "paper": "5e-05",
        "differs": True,
        "learned": {"best": "0.0005", "top": "0.0002 … 0.0009", "importance": 0.61},
    }
    assert (rows["units"]["differs"], rows["units"]["learned"]["top"]) == (False, "64, 128, 512")


@pytest.mark.parametrize("study", [None, study_record(learned=None), study_record(learned=[{"parameter": "units"}, 3])])
def test_records_without_what_was_learned_say_nothing_of_it(make_entry: Make, study: Any) -> None:
    assert [row["learned"] for row in configuration_rows(make_entry(), study)] == [None, None]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (None, "–"),
        ([1e-4, 1e-3], "0.0001 … 0.001"),
        ([5, 5], "5"),
        (["a", "b"], "a, b"),
        ([True, False], "yes, no"),
        ([3], "3"),
    ],
)
def test_ranges_and_choices_are_told_apart(values: Any, shown: str) -> None:
    assert top_of(values) == shown


def test_the_search_is_linked_where_its_record_lies_on_the_board(
    tmp_path: Any, make_entry: Make, make_observables: Make
) -> None:
    write_entry(tmp_path, make_entry(), make_observables())
    build_pages(tmp_path)
    model = tmp_path / "models" / f"{make_entry()['id']}.html"
    assert "../studies/" not in model.read_text(encoding="utf-8")
    short = study_record()
    del short["learned"]
    write_study(tmp_path, short)
    build_pages(tmp_path)
    assert 'href="../studies/atlas_gan-atlas-gan-1.html"' in model.read_text(encoding="utf-8")
    assert study_of(make_entry(), [study_record(directory="002")]) is None


# ---------------------------------------------------------------- events, correlations, losses


@pytest.mark.parametrize(
    ("kind", "sample", "drawn"),
    [("cells", [FILLED], "<image"), ("stations", [FILLED], "<circle"), ("tracks", TRACK, "h0")],
)
def test_each_kind_of_event_is_drawn(
    make_entry: Make, make_observables: Make, kind: str, sample: Any, drawn: str
) -> None:
    gallery = gallery_of(kind, sample)
    (svg,) = event_svgs(gallery, gallery["events"][0])
    assert drawn in svg
    page = render_model(Row(1, make_entry()), make_observables(gallery=gallery))
    assert page.count("<h3>65.5 GeV</h3>") == 4
    assert "4 bins of the conditions, spread evenly over all 9" in " ".join(page.split())


def test_events_of_a_kind_from_the_future_are_left_out(make_entry: Make, make_observables: Make) -> None:
    page = render_model(Row(1, make_entry()), make_observables(gallery=gallery_of("holograms", [FILLED])))
    assert "Single events" not in page


def test_an_event_without_energy_or_points_is_drawn() -> None:
    nothing: dict[str, list[float]] = {"cells": [], "values": []}
    for kind, sample in (("cells", [nothing]), ("stations", [nothing]), ("tracks", {"x": [], "y": [], "z": []})):
        gallery = gallery_of(kind, sample)
        (svg,) = event_svgs(gallery, gallery["events"][0])
        assert "nan" not in svg


def test_colours_follow_the_values() -> None:
    linear, logarithmic = Scale(0.0, 1.0), Scale(1.0, 100.0, logarithmic=True)
    assert linear.levels(np.array([0.0, 1.0, 2.0])).tolist() == [0, 63, 63]
    assert logarithmic.levels(np.array([0.0, 0.5, 1.0, 10.0, 100.0])).tolist() == [-1, 0, 0, 32, 63]


def test_images_have_the_shape_of_the_detector() -> None:
    rows, columns = np.array([0.0, 100.0]), np.array([0.0, 80.0])
    assert Cells(rows, columns, "y [mm]", "x [mm]").height_over_width == pytest.approx(1.25)
    assert Cells(rows, columns, "Δη", "Δφ [rad]").height_over_width == 1.0
    assert Cells(10 * rows, columns, "y [mm]", "x [mm]").height_over_width == 1.4


def test_layers_are_named_with_their_depth() -> None:
    assert layer_title({"layer": "front", "depth_x0": 4.83}) == "Front, at 4.83 X₀"
    assert layer_title({"layer": "front"}) == "Front"
    assert layer_title({"layer": "y, x"}) == "y against x"
    assert layer_title({"layer": "row, time"}) == "Row against time"


def test_correlations_are_written_into_their_cells(page: str) -> None:
    section = page.split('id="correlations"')[1].split("</section>")[0]
    assert section.count(">.50<") == 2
    assert section.count(">−.25<") == 2
    assert section.count(">−.75<") == 2
    assert "generated 0.75, the same particles simulated again 0.12" in section
    assert "Total energy / incident energy" in section


def test_losses_have_a_line_a_seed(make_observables: Make) -> None:
    (critic,) = loss_svgs(make_observables()["training"])
    assert all(f'class="s s{seed}"' in critic for seed in range(3))
    history = [{"epoch": 1, "losses": {"critic": 1.0}, "score": 1.0}]
    assert loss_svgs([{"seed": 0, "best_epoch": 1, "history": history}]) == []


def test_the_checkpoint_that_was_taken_is_circled(make_observables: Make) -> None:
    training = make_observables()["training"]
    svg = score_svg(training)
    assert svg is not None
    assert svg.count(' c" d="M') == 3
    assert all(f">seed {seed}<" in svg for seed in range(3))
    assert score_svg([seed | {"history": seed["history"][:1]} for seed in training]) is None
    logarithmic: list[dict[str, Any]] = [
        {"epoch": epoch, "losses": {}, "score": 10.0 ** (5 - epoch)} for epoch in (1, 2, 3)
    ]
    assert ">1000<" in (score_svg([{"seed": 0, "best_epoch": 3, "history": logarithmic}]) or "")


def test_curves_show_both_samples_and_their_ratio_to_the_reference(make_observables: Make) -> None:
    mean, _ = make_observables()["response"]
    svg = response_svg(mean | {"generated": [0.99, 0.95]})
    assert len(re.findall("M[^Mz]*z", re.findall('class="k reference" d="([^"]*)"', svg)[0])) == 2
    assert furthest(mean | {"generated": [0.99, 0.95]}) == (
        "Furthest from full simulation at 1.02 GeV: +10 %, 6.4 standard errors"
    )
    assert "simulated again" in svg
    assert "simulated again" not in response_svg(mean | {"floor": None})
    assert "transverse energy [GeV]" in response_svg(mean | {"x_label": "transverse energy"})


def test_energies_of_air_showers_are_in_eev(make_observables: Make) -> None:
    mean, _ = make_observables()["response"]
    for energies, unit in (([1e12, 1e14], "EeV"), ([1e3, 5e5], "GeV")):
        svg = response_svg(mean | {"energy_mev": energies})
        assert f"incident energy [{unit}]" in svg
        assert "e+" not in svg


# ---------------------------------------------------------------- cost, citation, MLflow


def test_timings_become_rows_with_a_speed_up() -> None:
    timings = {"batch_100": {"median": 0.05, "spread": 0.01}, "batch_1": {"median": 2.0, "spread": 0.1}}
    rows = timing_rows({"generation_ms_per_shower": timings, "simulation_ms": 2.2})
    assert [(row["batch"], row["per_second"], row["speed_up"]) for row in rows] == [
        (1, "500", pytest.approx(1.1)),
        (100, "20\u202f000", pytest.approx(44.0)),
    ]
    assert timing_rows({"generation_ms_per_shower": timings})[0]["speed_up"] is None


def test_an_entry_is_cited_with_the_version_that_judged_it_and_its_paper(make_entry: Make) -> None:
    entry = make_entry()
    entry["provenance"] = entry["provenance"] | {"versions": {"fastsim-arena": "9.8.7"}}
    words = citation(entry)
    assert software().title == "FastSim Arena"
    assert all(part in words for part in ("9.8.7", entry["id"], "ATL-SOFT-PUB-2018-001", software().authors))
    assert "model:" not in citation(entry | {"kind": "baseline"})


@pytest.mark.parametrize(
    ("uri", "link", "command"),
    [
        ("https://mlflow.example/", "https://mlflow.example/", None),
        ("sqlite:///runs/my runs/mlflow.db", None, "mlflow ui --backend-store-uri 'sqlite:///runs/my runs/mlflow.db'"),
        ("javascript:alert(1)", None, "mlflow ui --backend-store-uri 'javascript:alert(1)'"),
    ],
)
def test_only_web_addresses_of_mlflow_are_linked(uri: str, link: str | None, command: str | None) -> None:
    assert mlflow_access({"tracking_uri": uri, "run_id": "abc"}) == {"run_id": "abc", "link": link, "command": command}
    assert mlflow_access({}) is None


# ---------------------------------------------------------------- hostile records


def test_texts_of_every_part_are_escaped(make_measured_entry: Make, make_observables: Make) -> None:
    observables = copy.deepcopy(full_observables(make_observables))
    gallery, (correlation,) = observables["gallery"], observables["correlations"]
    gallery["events"][0] |= {"label": SCRIPT, "told": SCRIPT}
    gallery |= {"unit": SCRIPT, "quantity": SCRIPT, "views": [VIEW | {"layer": SCRIPT, "row_label": SCRIPT}]}
    correlation |= {"observables": [SCRIPT, SCRIPT], "titles": [SCRIPT, SCRIPT], "label": SCRIPT}
    observables["training"][0]["history"][0]["losses"] = {SCRIPT: 1.0}
    observables["training"][0]["history"][1]["losses"] = {SCRIPT: 2.0}
    observables["response"][0]["y_label"] = SCRIPT
    learned = [{"parameter": "units", "default": 1, "best": SCRIPT, "top_range": [SCRIPT], "importance": 0.5}]
    entry = make_measured_entry(mlflow={"tracking_uri": SCRIPT, "run_id": SCRIPT})
    page = render_model(Row(None, entry, remark=SCRIPT), observables, study_record(name=SCRIPT, learned=learned))
    assert Outline(page).loaded == []
    assert page.count("&lt;script&gt;") > 15


@pytest.mark.parametrize(
    "change",
    [
        {"gallery": {"kind": "cells"}},
        {"gallery": gallery_of("cells", [{"cells": [999], "values": [1.0]}])},
        {"correlations": [correlations_of(reference=[[1.0]])]},
        {"correlations": 3},
    ],
)
def test_plots_that_cannot_be_drawn_are_reported(
    tmp_path: Any, make_entry: Make, make_observables: Make, change: dict[str, Any]
) -> None:
    write_entry(tmp_path, make_entry(), make_observables(**change))
    assert "observables.json cannot be plotted" in build_pages(tmp_path).read_text(encoding="utf-8")
