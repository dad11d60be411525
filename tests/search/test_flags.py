"""What a mistyped flag says."""

from __future__ import annotations

import pytest

from search.engine.flags import Flags


def parser() -> Flags:
    top = Flags(prog="tool")
    top.add_argument_group("budget").add_argument("--trials", type=int)
    command = top.add_subparsers().add_parser("make")
    command.add_argument("--events", type=int)
    return top


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trails"], "tool: error: no flag --trails. Nearest: --trials. --help lists all of them"),
        (["make", "--event-s=4"], "tool make: error: no flag --event-s. Nearest: --events."),
        (["make", "--qqq"], "tool make: error: no flag --qqq. --help lists all of them"),
    ],
)
def test_the_nearest_flag_is_named(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as raised:
        parser().parse_args(words)
    assert raised.value.code == 2
    assert said in capsys.readouterr().err


def test_what_it_knows_is_parsed() -> None:
    assert parser().parse_args(["--trials", "4", "make", "--events", "2"]).__dict__ == {"trials": 4, "events": 2}
    assert parser().parse_known_args(["make", "--events", "2"])[1] == []
