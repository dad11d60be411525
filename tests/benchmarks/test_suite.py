"""The suite of benchmarks: what it writes down, how its page compares, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import run_all
from recording import VARIABLE, record

ENVIRONMENT = {
    "machine": {"processor": "a processor", "cores": 2},
    "code_commit": "0123456789abcdef",
    "time": "2030-01-02T03:04:05+00:00",
}


def number(value: float, *, better: str = "lower", peer: str = "", name: str = "a trial") -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "s", "better": better, "peer": peer}


def result(*numbers: dict[str, Any], what: str = "ATLAS GANs one by one") -> dict[str, Any]:
    run = {"script": "x", "what": what, "command": "python benchmarks/x.py", "status": 0, "wall_s": 2.0, "cpu_s": 1.0}
    return {"suite": "full", "environment": ENVIRONMENT, "runs": [{**run, "numbers": list(numbers)}]}


@pytest.mark.parametrize(
    ("better", "old", "new", "words"),
    [
        ("lower", 1.0, 1.3, "**worse by 30 %**"),
        ("higher", 1.3, 1.0, "**worse by 30 %**"),
        ("lower", 1.0, 0.5, "better by 50 %"),
        ("lower", 1.0, 1.1, ""),
        ("neither", 1.0, 9.0, ""),
    ],
)
def test_what_became_slower_is_said(better: str, old: float, new: float, words: str) -> None:
    assert run_all.verdict(number(new, better=better), old) == words
    assert run_all.verdict(number(new, better=better), None) == ""


def test_the_page_compares_with_the_former_one_and_says_where_a_peer_is_better() -> None:
    page = run_all.page(result(number(2.0), number(0.8, better="higher", peer="Ray Tune", name="b")), result(number(1)))
    assert "## ATLAS GANs one by one" in page
    assert "| a trial | 2.00 s | 1.00 s | **worse by 100 %** |" in page
    assert "Ray Tune is the better one." in page
    assert "commit `0123456789ab`, 2030-01-02" in page


def test_numbers_of_another_benchmark_are_not_compared() -> None:
    assert "worse" not in run_all.page(result(number(2.0)), result(number(1.0), what="something else"))


def test_numbers_are_kept_only_for_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    record("a trial", 1.0, "s")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "record.jsonl"))
    record("a trial", 2.0, "s")
    (line,) = (tmp_path / "record.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == number(2.0)


def test_every_benchmark_is_there_and_in_the_full_suite() -> None:
    folder = Path(run_all.__file__).parent
    for benchmark in run_all.BENCHMARKS:
        assert (folder / f"{benchmark.script}.py").is_file()
    titles = [benchmark.what for benchmark in run_all.BENCHMARKS]
    assert len(titles) == len(set(titles))


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["run_all.py", *arguments])
    run_all.main()


def test_a_benchmark_that_fails_leaves_the_page_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = run_all.Benchmark("leaderboard_pages", "what fails", "--no-such-flag")
    monkeypatch.setattr(run_all, "BENCHMARKS", (failing,))
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "performance.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"failed: python benchmarks/leaderboard_pages\.py --no-such-flag"):
        _main(monkeypatch, "--out", str(tmp_path), "--write", str(docs))
    assert "1 of 1: what fails" in capfd.readouterr().out
    assert [path.name for path in docs.iterdir()] == ["performance.json"]
    assert (docs / "performance.json").read_text(encoding="utf-8") == "{}"
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["runs"][0]["status"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "gan_iterations"), "no benchmark gan_iterations; there are gan_iteration,"),
        (("--only", "gan_iteration", "--write", "docs"), "--write makes the whole page again"),
        (("--suite", "quick", "--write", "docs"), "--write makes the whole page again"),
    ],
)
def test_wrong_flags_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit):
        _main(monkeypatch, *arguments)
    assert words in capsys.readouterr().err
