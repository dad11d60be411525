"""What can be wrong with a file, in words that lead to the mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file.

    Attributes:
        what: What was found, and what was expected.
        mend: What to do about it.
        key: Dataset, branch or column; None where the whole file is meant.
        event: Number of the first event, from 0; None where it is not about one.
    """

    what: str
    mend: str
    key: str | None = None
    event: int | None = None

    def __str__(self) -> str:
        where = [f"key {self.key!r}"] if self.key is not None else []
        where += [f"event {self.event}"] if self.event is not None else []
        return f"{', '.join(where)}: {self.what}. {self.mend}" if where else f"{self.what}. {self.mend}"


class UnreadableFile(ValueError):
    """A file that is missing, damaged, laid out differently, or holds what no detector produces.

    Says everything that was found wrong, at once.
    """

    def __init__(self, path: Path | str, *problems: Problem) -> None:
        assert problems, "an unreadable file has at least one problem"
        self.path, self.problems = path, problems
        if len(problems) == 1:
            super().__init__(f"{path}: {problems[0]}")
        else:
            lines = "".join(f"\n  - {problem}" for problem in problems)
            super().__init__(f"{path}: {len(problems)} problems{lines}")


_collected: ContextVar[list[Problem] | None] = ContextVar("collected", default=None)


@contextmanager
def collected_values() -> Iterator[list[Problem]]:
    """Impossible values that are met in here are collected instead of raised, so that a validation can read on."""
    problems: list[Problem] = []
    token = _collected.set(problems)
    try:
        yield problems
    finally:
        _collected.reset(token)


def refuse_values(path: Path, problems: Sequence[Problem]) -> None:
    """Raise what is wrong with values of a file whose structure is right, if anything is.

    Raises: UnreadableFile, unless problems are being collected.
    """
    collected = _collected.get()
    if collected is not None:
        collected += problems
    elif problems:
        raise UnreadableFile(path, *problems)


def has_collected() -> bool:
    """Whether impossible values were met already, and are being collected."""
    return bool(_collected.get())
