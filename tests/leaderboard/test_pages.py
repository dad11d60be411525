"""Pages from made-up records."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from leaderboard import plots
from leaderboard.cost import largest_batch
from leaderboard.pages import LOCK, build_pages
from leaderboard.pictures import draw_showers
from leaderboard.records import InvalidEntry, alone, write_entry
from leaderboard.resamples import record_of
from leaderboard.studies import read_studies, read_study, write_study

SCRIPT = "<script>alert('x')</script>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Balance(HTMLParser):
    """Raises where tags do not close in order; collects what would be loaded or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.tags: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.tags.append(tag)
        if tag != "a":  # a link loads nothing until somebody follows it
            self.loaded += [value for name, value in attrs if name in ("src", "href", "xlink:href") and "//" in value]
        self.loaded += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(path: Path) -> Balance:
    page = Balance()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def write_ranked(folder: Path, entry, observables, spread: float = 1e-3) -> None:
    """An entry with resamples, so that it has a rank: seeds that differ by little, events that change nothing."""
    seeds = [seed | {"score": entry["score"]["value"] + spread * (seed["seed"] - 1)} for seed in entry["seeds"]]
    entry = entry | {"seeds": seeds}
    resampled = {seed["seed"]: (np.full(5, seed["score"]), np.full(4, seed["score"])) for seed in seeds}
    write_entry(folder, entry, observables, record_of(entry, resampled))


def write_board(folder: Path, make_entry, make_observables) -> Path:
    for entry in (
        make_entry(),
        make_entry(id="lost", title="Lost", score=0.1, status="diverged"),
        make_entry(id="mean", title="Mean shower", kind="baseline", score=3.0),
    ):
        write_ranked(folder, entry, make_observables())
    return folder


@pytest.fixture
def board(tmp_path, make_entry, make_observables) -> Path:
    return write_board(tmp_path, make_entry, make_observables)


@pytest.fixture(scope="module")
def built(tmp_path_factory, make_entry, make_observables) -> Path:
    """A board whose pages are there; tests only read it."""
    folder = write_board(tmp_path_factory.mktemp("board"), make_entry, make_observables)
    line = '{"sha256": "' + make_entry()["dataset"]["sha256"] + '"}\n'
    (folder / "test_openings.jsonl").write_text(line * 3)
    build_pages(folder)
    return folder


def model_page(board: Path, name: str) -> str:
    return (board / "models" / f"{name}.html").read_text(encoding="utf-8")


def test_the_board_lists_every_entry_and_stands_alone(built):
    text = (built / "index.html").read_text(encoding="utf-8")
    assert all(title in text for title in ("best of the search", "Lost", "Mean shower"))
    assert "Not ATLAS full simulation" in text
    for path in (built / "index.html", *sorted((built / "models").iterdir())):
        page = parsed(path)
        assert page.loaded == []
        assert page.tags.count("script") == (path.name == "index.html")  # the board's own


def test_every_link_to_an_entry_leads_somewhere(built):
    links = re.findall(r'href="(models/[^"]+)"', (built / "index.html").read_text(encoding="utf-8"))
    assert len(links) == 3
    assert all((built / link).is_file() for link in links)


def test_diverged_entries_are_marked_and_unranked(built):
    rows = (built / "index.html").read_text(encoding="utf-8").split("<tr")
    (lost,) = [row for row in rows if "lost.html" in row]
    assert 'class="number">–</td>' in lost
    assert "diverged</span>" in lost
    assert "not ranked" in model_page(built, "lost")


def test_the_number_of_openings_and_trials_is_shown(built):
    text = " ".join((built / "index.html").read_text(encoding="utf-8").split())
    assert "opened 3 times for this board" in text
    assert "24 trials were compared" in text  # one search led to all entries: not 72


def test_models_show_every_energy_and_references_one(built, make_entry):
    model = model_page(built, make_entry()["id"])
    assert model.count("Title of response at") == 2
    assert model_page(built, "mean").count("Title of response at") == 1
    assert re.findall(r"<details( open)?><summary>([\d.]+ GeV)", model) == [("", "1.02 GeV"), (" open", "65.5 GeV")]


def test_texts_from_records_are_escaped(tmp_path, make_entry, make_observables):
    entry = make_entry(title=f"{SCRIPT} $\\alpha$ & co")
    entry["model"] = entry["model"] | {"config": {SCRIPT: SCRIPT}, "title": SCRIPT}
    entry["seeds"][0]["detail"] = SCRIPT
    entry["comparisons"] = [
        {"with": "x", "title": SCRIPT, "difference": -0.1, "error": 0.02, "standard_errors": -5.0, "seeds": 3}
    ]
    observables = make_observables()
    observables["histograms"][0]["title"] = SCRIPT
    observables["images"][1]["layers"][0]["layer"] = SCRIPT
    write_entry(tmp_path, entry, observables)
    broken = tmp_path / "entries" / "<script>alert(1)<"
    broken.mkdir()
    hostile = study_record(name=SCRIPT, directory=SCRIPT, status=SCRIPT, trials={SCRIPT: 1}, best_validation=None)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "hostile.json").write_text(json.dumps(hostile))
    index = build_pages(tmp_path)
    for path in (index, tmp_path / "models" / f"{entry['id']}.html"):
        assert parsed(path).tags.count("script") == (path == index)  # the board's own
        assert "&lt;script&gt;" in path.read_text(encoding="utf-8")


def cells_of(page: str, first: str) -> list[str]:
    """Texts of the row of a table that begins so."""
    (row,) = [row for row in page.split("<tr>") if row.startswith(f'<th scope="row">{first}<')]
    return [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]


def test_excess_p_value_and_worth_are_shown(tmp_path, make_measured_entry, make_observables):
    write_entry(tmp_path, make_measured_entry(), make_observables())
    index = build_pages(tmp_path).read_text(encoding="utf-8")
    assert "p = 0.012" in index
    page = model_page(tmp_path, make_measured_entry()["id"])
    assert cells_of(page, "Score")[:6] == [
        "Score", "0.800 ± 0.030", "0.500 ± 0.010", "0.300 ± 0.030", "0.012", "1\u202f400 (≥ 1\u202f000)",
    ]  # fmt: skip
    assert cells_of(page, "BMRE")[2:6] == ["0.2000", "0.100 ± 0.020", "0.0050", "2\u202f000 (≥ 1\u202f100)"]
    assert page.count('<td class="number">0.012</td>') == 4  # of the score, and of three seeds


@pytest.mark.parametrize(
    ("excess", "worth", "shown"),
    [
        ((-0.2, 0.02), {"events": None, "at_least": None}, ["−0.200 ± 0.020", "0.0050", "–"]),
        ((-0.01, 0.02), {"events": None, "at_least": 5432.0}, ["−0.010 ± 0.020", "0.0050", "≥ 5\u202f400"]),
        ((0.01, 0.02), {"events": 9e5, "at_least": 5432.0}, ["0.010 ± 0.020", "0.0050", "≥ 5\u202f400"]),
        ((9.0, 0.02), {"events": 0.00123, "at_least": 0.00122}, ["9.000 ± 0.020", "0.0050", "0.0012 (≥ 0.0012)"]),
    ],
)
def test_the_worth_follows_the_excess(tmp_path, make_measured_entry, make_observables, excess, worth, shown):
    entry = make_measured_entry()
    entry["components"]["bmre"] |= {"excess": dict(zip(("value", "error"), excess, strict=True)), "worth": worth}
    write_entry(tmp_path, entry, make_observables())
    build_pages(tmp_path)
    assert cells_of(model_page(tmp_path, entry["id"]), "BMRE")[3:6] == shown


def test_records_of_before_are_shown_with_dashes(built, make_entry):
    page = model_page(built, make_entry()["id"])
    assert cells_of(page, "Score")[4:6] == ["–", "–"]
    assert cells_of(page, "BMRE")[3:6] == ["–", "–", "–"]
    assert "Metrics of whole samples" not in page
    assert "Memorisation" not in page
    assert "p = " not in (built / "index.html").read_text(encoding="utf-8").split("How the score is defined")[0]


def test_metrics_of_whole_samples_are_shown(tmp_path, make_measured_entry, make_observables):
    entry = make_measured_entry()
    entry["whole_sample"]["metrics"][1]["remark"] = SCRIPT
    write_entry(tmp_path, entry, make_observables())
    build_pages(tmp_path)
    page = model_page(tmp_path, entry["id"])
    assert cells_of(page, "Precision") == ["Precision", "0.512 ± 0.036", "0.9790", "1", "higher", ""]
    assert cells_of(page, "Other")[1:3] == ["–", "–"]
    assert "script" not in parsed(tmp_path / "models" / f"{entry['id']}.html").seen


def test_distances_to_helices_are_shown(tmp_path, make_measured_entry, make_observables):
    report = {"mse_scaled": 0.00176, "published_column": 0.88, "rms_mm": 209.8, "tracks": 99}
    report |= {"tracks_without_helix": 1, "mse_scaled_bending_plane": 0.001}
    samples = {"generated": report, "reference": report | {"rms_mm": 1.236}}
    entry = make_measured_entry(id="tracks.1")
    helix = {"seed": 1, "samples": samples, "published_mse": {"proGAN": 0.00176}}
    write_entry(tmp_path, entry | {"helix": helix}, make_observables())
    write_entry(tmp_path, make_measured_entry(id="other.1"), make_observables())
    build_pages(tmp_path)
    page = model_page(tmp_path, "tracks.1")
    assert "Points and helices" in page
    assert "210" in page
    assert "1.24" in page
    assert "proGAN 0.00176" in page
    assert "Points and helices" not in model_page(tmp_path, "other.1")


def test_the_speed_up_over_full_simulation_is_shown_where_that_was_timed(
    tmp_path, make_measured_entry, make_observables
):
    timings = {name: {"median": value, "spread": 0.0} for name, value in (("batch_1", 2.0), ("batch_100", 0.05))}
    entry = make_measured_entry(id="timed.1")
    timed = entry["cost"] | {"generation_ms_per_shower": timings, "simulation_ms": 2.2}
    write_entry(tmp_path, entry | {"cost": timed}, make_observables())
    write_entry(tmp_path, make_measured_entry(id="other.1"), make_observables())
    build_pages(tmp_path)
    page = model_page(tmp_path, "timed.1")
    assert "Speed-up" in page
    assert ">44.0<" in page
    assert "Speed-up" not in model_page(tmp_path, "other.1")


def test_memorisation_is_shown_beside_full_simulation(tmp_path, make_measured_entry, make_observables):
    entry = make_measured_entry()
    entry["memorisation"]["found"]["control"] = entry["memorisation"]["found"]["control"] | {"control": None}
    write_entry(tmp_path, entry, make_observables())
    build_pages(tmp_path)
    page = model_page(tmp_path, entry["id"])
    assert cells_of(page, "Generated, closest tenth") == [
        "Generated, closest tenth", "100", "0.750", "0.500", "+5.0", "0.0010", "0.50 ± 0.10",
    ]  # fmt: skip
    assert cells_of(page, "Full simulation, all events")[1] == "1\u202f000"
    assert "full simulation to training" in page


def test_reasons_are_shown_where_nothing_was_computed(tmp_path, make_measured_entry, make_observables):
    entry = make_measured_entry()
    entry["whole_sample"] = {"seed": 1, "reason": f"diverged {SCRIPT}", "metrics": []}
    entry["memorisation"] = {"seed": 1, "reason": "too few", "unit": "MeV", "found": None}
    write_entry(tmp_path, entry, make_observables())
    build_pages(tmp_path)
    page = model_page(tmp_path, entry["id"])
    assert "Not computed: diverged &lt;script&gt;" in page
    assert "Not computed: too few" in page
    parsed(tmp_path / "models" / f"{entry['id']}.html")


def test_distances_of_nearest_events_may_be_zero():
    shares = np.array([0.01, 0.5, 0.75])
    curves = {
        "copied": plots.Quantiles(shares, np.zeros(3)),
        "other": plots.Quantiles(shares, np.array([1.0, 2.0, 3.0])),
    }
    (axes,) = plots.distance_figure(curves, "distance").axes
    assert axes.get_xscale() == "linear"
    assert [line.get_label() for line in axes.lines] == ["copied", "other"]


def test_the_pareto_set_is_marked_and_explained(built, tmp_path, make_entry):
    index = (built / "index.html").read_text(encoding="utf-8")
    marked = [row for row in index.split("<tr")[1:] if ">Pareto</span>" in row.split("</tr>")[0]]
    assert len(marked) == 1
    assert "best of the search" in marked[0]
    assert "The Pareto set of score and generation time" in index
    assert "in the Pareto set" in model_page(built, make_entry()["id"])
    write_entry(tmp_path, make_entry(id="lost", status="diverged"), {"schema": 1, "seed": None, "training": []})
    assert "Pareto" not in build_pages(tmp_path).read_text(encoding="utf-8")


def test_damaged_records_are_shown_and_not_fatal(board):
    (board / "entries" / "lost" / "entry.json").write_text('{"schema": NaN}')
    (board / "entries" / "mean" / "observables.json").unlink()
    text = build_pages(board).read_text(encoding="utf-8")
    assert "<code>lost</code> could not be read: entry.json could not be read: NaN" in text
    assert "<code>mean</code> could not be read: observables.json" in text
    assert "best of the search" in text
    assert "Mean shower" in model_page(board, "mean")


@pytest.mark.parametrize(
    "change",
    [
        {"histograms": [{"energy_mev": 1.0}]},
        {"histograms": 3},
        {"response": [{"quantity": "mean"}]},
        {"images": [{"energy_mev": 1.0, "layers": [{}]}]},
        {"judgement": None},
    ],
)
def test_observables_that_cannot_be_plotted_are_reported(tmp_path, make_entry, make_observables, change):
    write_entry(tmp_path, make_entry(), make_observables(**change))
    assert "observables.json cannot be plotted" in build_pages(tmp_path).read_text(encoding="utf-8")


def test_an_empty_board_has_a_page(tmp_path):
    assert "There are no entries yet" in build_pages(tmp_path / "board").read_text(encoding="utf-8")


def study_record(**changes):
    return {
        "name": "atlas-gan",
        "title": "A search",
        "directory": "007",
        "status": "interrupted",
        "preset": "laptop",
        "sampler": "tpe",
        "epochs": 100,
        "command": "python search/atlas_gan.py",
        "minutes": 3.5,
        "trials": {"completed": 12, "out_of_memory": 1},
        "best_validation": 0.81234,
        "best_validation_error": 0.02,
        "best_trial": 3,
    } | changes


def test_searches_are_listed(tmp_path):
    write_study(tmp_path, study_record())
    text = build_pages(tmp_path).read_text(encoding="utf-8")
    assert all(part in text for part in ("007", "interrupted", "12 completed, 1 out of memory", "0.8123"))


def test_a_search_is_written_in_place_of_its_former_record(tmp_path):
    write_study(tmp_path, study_record())
    write_study(tmp_path, study_record(minutes=8.0))
    assert [study["minutes"] for study in read_studies(tmp_path)[0]] == [8.0]
    assert read_study(tmp_path, "atlas-gan", "007") == study_record(minutes=8.0)
    assert read_study(tmp_path, "atlas-gan", "008") is None


def test_a_damaged_search_is_shown_and_not_fatal(tmp_path):
    write_study(tmp_path, study_record())
    (tmp_path / "studies" / "broken.json").write_text('{"name": "x"}')
    text = build_pages(tmp_path).read_text(encoding="utf-8")
    assert "broken.json" in text
    assert "resume its search" in text


def test_pages_whose_records_stand_are_left_alone(board, make_entry, make_observables):
    build_pages(board)
    pages = {name: board / "models" / f"{name}.html" for name in (make_entry()["id"], "mean")}
    before = {name: page.stat().st_mtime_ns for name, page in pages.items()}
    write_ranked(board, make_entry(id="better", score=0.2), make_observables())
    build_pages(board)
    after = {name: page.stat().st_mtime_ns for name, page in pages.items()}
    assert after["mean"] == before["mean"]
    assert after[make_entry()["id"]] != before[make_entry()["id"]]  # its rank has changed


def test_pages_need_no_torch_ray_optuna_models_or_metrics(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, make_entry(), make_observables())
    code = (
        "import sys; from pathlib import Path; from leaderboard.pages import build_pages; "
        "import leaderboard.summary; build_pages(Path(sys.argv[1])); "
        "print({'torch', 'ray', 'optuna', 'mlflow', 'models', 'metrics', 'data_adapters', 'matplotlib.pyplot'} "
        "& set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_figures_leave_matplotlib_as_it_was():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.to_svg(plots.distance_figure({"near": plots.Quantiles(np.array([0.1, 0.5]), np.ones(2))}, "mm"), "label")
    assert dict(mpl.rcParams) == before


def test_render_model_refuses_unusable_observables(make_entry):
    from leaderboard.model_page import render_model
    from leaderboard.ranking import Row

    with pytest.raises(InvalidEntry, match="cannot be plotted"):
        render_model(Row(1, make_entry()), {"histograms": [None]})


def test_scores_that_lie_far_apart_get_a_logarithmic_axis(make_entry):
    near, far = make_entry(score=0.8), make_entry(score=4000.0)
    floor = make_entry()["floor"]
    scales = [plots.score_figure([("a", near), ("b", other)], floor).axes[0].get_xscale() for other in (near, far)]
    assert scales == ["linear", "log"]


def test_pictures_are_of_what_the_paper_shows_or_of_what_there_is(board, tmp_path, make_entry, make_observables):
    entry = make_entry(id="own")
    histograms = make_observables()["histograms"]
    renamed = [{**histogram, "observable": f"own_{number}"} for number, histogram in enumerate(histograms)]
    write_entry(board, entry, make_observables(histograms=renamed))
    drawn = draw_showers(board, entry, tmp_path / "pictures")
    assert 1 <= len(drawn) <= 3
    assert all(path.name.startswith("own_") and path.read_text(encoding="utf-8").count("<svg") == 1 for path in drawn)


def test_an_entry_without_a_completed_seed_has_no_pictures(board, tmp_path, make_entry):
    entry = make_entry(id="gone", status="diverged")
    write_entry(board, entry, {"schema": 1, "seed": None, "training": []})
    assert draw_showers(board, entry, tmp_path / "pictures") == []


def test_a_batch_that_was_too_large_to_time_is_left_out(board, make_entry, make_observables):
    entry = make_entry(id="large")
    del entry["cost"]["generation_ms_per_shower"]["batch_10000"]
    write_entry(board, entry, make_observables())
    build_pages(board)
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>', model_page(board, "large").split("<h2>Cost</h2>")[1])
    assert rows == ["1", "100"]


def test_no_chi_squared_is_made_up_where_one_bin_holds_all(board, make_entry, make_observables):
    observables = make_observables()
    observables["histograms"][0] |= {"ndf": 0, "chi2": 0.0, "p_value": 1.0}
    write_entry(board, make_entry(id="narrow"), observables)
    build_pages(board)
    page = model_page(board, "narrow")
    assert "no χ²: the full simulation fills too few bins" in page
    assert "/ 0, p" not in page


@pytest.mark.parametrize(
    ("num_cells", "event_ms", "largest"),
    [(266, 0.01, 10_000), (81 * 80, 0.01, 2589), (10**6, 0.01, None), (266, 20.0, 500), (266, 200.0, None)],
)
def test_the_largest_batch_fits_memory_and_time(num_cells, event_ms, largest):
    assert largest_batch(num_cells, event_ms) == largest


def test_pages_built_while_another_search_builds_them_show_its_entries(tmp_path, make_entry, make_observables):
    write_entry(tmp_path, make_entry(id="first.laptop.00000000"), make_observables())
    builder = threading.Thread(target=build_pages, args=(tmp_path,))
    with alone(tmp_path / LOCK):  # as the other search does
        builder.start()
        time.sleep(1.0)
        write_entry(tmp_path, make_entry(id="second.laptop.00000000"), make_observables())
    builder.join(timeout=60)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "first.laptop.00000000" in page
    assert "second.laptop.00000000" in page
