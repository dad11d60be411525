"""The pages in a real browser, from files, without a network. Debian's Chromium is used where it is installed."""

from __future__ import annotations

import json
import re
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

from leaderboard.pages import build_pages
from leaderboard.records import write_entry
from leaderboard.resamples import record_of
from leaderboard.studies import write_study
from tests.leaderboard.study_samples import study_record

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
SERIOUS = ("serious", "critical")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the browser's driver
]


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_entry, make_observables, make_resamples):
    """Models of two detectors, a hostile title among them, one that diverged and one that was not timed."""
    folder = tmp_path_factory.mktemp("board")
    few = make_observables()
    few |= {name: few[name][:1] for name in ("histograms", "images", "response", "training")}
    milliseconds = {"fast": 0.01, "middling": 0.5, "slow": 20.0, "other": 3.0}
    scores = {"fast": 2.0, "middling": 1.0, "slow": 0.6, "other": 0.7}
    for name, median in milliseconds.items():
        entry = make_entry(id=name, title=f"The {name} <script>alert(1)</script>", score=scores[name])
        timings = {batch: {"median": median, "spread": median / 20} for batch in ("batch_1", "batch_100")}
        entry["cost"] = entry["cost"] | {"generation_ms_per_shower": timings}
        if name == "other":
            entry |= {
                "detector": "other-detector",
                "dataset": entry["dataset"] | {"title": "Others", "sha256": "e" * 64},
            }
        found = make_resamples(entry)
        entry["seeds"] = [seed | {"score": float(at)} for seed, at in zip(entry["seeds"], found.scores, strict=True)]
        pairs = zip(found.replicas, found.half_splits, strict=True)
        resampled = {seed["seed"]: pair for seed, pair in zip(entry["seeds"], pairs, strict=True)}
        write_entry(folder, entry, few, record_of(entry, resampled))
    write_entry(folder, make_entry(id="lost", title="Lost", score=0.1, status="diverged"), few)
    write_entry(folder, make_entry(id="untimed", title="Untimed", status="incomplete") | {"cost": None}, few)
    write_entry(folder, make_entry(id="mean", title="Mean shower", kind="baseline", score=3.0), few)
    digest = make_entry()["dataset"]["sha256"]
    (folder / "test_openings.jsonl").write_text(json.dumps({"sha256": digest}) + "\n")
    write_study(folder, study_record())
    build_pages(folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page of which every request and every complaint is heard."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    requests, complaints = [], []
    context.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []
    assert complaints == []


@pytest.fixture
def index(page, board):
    page.goto((board / "index.html").as_uri())
    return page


def table_of(page, title="Made-up photons"):
    return page.get_by_role("region", name=f"Table of entries: {title}, laptop").locator("table")


def names(page) -> list[str]:
    """Titles of the models that are seen in the first table, from top to bottom."""
    links = table_of(page).locator("tbody").first.locator("tr:visible th[scope=row] a")
    return [words.replace("The ", "").split(" <")[0] for words in links.all_inner_texts()]


def state(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).fragment)


def test_sorting_goes_up_down_and_back_and_leaves_the_classes_alone(index):
    ranking = ["slow", "middling", "fast", "Lost", "Untimed"]
    assert names(index) == ranking
    cells = table_of(index).locator("tbody").first.locator("tr td:first-child")
    classes = dict(zip(names(index), cells.all_inner_texts(), strict=True))
    button = table_of(index).get_by_role("button", name="ms a shower")
    head = table_of(index).locator("th[data-key=ms]")
    for expected, order in (
        ("ascending", ["fast", "Lost", "middling", "slow", "Untimed"]),
        ("descending", ["slow", "middling", "Lost", "fast", "Untimed"]),
        ("none", ranking),
    ):
        button.click()
        assert head.get_attribute("aria-sort") == expected
        assert names(index) == order
        assert dict(zip(names(index), cells.all_inner_texts(), strict=True)) == classes
    assert (
        table_of(index, "Others").locator("th[aria-sort=none]").count()
        == table_of(index, "Others").locator("th[data-key]").count()
    )


def test_words_are_sorted_as_words(index):
    table_of(index).get_by_role("button", name="Model").click()
    assert names(index) == ["Lost", "fast", "middling", "slow", "Untimed"]


def test_filter_and_budget_hide_rows_and_say_how_many_are_left(index):
    shown = index.get_by_role("status")
    assert shown.inner_text() == "6 of 6 models shown"
    index.get_by_label("Filter", exact=True).fill("the nothing")
    assert names(index) == []
    index.get_by_label("Filter", exact=True).fill("THE slow")
    assert names(index) == ["slow"]
    assert shown.inner_text() == "1 of 6 models shown"
    assert table_of(index).get_by_text("Mean shower").is_visible()  # to read the scores by
    index.get_by_label("Filter", exact=True).fill("")
    index.get_by_label("At most").fill("0.5")
    assert names(index) == ["middling", "fast", "Lost"]
    assert shown.inner_text() == "3 of 6 models shown; models without a measured time are left out"
    index.get_by_role("button", name="Reset").click()
    assert len(names(index)) == 5
    assert state(index) == {}


def test_columns_are_chosen(index):
    table = table_of(index)
    assert table.get_by_role("columnheader", name="Parameters").is_visible()
    assert table.get_by_role("columnheader", name="Hardware").count() == 0
    index.get_by_text("Columns", exact=True).click()
    index.get_by_role("checkbox", name="Hardware").check()
    index.get_by_role("checkbox", name="Parameters").uncheck()
    assert table.get_by_role("columnheader", name="Hardware").is_visible()
    assert table.get_by_text("a processor, CPU, one thread").first.is_visible()
    assert table.get_by_role("columnheader", name="Parameters").count() == 0
    assert table_of(index, "Others").get_by_role("columnheader", name="Hardware").is_visible()
    heading, visible = table.locator("tr.heading th"), table.locator("thead th:visible")
    assert heading.evaluate("cell => cell.colSpan") == visible.count()


def test_the_state_survives_a_reload_and_a_visit(index):
    table_of(index).get_by_role("button", name="Score").click()
    table_of(index).get_by_role("button", name="Score").click()
    index.get_by_label("Filter", exact=True).fill("alert")
    index.get_by_label("At most").fill("1")
    index.get_by_text("Columns", exact=True).click()
    index.get_by_role("checkbox", name="Date").check()
    before = state(index)
    assert before.keys() >= {"filter", "ms", "show"}

    def check() -> None:
        assert state(index) == before
        assert names(index) == ["fast", "middling"]
        assert table_of(index).locator("th[data-key=score]").get_attribute("aria-sort") == "descending"
        assert table_of(index).get_by_role("columnheader", name="Date").is_visible()
        assert index.get_by_label("Filter", exact=True).input_value() == "alert"

    check()
    index.reload()
    check()
    table_of(index).get_by_role("link", name="The fast").click()
    assert index.url.endswith("/models/fast.html")
    index.go_back()
    check()
    index.get_by_role("link", name="Others · laptop").click()  # moves there, and keeps the state
    check()
    assert index.evaluate("document.activeElement.textContent").startswith("Others")


def test_a_state_of_nonsense_does_no_harm(page, board):
    page.goto((board / "index.html").as_uri() + "#ms=much&show=__proto__,nothing&table-x=score,up&filter=%ff&=&&a")
    assert page.get_by_role("status").is_visible()


def test_everything_is_done_with_the_keyboard(index):
    index.keyboard.press("Tab")
    assert index.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert index.locator(".skip").bounding_box()["x"] >= 0
    index.keyboard.press("Enter")
    assert index.evaluate("document.activeElement.id") == "content"
    button = table_of(index).get_by_role("button", name="ms a shower")
    button.focus()
    for key, expected in (("Enter", "ascending"), ("Space", "descending")):
        index.keyboard.press(key)
        assert table_of(index).locator("th[data-key=ms]").get_attribute("aria-sort") == expected
    assert index.evaluate("document.activeElement.closest('th').dataset.key") == "ms"  # the focus stays
    index.get_by_text("Columns", exact=True).focus()
    index.keyboard.press("Enter")
    index.keyboard.press("Tab")
    index.keyboard.press("Space")
    assert table_of(index).locator("th[data-key=class]").is_hidden()


def test_every_link_of_the_board_leads_somewhere(index, board):
    addresses = index.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    for address in addresses:
        if address.startswith("#"):
            assert index.locator(f"[id='{address[1:]}']").count() == 1
        elif not address.startswith("https://"):  # sources of published figures; nothing follows them by itself
            assert (board / address).is_file(), address
    for name in ("metrics.html", "models/slow.html"):
        index.locator(f'a[href="{name}"]').first.click()
        assert index.url.endswith(name)
        assert index.locator("h1").count() == 1
        index.get_by_role("link", name="Leaderboard").first.click()
        assert index.url.split("#")[0].endswith("index.html")


def test_the_page_is_whole_without_its_script(browser, board):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((board / "index.html").as_uri())
    assert page.locator("#controls").is_hidden()
    assert page.get_by_role("columnheader", name="Hardware").first.is_visible()
    assert len(names(page)) == 5
    assert page.locator("table.board button").count() == 0
    context.close()


def test_of_a_long_table_the_first_rows_are_drawn_until_all_are_asked_for(page, tmp_path, make_entry):
    for number in range(103):
        entry = make_entry(id=f"many.{number:03}", title=f"Model {number:03}", score=1.0 + number / 1000)
        write_entry(tmp_path, entry, {"schema": 1, "seed": None, "training": []})
    page.goto(build_pages(tmp_path).as_uri())
    assert names(page) == [f"Model {number:03}" for number in range(50)]
    assert page.get_by_role("status").inner_text().startswith("103 of 103 models match, the first 50")
    page.get_by_label("Filter", exact=True).fill("102")  # what is not drawn is found
    assert names(page) == ["Model 102"]
    page.get_by_label("Filter", exact=True).fill("")
    for _ in range(2):
        table_of(page).get_by_role("button", name="Model").click()
    assert names(page)[0] == "Model 102"
    page.get_by_role("button", name="Show all rows").click()
    assert len(names(page)) == 103
    page.reload()
    assert len(names(page)) == 103


def test_nothing_is_wider_than_a_phone(page, board):
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("index.html", "metrics.html", "models/slow.html", "studies/atlas-gan-007.html"):
        page.goto((board / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "metrics.html", "models/slow.html", "studies/atlas-gan-007.html"])
def test_axe_finds_no_serious_fault(page, board, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    page.goto((board / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = each.id !== 'choice' })")
    # One table of each kind is enough: axe takes seconds for each.
    page.evaluate(
        "['.powers', '.elsewhere .scroll', '.definitions'].forEach("
        "kind => [...document.querySelectorAll(kind)].slice(2).forEach(each => each.remove()))"
    )
    found = axe.Axe().run(page)
    serious = [
        (fault["id"], fault["nodes"][0]["html"][:200], fault["nodes"][0].get("failureSummary"))
        for fault in found.response["violations"]
        if fault["impact"] in SERIOUS
    ]
    assert serious == []
    assert re.match(r"\d", found.response["testEngine"]["version"])
