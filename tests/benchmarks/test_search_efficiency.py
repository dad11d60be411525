"""Pieces of the efficiency study: they are run, kept, and told on the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import search_efficiency as efficiency

from search.engine.earlier import best_configurations
from search.studies import STUDIES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that sees an evaluation or two, and the same in the name of random search."""
    folder = tmp_path_factory.mktemp("pieces")
    efficiency.run_piece(STUDIES["atlas-vae"], "default", 1, 0.5, folder)
    shutil.copy(efficiency.piece_file(folder, "default", 1), efficiency.piece_file(folder, "random", 1))
    return folder


def test_a_piece_keeps_curve_trials_and_a_score_on_test(folder: Path) -> None:
    piece = json.loads(efficiency.piece_file(folder, "default", 1).read_text(encoding="utf-8"))
    assert (piece["way"], piece["seed"], piece["seconds"]) == ("default", 1, 0.5)
    assert piece["trials"] == ["preempted"]
    seconds, values = zip(*piece["curve"], strict=True)
    assert list(values) == sorted(values, reverse=True)
    assert seconds[-1] >= 0.5
    assert piece["test"] > 0
    assert [epoch for epoch, _ in piece["histories"][0]] == [20 * (1 + index) for index in range(len(seconds))]
    assert set(piece["configurations"][0]) >= {"latent_dim", "learning_rate"}
    assert not list(folder.glob("*.partial"))
    assert len((folder / "test_openings.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_the_page_has_a_row_for_each_way(folder: Path, tmp_path: Path) -> None:
    efficiency.write_page("atlas-vae", folder, tmp_path)
    page = (tmp_path / "search_efficiency_atlas-vae.md").read_text(encoding="utf-8")
    for way in ("random", "default"):
        assert f"| {efficiency.WAYS[way].title} | 1 |" in page
    assert (tmp_path / "search_efficiency_atlas-vae.svg").stat().st_size > 1000


def test_there_is_no_page_without_the_reference(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no pieces of random; run them first"):
        efficiency.write_page("atlas-vae", tmp_path, tmp_path)


def test_the_time_to_a_value_is_that_of_the_median_over_seeds() -> None:
    pieces = [{"seconds": 10.0, "curve": curve} for curve in ([[1.0, 5.0], [4.0, 1.0]], [[2.0, 3.0]], [[6.0, 0.5]])]
    assert efficiency.time_to(pieces, 3.0) == pytest.approx(4.0, abs=0.01)  # then two of three are there
    assert efficiency.time_to(pieces, 0.1) is None


def test_a_way_learns_from_an_earlier_search_of_half_the_time(tmp_path: Path) -> None:
    study = STUDIES["atlas-vae"]
    efficiency.run_piece(study, efficiency.EARLIER, 1, 1.0, tmp_path)
    path = efficiency.piece_file(tmp_path, efficiency.EARLIER, 1)
    earlier = json.loads(path.read_text(encoding="utf-8"))
    assert earlier["seconds"] == 0.5
    other = {**earlier["configurations"][0], "latent_dim": 7}
    path.write_text(json.dumps({**earlier, "configurations": [other]}), encoding="utf-8")
    proposals = efficiency._way(efficiency.LEARNED, tmp_path).proposals(study.space_at(study.laptop), 1, tmp_path)
    assert [proposals.ask(number)["latent_dim"] for number in (0, 1)] == [10, 7]


def test_what_is_learned_are_the_trials_with_the_lowest_running_medians(tmp_path: Path) -> None:
    space = STUDIES["atlas-vae"].space
    configurations = [{**space.default, "latent_dim": dim} for dim in (3, 4, 5, 6)]
    piece = {
        "configurations": configurations,
        "histories": [[(20, 9.0), (40, 0.1), (60, 9.0)], [(20, 2.0)], [(20, 3.0), (40, 1.0), (60, 1.0)], [(20, 4.0)]],
        "trials": ["completed", "pruned", "completed", "preempted"],
    }
    ledger = efficiency.ledger_of(piece, tmp_path / "ledger.jsonl")
    assert [end.objective for _, end in ledger.ended] == [4.55, 2.0, 1.0, 4.0]
    taken = best_configurations(ledger, space)
    assert [config["latent_dim"] for config in taken] == [5, 4, 6]
